"""Phases, samples, statistics, units, and the files of measurements."""

from __future__ import annotations

import itertools
import json
import math
import random
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkernel._errors import UsageError
from labkernel._timing import (
    BUILD_PHASES,
    FIRST_ANSWER,
    KINDS,
    RUN_PHASES,
    Baseline,
    LatencyTiming,
    Machine,
    Phase,
    Sample,
    Samples,
    SizeTiming,
    StartupTiming,
    Table,
    Timings,
    compare,
    format_bytes,
    format_count,
    format_ns,
    median,
    percentile,
    report_notes,
    report_table,
    report_text,
    samples_for,
    this_machine,
    try_median,
    try_percentile,
    visible,
)

MACHINE = Machine("A CPU", 2, 1 << 30, "Linux x86_64", "3.11.7", "wasmtime 50.0.1")
TIMES = st.lists(st.integers(0, 10**12), min_size=1, max_size=60)


def startup(name: str = "fn", **phases: list[int]) -> StartupTiming:
    """Return a start-up timing with these phases, one warm-up each."""
    found = {Phase(k.replace("_", "-")): Samples.of(v, warmup=1) for k, v in phases.items()}
    return StartupTiming(name, found, form="release", compiler="cranelift", language="rust")


def every_kind() -> list[Timings]:
    """Return one measurement of each kind."""
    ramp = Samples.of(range(1000, 1120), warmup=3)
    starts = startup(deserialize=[9, 5, 6, 7], link=[1, 1, 2, 3], first_call=[90, 10, 11, 12])
    calls = LatencyTiming("fn", ramp, "driver", "handle", ramp, "rust", ("clock step seen",))
    base = (Baseline("process", ramp, "a native program", ("a floor",)),)
    sizes = SizeTiming("fn", {"code": 10, "data": 20}, 4096, "rust")
    return [
        Timings("startup", (starts,), base, MACHINE, ("busy machine",), "2026-01-01T00:00:00+00:00"),
        Timings("latency", (calls,), base, MACHINE),
        Timings("timeline", (calls,), (), MACHINE),
        Timings("size", (sizes,), (), MACHINE),
    ]


def test_phases_are_the_closed_list_in_order() -> None:
    """The phases are exactly those of the design, build before run."""
    names = "bindings compile componentize deserialize codegen link instantiate first-call call"
    assert " ".join(Phase) == names
    assert (*BUILD_PHASES, *RUN_PHASES) == tuple(Phase)
    assert all(phase.what and phase.is_build != (phase in RUN_PHASES) for phase in Phase)


def test_samples_mark_warmups_and_keep_them() -> None:
    """Warm-ups are left out of `kept`, but stay in the data."""
    samples = Samples.of([900, 5, 6], warmup=1)
    assert list(samples) == [Sample(900, True), Sample(5), Sample(6)]
    assert (len(samples), list(samples.kept)) == (2, [5, 6])
    assert samples == Samples(array("Q", [900, 5, 6]), 1)


@pytest.mark.parametrize("times", [[-1], [1.5], ["1"], [2**64]])
def test_samples_refuse_what_is_no_time(times: list[Any]) -> None:
    """A time is a whole number of nanoseconds from 0 on."""
    with pytest.raises(ValueError, match="whole number of nanoseconds"):
        Samples.of(times)
    with pytest.raises(ValueError, match="3 warm-ups do not fit 1 samples"):
        Samples.of([1], warmup=3)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (5, "5 ns"),
        (0.5, "0.50 ns"),
        (999, "999 ns"),
        (999.4, "999 ns"),
        (999.6, "1.00 us"),
        (1000, "1.00 us"),
        (9_994, "9.99 us"),
        (9_996, "10.0 us"),
        (99_949, "99.9 us"),
        (99_951, "100 us"),
        (123_456, "123 us"),
        (999_499, "999 us"),
        (999_500, "1.00 ms"),
        (1_000_000_000, "1.00 s"),
        (90_000_000_000, "90.0 s"),
        (7_200_000_000_000, "7200 s"),
        (-1500, "-1.50 us"),
    ],
)
def test_times_have_three_digits_and_a_unit(ns: float, text: str) -> None:
    """Rounding moves to the next unit instead of showing 1000."""
    assert format_ns(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1_048_575, "1.00 MiB"),
        (256 << 20, "256 MiB"),
        (3 << 40, "3072 GiB"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(size: int, text: str) -> None:
    """Sizes are binary, as budgets are."""
    assert format_bytes(size) == text
    assert format_count(1, "core", "cores") == "1 core"


@given(st.floats(1e-3, 1e15))
def test_a_shown_time_is_near_the_time(ns: float) -> None:
    """Three digits are right to half a percent, in whatever unit."""
    number, unit = format_ns(ns).split()
    factor = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert float(number) * factor == pytest.approx(ns, rel=0.0051, abs=0.0051)


@given(TIMES)
def test_the_median_lies_in_its_interval(times: list[int]) -> None:
    """The interval is of samples, holds the median, and covers what it says only with enough of them."""
    found = median(times)
    assert min(times) <= found.low <= found.value <= found.high <= max(times)
    assert {found.low, found.high} <= set(times)
    assert found.has_interval == (len(times) >= 6)
    assert found.estimator == "median, order-statistic interval"


@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33), (100, 40, 61)]
)
def test_the_interval_is_the_tabled_one(n: int, low: int, high: int) -> None:
    """Ranks are those of published tables of 95% intervals for a median."""
    found = median(range(1, n + 1))
    assert (found.low, found.high) == (low, high)


def test_the_interval_covers_the_median() -> None:
    """Of a thousand samples of 25 from a skewed distribution at least 95% hold the true median."""
    source = random.Random(7)
    truth = 1e6 * math.log(2)
    hits = 0
    for _ in range(1000):
        found = median([int(source.expovariate(1) * 1e6) for _ in range(25)])
        hits += found.low <= truth <= found.high
    assert hits >= 940


def test_a_percentile_without_samples_enough_is_refused_in_words() -> None:
    """p99 under 100 samples is not a figure; the error says how many it needs."""
    with pytest.raises(
        UsageError, match=r"99 samples are too few for p99.*It needs 100; take more with -r 100"
    ):
        percentile(range(99), 99)
    assert try_percentile(range(99), 99) is None
    assert percentile(range(1, 101), 99).value == 99
    assert (samples_for(99.9), samples_for(90), samples_for(50)) == (1000, 10, 2)
    with pytest.raises(UsageError, match="100 is no percentile"):
        percentile(range(99), 100)


def test_no_samples_give_no_median() -> None:
    """Nothing kept is said, not shown as zero."""
    with pytest.raises(UsageError, match="no median"):
        median(Samples.of([1], warmup=1))
    assert try_median([]) is None


def test_few_samples_show_what_their_range_covers() -> None:
    """Below six samples the interval is the whole range, and is marked."""
    found = median([100, 110, 140])
    assert found.text == "110 ns [100, 140]"
    assert found.short == "110 ns ±27%*"
    assert found.interval_text == "whole range of 3 samples, covers 75%"
    assert median([7]).text == median([7]).short == "7 ns"


def test_equal_distributions_do_not_differ() -> None:
    """At five percent the test errs in five percent of cases, and the sentence says no difference."""
    source = random.Random(3)
    wrong = 0
    for _ in range(300):
        a, b = ([int(source.lognormvariate(0, 0.3) * 1e6) for _ in range(30)] for _ in range(2))
        wrong += compare(a, b).p < 0.05
    assert wrong / 300 < 0.09
    assert "no difference" in compare(range(100, 130), range(100, 130)).text("a", "b")


def test_the_ratio_is_found_with_its_interval() -> None:
    """Twice as slow reads as twice, whichever way round."""
    source = random.Random(5)
    a, b = ([int(k * source.lognormvariate(0, 0.2) * 1e6) for _ in range(40)] for k in (1, 2))
    there, back = compare(a, b), compare(b, a)
    assert there.differs
    assert there.low < 2 < there.high
    assert there.ratio == pytest.approx(1 / back.ratio, rel=0.01)
    assert there.text("a", "b").startswith("b takes ")
    assert back.text("b", "a").startswith("b takes ")


def test_the_exact_p_is_that_of_all_orders() -> None:
    """For few samples p is counted over every way to deal the values out."""
    xs, ys = [1, 4, 9], [2, 16, 25, 36]
    u = sum(x < y for x in xs for y in ys)
    every = [
        sum(x < y for x in part for y in set(range(7)) - set(part))
        for part in itertools.combinations(range(7), 3)
    ]
    extreme = sum(min(e, 12 - e) <= min(u, 12 - u) for e in every)
    assert compare(xs, ys).p == pytest.approx(extreme / len(every))
    assert "exact" in compare(xs, ys).estimator


def test_a_tiny_difference_is_none_however_sure() -> None:
    """Half a percent is significant with enough samples, and still has no name."""
    a = [1000 + i % 3 for i in range(2000)]
    b = [1005 + i % 3 for i in range(2000)]
    found = compare(a, b)
    assert found.p < 0.001
    assert not found.differs
    assert "no difference" in found.text("a", "b")
    assert "ratio 1.005" in found.text("a", "b")


@settings(max_examples=50)
@given(TIMES, TIMES)
def test_comparing_never_fails(a: list[int], b: list[int]) -> None:
    """Zeros, ties and single samples compare."""
    found = compare(a, b)
    assert 0 <= found.p <= 1
    assert 0 < found.low <= found.ratio <= found.high
    json.dumps(found.to_json())


def test_the_total_is_per_start() -> None:
    """Time to the first answer is summed start by start, without build phases and without later calls."""
    timing = startup(
        compile=[7], deserialize=[9, 5, 6], link=[1, 1, 2], first_call=[90, 10, 20], call=[1, 1, 1]
    )
    assert timing.total_samples == Samples.of([100, 16, 28], warmup=1)
    assert timing.total is not None
    assert timing.total.value == 22


def test_a_total_that_cannot_be_paired_says_so() -> None:
    """With unequal counts the medians are summed, and the estimator is named for it."""
    timing = startup(codegen=[9, 5000], link=[1, 1, 2, 3])
    assert timing.total_samples is None
    assert timing.total is not None
    assert timing.total.value == 5002
    assert timing.total.estimator.startswith("sum of the phases' medians")
    assert startup(compile=[1, 2]).total is None


def test_code_that_is_loaded_was_not_made_in_that_start() -> None:
    """With both phases at hand, codegen is preparation."""
    timing = startup(codegen=[1, 2], deserialize=[1, 2], link=[1, 2])
    assert timing.start_phases == (Phase.DESERIALIZE, Phase.LINK)


@pytest.mark.parametrize("timings", every_kind(), ids=KINDS)
def test_a_file_gives_the_measurement_back(timings: Timings) -> None:
    """JSON round-trips every kind, samples and warm-up marks included."""
    again = Timings.from_json(timings.to_json())
    assert again == timings
    assert again.to_json() == timings.to_json()
    assert report_text(again) == report_text(timings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("{}", "no measurement"),
        ('{"format": "labkernel-timings", "version": 99, "kind": "size"}', "Unknown version 99"),
        ('{"format": "labkernel-timings", "version": 1, "kind": "speed"}', "Unknown kind of timings 'speed'"),
        ('{"format": "labkernel-timings", "version": 1, "kind": ["size"]}', "Unknown kind of timings"),
        ('{"format": "labkernel-timings", "version": 1, "kind": "size", "targets": 3}', "'3' is not a list"),
        ('{"format": "labkernel-timings", "version": 1, "kind": "size", "targets": [3]}', "'3' is no size"),
    ],
)
def test_another_file_is_refused_in_words(text: str, message: str) -> None:
    """A file that is no measurement raises a UsageError that shows what it found."""
    with pytest.raises(UsageError, match=message):
        Timings.from_json(text)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"target": "fn", "phases": {"instantiat": {"ns": []}}}, "Did you mean 'instantiate'"),
        ({"target": "fn", "phases": {"link": {"ns": [-1]}}}, "whole number"),
        ({"target": "fn", "phases": {"link": {"ns": [True]}}}, "not a number"),
        ({"target": "fn", "phases": {"link": 5}}, "no samples"),
        ({"target": 5, "phases": {}}, "target '5' is not text"),
        ("fn", "no start-up timing"),
    ],
)
def test_a_misshapen_target_is_refused_in_words(target: Any, message: str) -> None:
    """Damage inside a file is named."""
    data = {"format": "labkernel-timings", "version": 1, "kind": "startup", "targets": [target]}
    with pytest.raises(UsageError, match=message):
        Timings.from_json(json.dumps(data))


def test_timings_hold_one_kind() -> None:
    """A size is no start-up."""
    with pytest.raises(ValueError, match="hold StartupTimings only"):
        Timings("startup", (SizeTiming("fn", {"code": 1}),))


def test_the_report_says_every_figure_and_warning() -> None:
    """Title, phases, medians, verdicts, warnings, estimator and machine are in the plain text."""
    timings = every_kind()[0]
    text = report_text(timings)
    assert repr(timings) == "<Timings startup: fn, 1 baseline>"
    for fact in ("first answer", "deserialize", "process", "! busy machine", "! process: a floor"):
        assert fact in text
    for fact in ("95% order-statistic interval", "Mann-Whitney", "A CPU, 2 cores", "a native program"):
        assert fact in text
    assert report_table(timings).headers == ("phase", "fn", "process")
    assert report_table(timings).rows[-1][0] == FIRST_ANSWER


def test_the_report_refuses_p99_in_its_cell() -> None:
    """A percentile without samples enough is words in the table."""
    few = Timings("latency", (LatencyTiming("fn", Samples.of(range(40))),), (), MACHINE)
    assert "needs 100 samples" in report_text(few)
    assert "needs 10" not in report_text(every_kind()[1])


def test_a_star_is_explained_where_it_stands() -> None:
    """The mark of a whole range has its note, and only then."""
    few = Timings("startup", (startup(link=[1, 2, 3]),), (), MACHINE)
    many = Timings("latency", (LatencyTiming("fn", Samples.of(range(1000, 1500))),), (), MACHINE)
    assert any("* marks too few samples" in note for note in report_notes(few))
    assert not any("*" in note for note in report_notes(many))


def test_changes_since_a_file_are_compared() -> None:
    """Only what both measurements hold is compared, and only within one kind."""
    before, other = every_kind()[:2]
    assert [name for name, _ in before.compared_to(before)] == ["fn", "process"]
    with pytest.raises(UsageError, match="A latency measurement does not compare to a startup one"):
        before.compared_to(other)


def test_empty_timings_report() -> None:
    """Nothing measured is shown as nothing, without an error."""
    assert report_text(Timings("startup", (), (), Machine()))
    assert Timings("latency", (), (), Machine()).comparisons() == []


def test_this_machine_names_no_user_and_no_path() -> None:
    """The machine's facts are about its speed alone."""
    machine = this_machine()
    assert machine.cores >= 1
    assert "/" not in machine.text
    assert Machine.from_json({"cpu": "x", "cores": "many", "color": 1}) == Machine("x")


def test_tables_align_wide_characters() -> None:
    """Columns stay straight under characters that take two columns."""
    lines = Table("", ("a", "b"), (("语", "1"), ("x", "22")), numeric=(1,)).text().splitlines()
    assert lines[2] == "语   1"
    assert lines[3] == "x   22"


@given(st.text())
def test_visible_text_cannot_steer_a_terminal(text: str) -> None:
    """No control, direction or half character is left; one line is one line; text can be encoded."""
    shown = visible(text, one_line=True)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or "\u202a" <= c <= "\u202e" for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert visible(shown) == shown
