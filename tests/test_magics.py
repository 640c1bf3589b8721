"""The magics in a real IPython shell: what is typed, what is shown, what is bound."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from worlds import BASICS

from labkernel import (
    BudgetExceeded,
    Build,
    CacheDamaged,
    CapabilityError,
    CompileError,
    GuestTrap,
    Instance,
    Lab,
    UsageError,
    ValueDoesNotFit,
)
from labkernel._errors import Diagnostic
from labkernel._fire import Answer, Run
from labkernel._magics import complete, later, progress
from labkernel._magics.parsers import FIRE
from labkernel._magics.wasm import ACTIONS

FLAGS = """(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "bits") (param i32) (result i32) (local.get 0))
    (func (export "size") (param i32 i32) (result i32) (local.get 1))
    (func (export "has") (param i32 i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (type $f' (flags "read" "write" "exec"))
  (export $f "mode" (type $f'))
  (func (export "bits") (param "x" $f) (result $f) (canon lift (core func $i "bits")))
  (func (export "size") (param "x" string) (result u32)
    (canon lift (core func $i "size") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "has") (param "x" (option u32)) (result u32) (canon lift (core func $i "has"))))
"""


class Shell:
    """A shell with the extension loaded, and what its last cell showed."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.text = ""
        self.bundles: list[dict[str, Any]] = []

    def run(self, cell: str) -> Any:
        """Run a cell; return its result or raise its error."""
        with capture_output() as captured:
            done = self.shell.run_cell(cell, store_history=True)
        self.bundles = [output.data for output in captured.outputs]
        self.text = captured.stdout + "\n".join(str(b.get("text/plain", "")) for b in self.bundles)
        if done.error_in_exec or done.error_before_exec:
            raise done.error_in_exec or done.error_before_exec
        return done.result

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Return a shell with the extension and two components."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("magics")
    patch.setenv("LABKERNEL_CACHE", str(folder / "cache"))
    patch.setenv("IPYTHONDIR", str(folder / "ipython"))
    patch.chdir(folder)
    made = Shell(InteractiveShell.instance())
    made.run("%load_ext labkernel")
    made.run(f"%%wasm wat basics\n{BASICS}")
    made.run(f"%%wasm wat modes\n{FLAGS}")
    yield made
    made.run("%unload_ext labkernel")
    InteractiveShell.clear_instance()
    patch.undo()


def test_build_card(shell: Shell) -> None:
    """A build shows one card, in HTML and text, and is bound."""
    build = shell.run(f"%%wasm wat basics\n{BASICS}")
    assert isinstance(build, Build)
    assert shell["basics"] is build
    assert len(shell.bundles) == 1
    assert {"text/html", "text/plain"} <= set(shell.bundles[0])
    for fact in ("basics", "wat", "cache hit", build.digest[:12], "%fire basics"):
        assert fact in shell.text
        assert fact in shell.bundles[0]["text/html"]
    assert shell.run("basics") is build
    assert len(shell.bundles) == 1


def test_every_line_of_a_cell_is_shown(shell: Shell) -> None:
    """Several magics in one cell all show what they made, each once."""
    shell.run("%fire basics double(1)\n%fire basics double(2)\n%fire basics double(3)")
    assert [line for line in ("Answer: 2", "Answer: 4", "Answer: 6") if line in shell.text] == [
        "Answer: 2",
        "Answer: 4",
        "Answer: 6",
    ]
    assert len(shell.bundles) == 3


def test_instantiate_binds_only_with_as(shell: Shell) -> None:
    """`--as` binds a variable; without it the component's own instance is meant."""
    instance = shell.run("%instantiate basics --as fn --timeout 2s --env A=1")
    assert isinstance(instance, Instance)
    assert shell["fn"] is instance
    assert "2 s" in shell.text
    assert "wasmtime run --env A=1" in shell.text
    shell.run("%instantiate basics --memory 8MiB")
    assert isinstance(shell["basics"], Build)
    assert shell.run("fn.double(4)") == 8


@pytest.mark.parametrize(
    ("call", "wave"),
    [
        ("{read, write}", "{read, write}"),
        ("bits({})", "{}"),
        ("bits {read}", "{read}"),
        ('size("{t}")', "3"),
        ('size "$x"', "2"),
        ('size("--seed")', "6"),
        ('size "--seed 7"', "8"),
        ('size "it\'s"', "4"),
        ('size "say \\"hi\\""', "8"),
        ("has none", "0"),
        ("has(some(3))", "1"),
        ("has 3", "1"),
    ],
)
def test_wave_arrives_as_typed(shell: Shell, call: str, wave: str) -> None:
    """Variables, quotes, braces and dashes within WAVE are not IPython's nor the option parser's."""
    shell.shell.user_ns.update(read=1, write=2, t="expanded", x="expanded", none=5)
    if not call[0].isalpha():
        call = f"bits {call}"
    answer = shell.run(f"%fire modes {call}")
    assert isinstance(answer, Answer)
    assert answer.wave == wave
    assert shell.run(f"%fire modes {call} --seed 3").wave == wave


@pytest.mark.parametrize(
    ("call", "value"), [("half -inf", float("-inf")), ("half -1.5e3", -750), ("half(-1.5e3)", -750)]
)
def test_negative_numbers(shell: Shell, call: str, value: float) -> None:
    """A sign is part of a number, not an option's dash."""
    assert shell.run(f"%fire basics {call}").value == value


def test_args_and_cell_body(shell: Shell) -> None:
    """Arguments come from a Python expression, or from the cell's body."""
    shell.shell.user_ns["number"] = 20
    assert shell.run("%fire basics double --args number + 1").value == 42
    assert shell.run("%%fire basics double\n21").value == 42
    assert shell.run("result = %fire basics double(3)") is None
    assert shell["result"].value == 6
    shell.run("%fire basics double(4) -o kept --quiet")
    assert shell["kept"].value == 8
    assert not shell.bundles


def test_generated_events(shell: Shell) -> None:
    """`%fire fn FUNCTION` fires one generated event, `-n` many, reproducibly."""
    answer = shell.run("%fire basics double")
    assert answer.call in shell.text
    run = shell.run("%fire basics double -n 200 --seed 7")
    assert isinstance(run, Run)
    assert len(run) == 200
    assert "200 events" in shell.text
    assert shell.run("%timings") is run


def test_timings(shell: Shell) -> None:
    """`%timings` shows a figure with its table as text."""
    shell.run("%timings basics --startup -r 5 --call double(2) --baseline process")
    bundle, in_words = (b for b in shell.bundles if len(b) > 1)
    assert "application/vnd.plotly.v1+json" in bundle
    assert "<table" in in_words["text/html"]
    for phase in ("deserialize", "link", "instantiate", "first-call", "process"):
        assert phase in bundle["text/plain"]


def test_timings_save_and_compare(shell: Shell, tmp_path: Path) -> None:
    """A measurement is saved, and a later one compared with it."""
    path = tmp_path / "before.json"
    shell.run(f"%timings basics --latency -r 50 --call double(2) --save {path}")
    shell.run(f"%timings basics --latency -r 50 --call double(2) --compare {path}")
    assert "basics before" in shell.text
    for options, why in (
        (f"--startup --compare {path}", "holds latency timings, not startup"),
        (f"--size --compare {path}", "sizes are exact"),
        (f"--save {tmp_path / 'absent' / 'x.json'}", "there is no such folder"),
    ):
        with pytest.raises(UsageError, match=why):
            shell.run(f"%timings basics {options}")
        assert not shell.bundles, "told before anything is measured"


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        ("%%wasm rst x\n(component)", UsageError, "Did you mean 'rust'"),
        ("%%wasm wat\n(component)", UsageError, "takes LANGUAGE NAME"),
        ("%%wasm wat my-name\n(component)", UsageError, "cannot name a component"),
        ("%%wasm wat broken\n(component\n  (core modul))", CompileError, "broken.wat:2:4"),
        ("%%wasm wat x --world nowhere\n(module)", UsageError, "no WIT has been given"),
        ("%instantiate nothing", UsageError, "Component 'nothing' is not known"),
        ("%instantiate basics --envv A=1", UsageError, "Did you mean '--env'"),
        ("%fire nothing", UsageError, "Start one with %instantiate COMPONENT --as nothing"),
        ("%fire basics nofunction(1)", UsageError, "nofunction"),
        ("%fire basics double({a: 1})", ValueDoesNotFit, "u32"),
        ("%fire basics double(1", UsageError, "col"),
        ("%fire basics double(4294967296)", ValueDoesNotFit, "does not fit u32"),
        ("%fire basics fail()", GuestTrap, "unreachable"),
        ("%fire basics spin() --timeout 100ms", BudgetExceeded, "timeout"),
        ("%wasm load ./absent.wasm", UsageError, "cannot be read"),
        ("%wasm lst", UsageError, "Did you mean 'list'"),
        ("%timings nothing", UsageError, "nothing"),
        ("%timings basics --baseline contaner --call double(1)", UsageError, "known: process"),
        ("%timings basics --call double(1) --compare absent.json", UsageError, "No such file or directory"),
        ("%timings basics", UsageError, "as in --call "),
        ("%fire basics", UsageError, "as in %fire basics "),
        ("%fire basics double --args not_a_name", UsageError, "NameError: name 'not_a_name'"),
        ("%instantiate basics --as class", UsageError, "an instance.*as in 'class_'"),
        ("%instantiate basics --net example.com", CapabilityError, "'example.com'"),
        ("%wasm list more", UsageError, "no further word"),
        ("%wit show nothing", UsageError, "no WIT has been given"),
    ],
)
def test_errors(shell: Shell, cell: str, error: type[Exception], message: str) -> None:
    """Each bad input gets one clear error, and the lab is as it was."""
    with pytest.raises(error, match=message) as caught:
        shell.run(cell)
    assert "Traceback" not in "".join(caught.value._render_traceback_())
    assert shell.run("%fire basics double(21)").value == 42


def test_no_raise_error(shell: Shell) -> None:
    """`--no-raise-error` shows what the compiler says and lets the notebook go on."""
    assert shell.run("%%wasm wat broken --no-raise-error\n(component (core modul))") is None
    assert "broken.wat:1:13" in shell.text


def test_wasm_line(shell: Shell, tmp_path: Path) -> None:
    """`%wasm` lists, saves, loads, starts a cell and reports on tools."""
    shell.run("%wasm list")
    assert "basics" in shell.text
    path = tmp_path / "some-app.wasm"
    shell.run(f"%wasm save basics {path}")
    assert isinstance(shell.run(f"%wasm load {path}"), Build)
    assert shell["some_app"].digest == shell["basics"].digest
    shell.run("%wasm show basics")
    assert "sha256" in shell.text
    shell.run("%wasm doctor")
    assert "wasmtime" in shell.text


def test_the_next_line_can_be_typed(shell: Shell) -> None:
    """A card of a component with several functions names one, and what it says works."""
    for cell in ("%wasm show basics", "%instantiate basics --as several"):
        shell.run(cell)
        line = shell.text.partition("Next: ")[2].partition("    ")[0]
        assert line.startswith("%fire ")
        assert isinstance(shell.run(line), Answer)
    line = shell.text.partition("Next: ")[2].partition("    ")[0]
    assert isinstance(shell.run(line), Run)


def test_functions_from_python(shell: Shell) -> None:
    """A function is an attribute or an item of an instance; a build says what to call instead."""
    shell.run("%instantiate basics --as fn")
    fn, basics = shell["fn"], shell["basics"]
    assert fn["double"](4) == fn.double(4) == 8
    assert not hasattr(fn, "nothing")
    with pytest.raises(AttributeError, match="exports no function 'nothing'") as caught:
        fn.nothing(1)
    assert isinstance(caught.value, UsageError)
    with pytest.raises(UsageError, match="takes 1 argument, got none"):
        fn.double()
    with pytest.raises(UsageError, match=r"%instantiate basics --as fn, then fn.double\(...\)"):
        basics.double(4)
    assert not hasattr(basics, "nothing")


def test_sizes_need_no_function(shell: Shell) -> None:
    """A component of several functions has one size."""
    shell.run("%timings basics --size")
    assert "machine code" in shell.text


def test_clean(shell: Shell) -> None:
    """An emptied cache leaves running instances; what it no longer has says how it is made again."""
    shell.run("%instantiate modes --as kept")
    shell.run("%wasm clean")
    assert "freed" in shell.text
    assert shell.run("%fire kept bits({})").wave == "{}"
    for cell in ("%instantiate modes --as other", "%wasm save modes x.wasm", "%timings modes --size"):
        with pytest.raises(CacheDamaged, match="Run its %%wasm cell again"):
            shell.run(cell)
    shell.run(f"%%wasm wat basics\n{BASICS}")
    shell.run(f"%%wasm wat modes\n{FLAGS}")
    assert shell.run("%fire modes bits({read})").wave == "{read}"


def test_tab_offers_nothing_else(shell: Shell) -> None:
    """Beside what the lab offers on its lines no Python name, file or magic is offered."""
    with provisionalcompleter():
        for line, start in (("%fire basics ", ""), ("%instantiate basics --", "--"), ("%wasm ", "")):
            found = [c.text for c in shell.shell.Completer.completions(line, len(line))]
            assert found
            assert all(text.startswith(start) for text in found)
            assert not {"and", "--abs", "%cd"} & set(found)


def test_help(shell: Shell) -> None:
    """A magic's docstring is its manual, options included."""
    for name in ("wit", "wasm", "check", "instantiate", "fire", "timings"):
        magic = shell.shell.find_line_magic(name)
        assert magic is not None
        assert "::" in (magic.__doc__ or "")
    assert "--seed S" in (shell.shell.find_line_magic("fire").__doc__ or "")
    assert "--dir HOST::GUEST[:rw]" in (shell.shell.find_line_magic("instantiate").__doc__ or "")


def test_the_manual_groups_options(shell: Shell) -> None:
    """Options stand under what they are for, each once."""
    manual = shell.shell.find_line_magic("fire").__doc__ or ""
    titles = (
        "Which events:",
        "Load, and when",
        "Comparing and",
        "What becomes",
        "Grants;",
        "Budgets:",
        "How it is",
    )
    places = [manual.index(f"\n{title}") for title in titles]
    assert places == sorted(places)
    for option in FIRE.options:
        assert len(re.findall(rf"^  {option}\b", manual, re.MULTILINE)) == 1


def test_what_is_planned_is_refused_by_name(shell: Shell) -> None:
    """What comes later says so, with what does the job until then, and is nowhere declared as there."""
    for action in later.ACTIONS:
        assert action not in ACTIONS
        with pytest.raises(UsageError, match=f"%wasm {action} is planned and not there yet"):
            shell.run(f"%wasm {action} basics")
    with pytest.raises(UsageError, match="%check is planned and not there yet"):
        shell.run("%check 1")
    with pytest.raises(UsageError, match="'container' is planned and not there yet; known: process"):
        shell.run("%timings basics --baseline container")
    with pytest.raises(UsageError, match="%fire --on is planned and not there yet"):
        shell.run("%fire basics --on node")


def test_the_doctor_of_one_language(shell: Shell) -> None:
    """`%wasm doctor LANGUAGE` shows what that language needs, and refuses another word."""
    shell.run("%wasm doctor wat")
    assert "toolbox" in shell.text
    assert "jupyterlab" not in shell.text
    with pytest.raises(UsageError, match="Unknown language 'wot'"):
        shell.run("%wasm doctor wot")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%fire ba", "basics"),
        ("%fire basics --se", "--seed"),
        ("%fire basics dou", "double"),
        ("%%wasm ru", "rust"),
        ("%%wasm wat x --rel", "--release"),
        ("%wasm sa", "save"),
        ("%instantiate basics --compiler wi", "winch"),
        ("x = %fire bas", "basics"),
        ("%%wasm js x --engine star", "starlingmonkey"),
        ("%wit show faas --language zi", "zig"),
    ],
)
def test_completion(shell: Shell, line: str, expected: str) -> None:
    """Tab completes options, languages, components and functions."""
    from labkernel._magics import load

    assert expected in complete.candidates(line, load(shell.shell))


def test_guest_output_is_shown_as_text(shell: Shell) -> None:
    """Terminal escapes that a guest prints are made visible."""
    from labkernel._magics import _loaded

    (_, screen), *_ = _loaded.values()
    with capture_output() as captured:
        screen.output("stdout", "a\x1b[2Jb\n<script>")
    assert captured.stdout == "a␛[2Jb\n<script>"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%fire modes bits({re", "%fire modes bits({read"),
        ("%fire modes bits({read, ", "%fire modes bits({read, write"),
        ("%fire basics dou", "%fire basics double"),
        ("%fire basics double(1) --se", "%fire basics double(1) --seed"),
        ("%wasm doc", "%wasm doctor"),
        ("%%wasm ru", "%%wasm rust"),
    ],
)
def test_tab_in_the_shell(shell: Shell, line: str, expected: str) -> None:
    """What the Tab key offers completes the line as it stands."""
    with provisionalcompleter():
        found = list(shell.shell.Completer.completions(line, len(line)))
    assert expected in {line[: c.start] + c.text for c in found}


class Written:
    """What a terminal shows: every line that was displayed or updated."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def update(self, bundle: dict[str, str], **how: Any) -> Written:
        """Write a line."""
        self.lines.append(bundle["text/plain"])
        return self


@pytest.mark.parametrize(("is_kept", "most"), [(True, 1), (False, 1_000)])
def test_a_terminal_is_not_flooded(monkeypatch: pytest.MonkeyPatch, is_kept: bool, most: int) -> None:
    """Where a written line stays, progress writes one now and then; in a notebook the line changes all the time."""
    written = Written()
    monkeypatch.setattr(progress, "display", written.update)
    monkeypatch.setattr(progress, "QUIET_FOR_S", 0.01)
    monkeypatch.setattr(progress, "TICK_S", 0.01)
    monkeypatch.setattr(progress, "KEPT_TICK_S", 60.0)
    line = progress.ProgressLine(is_kept=is_kept)
    line.begin("long work")
    while not written.lines:
        time.sleep(0.01)
    for count in range(10):
        line.tell(f"{count} events", now=True)
    line.end()
    found = [text for text in written.lines if "…" in text]
    assert min(10, most) <= len(found) <= most


def test_progress_becomes_the_card(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that takes longer than a moment has a line with its time, which the card replaces."""
    monkeypatch.setattr(progress, "QUIET_FOR_S", 0.01)
    monkeypatch.setattr(progress, "TICK_S", 0.01)
    with pytest.raises(BudgetExceeded):
        shell.run("%fire basics spin() --timeout 300ms")
    lines = [b["text/plain"] for b in shell.bundles if "text/html" not in b]
    assert lines[0].startswith("… %fire basics spin() --timeout 300ms (0.")
    before = threading.active_count()
    shell.run("%fire basics double(2)")
    assert "Answer: 4" in shell.text
    assert threading.active_count() <= before


def test_what_the_compiler_printed_is_shown_before_the_error(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folded, as HTML alone, where it says more than the error; with --no-raise-error too."""
    said = {"raw": "error: no\nnote: because of <this>\n"}

    def fail(*_: object, **__: object) -> None:
        raise CompileError("No.", language="rust", diagnostics=[Diagnostic("no", line=1, text="x")], **said)

    monkeypatch.setattr(Lab, "build", fail)
    with pytest.raises(CompileError):
        shell.run("%%wasm rust broken\nx")
    (bundle,) = shell.bundles
    assert list(bundle) == ["text/html"]
    assert "because of &lt;this&gt;" in bundle["text/html"]
    shell.run("%%wasm rust broken --no-raise-error\nx")
    assert len(shell.bundles) == 1
    assert "CompileError: No." in shell.text
    said["raw"] = "error: no\n --> a.rs:1:1\n  |\n1 | x\n  | ^\n"
    with pytest.raises(CompileError):
        shell.run("%%wasm rust broken\nx")
    assert shell.bundles == []


def test_an_explanation(shell: Shell, require: Callable[[str, object], None]) -> None:
    """A code is explained by its language; one that nobody knows is refused."""
    require("rustc", shutil.which("rustc"))
    shell.run("%wasm explain E0308")
    assert "Explanation: E0308 [Rust]" in shell.text
    assert "Expected type did not match" in shell.text
    with pytest.raises(UsageError, match="like E0308"):
        shell.run("%wasm explain X1")
