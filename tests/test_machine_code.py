"""Files of machine code in a shared cache: whole or not at all, whoever is killed while writing, for one key only."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labkernel import CacheDamaged
from labkernel._cache import Cache
from labkernel._host import EngineSettings, Supervisor, load_or_make
from labkernel._host.machine_code import key_id, load_checked, write

KEY = b"k" * 32
SETTINGS = EngineSettings()
#: Writes one entry over and over, each time another code of another length: a mix of two is neither.
WRITER = """
import hashlib, sys
from pathlib import Path
from labkernel._host.machine_code import write
n = int(sys.argv[2])
print("begun", flush=True)
while True:
    seed = hashlib.sha256(str(n).encode()).digest()
    write(Path(sys.argv[1]), seed * (50_000 + n % 1000), key=b"k" * 32, settings_key="s")
    n += 1
"""
#: A kernel that loads one entry, and makes it where it is not there, in a lab's way.
KERNEL = """
import sys
from pathlib import Path
from labkernel._cache import Cache
from labkernel._host import EngineSettings, Supervisor, load_or_make
cache, name, rounds = Cache(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
with Supervisor(mac_key=b"k" * 32) as host:
    wasm = host.assemble("(component)")
    code = cache.path("code", name, ".cwasm")
    print("begun", flush=True)
    for _ in range(rounds):
        make = lambda: host.codegen(wasm, code, settings=EngineSettings())
        load_or_make(host, code, EngineSettings(), cache=cache, make=make)
        code.unlink(missing_ok=True)
print("ended", flush=True)
"""


def load(path: Path, *, key: bytes = KEY) -> bytes:
    """Return what a file holds, its end included."""
    return load_checked(path, lambda link: Path(link).read_bytes(), key=key, settings_key="s")


def begin(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process and wait until it has begun."""
    started = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n"
    return started


def end(started: subprocess.Popen[str]) -> None:
    """Kill a process at once."""
    started.kill()
    started.communicate()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:-32] + bytes(32),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[: len(data) // 2] + data[len(data) // 2 + 1 :],
    ],
)
def test_a_file_that_is_not_what_was_written_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    """Empty, cut, longer, without its MAC, with another bit."""
    path = tmp_path / "x.cwasm"
    write(path, b"code" * 1000, key=KEY, settings_key="s")
    assert load(path)[:4000] == b"code" * 1000
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CacheDamaged, match="made again"):
        load(path)


def test_a_key_has_a_name_that_does_not_tell_it() -> None:
    """The name is the same for the same key only, and is no part of it."""
    assert key_id(KEY) == key_id(b"k" * 32) != key_id(b"j" * 32)
    assert KEY.hex()[:16] != key_id(KEY) != hashlib.sha256(KEY).hexdigest()[:16]


def test_writers_that_are_killed_leave_no_mix(tmp_path: Path) -> None:
    """Two processes write one entry again and again and are killed at random points: every look finds a whole one."""
    path, draw, looks = tmp_path / "x.cwasm", random.Random(11), set()
    write(path, b"first", key=KEY, settings_key="s")
    for turn in range(4):
        writers = [begin(WRITER, path, 1_000_000 * turn + 10_000 * which) for which in range(2)]
        until = time.monotonic() + 0.3 + draw.random() / 5
        while time.monotonic() < until:
            looks.add(hashlib.sha256(load(path)).digest())
        for writer in writers:
            end(writer)
        assert load(path)
    assert len(looks) > 10


def test_kernels_that_are_killed_damage_nothing(tmp_path: Path) -> None:
    """Kernels make, load and lose one entry while others are killed at it: those that live on never see damage."""
    cache, draw, name = Cache(tmp_path), random.Random(7), "ab" * 32
    living = begin(KERNEL, tmp_path, name, 150)
    for _ in range(4):
        doomed = begin(KERNEL, tmp_path, name, 1_000_000)
        time.sleep(draw.random() / 4)
        end(doomed)
    assert living.communicate(timeout=120)[0] == "ended\n"
    assert living.returncode == 0
    code = cache.path("code", name, ".cwasm")
    with Supervisor(mac_key=KEY) as host:
        wasm = host.assemble("(component)")
        load_or_make(host, code, SETTINGS, cache=cache, make=lambda: host.codegen(wasm, code))
        assert host.load(code)


def test_what_is_there_is_not_made_and_what_is_damaged_is(tmp_path: Path) -> None:
    """An entry is made once; a damaged one is made again, without being removed first."""
    cache, made = Cache(tmp_path), []
    code = cache.path("code", "cd" * 32, ".cwasm")
    with Supervisor(mac_key=KEY) as host:
        wasm = host.assemble("(component)")

        def make() -> None:
            made.append(code.exists())
            host.codegen(wasm, code)

        for _ in range(2):
            load_or_make(host, code, SETTINGS, cache=cache, make=make)
        assert made == [False]
        os.truncate(code, 100)
        load_or_make(host, code, SETTINGS, cache=cache, make=make)
        assert made == [False, True]
