"""The extension in a real Jupyter kernel: interrupts, lost workers, what is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec
from worlds import BASICS

from labkernel import _toolchains as toolchains

#: A component whose `wait` blocks in the host for an hour: no epoch reaches it there.
WAITS = """(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p'))
    (export "pollable" (type $p (eq $p')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $m
    (import "" "block" (func $block (param i32)))
    (import "" "subscribe" (func $subscribe (param i64) (result i32)))
    (func (export "wait") (call $block (call $subscribe (i64.const 3600000000000)))))
  (core instance $i (instantiate $m (with "" (instance
    (export "block" (func $block)) (export "subscribe" (func $subscribe))))))
  (func (export "wait") (canon lift (core func $i "wait"))))
"""


class Kernel:
    """A kernel of this Python with the extension loaded."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str, *, during: Callable[[], None] | None = None) -> dict[str, Any]:
        """Run a cell; return its streams as `text`, its displays as `shown`, its error as `error`."""
        got: dict[str, Any] = {"text": "", "shown": "", "error": ""}
        done = self.client.execute(code)
        if during is not None:
            during()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != done:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                got["text"] += content["text"]
            elif kind in ("display_data", "execute_result"):
                got["shown"] += content["data"].get("text/plain", "")
            elif kind == "error":
                got["error"] = content["ename"]
                got["text"] += "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        return got

    def interrupt_after(self, seconds: float) -> Callable[[], None]:
        """Return what interrupts the kernel after a while."""

        def interrupt() -> None:
            time.sleep(seconds)
            self.manager.interrupt_kernel()

        return interrupt


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Return a running kernel with the basic components in it."""
    manager = KernelManager()
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="test", language="python")
    folder = tmp_path_factory.mktemp("kernel")
    manager.start_kernel(cwd=str(folder), env={**os.environ, "IPYTHONDIR": str(folder / "ipython")})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    made = Kernel(manager, client)
    assert not made.run("%load_ext labkernel")["error"]
    assert not made.run(f"%%wasm wat basics\n{BASICS}")["error"]
    assert not made.run(f"%%wasm wat waits\n{WAITS}")["error"]
    yield made
    workers = psutil.Process(manager.provisioner.pid).children(recursive=True)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "host processes outlive their kernel"


def _works(kernel: Kernel) -> None:
    assert "Answer: 42" in kernel.run("%fire basics double(21)")["shown"]
    assert kernel.run("print(kept)")["text"] == "kept\n"


@pytest.mark.parametrize("cell", ["%fire basics spin() --timeout 60s", "%fire waits wait() --timeout 60s"])
def test_interrupt(kernel: Kernel, cell: str) -> None:
    """An interrupt stops a guest in its own code or blocked in the host, and keeps variables and instances."""
    kernel.run("kept = 'kept'")
    kernel.run("%instantiate basics --as counter")
    assert "Answer: 1" in kernel.run("%fire counter count()")["shown"]
    begun = time.monotonic()
    got = kernel.run(cell, during=kernel.interrupt_after(1.0))
    assert got["error"] == "KeyboardInterrupt"
    assert "labkernel/" not in got["text"]
    assert time.monotonic() - begun < 10
    _works(kernel)
    assert "Answer: 2" in kernel.run("%fire counter count()")["shown"]


@pytest.mark.parametrize(
    "cell",
    ["%timings basics --startup -r 1000000 --call double(2)", "%timings waits --latency --call wait()"],
)
def test_interrupt_while_measuring(kernel: Kernel, cell: str) -> None:
    """A measurement that is interrupted, of starts or inside the engine, leaves its target ready for the next call."""
    kernel.run("kept = 'kept'")
    got = kernel.run(cell, during=kernel.interrupt_after(1.5))
    assert got["error"] == "KeyboardInterrupt"
    assert "labkernel/" not in got["text"]
    _works(kernel)


@pytest.mark.parametrize("options", ["", "-c 2", "--rate 100/s --policy cold", "--policy keep-alive:1s -c 2"])
def test_interrupt_of_a_load(kernel: Kernel, options: str) -> None:
    """The run so far is shown and bound, over one host process or several; the next cell works."""
    kernel.run("kept = 'kept'")
    cell = f"%fire basics double(2) --duration 60s {options} -o part"
    begun = time.monotonic()
    got = kernel.run(cell, during=kernel.interrupt_after(2.0))
    assert got["error"] == "KeyboardInterrupt"
    assert "labkernel/" not in got["text"]
    assert time.monotonic() - begun < 12
    assert kernel.run("print(part.is_interrupted, len(part) > 10)")["text"] == "True True\n"
    _works(kernel)


def test_timeout_in_a_blocked_host_call(kernel: Kernel) -> None:
    """A guest that waits an hour in the host is over its budget, and the others go on."""
    kernel.run("kept = 'kept'")
    got = kernel.run("%fire waits wait() --timeout 300ms")
    assert got["error"] == "BudgetExceeded"
    assert "timeout" in got["text"]
    _works(kernel)


def test_interrupt_while_compiling(kernel: Kernel, require: Callable[[str, object], None]) -> None:
    """An interrupt ends the compiler and everything it started."""
    require("zig", toolchains.zig_binary())
    kernel.run("kept = 'kept'")
    kernel.run("%%wit slow\npackage test:slow@0.1.0;\nworld slow { export run: func() -> u32; }")
    huge = "#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(A(A(x)))))\n"
    cell = f"%%wasm c slow_c --world slow\n{huge}\nuint32_t run(void) {{ return 0 B(A(A(+1))); }}"
    got = kernel.run(cell, during=kernel.interrupt_after(2.0))
    assert got["error"] == "KeyboardInterrupt"
    _works(kernel)
    children = psutil.Process(kernel.manager.provisioner.pid).children(recursive=True)
    assert not [c for c in children if "zig" in c.name() or "clang" in c.name()]


def test_a_killed_worker(kernel: Kernel) -> None:
    """When the host process is killed, the next call starts a new one and says so."""
    kernel.run("kept = 'kept'")
    _works(kernel)
    for child in psutil.Process(kernel.manager.provisioner.pid).children(recursive=True):
        if "worker" in " ".join(child.cmdline()):
            os.kill(child.pid, signal.SIGKILL)
    time.sleep(0.3)
    got = kernel.run("%fire basics double(21)")
    if got["error"]:
        assert got["error"] == "GuestCrashed"
    _works(kernel)
    assert not kernel.run(f"%%wasm wat again\n{BASICS} ")["error"]


#: Attacks as cells: their text, the call, what it ends in.
ATTACKS = {
    "recursion": ('(func $f (export "f") (call $f))', "GuestTrap", "stack"),
    "loop": ('(func (export "f") (loop $l (br $l)))', "BudgetExceeded", "timeout"),
    "memory": (
        '(memory 1) (func (export "f") (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))'
        " unreachable)",
        "BudgetExceeded",
        "memory",
    ),
    "table": ('(table 2000000 funcref) (func (export "f"))', "BudgetExceeded", "table"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(kernel: Kernel, attack: str) -> None:
    """The same kernel afterwards, with its variables and its other instances; each attack ends in its own error."""
    body, error, said = ATTACKS[attack]
    before = kernel.run("import os\nkept = 'kept'\nprint(os.getpid())")["text"]
    kernel.run("%instantiate basics --as bystander")
    first = int(kernel.run("print(bystander.count())")["text"])
    wat = f"""(component (core module $m {body}) (core instance $i (instantiate $m))
      (func (export "f") (canon lift (core func $i "f"))))"""
    built = kernel.run(f"%%wasm wat attack\n{wat}")
    assert not built["error"], built["text"]
    got = kernel.run("%fire attack f() --timeout 1s")
    assert (got["error"], said in got["text"], "labkernel/" in got["text"]) == (error, True, False)
    assert int(kernel.run("print(bystander.count())")["text"]) == first + 1
    assert kernel.run("print(os.getpid())")["text"] == before
    _works(kernel)


def test_a_component_that_is_none(kernel: Kernel, tmp_path: Path) -> None:
    """Random bytes, and a component that was cut, are refused, and nothing of theirs is known."""
    kernel.run("kept = 'kept'")
    kernel.run(f"%wasm save basics {tmp_path}/whole.wasm")
    whole = (tmp_path / "whole.wasm").read_bytes()
    for data in (os.urandom(2000), whole[:-40], whole[:8] + os.urandom(2000)):
        (tmp_path / "evil.wasm").write_bytes(data)
        got = kernel.run(f"%wasm load {tmp_path}/evil.wasm --as evil")
        assert got["error"] == "ComponentError", got["text"]
        assert kernel.run("%fire evil f()")["error"] == "UsageError"
    _works(kernel)


def test_errors_are_short(kernel: Kernel) -> None:
    """An error of the lab is shown without a traceback."""
    got = kernel.run("%fire basics fail()")
    assert got["error"] == "GuestTrap"
    assert "labkernel/" not in got["text"]


def test_lessons_work_from_another_folder(kernel: Kernel, tmp_path: Path) -> None:
    """Paths are those of the notebook."""
    kernel.run(f"%cd -q {tmp_path}\n%wasm save basics ./saved.wasm")
    assert (tmp_path / "saved.wasm").read_bytes()[:4] == b"\0asm"


def test_progress_is_shown_under_its_cell(kernel: Kernel) -> None:
    """Work that takes long has a line with its time, under the cell that does it."""
    got = kernel.run("%fire basics spin() --timeout 1500ms")
    assert "… %fire basics spin() --timeout 1500ms (" in got["shown"]
