"""What only shows after long: memory, descriptors, threads, processes and files that grow; entries that tear.

`-m soak`. `LABKERNEL_SOAK_S` shortens the long ones (seconds; ten minutes when left out). See README.md.
"""

# ruff: noqa: E501 - text of a component

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from host_guests import WASI, plain

from labkernel._cache import Cache
from labkernel._errors import BudgetExceeded, GuestCrashed, GuestTrap
from labkernel._lab import Lab

pytestmark = pytest.mark.soak
SECONDS = float(os.environ.get("LABKERNEL_SOAK_S", "600"))
RATE = 200


def held(lab: Lab) -> dict[str, int]:
    """Return what the kernel and its host processes hold."""
    own = psutil.Process()
    workers = own.children(recursive=True)
    here = lab.cache.root
    return {
        "kernel MiB": own.memory_info().rss >> 20,
        "worker MiB": sum(p.memory_info().rss for p in workers) >> 20,
        "kernel descriptors": own.num_fds(),
        "worker descriptors": sum(p.num_fds() for p in workers),
        "worker threads": sum(p.num_threads() for p in workers),
        "processes": len(workers),
        "files": sum(1 for path in here.rglob("*") if path.is_file()),
        "temporary": sum(1 for name in os.listdir(tempfile.gettempdir()) if name.startswith("labkernel-")),
    }


def grew(before: dict[str, int], after: dict[str, int], **slack: int) -> dict[str, tuple[int, int]]:
    """Return what is more afterwards than before, beyond what is allowed."""
    return {k: (before[k], after[k]) for k in before if after[k] > before[k] + slack.get(k.split()[-1], 0)}


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    """Return a lab with two components in it."""
    with Lab(cache=Cache(tmp_path / "cache")) as made:
        made.build("wat", WASI, name="wasi")
        made.build("wat", plain('(func (export "f")) (func (export "bad") unreachable)'), name="bare")
        yield made


def test_two_hundred_starts_a_second(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Instances that start, answer and go, at a rate, for long: nothing grows."""
    loaded = lab.code.loaded(lab.builds["wasi"])
    from labkernel._host import Start

    def one() -> None:
        started = lab.guests.instantiate(loaded, Start())
        assert lab.guests.call(started, "count", []).result == 1
        lab.guests.drop(started)

    for _ in range(1000):
        one()
    before, began, n, late = held(lab), time.monotonic(), 0, 0.0
    while (now := time.monotonic()) - began < SECONDS:
        due = began + n / RATE
        late = max(late, now - due)
        time.sleep(max(0.0, due - now))
        one()
        n += 1
    after = held(lab)
    with capsys.disabled():
        sys.stderr.write(f"\n{n} starts in {SECONDS:g} s, at most {late:.2f} s late\n{before}\n{after}\n")
    assert n > 0.9 * RATE * SECONDS
    assert not grew(before, after, MiB=4), grew(before, after, MiB=4)


def test_crashes_and_recoveries(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Traps, timeouts, floods and killed host processes, a thousand of them: the next call always answers."""
    rng = random.Random(1)
    cycles = 1000 if SECONDS >= 600 else max(50, int(SECONDS))
    attacker = lab.instantiate("wasi", name="attacker", timeout="20ms", output="4KiB")
    bystander = lab.instantiate("bare", name="bystander")

    def cycle() -> None:
        how = rng.choice(("trap", "spin", "flood", "kill", "nap"))
        if how == "kill":
            os.kill(lab.guests.pid or 0, signal.SIGKILL)
            with _either(GuestCrashed):
                attacker.count()
        else:
            call: Callable[[], Any] = {
                "trap": lambda: attacker["say-then-trap"](), "spin": attacker.spin, "flood": attacker.flood,
                "nap": lambda: attacker.nap(50_000_000),
            }[how]  # fmt: skip
            with pytest.raises((GuestTrap, BudgetExceeded)):
                call()
        assert attacker.count() >= 1
        bystander.f()

    for _ in range(40):
        cycle()
    before = held(lab)
    for _ in range(cycles):
        cycle()
    os.kill(lab.guests.pid or 0, signal.SIGKILL)
    with _either(GuestCrashed):
        attacker.count()
    attacker.count()
    after = held(lab)
    with capsys.disabled():
        sys.stderr.write(f"\n{cycles} crashes\n{before}\n{after}\n")
    assert not grew(before, after, MiB=8, threads=2), grew(before, after, MiB=8, threads=2)


class _either:  # noqa: N801 - reads as a word
    """Let one error pass, if it comes."""

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._kind)


#: A kernel of its own on the shared cache: builds, loads and calls without end, and checks every answer.
KERNEL = """
import json, random, sys
from pathlib import Path
from labkernel._cache import Cache
from labkernel._lab import Lab
root, seed = Path(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
WAT = '(component (core module $m (func (export "f") (result i32) (i32.const %d))) (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))'
with Lab(cache=Cache(root, max_size=400_000)) as lab:
    while True:
        n = rng.randrange(40)
        lab.build("wat", WAT % n, name=f"c{n}", force=rng.random() < 0.3)
        answer = lab.instantiate(f"c{n}", name="x").f()
        print(json.dumps([n, answer]), flush=True)
        if rng.random() < 0.05:
            lab.cache.trim(100_000)
"""


def test_kernels_killed_at_random(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several kernels share one cache and die at any moment: no entry that was torn is ever loaded."""
    rng = random.Random(2)
    root = tmp_path / "cache"
    kernels: list[subprocess.Popen[str]] = []
    ended = time.monotonic() + min(SECONDS, 300)
    answers = kills = 0

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KERNEL, str(root), str(rng.randrange(1 << 30))]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(kernel: subprocess.Popen[str]) -> int:
        kernel.kill()
        out, err = kernel.communicate()
        assert "Traceback" not in err, err
        pairs = [json.loads(line) for line in out.splitlines() if line.endswith("]")]
        assert all(n == answer for n, answer in pairs)
        return len(pairs)

    while time.monotonic() < ended:
        while len(kernels) < 3:
            kernels.append(start())
        time.sleep(rng.uniform(0.3, 2.5))
        answers += end(kernels.pop(rng.randrange(len(kernels))))
        kills += 1
    answers += sum(map(end, kernels))
    with capsys.disabled():
        sys.stderr.write(f"\n{kills} kernels killed, {answers} answers, all right\n")
    assert answers > kills
    workers = [p for p in psutil.process_iter(["cmdline"]) if str(root) in " ".join(p.info["cmdline"] or [])]
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive, "host processes outlive their kernels"
