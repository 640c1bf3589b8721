"""`%fire` with options of load, and `%timings` of the last run, in a real IPython shell."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from worlds import BASICS

from labkernel import GuestTrap, UsageError
from labkernel._fire import Answer, Run


class Shell:
    """A shell with the extension loaded, and what its last cell showed."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.bundles: list[dict[str, Any]] = []
        self.text = ""

    def run(self, cell: str) -> Any:
        """Run a cell; return its result or raise its error."""
        with capture_output() as captured:
            done = self.shell.run_cell(cell, store_history=True)
        self.bundles = [output.data for output in captured.outputs]
        self.text = captured.stdout + "\n".join(str(b.get("text/plain", "")) for b in self.bundles)
        error = done.error_in_exec or done.error_before_exec
        if error:
            raise error
        return done.result


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Return a shell with the extension and a component."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("magics-fire")
    patch.setenv("LABKERNEL_CACHE", str(folder / "cache"))
    patch.setenv("IPYTHONDIR", str(folder / "ipython"))
    patch.chdir(folder)
    made = Shell(InteractiveShell.instance())
    made.run("%load_ext labkernel")
    made.run(f"%%wasm wat basics\n{BASICS}")
    yield made
    made.run("%unload_ext labkernel")
    InteractiveShell.clear_instance()
    patch.undo()


def test_options_reach_the_plan(shell: Shell) -> None:
    """Each option of load means what its help says; `-o` binds the run, `--quiet` shows nothing."""
    run = shell.run(
        "%fire basics double(3) -n 40 --rate 2000/s --arrival poisson -c 1 --queue 90 --policy keep-alive:2s"
        " --duration 30s --seed 5 --stop-on-error -o kept --quiet"
    )
    assert isinstance(run, Run)
    assert shell.shell.user_ns["kept"] is run
    assert not shell.bundles
    plan = run.plan
    assert plan is not None
    assert (plan.n, plan.duration_s, plan.in_flight, plan.queue, plan.seed) == (40, 30.0, 1, 90, 5)
    assert (plan.loop, plan.policy.text) == ("open loop, 2000/s poisson", "keep-alive:2s")
    assert plan.stop_on_error
    assert run.results == [6] * 40


def test_n_alone_is_no_load(shell: Shell) -> None:
    """The first error ends it, as ever; any option of load counts errors instead."""
    run = shell.run("%fire basics fail -n 5")
    assert isinstance(run, Run)
    assert isinstance(run.error, GuestTrap)
    assert "ended by event 1" in shell.text
    run = shell.run("%fire basics fail -n 5 --policy cold")
    assert run.error is None
    assert "GuestTrap 5" in shell.text
    assert isinstance(shell.run("%fire basics double(1)"), Answer)


def test_the_cell_is_the_event(shell: Shell) -> None:
    """`%%fire` with load fires its body again and again."""
    run = shell.run("%%fire basics double -n 12 --policy cold\n21")
    assert run.results == [42] * 12
    run = shell.run("%fire basics double -n 3 --policy cold --args 5")
    assert run.results == [10] * 3


def test_load_takes_its_events_from_anywhere(shell: Shell, tmp_path: Path) -> None:
    """Rows of a file, again from the first where there are too few; generated ones with parts that are fixed."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"x": 3}\n{"x": 4}\n', encoding="utf-8")
    run = shell.run(f"%fire basics double --events {path} --rate 2000/s")
    assert run.results == [6, 8]
    run = shell.run(f"%fire basics double --events {path} --duration 200ms --policy cold")
    assert len(run) > 10
    assert set(run.kinds) == {"6", "8"}
    run = shell.run("%fire basics double --set x=21 --duration 100ms --rate 100/s")
    assert set(run.results) == {42}
    run = shell.run("%fire basics double --set x=21 -n 5 --policy pool:2 -c 1")
    assert run.results == [42] * 5
    with pytest.raises(UsageError, match="--differential compares answers"):
        shell.run("%fire basics double -n 5 --rate 5/s --differential")


def test_the_card_and_the_timeline(shell: Shell) -> None:
    """A load shows its card; `%timings` then plots its latencies, `--timeline` its events."""
    run = shell.run("%fire basics count -n 150 --policy cold")
    assert "150 events (100.0%)" in shell.text
    assert "cold start" in shell.bundles[-1]["text/html"]
    assert shell.run("%timings") is run
    assert "basics latency" in shell.text
    assert "Latency of basics: count, closed loop, 1 in flight, cold" in shell.text
    assert shell.run("%timings --timeline") is run
    assert "executing" in shell.text
    assert "application/vnd.plotly.v1+json" in shell.bundles[0]
    assert [list(bundle)[-1] for bundle in shell.bundles] == ["text/plain", "text/plain"]
    assert "as a table" in shell.bundles[-1]["text/html"]
    assert "executing" in shell.bundles[-1]["text/html"]


def test_quiet_is_quiet(shell: Shell) -> None:
    """`--quiet` shows no card, and no notes, which the run still holds."""
    run = shell.run("%fire basics double -n 20 --duration 5s -c 2 --quiet")
    assert run.notes
    assert not [note for note in run.notes if note in shell.text]
    assert not [bundle for bundle in shell.bundles if "text/html" in bundle]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-n 5 --rate 0/s", "out of range"),
        ("-n 5 --rate 1000000000/s", "out of range"),
        ("-n -5", "-n -5 is out of range"),
        ("-n 5 -c 0", "-c 0"),
        ("-n 5 --policy pool:0", "pool:0"),
        ("-n 5 --policy keep-alive:-1s", "is no duration"),
        ("-n 5 --policy wram", "Did you mean 'warm'"),
        ("--duration 10", "has no unit"),
        ("--rate 5/s", "How many events"),
        ("-n 5 --arrival trace:absent.txt", "No such file"),
        ("-n five", "-n: 'five' is no whole number"),
        ("-n 5 --on node", "%fire --on is planned and not there yet"),
    ],
)
def test_bad_input_is_refused_before_anything_is_fired(shell: Shell, line: str, why: str) -> None:
    """And the last run is still the one before."""
    before = shell.run("%fire basics double -n 2 --quiet")
    with pytest.raises(UsageError, match=why):
        shell.run(f"%fire basics double {line}")
    assert shell.run("%timings") is before


def test_timings_without_a_run_of_that_kind(shell: Shell) -> None:
    """`--timeline` is of a run; start-up and size are of targets."""
    shell.run("%fire basics double -n 2 --quiet")
    with pytest.raises(UsageError, match="--startup needs a target"):
        shell.run("%timings --startup")
    with pytest.raises(UsageError, match="--timeline is of a run"):
        shell.run("%timings basics --timeline")


def test_an_interrupt_shows_and_binds_the_run_so_far(shell: Shell) -> None:
    """The stop button ends the cell after the run's card; the lines after it are not run."""
    timer = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        shell.run("%fire basics double(2) --duration 60s -o kept\nafter = 1")
    run = shell.shell.user_ns["kept"]
    assert run.is_interrupted
    assert len(run) > 10
    assert "interrupted after" in shell.text
    assert "after" not in shell.shell.user_ns
    assert shell.run("%fire basics double(2)").value == 4


def test_progress_is_shown_in_place(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run has one line of figures, which becomes the card."""
    from labkernel._magics import progress

    monkeypatch.setattr(progress, "QUIET_FOR_S", 0.1)
    shell.run("%fire basics double(2) --duration 900ms --policy cold")
    shown = [bundle["text/plain"] for bundle in shell.bundles]
    assert all(text.startswith("…") for text in shown[:-1])
    assert any("no errors, p50" in text for text in shown)
    assert len(shown) <= 13
    assert "Run: basics" in shown[-1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%fire basics --policy ke", "keep-alive:1s"),
        ("%fire basics --arrival po", "poisson"),
        ("%fire basics --dur", "--duration"),
        ("%timings --tim", "--timeline"),
    ],
)
def test_completion(shell: Shell, line: str, expected: str) -> None:
    """Tab completes the options of load and their words."""
    from labkernel._magics import complete, load

    assert expected in complete.candidates(line, load(shell.shell))


def test_the_manual_names_every_option(shell: Shell) -> None:
    """`%fire?` is the manual: each option with what it means."""
    text = shell.shell.find_line_magic("fire").__doc__
    assert text is not None
    for option in ("--duration", "--rate", "--arrival", "-c N", "--queue", "--policy", "--stop-on-error"):
        assert option in text
    assert "open loop" in text
