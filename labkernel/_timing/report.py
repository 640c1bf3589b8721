"""A measurement in words and tables: the facts that every figure and card of it shows. It knows no display.

A cell reads `123 us ±4%`: the median and the farther end of its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from labkernel._timing.band import within_band
from labkernel._timing.compare import Comparison
from labkernel._timing.estimates import CONFIDENCE, Estimate, samples_for, try_median, try_percentile
from labkernel._timing.phases import Phase
from labkernel._timing.records import LatencyTiming, SizeTiming
from labkernel._timing.samples import Samples
from labkernel._timing.table import Table
from labkernel._timing.timings import Timings
from labkernel._timing.units import format_bytes, format_count
from labkernel._timing.visible import visible

__all__ = ["FIRST_ANSWER", "report_notes", "report_table", "report_text", "report_title"]

_PERCENTS: Final = (50.0, 90.0, 99.0)
_NOTHING: Final = "-"
FIRST_ANSWER: Final = "first answer"
_TITLES: Final = {
    "startup": "Time to the first answer, by phase",
    "latency": "Time of a call, once started",
    "timeline": "Time of a call, in the order of calls",
    "size": "Size of components and of their machine code",
}


def report_title(timings: Timings) -> str:
    """Return what was measured, as a heading."""
    return timings.title or _TITLES[timings.kind]


def report_table(timings: Timings) -> Table:
    """Return the measurement as one table, baselines beside the targets."""
    if timings.kind == "startup":
        return _startup_table(timings)
    if timings.kind == "size":
        return _size_table(timings)
    return _latency_table(timings)


def report_notes(timings: Timings) -> tuple[str, ...]:
    """Return how to read the table: verdicts, estimators, the targets' own notes, the machine."""
    notes = [_verdict(timings, a, b, comparison) for a, b, comparison in timings.comparisons()]
    if timings.kind != "size":
        notes.append(_how_to_read(timings))
    if timings.kind == "startup":
        notes.append(_what_adds_up(timings))
    for target in timings.startups:
        notes += [f"{target.target}: {note}" for note in (target.label, *target.notes) if note]
    notes += [f"{timing.target}: {timing.label}" for timing in timings.latencies if timing.label]
    notes += [f"{b.name}: {b.what}" for b in timings.baselines if b.what]
    if timings.machine.text:
        notes.append(f"Measured on {timings.machine.text}{f' at {timings.taken}' if timings.taken else ''}.")
    return tuple(notes)


def _verdict(timings: Timings, a: str, b: str, comparison: Comparison) -> str:
    """Return how two compare in words: what lies within the harness's band is not ranked."""
    calls = {timing.target: timing for timing in timings.latencies}
    if a in calls and b in calls and calls[a].path == calls[b].path:
        told = within_band(calls[a].samples, calls[b].samples, calls[a].harness)
        if told:
            return f"{a} and {b}: {told}"
    return comparison.text(a, b)


def report_text(timings: Timings) -> str:
    """Return title, table, warnings and notes as plain text: all that the figure says."""
    lines = [report_title(timings), "", report_table(timings).text(), ""]
    lines += [f"! {warning}" for warning in timings.all_warnings]
    lines += [f"- {note}" for note in report_notes(timings)]
    return visible("\n".join(lines).rstrip())


def _what_adds_up(timings: Timings) -> str:
    """Return which phases the time to the first answer is the sum of."""
    sums = dict.fromkeys(" + ".join(map(str, target.start_phases)) for target in timings.startups)
    return f"{FIRST_ANSWER}: {' or '.join(s for s in sums if s)}, per start; call: a later event, warm."


def _how_to_read(timings: Timings) -> str:
    """Return what a cell means, and how many samples it stands on."""
    parts = f"Medians with the farther end of their {CONFIDENCE:.0%} order-statistic interval"
    if any(cell.endswith("*") for row in report_table(timings).rows for cell in row):
        parts += "; * marks too few samples for one, and the farther end of their range"
    counts = sorted({len(samples) for samples in timings.totals().values()})
    if not counts:
        return f"{parts}."
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    warm = max((samples.warmup for samples in timings.totals().values()), default=0)
    left_out = f", {format_count(warm, 'warm-up')} left out" if warm else ""
    return f"{parts}; n = {n}{left_out}."


def _startup_table(timings: Timings) -> Table:
    """Return phases as rows and targets as columns: a phase's times stand side by side."""
    phases = [p for p in Phase if any(len(t.phases.get(p, ())) for t in timings.startups)]
    others = [_NOTHING] * len(timings.baselines)
    rows = [
        (str(phase), *(_median_cell(target.phases, phase) for target in timings.startups), *others)
        for phase in phases
    ]
    totals = [_cell(target.total) for target in timings.startups]
    totals += [_cell(try_median(baseline.samples)) for baseline in timings.baselines]
    names = [t.target for t in timings.startups] + [b.name for b in timings.baselines]
    rows.append((FIRST_ANSWER, *totals))
    return Table("", ("phase", *names), tuple(rows), numeric=tuple(range(1, len(names) + 1)))


def _median_cell(phases: Mapping[Phase, Samples], phase: Phase) -> str:
    return _cell(try_median(phases[phase]) if phase in phases else None)


def _cell(estimate: Estimate | None) -> str:
    return estimate.short if estimate else _NOTHING


def _latency_table(timings: Timings) -> Table:
    rows = [_latency_row(timing) for timing in timings.latencies]
    rows += [
        (baseline.name, "baseline", *_percentile_cells(baseline.samples), _NOTHING)
        for baseline in timings.baselines
    ]
    headers = ("target", "path", "n", *(f"p{percent:g}" for percent in _PERCENTS), "harness alone")
    return Table("", headers, tuple(rows), numeric=tuple(range(2, len(headers))))


def _latency_row(timing: LatencyTiming) -> tuple[str, ...]:
    harness = try_median(timing.harness) if timing.harness is not None else None
    return (timing.target, timing.path, *_percentile_cells(timing.samples), _cell(harness))


def _percentile_cells(samples: Samples) -> tuple[str, ...]:
    cells = [f"{len(samples):,}".replace(",", " "), _cell(try_median(samples))]
    for percent in _PERCENTS[1:]:
        found = try_percentile(samples, percent)
        cells.append(found.short if found else f"needs {samples_for(percent)} samples")
    return tuple(cells)


def _size_table(timings: Timings) -> Table:
    parts = list(dict.fromkeys(part for target in timings.sizes for part in target.parts))
    rows = tuple(_size_row(target, parts) for target in timings.sizes)
    headers = ("target", "made as", *parts, "component", "machine code")
    return Table("", headers, rows, numeric=tuple(range(2, len(headers))))


def _size_row(target: SizeTiming, parts: Sequence[str]) -> tuple[str, ...]:
    cells = [format_bytes(target.parts[part]) if part in target.parts else _NOTHING for part in parts]
    code = format_bytes(target.code_bytes) if target.code_bytes else _NOTHING
    return (target.target, target.label or _NOTHING, *cells, format_bytes(target.size), code)
