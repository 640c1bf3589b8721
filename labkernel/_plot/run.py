"""A run as pictures: its latencies, and its events over time as queued, cold start and executing.

Each row is an event, or a slot of time with the mean of its events; means add up, so the parts are stacked on
a linear axis. A row begins at the intended time: what one sees is what who sent the event has waited.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._fire import Moment, Run
from labkernel._plot.drawing import drawing
from labkernel._plot.forms import CONFIG, PLOTLY_TYPE, bundle, table_markup
from labkernel._plot.style import FAINT, PHASE_COLOURS, TEXT, label, layout
from labkernel._timing import LatencyTiming, Phase, Table, Timings, format_count, format_ns, visible

__all__ = ["run_bundle", "run_spec", "run_table", "run_text", "run_timings"]

_ROWS: Final = 40
_ROW_HEIGHT: Final = 15
_PARTS: Final = (
    ("queued", TEXT),
    ("cold start", PHASE_COLOURS[Phase.FIRST_CALL]),
    ("executing", PHASE_COLOURS[Phase.INSTANTIATE]),
)


@dataclass(frozen=True, slots=True)
class _Row:
    """Events of one moment: how many, and the mean of their parts in nanoseconds."""

    at_ns: int
    events: int
    parts: tuple[float, float, float]
    colds: int
    errors: int


def run_bundle(run: Run, kind: str = "latency") -> dict[str, Any]:
    """Return a run's `latency` or `timeline` by mime type: plotly's, a drawing with its table, and text.

    Raises `UsageError` where there is nothing to draw.
    """
    if kind == "latency":
        return bundle(run_timings(run))
    parts = run_spec(run)
    title = _title(run)
    notes = "".join(f"<li>{html.escape(visible(note))}</li>" for note in _notes(run))
    under = f"{table_markup(run_table(run), title)}<ul>{notes}</ul>"
    return {
        PLOTLY_TYPE: parts,
        "text/html": f"{drawing(parts, title)}{under}",
        "text/plain": run_text(run),
    }


def run_text(run: Run) -> str:
    """Return what the timeline shows as an aligned table with its warnings."""
    lines = [_title(run), "", run_table(run).text(), "", *(f"- {note}" for note in _notes(run))]
    return visible("\n".join(lines).rstrip())


def run_spec(run: Run) -> dict[str, Any]:
    """Return the timeline as plain data, as plotly reads it. Raises `UsageError` for a run without a timeline."""
    rows = _rows(run)
    kind = "one event" if all(row.events == 1 for row in rows) else "the mean of a slot of time"
    subtitle = f"each row is {kind}, from its intended time on; linear axis"
    shape = layout(_title(run), subtitle, _ROW_HEIGHT * len(rows) + 20, _notes(run), right=90, top=98)
    longest = max((sum(row.parts) for row in rows), default=1.0)
    shape |= {"barmode": "stack", "bargap": 0.2, "showlegend": True}
    shape["legend"] = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"}
    shape["xaxis"] = _time_axis(longest)
    step = max(1, len(rows) // 10)
    shown = range(0, len(rows), step)
    shape["yaxis"] = {
        "title": {"text": "since the start", "font": {"size": 13}, "standoff": 6},
        "tickvals": list(shown), "ticktext": [format_ns(rows[i].at_ns) for i in shown],
        "range": [len(rows) - 0.4, -0.6], "automargin": True, "showgrid": False, "zeroline": False,
    }  # fmt: skip
    return {"data": list(_traces(rows)), "layout": shape, "config": CONFIG}


def _traces(rows: list[_Row]) -> Iterator[dict[str, Any]]:
    for part, (name, colour) in enumerate(_PARTS):
        held = [(y, row) for y, row in enumerate(rows) if row.parts[part] > 0]
        yield {
            "type": "bar", "orientation": "h", "name": name, "x": [row.parts[part] for _, row in held],
            "y": [y for y, _ in held], "marker": {"color": colour, "line": {"width": 0}},
            "text": [_hover(row, part) for _, row in held], "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }  # fmt: skip


def _hover(row: _Row, part: int) -> str:
    of = "" if row.events == 1 else f", mean of {format_count(row.events, 'event')}"
    return (
        f"<b>{_PARTS[part][0]}</b> {label(format_ns(row.parts[part]))} at {label(format_ns(row.at_ns))}{of}"
    )


def _rows(run: Run) -> list[_Row]:
    if not len(run.timeline):
        raise UsageError("This run has no timeline: no event was fired, or it is of an older version's file.")
    moments = sorted(run.timeline, key=lambda m: m.intended_ns)
    if len(moments) <= _ROWS:
        return [_row([moment], moment.intended_ns) for moment in moments]
    first, last = moments[0].intended_ns, moments[-1].intended_ns
    width = max(1, -(-(last - first + 1) // _ROWS))
    slots: dict[int, list[Moment]] = {}
    for moment in moments:
        slots.setdefault((moment.intended_ns - first) // width, []).append(moment)
    return [_row(found, first + slot * width) for slot, found in sorted(slots.items())]


def _row(moments: list[Moment], at_ns: int) -> _Row:
    n = len(moments)
    queued = sum(m.queued_ns for m in moments) / n
    cold = sum(m.cold_ns for m in moments) / n
    call = sum(m.call_ns for m in moments) / n
    colds, errors = sum(m.cold_ns > 0 for m in moments), sum(m.outcome > 0 for m in moments)
    return _Row(max(0, at_ns), n, (queued, cold, call), colds, errors)


def run_table(run: Run) -> Table:
    """Return the timeline as a table: when, how many events, and how long they were queued, starting, executing."""
    rows = [
        (
            format_ns(row.at_ns), f"{row.events:,}".replace(",", " "),
            *(format_ns(ns) if ns else "·" for ns in row.parts), str(row.colds), str(row.errors),
        )
        for row in _rows(run)
    ]  # fmt: skip
    headers = ("at", "events", *(name for name, _ in _PARTS), "cold starts", "errors")
    return Table("", headers, tuple(rows), numeric=tuple(range(len(headers))))


def _title(run: Run, what: str = "Timeline") -> str:
    loop = run.plan.loop if run.plan is not None else "closed loop"
    return f"{what} of {run.target.name}: {run.function.full_name}, {loop}, {run.target.policy}"


def _notes(run: Run) -> list[str]:
    notes = [f"Warning: {warning}" for warning in run.warnings]
    notes.append(
        f"timed {run.timed}; {run.target.form or 'given'} build, {run.target.compiler}; {run.machine.text}"
    )
    if run.fired > len(run.timeline):
        notes.append(f"the first {format_count(len(run.timeline), 'event')} of {run.fired} are shown")
    return notes


def run_timings(run: Run) -> Timings:
    """Return the run's times as a measurement: latencies of a load, else times of calls."""
    label_text = ", ".join(p for p in (run.target.language, run.target.form, run.target.compiler) if p)
    shared: dict[str, Any] = {"path": run.timed, "function": run.function.full_name, "label": label_text}
    name = f"{run.target.name} {'latency' if run.is_load else 'call'}"
    targets = [LatencyTiming(name, run.latencies if run.is_load else run.samples, **shared)]
    if not len(run.samples):
        raise UsageError(
            "No event of this run was answered, so there is nothing to draw; see the run's errors."
        )
    warnings = run.warnings
    if len(run) > len(run.ns):
        warnings = (
            *warnings,
            f"drawn from the first {len(run.ns):,} of {len(run):,} answered events".replace(",", " "),
        )
    title = _title(run, "Latency") if run.is_load else ""
    return Timings(
        "latency", tuple(targets), machine=run.machine, warnings=warnings, taken=run.taken, title=title
    )


def _time_axis(longest: float) -> dict[str, Any]:
    """Return a linear axis over nanoseconds from zero with ticks at round times."""
    rough = max(longest, 1.0) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    ticks = [index * step for index in range(int(longest * 1.05 / step) + 1)]
    return {
        "title": {"text": "time since it was meant to come", "font": {"size": 13}, "standoff": 6},
        "range": [0, longest * 1.05], "tickvals": ticks,
        "ticktext": ["0" if not tick else _short(tick) for tick in ticks],
        "showgrid": True, "gridcolor": FAINT, "zeroline": False, "showline": True, "linecolor": FAINT,
    }  # fmt: skip


def _short(ns: float) -> str:
    number, _, unit = format_ns(ns).rpartition(" ")
    return f"{float(number):g} {unit}"
