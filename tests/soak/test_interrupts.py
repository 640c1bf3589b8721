"""A keyboard interrupt in every phase: it ends what runs, soon, and everything else is as it was."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from host_guests import WASI, plain
from hostile_kit import own_cache

from labkernel import _toolchains as toolchains
from labkernel._cache import Cache
from labkernel._lab import Lab
from labkernel._toolbox import find_toolbox

SLOW_C = """#define A(x) x x x x x x x x x x
#define B(x) A(A(A(A(A(x)))))
uint32_t run(uint32_t n) { return 0 B(A(A(+1))); }"""
FUNCTION = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with a bystander that counts."""
    with Lab(cache=own_cache(tmp_path_factory.mktemp("lab") / "cache")) as made:
        made.build("wat", WASI, name="wasi")
        made.build("wat", plain('(func $l (loop $l (br $l))) (start $l) (func (export "f"))'), name="starts")
        made.instantiate("wasi", name="bystander").count()
        yield made


def interrupted(lab: Lab, act: Callable[[], object], *, after_s: float = 0.3) -> float:
    """Interrupt what runs after a while; return how long it took from then on."""
    count = lab.instances["bystander"].count()
    others = {p.pid for p in psutil.Process().children(recursive=True)}
    begun = time.monotonic()
    timer = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            act()
        took = time.monotonic() - begun - after_s
    finally:
        timer.join()
    assert lab.instances["bystander"].count() == count + 1
    children = {p.pid for p in psutil.Process().children(recursive=True)}
    assert children <= {*others, *lab.guests.pids, lab.tools.pid}
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    assert took < 1.0 * max(1.0, busy), f"{took:.2f} s"
    return took


def test_while_a_compiler_runs(lab: Lab, require: Callable[[str, object], None]) -> None:
    """With its whole group."""
    require("zig", toolchains.zig_binary())
    require("the toolbox", find_toolbox(Cache()))
    lab.wit("package a:b; world w { export run: func(n: u32) -> u32; }", name="w")
    lab.build("c", "uint32_t run(uint32_t n) { return n; }", name="first", world="w")
    interrupted(lab, lambda: lab.build("c", SLOW_C, name="slow", world="w"), after_s=1.0)
    lab.build("c", "uint32_t run(uint32_t n) { return n + 1; }", name="slow", world="w")


def test_while_machine_code_is_made(lab: Lab, tmp_path: Path) -> None:
    """The process that makes it ends, and leaves no file."""
    wasm = lab.tools.assemble(f"(component (core module {FUNCTION * 60_000}))")
    interrupted(lab, lambda: lab.tools.codegen(wasm, tmp_path / "x.cwasm"))
    assert not list(tmp_path.iterdir())


def test_while_text_is_assembled(lab: Lab) -> None:
    """Likewise."""
    text = f"(component (core module {FUNCTION * 400_000}))"
    interrupted(lab, lambda: [lab.tools.assemble(text) for _ in range(20)])


def test_while_an_instance_starts(lab: Lab) -> None:
    """In the guest's `start` function."""
    interrupted(lab, lambda: lab.instantiate("starts", name="x", timeout="60s"))


@pytest.mark.parametrize("call", ["spin()", "nap(3600000000000)", "naps(1000000)", "flood()"])
def test_while_a_guest_runs(lab: Lab, call: str) -> None:
    """In its own code, blocked in the host, in and out, and printing."""
    interrupted(lab, lambda: lab.fire("wasi", call, timeout="60s", output="1GiB"))


def test_while_many_starts_are_measured(lab: Lab) -> None:
    """Between load, link, instantiate and call, wherever it comes."""
    for after_s in (0.05, 0.1, 0.2):
        interrupted(lab, lambda: lab.timings(["wasi"], call="count()", samples=100_000), after_s=after_s)
