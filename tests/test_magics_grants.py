"""Grants, traces, recordings and a look into memory, as they are typed in a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from test_magics import Shell

from labkernel import CapabilityDenied, CapabilityError, GuestTrap, UsageError
from labkernel import _plot as plot
from labkernel._capability import make_grants
from labkernel._magics.fire import _given as given_on
from labkernel._magics.line import parse_line
from labkernel._magics.parsers import INSTANTIATE
from labkernel._sandbox.tracing import Event, HostCall, Trace

CLOCKED = """(component
  (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
    (type $r (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $d (eq $r)))
    (export "now" (func (result $d)))))
  (core module $memory (memory (export "m") 1) (data (i32.const 256) "the password is swordfish"))
  (core instance $memory (instantiate $memory))
  (core func $now (canon lower (func $clock "now") (memory (core memory $memory "m"))))
  (core module $m
    (import "memory" "m" (memory 1))
    (import "clock" "now" (func $now (param i32)))
    (func (export "f") (result i64) (call $now (i32.const 0)) (i64.load (i32.const 0))))
  (core instance $i (instantiate $m (with "memory" (instance $memory))
    (with "clock" (instance (export "now" (func $now))))))
  (func (export "seconds") (result u64) (canon lift (core func $i "f"))))
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Return a shell with the extension and a component that asks for the time."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("grants")
    patch.setenv("IPYTHONDIR", str(folder / "ipython"))
    patch.chdir(folder)
    made = Shell(InteractiveShell.instance())
    made.run("%load_ext labkernel")
    made.run(f"%%wasm wat clocked\n{CLOCKED}")
    yield made
    made.run("%unload_ext labkernel")
    InteractiveShell.clear_instance()
    patch.undo()


def test_a_made_up_clock(shell: Shell) -> None:
    """The card says what stands behind the clock, and the guest reads it."""
    shell.run("%instantiate clocked --as fn --clock fixed:2026-01-01T00:00:00Z")
    assert "virtual" in shell.text
    assert "always 2026-01-01T00:00:00Z" in shell.text
    assert "wasmtime run has the machine's clocks" in shell.text
    assert shell.run("fn.seconds()") == 1_767_225_600
    with pytest.raises(CapabilityDenied, match="--clock deny"):
        shell.run("%fire clocked seconds() --clock deny")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--clock soon", "write real, fixed:2026-01-01T00:00:00Z"),
        ("--random dice", "write real, seed:7 or deny"),
        ("--net nowhere", "write example.com:443"),
        ("--http https://a.example/", "write example.com"),
    ],
)
def test_bad_grants_are_refused_at_once(shell: Shell, line: str, words: str) -> None:
    """A grant that is none is refused with the forms that work."""
    with pytest.raises(CapabilityError, match=words):
        shell.run(f"%instantiate clocked {line}")


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
_NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0="), min_size=1, max_size=8)
_PORT = st.one_of(st.integers(1, 65535).map(str), st.just("*"))
_HOST = st.one_of(
    st.sampled_from(["a.example", "xn--bcher-kva.example", "localhost"]), st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)  # fmt: skip


def _places(*heads: str) -> st.SearchStrategy[list[str]]:
    """Return lists of hosts and ports behind one of these heads."""
    return st.lists(st.builds("{}{}:{}".format, st.sampled_from(heads), _HOST, _PORT), max_size=3)


_CLOCK = st.one_of(
    st.sampled_from(["real", "deny", "step:1ns", "step:90m"]),
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2500, 1, 1)).map(
        lambda moment: f"fixed:{moment.isoformat()}+00:00"
    ),
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "env": st.dictionaries(_NAME, _TEXT, max_size=3),
            "args": st.lists(_TEXT, max_size=3),
            "stdin": _TEXT,
            "clock": _CLOCK,
            "random": st.one_of(st.just("real"), st.integers(0, 2**64 - 1).map(lambda n: f"seed:{n}")),
            "net": st.lists(
                st.builds("{}{}:{}".format, st.sampled_from(["", "tcp:", "udp:"]), _HOST, _PORT), max_size=3
            ),
            "http": st.lists(
                st.builds("{}{}:{}".format, st.sampled_from(["", "GET:"]), _HOST, _PORT), max_size=3
            ),
            "strict": st.booleans(),
        },
    )
)
def test_grants_can_be_pasted(wanted: dict[str, Any]) -> None:
    """Any set of grants, written as options and typed on a magic's line, is the same set again."""
    grants = make_grants(wanted)
    line = parse_line(INSTANTIATE, f"component {grants.options()}")
    assert line.words == ["component"]
    assert make_grants(given_on(line)) == grants


def test_trace_and_least(shell: Shell) -> None:
    """`%wasm trace` shows a figure, a table and the same as text; `--least` prints a line to paste."""
    shell.run("%instantiate clocked --as seen --clock step:1s --random seed:1 --env A=1 --trace")
    shell.run("seen.seconds()\nseen.seconds()")
    trace = shell.run("%wasm trace seen")
    assert isinstance(trace, Trace)
    card, figure = shell.bundles
    assert "<svg" in figure["text/html"]
    assert plot.PLOTLY_TYPE in figure
    assert plot.PLOTLY_TYPE not in card, "JupyterLab would show the figure in the card's place"
    for text in ("wasi:clocks/wall-clock", "now()", "virtual", "--clock step:1s"):
        assert text in card["text/plain"]
        assert text in card["text/html"]
    shell.run("%wasm trace seen --least")
    assert shell.text.strip() == "%instantiate clocked --as seen --clock step:1s"
    shell.run(shell.text.strip() + " --strict")
    assert shell.run("seen.seconds()") == 1_767_225_600
    with pytest.raises(UsageError, match="keeps no trace; start it with one"):
        shell.run("%wasm trace seen")
    with pytest.raises(UsageError, match=r"'sen' is no instance.*Did you mean 'seen'"):
        shell.run("%wasm trace sen")


def test_fire_with_a_trace(shell: Shell) -> None:
    """`%fire COMPONENT --trace` shows the answer and then what the guest asked of its host."""
    answer = shell.run("%fire clocked seconds() --clock step:1s --trace")
    assert answer.value == 1_767_225_600
    assert "Answer: 1767225600" in shell.text
    assert "Trace: clocked" in shell.text
    assert [plot.PLOTLY_TYPE in bundle for bundle in shell.bundles][-2:] == [False, True]
    with pytest.raises(UsageError, match="is an instance already"):
        shell.run("%fire fn seconds() --trace")


def test_record_and_replay(shell: Shell) -> None:
    """A recorded run is saved, and fired again with every host call answered from the file."""
    shell.run("%instantiate clocked --as noted --record")
    first = shell.run("noted.seconds()")
    shell.run("%wasm trace noted --save run.jsonl")
    assert "recording written to" in shell.text
    head = json.loads(Path("run.jsonl").read_text().splitlines()[0])
    assert (head["format"], head["version"]) == ("labkernel-recording", 1)
    replayed = shell.run("%fire noted --replay run.jsonl")
    assert [answer.value for answer in replayed.answers] == [first]
    assert "as recorded" in shell.text
    assert shell.run("%fire clocked seconds() --replay run.jsonl -o again").answers[0].value == first
    assert shell["again"].is_same
    with pytest.raises(UsageError, match="with neither"):
        shell.run("%fire noted --replay run.jsonl --env A=1")
    text = Path("run.jsonl").read_text().replace('"calls": [[0', '"calls": [], "rest": [[0')
    Path("short.jsonl").write_text(text)
    with pytest.raises(GuestTrap, match="diverges at call 1: the recording ends before it"):
        shell.run("%fire noted --replay short.jsonl")
    shell.run(f"%%wasm wat clocked\n{CLOCKED.replace('swordfish', 'cabbages!')}")
    with pytest.raises(UsageError, match="is a recording of the component"):
        shell.run("%fire clocked --replay run.jsonl")


def test_peek(shell: Shell) -> None:
    """`%wasm peek` shows where a text lies in a guest's memory."""
    shell.run(f"%%wasm wat keeper\n{CLOCKED}")
    shell.run("%instantiate keeper --as kept")
    peek = shell.run("%wasm peek kept --find swordfish")
    assert "the password is swordfish" in shell.text
    assert "0x110" in shell.text
    assert peek.to_json()["places"][0]["offset"] == 0x110


def test_the_figure_of_a_trace() -> None:
    """Plotly takes the figure; pauses between events are left out, and marks tell verdicts apart."""
    later = 9 * 10**9
    calls = [
        HostCall(0, -1, "wasi:cli/environment@0.2.6", "get-environment", "", "[]", start_ns=0, ns=1_000),
        HostCall(1, 0, "wasi:io/streams@0.2.6", "write", "<b>", "ok", "stdout", start_ns=later, ns=2_000),
        HostCall(2, 0, "acme:kv/get@1.0.0", "get", "", "err", "", "refused", start_ns=later + 5_000, ns=10),
        HostCall(3, 1, "", "log", "", "", "", "trapped", start_ns=2 * later),
    ]
    trace = Trace("fn", "0" * 64, tuple(calls), (Event(0, "handle()", 1), Event(1, "handle()", 1, error="x")))
    parts = plot.trace_spec(trace)
    from plotly.graph_objects import Figure

    Figure(data=parts["data"], layout=parts["layout"])
    json.dumps(parts, allow_nan=False)
    assert [data["name"] for data in parts["data"]] == ["allowed", "refused", "trapped"]
    assert parts["data"][0]["x"] == [0, 1_000]
    assert parts["data"][2]["x"] == [6_010]
    assert parts["layout"]["yaxis"]["ticktext"] == [
        "cli/environment",
        "io/streams",
        "acme:kv/get",
        "the world itself",
    ]
    assert "&lt;b&gt;" in parts["data"][0]["text"][1]
    assert "<b>" not in plot.trace_bundle(trace)["text/html"].replace("<b></b>", "")
    empty = Trace("fn", "0" * 64, ())
    assert plot.trace_bundle(empty) == {}
