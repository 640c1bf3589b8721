"""The host process with guests that misbehave: every ending is one clear error, all else lives on."""

# ruff: noqa: E501 - text of components and tables of cases

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_guests import HTTP, WASI, asking, plain

from labkernel._errors import (
    BudgetExceeded,
    CacheDamaged,
    CapabilityDenied,
    CompileError,
    ComponentError,
    GuestCrashed,
    GuestExit,
    GuestTrap,
    UsageError,
    ValueDoesNotFit,
)
from labkernel._host import EngineSettings, Loaded, Start, Started, Supervisor

KEY = b"k" * 32
CRANELIFT = EngineSettings()


class Lab:
    """One supervisor and a folder for machine code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supervisor = Supervisor(mac_key=KEY)
        self._targets: dict[tuple[str, EngineSettings], Path] = {}

    def load(self, wat: str, settings: EngineSettings = CRANELIFT) -> Loaded:
        """Compile and load text."""
        if (wat, settings) not in self._targets:
            target = self.folder / f"{len(self._targets)}.cwasm"
            self.supervisor.codegen(self.supervisor.assemble(wat), target, settings=settings)
            self._targets[wat, settings] = target
        return self.supervisor.load(self._targets[wat, settings], settings=settings)

    def start(self, wat: str = WASI, settings: EngineSettings = CRANELIFT, **start: Any) -> Started:
        """Start an instance of text."""
        return self.supervisor.instantiate(self.load(wat, settings), Start(**start))

    def call(self, started: Started, function: str, *args: Any, **how: Any) -> Any:
        """Return a function's result."""
        return self.supervisor.call(started, function, list(args), **how).result

    def is_well(self) -> None:
        """Check that a fresh instance answers."""
        assert self.call(self.start(), "count") == 1


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One host process for the tests that leave it as they found it."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.supervisor.close()


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """A host process of the test's own, to be killed."""
    made = Lab(tmp_path)
    yield made
    made.supervisor.close()


class Printed:
    """What a guest printed, as it came."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []
        self.times: list[float] = []

    def __call__(self, stream: str, text: str) -> None:
        """Take a piece."""
        self.pieces.append((stream, text))
        self.times.append(time.monotonic())

    @property
    def text(self) -> str:
        """Both streams in order."""
        return "".join(text for _, text in self.pieces)


def took(run: Callable[[], Any]) -> float:
    """Return the seconds a function takes."""
    began = time.monotonic()
    run()
    return time.monotonic() - began


# ------------------------------------------------------------------------------------------------ ordinary


def test_a_call_answers_and_counts(lab: Lab) -> None:
    """State is kept between calls, indexes count, time is measured."""
    started = lab.start()
    called = [lab.supervisor.call(started, "count", []) for _ in range(3)]
    assert [c.result for c in called] == [1, 2, 3]
    assert [c.index for c in called] == [0, 1, 2]
    assert all(0 < c.ns < 1e9 for c in called)


def test_instances_are_apart(lab: Lab) -> None:
    """Two instances of one component share nothing."""
    one, two = lab.start(), lab.start()
    assert [lab.call(one, "count"), lab.call(one, "count"), lab.call(two, "count")] == [1, 2, 1]


def test_the_world_is_read_off_the_component(lab: Lab) -> None:
    """Imports by full id, exports with their types."""
    world = lab.load(WASI).world
    assert "wasi:cli/stdout@0.2.0" in world.imported()
    texts = {function.name: function.text for function in world.functions()}
    assert texts["env"] == "env: func() -> list<tuple<string, string>>"
    assert texts["leave"] == "leave: func(status: result)"


def test_loading_the_same_file_again_is_free(lab: Lab) -> None:
    """The same component is handed out."""
    assert lab.load(WASI) == lab.load(WASI)


def test_a_compiler_other_than_cranelift_answers_alike(lab: Lab) -> None:
    """Winch and Pulley run the same component."""
    for compiler in ("winch", "pulley"):
        settings = EngineSettings(compiler)
        assert lab.call(lab.start(WASI, settings), "count") == 1
        assert settings.key != EngineSettings().key


def test_an_unknown_function_is_named(lab: Lab) -> None:
    """The exports are listed."""
    with pytest.raises(UsageError, match=r"Unknown function 'kount'.*count, say"):
        lab.call(lab.start(), "kount")


def test_a_dropped_instance_says_so(lab: Lab) -> None:
    """Dropping twice is fine; calling is not."""
    started = lab.start()
    lab.supervisor.drop(started)
    lab.supervisor.drop(started)
    with pytest.raises(GuestTrap, match="dropped"):
        lab.call(started, "count")


def test_grants_are_the_only_things_seen(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, arguments, stdin and directories are those given and nothing else."""
    monkeypatch.setenv("SECRET", "x")
    bare = lab.start()
    assert [lab.call(bare, f) for f in ("env", "args", "stdin", "dirs")] == [[], [], "", 0]
    given = lab.start(
        env=(("A", "1"), ("B", "ü")), args=("x", ""), stdin=b"hello", dirs=((str(tmp_path), "/data", False),)
    )
    assert lab.call(given, "env") == [["A", "1"], ["B", "ü"]]
    assert lab.call(given, "args") == ["x", ""]
    assert lab.call(given, "stdin") == "hello"
    assert lab.call(given, "dirs") == 1


@pytest.mark.parametrize(
    "grant", [{"env": (("A\0", "1"),)}, {"args": ("a\0",)}, {"dirs": (("/nowhere\0", "/", False),)}]
)
def test_a_nul_in_a_grant_is_refused(lab: Lab, grant: dict[str, Any]) -> None:
    """Before anything starts."""
    with pytest.raises(UsageError, match="NUL"):
        lab.start(**grant)


def test_a_variable_needs_a_name(lab: Lab) -> None:
    """Without '='."""
    with pytest.raises(UsageError, match="'A=B'"):
        lab.start(env=(("A=B", "1"),))


def test_a_fuel_budget_needs_code_that_counts(lab: Lab) -> None:
    """Machine code without fuel is refused, not run without a limit."""
    with pytest.raises(UsageError, match="fuel"):
        lab.start(fuel=1000)


def test_a_directory_that_is_not_there_is_refused(lab: Lab) -> None:
    """By name."""
    with pytest.raises(UsageError, match="/not/here"):
        lab.start(dirs=(("/not/here", "/data", False),))


# -------------------------------------------------------------------------------------------------- output


def test_output_arrives_in_order(lab: Lab) -> None:
    """Both streams, merged in the order of writing."""
    printed = Printed()
    lab.call(lab.start(), "say", 300, on_output=printed)
    assert printed.text == "abc" * 300
    assert [s for s, _ in printed.pieces[:3]] == ["stdout", "stderr", "stdout"]


def test_output_comes_while_the_call_runs(lab: Lab) -> None:
    """A guest that prints without end is heard long before it is stopped."""
    printed, started = Printed(), lab.start(output_bytes=1 << 30)
    began = time.monotonic()
    with pytest.raises(BudgetExceeded):
        lab.call(started, "say", 2**32 - 1, on_output=printed, timeout_s=1.0)
    assert printed.times[0] - began < 0.5
    assert len(printed.times) > 5


def test_bytes_that_are_no_text_are_replaced(lab: Lab) -> None:
    """A lone byte, a character in two writes, terminal escapes and HTML, half a character at the end."""
    printed = Printed()
    lab.call(lab.start(), "odd", on_output=printed)
    assert printed.text == "\ufffd\ufffd\ufffd\x1b[31m<b>\ufffd" or printed.text == "\ufffdä\x1b[31m<b>\ufffd"


def test_a_flood_ends_at_the_cap(lab: Lab) -> None:
    """The first part is delivered with a note, the guest is stopped, soon."""
    printed = Printed()
    started = lab.start(output_bytes=100_000)

    def flood() -> None:
        with pytest.raises(BudgetExceeded, match=r"output budget exceeded: the limit is 97.66 KiB") as caught:
            lab.call(started, "flood", on_output=printed)
        assert caught.value.output == printed.text

    assert took(flood) < 2
    assert 100_000 <= len(printed.text) < 101_000
    assert "output cut here" in printed.text
    lab.is_well()


def test_a_guest_that_fails_leaves_its_last_words(lab: Lab) -> None:
    """The error carries what was printed before."""
    with pytest.raises(GuestTrap) as caught:
        lab.call(lab.start(), "say-then-trap")
    assert caught.value.output == "abc\n"


# ------------------------------------------------------------------------------------------------- budgets


def test_an_endless_loop_ends_on_time(lab: Lab) -> None:
    """By the epoch, within a moment of its budget; the instance is finished, others live."""
    started, other = lab.start(timeout_s=0.2), lab.start()
    lab.call(other, "count")

    def spin() -> None:
        with pytest.raises(
            BudgetExceeded, match=r"timeout budget exceeded: the limit is 200 ms.*--timeout 400ms"
        ):
            lab.call(started, "spin")

    assert 0.19 < took(spin) < 1
    with pytest.raises(GuestTrap, match=r"finished.*timeout budget"):
        lab.call(started, "count")
    assert lab.call(other, "count") == 2


@pytest.mark.parametrize(("function", "args"), [("nap", [3600 * 10**9]), ("naps", [1000]), ("clock", [])])
def test_waiting_and_asking_end_on_time(lab: Lab, function: str, args: list[int]) -> None:
    """A poll for an hour, tiny sleeps without end, a billion looks at the clock."""
    started, other = lab.start(timeout_s=0.3), lab.start()
    lab.call(other, "count")

    def wait() -> None:
        with pytest.raises(BudgetExceeded, match="timeout"):
            lab.call(started, function, *args)

    generation = lab.supervisor.generation
    assert 0.29 < took(wait) < 1.2
    assert lab.call(other, "count") == 2
    assert lab.supervisor.generation == generation
    with pytest.raises(GuestTrap, match="finished"):
        lab.call(started, "count")


def test_reading_a_fifo_ends_on_time(lab: Lab, tmp_path: Path) -> None:
    """A named pipe in a granted directory blocks the host's read; the guest is stopped all the same."""
    os.mkfifo(tmp_path / "pipe")
    started, other = lab.start(timeout_s=0.3, dirs=((str(tmp_path), "/data", False),)), lab.start()
    generation = lab.supervisor.generation

    def read() -> None:
        with pytest.raises(BudgetExceeded, match="timeout"):
            lab.call(started, "pipe")

    assert took(read) < 1.5
    assert lab.call(other, "count") == 1
    assert lab.supervisor.generation == generation


def test_fuel_runs_out(lab: Lab) -> None:
    """An endless loop under fuel; what a call used is told."""
    fuel = EngineSettings(fuel=True)
    with pytest.raises(BudgetExceeded, match="fuel budget exceeded: the limit is 100000"):
        lab.call(lab.start(WASI, fuel, fuel=100_000), "spin")
    called = lab.supervisor.call(lab.start(WASI, fuel, fuel=100_000), "count", [])
    assert called.fuel_used is not None
    assert 0 < called.fuel_used < 100
    assert lab.call(lab.start(WASI, fuel), "count") == 1


def test_a_start_function_has_a_budget_too(lab: Lab) -> None:
    """An endless loop before the first call; a trap there is told likewise."""
    loop = '(func $l (loop $l (br $l))) (start $l) (func (export "f"))'
    with pytest.raises(BudgetExceeded, match="timeout"):
        lab.start(plain(loop), timeout_s=0.2)
    with pytest.raises(GuestTrap, match="unreachable"):
        lab.start(plain('(func $l unreachable) (start $l) (func (export "f"))'))


def test_guests_that_never_come_back_do_not_add_up(lab: Lab) -> None:
    """Half a dozen stuck threads later the process still serves."""
    other = lab.start()
    for _ in range(6):
        with pytest.raises(BudgetExceeded, match=r"waiting in a host call"):
            lab.call(lab.start(timeout_s=0.05), "nap", 3600 * 10**9)
    assert lab.call(other, "count") == 1


GROW = plain(
    """(func (export "f") (result i32) (local $n i32)
  (loop $l (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then
    (local.set $n (i32.add (local.get $n) (i32.const 16))) (br $l)))) (local.get $n))""",
    "(result u32)",
)
GROW_AND_ABORT = plain("""(func (export "f") (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  unreachable)""")


def test_memory_ends_at_its_budget(lab: Lab) -> None:
    """Growth is refused at the limit; a guest that goes on is fine, one that aborts has exceeded its budget."""
    assert 4080 <= lab.call(lab.start(GROW), "f") <= 4096
    assert lab.call(lab.start(GROW, memory_bytes=8 << 20), "f") == 112
    with pytest.raises(
        BudgetExceeded, match=r"memory budget exceeded: the limit is 8 MiB, used .*unreachable"
    ):
        lab.call(lab.start(GROW_AND_ABORT, memory_bytes=8 << 20), "f")
    with pytest.raises(BudgetExceeded, match=r"memory budget exceeded: the limit is 64 KiB, used 1 MiB"):
        lab.start(plain('(memory 16) (func (export "f"))'), memory_bytes=65536)
    lab.is_well()


def test_the_process_has_a_limit_too(tmp_path: Path) -> None:
    """Many instances together: growth is refused when the process has no more, each keeps what it has."""
    made = Lab(tmp_path)
    made.supervisor = Supervisor(mac_key=KEY, memory_limit_bytes=400 << 20)
    started = [made.start(GROW) for _ in range(3)]
    grown = [made.call(each, "f") for each in started]
    assert sum(grown) * 65536 < 400 << 20
    assert grown[0] > 4000
    for each in started:
        made.supervisor.drop(each)
    made.is_well()
    made.supervisor.close()


def test_an_abort_with_little_memory_is_a_trap(lab: Lab) -> None:
    """Not everything that aborts wanted memory."""
    with pytest.raises(GuestTrap, match="unreachable"):
        lab.call(lab.start(plain('(func (export "f") unreachable)')), "f")


def test_tables_end_at_their_budget(lab: Lab) -> None:
    """A hundred million elements are refused."""
    grow = '(table 1 funcref) (func (export "f") (result i32) (table.grow (ref.null func) (i32.const 100000000)))'
    assert lab.call(lab.start(plain(grow, "(result s32)")), "f") == -1
    with pytest.raises(BudgetExceeded, match="table"):
        lab.start(plain('(table 2000000 funcref) (func (export "f"))'))


# --------------------------------------------------------------------------------------------------- traps

STRING = "(result string)", '(memory (core memory $i "m"))'
AT_8 = '(func (export "f") (result i32) (i32.const 8))'
TRAPS = {
    "stack overflow": plain('(func $r (export "f") (call $r))'),
    "unreachable": plain('(func (export "f") unreachable)'),
    "outside its memory": plain('(func (export "f") (drop (i32.load (i32.const 70000))))'),
    "divided by zero": plain('(func (export "f") (drop (i32.div_u (i32.const 1) (i32.const 0))))'),
    "table": plain('(table 1 funcref) (func (export "f") (call_indirect (i32.const 5)))'),
    "not valid text": plain(AT_8 + ' (data (i32.const 8) "\\20\\00\\00\\00\\02\\00\\00\\00\\ff") (data (i32.const 32) "\\ff\\fe")', *STRING),
    "string that lies outside": plain(AT_8 + ' (data (i32.const 8) "\\20\\00\\00\\00\\ff\\ff\\ff\\00")', *STRING),
    "list that lies outside": plain(AT_8 + ' (data (i32.const 12) "\\ff\\ff\\ff\\00")', "(result (list u64))", STRING[1]),
    "pointer outside": plain('(func (export "f") (result i32) (i32.const 70000))', *STRING),
    "not aligned": plain('(func (export "f") (result i32) (i32.const 9))', *STRING),
    "Unicode scalar": plain('(func (export "f") (result i32) (i32.const 0xd800))', "(result char)"),
}  # fmt: skip


@pytest.mark.parametrize("words", TRAPS)
def test_a_trap_says_why(lab: Lab, words: str) -> None:
    """In words, with what comes next; the next call says that the instance is finished."""
    started = lab.start(TRAPS[words])
    with pytest.raises(GuestTrap, match=words) as caught:
        lab.call(started, "f")
    assert "next call" in str(caught.value)
    with pytest.raises(GuestTrap, match="finished"):
        lab.call(started, "f")


def test_a_trap_has_a_backtrace(lab: Lab) -> None:
    """The engine's frames."""
    with pytest.raises(GuestTrap) as caught:
        lab.call(lab.start(TRAPS["divided by zero"]), "f")
    assert "m!" in caught.value.backtrace


def test_recursion_in_a_thread_is_a_trap(lab: Lab) -> None:
    """The caller's stack does not matter: the guest has the host process's."""
    found: list[BaseException] = []

    def run() -> None:
        try:
            lab.call(lab.start(TRAPS["stack overflow"]), "f")
        except GuestTrap as error:
            found.append(error)

    old = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(old)
    thread.join()
    assert "stack overflow" in str(found[0])


def test_a_list_of_a_hundred_million_is_refused(lab: Lab) -> None:
    """Values have a budget too."""
    huge = plain(
        """(func (export "f") (result i32) (drop (memory.grow (i32.const 1600)))
          (i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const 100000000)) (i32.const 8))""",
        "(result (list u8))", STRING[1],
    )  # fmt: skip
    with pytest.raises(BudgetExceeded, match="value size"):
        lab.call(lab.start(huge), "f")
    lab.is_well()


def test_a_big_string_arrives(lab: Lab) -> None:
    """Sixty megabytes, and the host process does not keep them."""
    big = plain(
        """(func (export "f") (result i32) (if (i32.lt_u (memory.size) (i32.const 960)) (then
            (drop (memory.grow (i32.const 960))) (memory.fill (i32.const 65536) (i32.const 97) (i32.const 60000000))))
          (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const 60000000)) (i32.const 8))""",
        *STRING,
    )
    started = lab.start(big)
    assert len(lab.call(started, "f")) == 60_000_000
    assert lab.call(started, "f")[:3] == "aaa"
    lab.supervisor.drop(started)
    pages = int(Path(f"/proc/{lab.supervisor.pid}/statm").read_text().split()[1])
    assert pages * 4096 < 250 << 20


def test_an_exit_has_its_status(lab: Lab) -> None:
    """Both statuses of `exit`."""
    for case, status in (("ok", 0), ("err", 1)):
        with pytest.raises(GuestExit) as caught:
            lab.call(lab.start(), "leave", [case, None])
        assert caught.value.status == status


# --------------------------------------------------------------------------------------------- capabilities


def test_an_unknown_import_is_refused_at_the_call(lab: Lab) -> None:
    """By name, with the option that grants it; until then the component runs."""
    wat = asking("lab:weather/station@1.0.0")
    hints = (("lab:weather/", "Grant it with --host NAME."),)
    assert lab.call(lab.start(wat, hints=hints), "g") == 7
    with pytest.raises(CapabilityDenied, match=r"lab:weather/station@1.0.0#ask.*--host NAME") as caught:
        lab.call(lab.start(wat, hints=hints), "f")
    assert caught.value.import_name == "lab:weather/station@1.0.0#ask"
    assert caught.value.how_to_grant == "Grant it with --host NAME."


def test_a_resource_of_the_guest_is_a_number(lab: Lab) -> None:
    """A handle is a number that only its own instance knows, and is released once."""
    wat = """(component
      (type $r (resource (rep i32))) (export $e "thing" (type $r))
      (core func $new (canon resource.new $r))
      (core module $m (import "" "new" (func $new (param i32) (result i32)))
        (func (export "make") (result i32) (call $new (i32.const 1)))
        (func (export "look") (param i32) (result i32) (local.get 0)))
      (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
      (func (export "make") (result (own $e)) (canon lift (core func $i "make")))
      (func (export "look") (param "t" (borrow $e)) (result u32) (canon lift (core func $i "look"))))"""
    one, other = lab.start(wat), lab.start(wat)
    made = [lab.call(one, "make"), lab.call(one, "make"), lab.call(other, "make")]
    assert len(set(made)) == 3
    assert lab.call(one, "look", made[0]) == lab.call(one, "look", made[1]) == 1
    with pytest.raises(UsageError, match="no handle of this instance"):
        lab.call(one, "look", made[2])
    with pytest.raises(ValueDoesNotFit, match="does not fit borrow<thing>"):
        lab.call(one, "look", "thing")
    lab.supervisor.release(one, made[0], "thing")
    with pytest.raises(UsageError, match="no handle of this instance"):
        lab.supervisor.release(one, made[0], "thing")
    assert lab.call(one, "look", made[1]) == 1


def test_http_is_refused_at_the_call(lab: Lab) -> None:
    """An interface that shares resources with the engine's own WASI links all the same."""
    assert lab.call(lab.start(HTTP), "g") == 7
    with pytest.raises(CapabilityDenied, match=r"wasi:http/types@0\.2\.3#"):
        lab.call(lab.start(HTTP), "f")


# ---------------------------------------------------------------------------------------------------- bytes


def test_what_is_no_component_is_told_apart(lab: Lab, tmp_path: Path) -> None:
    """Noise, a cut file, a core module, another version, an asynchronous component."""
    target = tmp_path / "x.cwasm"
    good = lab.supervisor.assemble(WASI)
    core = lab.supervisor.assemble("(module)")
    asynchronous = lab.supervisor.assemble(
        '(component (import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "wait-for" (func async (param "d" u64))))))'
    )
    for wasm, words in (
        (b"", "no WebAssembly"), (b"\x7fELF....", "no WebAssembly.*7f 45 4c 46"), (good[:300], "cut off"),
        (good[:9], "cut off"), (core, "core module"), (b"\0asm\x0e\0\1\0", "version"),
        (good[:100] + b"\xff" * 20 + good[120:], "component"),
        (asynchronous, "WASI 0.3.*wasi:clocks/monotonic-clock@0.3.0"),
    ):  # fmt: skip
        with pytest.raises(ComponentError, match=words):
            lab.supervisor.codegen(wasm, target)
        assert not target.exists()


def test_text_that_does_not_parse_has_a_place(lab: Lab) -> None:
    """Line and column of the cell."""
    with pytest.raises(CompileError) as caught:
        lab.supervisor.assemble("(component\n  (core modul $x))")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.line, diagnostic.column) == (2, 4)
    assert diagnostic.text == "  (core modul $x))"
    assert caught.value.language == "wat"


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_damaged_machine_code_is_never_loaded(lab: Lab, tmp_path: Path) -> None:
    """A flipped bit, a cut file, an empty one, another's, a wrong or missing MAC, another key."""
    one, two = tmp_path / "one.cwasm", tmp_path / "two.cwasm"
    wasm = lab.supervisor.assemble(WASI)

    def damaged(change: Callable[[], Any]) -> None:
        for target in (one, two):
            lab.supervisor.codegen(wasm, target)
        change()
        with pytest.raises(CacheDamaged):
            lab.supervisor.load(one)

    damaged(lambda: flip(one))
    damaged(lambda: os.truncate(one, 1000))
    damaged(lambda: os.truncate(one, 0))
    damaged(lambda: one.write_bytes(one.read_bytes()[:-32] + bytes(32)))
    damaged(one.unlink)
    lab.supervisor.codegen(lab.supervisor.assemble(TRAPS["table"]), two)
    damaged(lambda: two.replace(one))
    lab.supervisor.codegen(wasm, one)
    with Supervisor(mac_key=b"other" * 8) as other, pytest.raises(CacheDamaged):
        other.load(one)
    assert lab.supervisor.load(one).world.imports
    assert one.stat().st_mode & 0o077 == 0


def test_the_key_is_in_no_argument_and_no_variable(lab: Lab) -> None:
    """The host process's command line and environment do not hold it."""
    lab.is_well()
    for name in ("cmdline", "environ"):
        assert KEY not in Path(f"/proc/{lab.supervisor.pid}/{name}").read_bytes()


# ------------------------------------------------------------------------------------------- many at once


def test_firing_keeps_order_and_stops_at_the_first_error(lab: Lab) -> None:
    """Every event's time and result; what came before an error is kept."""
    fired = lab.supervisor.fire(lab.start(), "count", [[]] * 500)
    assert fired.results == list(range(1, 501))
    assert len(fired.ns) == 500
    assert fired.error is None
    started = lab.start()
    fired = lab.supervisor.fire(started, "nap", [[1], [1], [3600 * 10**9], [1]], timeout_s=0.2)
    assert len(fired.ns) == 2
    assert isinstance(fired.error, BudgetExceeded)
    with pytest.raises(GuestTrap, match="finished"):
        lab.call(started, "count")
    exits = lab.supervisor.fire(lab.start(), "leave", [[["err", None]]])
    assert isinstance(exits.error, GuestExit)
    assert exits.error.status == 1


def test_firing_tells_how_far_it_is(lab: Lab) -> None:
    """Progress comes a few times a second, output too."""
    told: list[tuple[int, int]] = []
    printed = Printed()
    lab.supervisor.fire(
        lab.start(),
        "nap",
        [[20_000_000]] * 25,
        on_progress=lambda done, total: told.append((done, total)),
        on_output=printed,
    )
    assert 2 <= len(told) <= 6
    assert all(total == 25 for _, total in told)


def test_cold_runs_start_anew(lab: Lab) -> None:
    """Every event has its own instance; every phase its time."""
    run = lab.supervisor.cold(lab.load(WASI), Start(), "count", [[]] * 50)
    assert run.results == [1] * 50
    assert run.error is None
    assert len(run.instantiate_ns) == len(run.first_call_ns) == len(run.drop_ns) == 50
    run = lab.supervisor.cold(lab.load(WASI), Start(timeout_s=0.2), "nap", [[1], [3600 * 10**9]])
    assert len(run.first_call_ns) == 1
    assert isinstance(run.error, BudgetExceeded)
    lab.is_well()


# ------------------------------------------------------------------------------------------------- crashes


def test_a_crash_is_told_and_a_fresh_process_serves(own_lab: Lab) -> None:
    """Killed in the middle of a call: its instances are lost, the component is loaded again."""
    lab = own_lab
    loaded, started = lab.load(WASI), lab.start()
    assert lab.supervisor.pid is not None
    threading.Timer(0.2, os.kill, (lab.supervisor.pid, signal.SIGABRT)).start()
    with pytest.raises(GuestCrashed, match="SIGABRT"):
        lab.call(started, "spin")
    assert lab.supervisor.generation == 1
    with pytest.raises(GuestCrashed, match="again"):
        lab.call(started, "count")
    again = lab.supervisor.instantiate(loaded, Start())
    assert lab.supervisor.generation == again.generation == 2
    assert lab.call(again, "count") == 1
    lab.supervisor.drop(started)


def test_a_warm_process_that_was_killed_is_replaced() -> None:
    """One that was started ahead and has never been asked anything has nothing to lose."""
    with Supervisor(mac_key=bytes(32)) as supervisor:
        supervisor.warm()
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        assert gone(supervisor.pid)
        assert supervisor.assemble("(module)").startswith(b"\0asm")


def test_a_crash_between_calls_is_told(own_lab: Lab) -> None:
    """The next call finds the process gone."""
    started = own_lab.start()
    assert own_lab.supervisor.pid is not None
    os.kill(own_lab.supervisor.pid, signal.SIGKILL)
    with pytest.raises(GuestCrashed):
        own_lab.call(started, "count")
    own_lab.is_well()


def test_a_process_that_does_not_answer_is_killed(own_lab: Lab) -> None:
    """One that is stopped altogether: not even the watchdog runs."""
    started = own_lab.start(timeout_s=0.2)
    pid = own_lab.supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(BudgetExceeded, match=r"timeout.*had to be ended"):
        own_lab.call(started, "spin")
    assert own_lab.supervisor.pid != pid
    own_lab.is_well()


def test_a_compile_bomb_ends_on_time(own_lab: Lab, tmp_path: Path) -> None:
    """Fifty thousand functions are not compiled in a tenth of a second."""
    body = " ".join("(i32.add (local.get 0))" for _ in range(30)).replace(
        "(i32.add (local.get 0))", "(drop (i32.add (local.get 0) (i32.const 1)))"
    )
    bomb = "(component (core module " + " ".join(f"(func (param i32) {body})" for _ in range(20_000)) + "))"
    wasm = own_lab.supervisor.assemble(bomb)

    def compile_it() -> None:
        with pytest.raises(BudgetExceeded, match="compile time budget exceeded: the limit is 100 ms"):
            own_lab.supervisor.codegen(wasm, tmp_path / "bomb.cwasm", timeout_s=0.1)

    assert took(compile_it) < 1
    assert not (tmp_path / "bomb.cwasm").exists()
    own_lab.is_well()


# ---------------------------------------------------------------------------------------------- interrupts


def interrupt_soon(after_s: float) -> threading.Timer:
    """Send this process the signal that a notebook's stop button sends."""
    timer = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.parametrize(("function", "args"), [("spin", []), ("nap", [3600 * 10**9]), ("say", [2**32 - 1])])
def test_an_interrupt_stops_the_guest_and_nothing_else(lab: Lab, function: str, args: list[int]) -> None:
    """In guest code, in a host call, while printing: under a second; other instances keep their state."""
    started, other = lab.start(timeout_s=60.0, output_bytes=1 << 40), lab.start()
    lab.call(other, "count")
    generation = lab.supervisor.generation
    interrupt_soon(0.2)

    def run() -> None:
        with pytest.raises(KeyboardInterrupt):
            lab.call(started, function, *args)

    assert took(run) < 1.2  # a fifth of a second until the signal, one from there
    assert lab.call(other, "count") == 2
    assert lab.supervisor.generation == generation
    with pytest.raises(GuestTrap, match="finished"):
        lab.call(started, "count")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_stops_compiling(own_lab: Lab, tmp_path: Path) -> None:
    """The process is given up, and the next one serves."""
    body = "(drop (i32.add (local.get 0) (i32.const 1)))" * 30
    wasm = own_lab.supervisor.assemble(
        "(component (core module " + f"(func (param i32) {body})" * 20_000 + "))"
    )
    interrupt_soon(0.2)

    def run() -> None:
        with pytest.raises(KeyboardInterrupt):
            own_lab.supervisor.codegen(wasm, tmp_path / "bomb.cwasm")

    assert took(run) < 1.2  # a fifth of a second until the signal, one from there
    own_lab.is_well()


def test_an_error_in_a_callback_stops_the_guest(lab: Lab) -> None:
    """What the notebook's own function raises comes out, after the guest has been stopped."""

    def broken(stream: str, text: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lab.call(lab.start(output_bytes=1 << 40), "say", 2**32 - 1, on_output=broken)
    lab.is_well()


def test_a_callback_cannot_call_the_host(lab: Lab) -> None:
    """It would wait for itself."""
    with pytest.raises(UsageError, match="callback"):
        lab.call(lab.start(), "say", 1, on_output=lambda stream, text: lab.is_well())


def test_threads_take_turns(lab: Lab) -> None:
    """Requests of several threads do not mix."""
    found: list[list[int]] = []

    def run() -> None:
        started = lab.start()
        found.append([lab.call(started, "count") for _ in range(50)])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(1, 51))] * 4


# ------------------------------------------------------------------------------------------------- orphans

KERNEL = """
import sys, types
package = types.ModuleType("labkernel"); package.__path__ = [sys.argv[1]]; sys.modules["labkernel"] = package
from labkernel._host import Supervisor
supervisor = Supervisor(mac_key=b"k" * 32)
supervisor.assemble("(module)")
print(supervisor.pid, flush=True)
assert "wasmtime" not in sys.modules
{rest}
"""


def gone(pid: int, within_s: float = 2.0) -> bool:
    """Whether a process has ended, or ends soon."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "rest", ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "", "import os; os._exit(3)"]
)
def test_no_host_process_outlives_its_kernel(rest: str) -> None:
    """Killed, ended, left in a hurry: the host process goes too, and the kernel never imports the engine."""
    package = Path(__file__).resolve().parents[1] / "labkernel"
    kernel = subprocess.run(
        [sys.executable, "-c", KERNEL.format(rest=rest), str(package)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert kernel.stderr == ""
    assert gone(int(kernel.stdout))


def test_closing_ends_the_process(tmp_path: Path) -> None:
    """Twice is fine, and a later use starts a new one."""
    made = Lab(tmp_path)
    made.is_well()
    pid = made.supervisor.pid
    made.supervisor.close()
    made.supervisor.close()
    assert pid is not None
    assert gone(pid, 0.1)
    assert made.supervisor.pid is None
    made.is_well()
    made.supervisor.close()
