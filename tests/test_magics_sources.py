"""`%fire` with events from elsewhere, shrinking and differential firing, as typed in a notebook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from event_guests import LENGTH, OTHERWISE, PLAIN, TRAPS
from IPython.core.interactiveshell import InteractiveShell
from test_event_sources import ONE
from test_magics import Shell

from labkernel import BadEvent, UsageError, ValueDoesNotFit
from labkernel._fire import Agreement, Answer, Run
from labkernel._magics import complete


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Return a shell with the extension and some handlers."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("sources")
    patch.setenv("LABKERNEL_CACHE", str(folder / "cache"))
    patch.setenv("IPYTHONDIR", str(folder / "ipython"))
    patch.chdir(folder)
    made = Shell(InteractiveShell.instance())
    made.run("%load_ext labkernel")
    for name, text in (("plain", PLAIN), ("traps", TRAPS), ("otherwise", OTHERWISE), ("length", LENGTH)):
        made.run(f"%%wasm wat {name}\n{text}")
    yield made
    made.run("%unload_ext labkernel")
    InteractiveShell.clear_instance()
    patch.undo()


def kinds(run: Run) -> set[str]:
    """Return the types of a run's events."""
    return {event[0][0] for event in run.events}


def test_parts_are_fixed(shell: Shell) -> None:
    """A value, choices, text with and without quotes, a nested part, a function of the notebook."""
    one = shell.run("%fire plain --set event-type=object-restored")
    assert isinstance(one, Answer)
    assert one.value == 2
    run = shell.run(
        "%fire plain -n 60 --set event-type=[object-added, object-removed] --set event-version=2.1"
    )
    assert isinstance(run, Run)
    assert kinds(run) == {"object-added", "object-removed"}
    assert {event[0][2] for event in run.events} == {"2.1"}
    quoted = shell.run("""%fire plain -n 5 --set 'event-version="a b"' --set event-timestamp.seconds=5""")
    assert {(e[0][1][0], e[0][2]) for e in quoted.events} == {(5, "a b")}
    record = shell.run("%fire plain -n 5 --set event-timestamp={seconds: 7, nanoseconds: 8}")
    assert {tuple(e[0][1]) for e in record.events} == {(7, 8)}
    shell.run("number = lambda k: 100 + k")
    made = shell.run("%fire plain -n 5 --set event-timestamp.seconds=@number --near 2026-01-01")
    assert [e[0][1][0] for e in made.events] == [100, 101, 102, 103, 104]
    for line, message in (
        ("--set event-type", "'event-type' has no FIELD=VALUE in it; write --set event-type=..."),
        ("--set event-typ=x", "Did you mean 'event-type'"),
        ("--set event-type=objec-added", "Did you mean 'object-added'"),
        ("--set event-version=@absent", "name 'absent' is not defined"),
        ("--set event-version=@__name__", "is no function"),
        ("--near yesterday", "is no time from 1970 on"),
        ("--map event-type=x", "give --events FILE or --template NAME"),
        ("--oracle len", "add --differential"),
        ("--replay x.jsonl --template s3", "--replay has its own events"),
    ):
        with pytest.raises((UsageError, ValueDoesNotFit)) as caught:
            shell.run(f"%fire plain -n 3 {line}")
        assert message in str(caught.value)


def test_files_and_rows(shell: Shell) -> None:
    """A file and a table are fired, and the notes tell what came from where."""
    text = ONE.replace('"event-type"', '"detail"').replace("object-added", "made")
    with open("events.jsonl", "w", encoding="utf-8") as file:
        file.write(f"{ONE}\n{text}\n")
    line = "%fire plain --events events.jsonl --map event-type=detail --map event-type[made*]=object-removed"
    with pytest.raises(
        BadEvent, match=r"events.jsonl, line 1: 'detail' leads nowhere.*Did you mean|leads nowhere"
    ):
        shell.run(line)
    run = shell.run(f"{line} --skip-bad")
    assert run.results == [1]
    assert "mapped: event-type ← detail; the rest by their own names" in shell.text
    assert "skipped: 1 bad; the first: line 1" in shell.text
    shell.run(
        "rows = [{'event_type': k, 'event_timestamp': 1, 'event_version': ''} for k in ('object-added',) * 3]"
    )
    assert shell.run("%fire plain --rows rows * 2 -n 4 -o kept").results == [0] * 4
    assert len(shell["kept"]) == 4
    with pytest.raises(UsageError, match="leave one of them out"):
        shell.run("%fire plain --events events.jsonl --rows rows")
    with pytest.raises(UsageError, match="--args holds the event itself"):
        shell.run("%fire plain --events events.jsonl --args {}")
    with pytest.raises(UsageError, match=r"Did you mean 'events.jsonl'"):
        shell.run("%fire plain --events event.jsonl")


def test_templates(shell: Shell) -> None:
    """One event is shown with its call, many as a run."""
    one = shell.run("%fire plain --template s3")
    assert isinstance(one, Answer)
    assert "left over: Records.0.eventSource" in shell.text
    assert len(shell.run("%fire plain --template s3 -n 30 --seed 4")) == 30
    assert shell.run("%fire length size --template sqs -n 3").error is None
    lab = shell.shell.magics_manager.registry["FireMagics"].lab
    assert complete.candidates("%fire plain --template s", lab) == ["s3", "sqs", "sensor"]


def test_a_failing_event_is_shrunk(shell: Shell) -> None:
    """By default for generated events, on the card as a line to paste; not with --no-shrink."""
    run = shell.run("%fire traps -n 200 --seed 1")
    assert f"the smallest that does so: %fire traps {run.shrunk.call}" in shell.text
    assert "seconds: 1000" in run.shrunk.call
    assert shell.run("%fire traps -n 200 --seed 1 --no-shrink").shrunk is None


def test_differential(shell: Shell) -> None:
    """Targets, a function's name or a call, an oracle; the card is shown and bound."""
    found = shell.run("%fire plain otherwise --differential -n 100 --seed 3 -o verdict")
    assert isinstance(found, Agreement)
    assert shell["verdict"] is found
    assert "The smallest event they disagree about" in shell.text
    assert "text/html" in shell.bundles[-1]
    shell.run(
        "def wanted(event):\n    return {'added': 0, 'removed': 1, 'restored': 2}[event.event_type.split('-')[1]]"
    )
    agreed = shell.run("%fire plain handle --differential -n 50 --oracle wanted")
    assert agreed.is_unanimous
    assert agreed.names == ("plain", "wanted")
    assert shell.run(
        "%fire length sum --differential --oracle lambda c, w: c + w -n 30 --tolerance 1e-9"
    ).is_unanimous
    call = 'handle({event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, event-version: "abc"})'
    assert shell.run(f"%fire plain otherwise {call} --differential").unanimous == 0
    for line, message in (
        ("%fire plain --differential", "alone has nothing to be compared with"),
        ("%fire plain otherwis --differential", "'otherwis' is neither a target nor a function of plain"),
        ("%fire plain otherwise --differential --timeout 1s", "start them with %instantiate"),
        ("%fire plain --differential --oracle 5", "cannot be called"),
        ("%fire plain --differential --oracle nobody", "name 'nobody' is not defined"),
    ):
        with pytest.raises(UsageError) as caught:
            shell.run(line)
        assert message in str(caught.value)


def test_the_manual_has_the_options(shell: Shell) -> None:
    """`%fire?` tells of every one."""
    manual = shell.shell.find_line_magic("fire").__doc__
    for option in ("--events", "--rows", "--template", "--set", "--map", "--near", "--skip-bad", "--shrink",
                   "--no-shrink", "--differential", "--oracle", "--tolerance"):  # fmt: skip
        assert option in manual
