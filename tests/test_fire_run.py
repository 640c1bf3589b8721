"""`Run` as a record: what it says of itself, its files, comparisons, warnings, cards and figures."""

from __future__ import annotations

import contextlib
import csv
import json
import resource
import signal
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkernel import UsageError
from labkernel import _plot as plot
from labkernel._capability import Budgets
from labkernel._cards import card_of
from labkernel._errors import GuestTrap
from labkernel._fire import (
    Collector,
    Cycle,
    ErrorKind,
    LoadFacts,
    Point,
    Run,
    Shrunk,
    Target,
    Timeline,
    cautions,
    make_plan,
)
from labkernel._fire.counting import OTHERS, by_kind
from labkernel._host import Chunk
from labkernel._timing import Counts, Histogram
from labkernel._wit import Function, Param, Primitive, ResultType

MS = 10**6
U32 = Primitive("u32")
DOUBLE = Function("double", (Param("x", U32),), ResultType(U32, Primitive("string")))
TARGET = Target("fn", "ab" * 32, "c", "release", "cranelift", "warm", "host call")


def timeline(
    calls: list[int], *, queued: int = 0, cold: int = 0, outcomes: list[int] | None = None
) -> Timeline:
    """Return events 1 ms apart that took so long."""
    n = len(calls)
    return Timeline(
        index=array("Q", range(n)),
        worker=array("B", [0] * n),
        instance=array("I", [1] * n),
        intended_ns=array("q", (k * MS for k in range(n))),
        began_ns=array("q", (k * MS + queued for k in range(n))),
        cold_ns=array("Q", [cold] * n),
        call_ns=array("Q", calls),
        outcome=array("B", outcomes or [0] * n),
    )


def made(n: int = 200, *, load: dict[str, Any] | None = None, **changes: Any) -> Run:
    """Return a run whose events took 1000 ns and a little more."""
    calls = [1000 + k % 50 for k in range(n)]
    plan = make_plan(n=n, **(load or {}))
    run = Run(
        target=TARGET,
        function=DOUBLE,
        asked=n,
        seed=3,
        events=tuple([k] for k in range(n)),
        normals=tuple(["ok", 2 * k] if k % 2 else ["err", "odd"] for k in range(n)),
        ns=array("Q", calls),
        wall_ns=n * MS,
        plan=plan,
        timeline=timeline(calls),
        answered=n,
        taken="2026-11-27T08:00:00+00:00",
    )
    return replace(run, **changes)


RATE = {"rate": "1000/s"}


# --------------------------------------------------------------------------------------------------- files


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    """Everything that is saved is read back: results with their types, events, the plan, errors, counts."""
    run = made(
        120,
        load={"rate": "50/s", "policy": "keep-alive:2s"},
        errors=(ErrorKind("GuestTrap", "it trapped", 3, 7),),
        error=GuestTrap("it trapped"),
        facts=LoadFacts(
            dropped=4, left=1, started=3, evicted=2, colds=3, processes=2, points=(Point(5, 6, 7, 8),)
        ),
        histograms={"latency": Histogram.of(Counter({1000: 5}))},
        kinds={"ok(2)": 5},
        notes=("a note",),
        warnings=("a warning",),
        is_interrupted=True,
        host_calls={"wasi:clocks": 4},
        shrunk=Shrunk([0], "double(0)", "it trapped", 9, 0.5, True, "no simpler one does"),
        output="said é",
    )
    path = run.save(tmp_path / "run.json")
    again = Run.load(path)
    assert again.to_json() == run.to_json()
    assert again.results == run.results
    assert again.events[5] == [5]
    assert again.call(5) == "double(5)"
    assert (again.timeline, again.errors, again.facts, again.machine) == (
        run.timeline,
        run.errors,
        run.facts,
        run.machine,
    )
    assert type(again.error) is GuestTrap
    assert card_of(again).text() == card_of(run).text()


def test_events_that_went_round_are_saved_once(tmp_path: Path) -> None:
    """The file of a long run holds its pool of events, and gives every event back."""
    run = made(60, events=Cycle([[1], [2], [3]], 60))
    path = run.save(tmp_path / "run.json")
    assert len(json.loads(path.read_text())["events"]) == 3
    again = Run.load(path)
    assert [again.events[k] for k in (0, 4, 59)] == [[1], [2], [3]]
    assert again.call(58) == "double(2)"


def test_a_file_of_the_older_version_is_read(tmp_path: Path) -> None:
    """It held no types and no timeline: results stay the text they were."""
    old = {
        "format": "labkernel-run-1", "target": TARGET.to_json(), "function": "double", "asked": 3, "seed": 7,
        "events": ["double(1)", "double(2)"], "results": ["ok(2)"], "ns": [900], "wall_ns": 5000,
        "error": "GuestTrap: it: trapped", "output": "", "notes": [], "warnings": [],
    }  # fmt: skip
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    run = Run.load(path)
    assert (run.waves, run.counts, len(run), run.failing_event) == (["ok(2)"], {"ok(2)": 1}, 1, "double(2)")
    assert str(run.error) == "it: trapped"
    with pytest.raises(UsageError, match="older version"):
        run.events[0]
    assert "double(2)" in card_of(run).text()
    with pytest.raises(UsageError, match="no timeline"):
        plot.run_bundle(run, "timeline")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no saved run"),
        ("[]", "has the format None"),
        ('{"format": "labkernel-run-9"}', "'labkernel-run-9'; this version reads labkernel-run-2"),
        ('{"format": "labkernel-run-2"}', "is damaged"),
        ("\xff", "is no saved run"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """What is no run, of another version, or cut."""
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=why):
        Run.load(path)
    with pytest.raises(UsageError, match="No such file"):
        Run.load(tmp_path / "absent.json")


def test_columns_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A timeline with a column too short is a damaged file."""
    path = made(5).save(tmp_path / "run.json")
    data = json.loads(path.read_text())
    data["timeline"]["call_ns"].pop()
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="differ in length"):
        Run.load(path)


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow over 4 KiB: writing fails as on a full disk. That of the test's own log included."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    """An error says so; what was under the name before is still there, and nothing else."""
    path = tmp_path / "run.json"
    path.write_text("before")
    with small_files(), pytest.raises(UsageError, match="cannot be written"):
        made(500).save(path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    with pytest.raises(UsageError, match="No space left"):
        made(5).save("/dev/full")
    with pytest.raises(UsageError, match="cannot be written"):
        made(5).save(tmp_path / "absent" / "run.json")


def test_csv(tmp_path: Path) -> None:
    """A row for each event kept: times, instance, result or error, the call."""
    calls = [1000, 2000, 3000]
    run = made(
        3,
        normals=(["ok", 1], ["ok", 3]),
        timeline=timeline(calls, queued=50, cold=7, outcomes=[0, 1, 0]),
        errors=(ErrorKind("GuestTrap", "it trapped", 1, 1),),
    )
    rows = list(csv.DictReader(run.save(tmp_path / "run.csv").read_text().splitlines()))
    assert [row["result"] for row in rows] == ["ok(1)", "", "ok(3)"]
    assert [row["error"] for row in rows] == ["", "GuestTrap", ""]
    assert (rows[2]["latency_ns"], rows[2]["queued_ns"], rows[2]["call"]) == ("3057", "50", "double(2)")


def test_pandas() -> None:
    """The same rows as a table."""
    pytest.importorskip("pandas")
    frame = made(40).to_pandas()
    assert frame.call_ns.median() == pytest.approx(1019.5)
    assert set(frame.result) >= {"ok(2)", 'err("odd")'}


def test_an_hdr_histogram_log(tmp_path: Path) -> None:
    """That project's own reader counts every latency."""
    pytest.importorskip("hdrh")
    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogReader

    path = made(400).save(tmp_path / "run.hlog")
    reader = HistogramLogReader(str(path), HdrHistogram(1, 10**12, 3))
    read = reader.get_next_interval_histogram()
    reader.close()
    assert read.get_total_count() == 400
    assert read.get_value_at_percentile(50) == pytest.approx(1024, abs=2)
    assert reader.start_time_sec == pytest.approx(1795766400)


# -------------------------------------------------------------------------------------------- comparisons


def slower(run: Run, factor: float) -> Run:
    """Return the run with calls that take longer."""
    ns = array("Q", (int(t * factor) for t in run.ns))
    return replace(run, ns=ns, timeline=replace(run.timeline, call_ns=ns))


def test_two_runs_compared() -> None:
    """Twice as slow is found; the same is no difference; what else differs is said."""
    run = made(300)
    assert run.compare(slower(run, 2)).comparison.ratio == pytest.approx(2, rel=0.02)
    assert not run.compare(run).comparison.differs
    other = replace(run, target=replace(TARGET, compiler="winch"), seed=4)
    text = run.compare(other).text
    assert "but the compiler differs: cranelift and winch" in text
    assert "but the seed of the events differs: 3 and 4" in text
    waited = made(300, load=RATE, timeline=timeline([1000] * 300, queued=9000))
    assert run.compare(waited).what == "latency"


def test_a_development_build_is_not_compared_to_a_release_unawares() -> None:
    """It is refused, unless one says that it is meant; then the verdict says it too."""
    run = made()
    development = replace(run, target=replace(TARGET, form="development"))
    with pytest.raises(UsageError, match=r"a release build, fn a development build.*across_forms=True"):
        run.compare(development)
    assert "but fn is a release build" in run.compare(development, across_forms=True).text
    with pytest.raises(UsageError, match="One run was timed by the C functions, the other in the engine"):
        run.compare(replace(run, target=replace(TARGET, path="driver")))


# ------------------------------------------------------------------------------------------------ warnings


def points(waiting: list[int]) -> LoadFacts:
    """Return the facts of a run with so many waiting, every 100 ms."""
    return LoadFacts(points=tuple(Point(k * 100 * MS, 10 * k, n, 1) for k, n in enumerate(waiting)))


@pytest.mark.parametrize(
    ("changes", "load", "why"),
    [
        ({}, {"policy": "warm"}, ""),
        ({}, None, ""),
        ({"answered": 40}, RATE, "40 events are too few for p99"),
        ({"facts": LoadFacts(dropped=100)}, RATE, r"100 events \(33\.3%\) dropped"),
        ({"facts": LoadFacts(left=5)}, RATE, "5 events still waited when the run ended"),
        (
            {"facts": points([0, 30, 60, 90, 120, 150])},
            RATE,
            "the queue grew to 150 events and was still growing",
        ),
        ({"facts": points([0, 90, 60, 20, 10, 5])}, RATE, ""),
        ({"wall_ns": 300 * MS}, RATE, "1,000/s were offered and 667/s done"),
        ({"facts": LoadFacts(switches=500), "wall_ns": 10**9}, {"policy": "warm"}, "the machine was busy"),
        ({"ns": array("Q", [1000] * 190 + [5 * MS] * 10)}, {"policy": "warm"}, "coordinated omission"),
        ({"ns": array("Q", [1000] * 190 + [5 * MS] * 10)}, RATE, ""),
    ],
)
def test_warnings(changes: dict[str, Any], load: dict[str, Any] | None, why: str) -> None:
    """Each doubt about a figure is said when there is reason, and only then."""
    found = cautions(made(load=load, **changes))
    if not why:
        assert found == ()
        return
    (warning,) = found
    import re

    assert re.search(why, warning)


# ------------------------------------------------------------------------------------------- in bounded memory


def chunk(
    n: int, first: int = 0, *, call_ns: int = 1000, errors: int = 0, results: list[Any] | None = None
) -> Chunk:
    """Return a chunk of so many events, the first of them errors."""
    found = Chunk.empty()
    for k in range(n):
        row = (first + k, k * MS, k * MS, 0, call_ns + k, 1, 1 if k < errors else 0)
        for column, value in zip(found.columns.values(), row, strict=True):
            column.append(value)
    found.results = results if results is not None else [7] * (n - errors)
    found.errors = [[1, "GuestTrap", ["GuestTrap", "it trapped", {}], first]] if errors else []
    found.at_ns = n * MS
    return found


def test_beyond_what_is_kept_everything_is_counted() -> None:
    """Rows and results stop at the bound; errors, results and times go on being counted."""
    found = Collector(kept=100)
    for k in range(5):
        found.add(0, chunk(60, 60 * k, errors=2))
    line, results = found.timeline()
    assert len(line) == 100
    assert len(results) == sum(not outcome for outcome in line.outcome)
    assert (found.fired, found.answered) == (300, 290)
    assert found.errors() == (ErrorKind("GuestTrap", "it trapped", 10, 0),)
    assert len(found.histograms()["latency"]) == 300
    assert found.kinds() == [(False, 7, 290)]


def test_errors_of_one_kind_from_two_processes_are_one_kind() -> None:
    """Each process numbers its kinds for itself."""
    found = Collector()
    other = chunk(3, errors=1)
    other.errors = [
        [1, "GuestExit", ["GuestExit", "it left", {}], 0],
        [2, "GuestTrap", ["GuestTrap", "it trapped", {}], 9],
    ]
    other.columns["outcome"] = array("B", [1, 2, 0])
    other.results = [7]
    found.add(0, chunk(3, errors=1))
    found.add(1, other)
    assert [(kind.name, kind.count) for kind in found.errors()] == [("GuestTrap", 2), ("GuestExit", 1)]
    line, _ = found.timeline()
    assert sorted(zip(line.worker, line.outcome, strict=True)) == [
        (0, 0),
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (1, 2),
    ]


def test_many_different_results_are_counted_by_case() -> None:
    """Only so many are told apart; long ones never are."""
    found = Collector()
    found.add(0, chunk(5000, results=[["ok", k] for k in range(5000)]))
    found.add(0, chunk(2, results=[["err", "x" * 1000]] * 2))
    counts = {str(value): n for _, value, n in found.kinds()}
    assert counts["ok(…)"] == 5000 - 4096
    assert counts["err(…)"] == 2


def test_counts_in_words() -> None:
    """Few values as they are, many by their cases, and what was not told apart as more than so many."""
    assert by_kind({"3": 1, "4": 5}) == {"4": 5, "3": 1}
    many = {str(k): 1 for k in range(4096)} | {OTHERS: 10}
    assert by_kind(many) == {"more than 4096 different values": 4106}


def test_a_histogram_is_within_a_thousandth() -> None:
    """Every percentile lies by the sorted samples' own."""
    times = [int(1000 * 1.01**k) for k in range(2000)]
    counts = Counts()
    for at in range(0, 2000, 100):
        counts.add(times[at : at + 100])
    found = counts.histogram()
    assert len(found) == 2000
    for percent in (1, 25, 50, 90, 99, 99.9):
        exact = times[max(0, round(2000 * percent / 100) - 1)]
        assert found.quantile(percent) == pytest.approx(exact, rel=1e-3)
    assert Histogram.of(Counter({5: 10})).quantile(99) is None
    assert Histogram.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "data", [{}, [], {"ns": [1], "counts": []}, {"ns": [2, 1], "counts": [1, 1]}, {"ns": [-1]}]
)
def test_a_damaged_histogram_is_refused(data: Any) -> None:
    """Columns that do not match, do not rise or are no numbers."""
    with pytest.raises(UsageError):
        Histogram.from_json(data)


# ------------------------------------------------------------------------------------------ cards and figures


def test_the_card_of_a_load() -> None:
    """It says the loop, the rates, what cold starts cost, and where the time went."""
    run = made(
        200,
        load={"rate": "1000/s", "policy": "keep-alive:1s"},
        timeline=timeline([1000] * 200, queued=500, cold=4000),
        facts=LoadFacts(dropped=3, colds=200, started=5, evicted=4, processes=2),
        errors=(ErrorKind("GuestTrap", "it trapped", 4, 2),),
        why="it starts instances",
        budgets=Budgets(timeout_s=2.0),
    )
    text = card_of(run).text()
    for shown in (
        "open loop, 1000/s constant", "1 000/s offered, 1 020/s done", "200 events (98.0%)", "median 4.00 us each",
        "5 instances started, 4 ended after idling, 2 host processes", "3 events dropped", "GuestTrap 4",
        "GuestTrap, first at event 3", "%fire fn double(2)", "timed by the C functions: it starts instances",
        "5.50 us", "%timings --timeline", "c, release build, cranelift", "budgets: 2 s per event, 256 MiB",
    ):  # fmt: skip
        assert shown in text


def test_the_timeline_shows_each_event_or_slots() -> None:
    """Few events have a row each, many share slots; figure and text say the same."""
    few = made(5, load=RATE, timeline=timeline([1000] * 5, queued=500, cold=4000))
    spec = plot.run_spec(few)
    names = [trace["name"] for trace in spec["data"]]
    assert names == ["queued", "cold start", "executing"]
    assert [trace["x"][0] for trace in spec["data"]] == [500, 4000, 1000]
    many = made(1000, load=RATE)
    assert len(plot.run_spec(many)["layout"]["yaxis"]["tickvals"]) <= 11
    text = plot.run_text(many)
    assert text.count("\n") < 60
    assert "25" in text
    bundle = plot.run_bundle(many, "timeline")
    assert set(bundle) == {plot.PLOTLY_TYPE, "text/html", "text/plain"}
    assert "<svg" in bundle["text/html"]


def test_latencies_as_a_figure() -> None:
    """A load shows latencies, another run its calls; one without answers says so."""
    assert "fn latency" in plot.run_bundle(made(load=RATE))["text/plain"]
    assert "fn call" in plot.run_bundle(made())["text/plain"]
    nothing = made(5, ns=array("Q"), normals=(), timeline=timeline([1] * 5, outcomes=[1] * 5), answered=0)
    with pytest.raises(UsageError, match="No event of this run was answered"):
        plot.run_bundle(nothing)
