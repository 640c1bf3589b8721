"""Start-up as a picture: one row per target and phase on a log axis.

Phases of one start differ by a thousand times, so the axis is logarithmic; on a log axis lengths do not add
up, so nothing is stacked: a dot is a median, the line through it its interval, thin strokes are the samples.
The time to the first answer, which is what adds up, has its own row and mark; so has each baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labkernel._plot.style import FAINT, PHASE_COLOURS, TEXT, label, layout, log_axis
from labkernel._timing import (
    FIRST_ANSWER,
    Estimate,
    Phase,
    Samples,
    Timings,
    report_notes,
    report_title,
    try_median,
)

__all__ = ["startup_spec"]

_ROW_HEIGHT: Final = 23
_STROKES: Final = 200
_SUBTITLE: Final = "dot: median; line: its 95% interval; strokes: samples; log axis, so lengths do not add up"


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the picture; a heading has no estimate."""

    name: str
    owner: str = ""
    what: str = ""
    estimate: Estimate | None = None
    samples: Samples | None = None
    colour: str = TEXT
    symbol: str = "circle"

    @property
    def is_heading(self) -> bool:
        return self.estimate is None


def startup_spec(timings: Timings) -> dict[str, Any]:
    """Return the figure as plain data: `data` and `layout` as plotly reads them."""
    rows = [*_target_rows(timings), *_baseline_rows(timings)]
    headings = {f"{target.target}: {target.label}" for target in timings.startups}
    notes = [f"Warning: {warning}" for warning in timings.all_warnings]
    notes += [note for note in report_notes(timings) if note not in headings]
    shape = layout(report_title(timings), _SUBTITLE, _ROW_HEIGHT * len(rows), notes, right=130)
    times = [t for row in rows for t in _reach(row)]
    shape["xaxis"] = log_axis(times, "time (log scale)")
    shape["yaxis"] = _rows_axis(rows)
    shape["shapes"] += [*_separators(rows), *_baseline_lines(rows, len(rows))]
    shape["annotations"] += [*_headings(rows), *_values(rows)]
    data = [trace for y, row in enumerate(rows) if not row.is_heading for trace in _traces(row, y)]
    return {"data": data, "layout": shape}


def _target_rows(timings: Timings) -> Iterator[_Row]:
    for target in timings.startups:
        yield _Row(target.target, what=target.label)
        for phase in Phase:
            samples = target.phases.get(phase)
            estimate = try_median(samples) if samples is not None else None
            if estimate:
                yield _Row(str(phase), target.target, phase.what, estimate, samples, PHASE_COLOURS[phase])
        total = target.total
        if total:
            names = " + ".join(str(phase) for phase in target.start_phases)
            yield _Row(FIRST_ANSWER, target.target, names, total, target.total_samples, TEXT, "diamond")


def _baseline_rows(timings: Timings) -> Iterator[_Row]:
    measured = [(b, e) for b in timings.baselines if (e := try_median(b.samples))]
    if measured:
        yield _Row("Baselines", what="the same job done without this lab")
    for baseline, estimate in measured:
        yield _Row(baseline.name, "baseline", baseline.what, estimate, baseline.samples, TEXT, "square-open")


def _reach(row: _Row) -> list[float]:
    if row.estimate is None:
        return []
    strokes = row.samples.kept if row.samples is not None else ()
    return [row.estimate.low, row.estimate.high, *(float(t) for t in strokes)]


def _traces(row: _Row, y: int) -> Iterator[dict[str, Any]]:
    estimate = row.estimate
    if estimate is None:
        return
    if row.samples is not None and len(row.samples) > 1:
        strokes = _thinned(row.samples)
        yield {
            "type": "scatter", "mode": "markers", "x": strokes, "y": [y] * len(strokes), "hoverinfo": "skip",
            "name": f"{label(row.name)} samples", "opacity": 0.45,
            "marker": {"symbol": "line-ns-open", "size": 11, "color": row.colour, "line": {"width": 1}},
        }  # fmt: skip
    large = row.symbol != "circle"
    yield {
        "type": "scatter", "mode": "markers", "x": [max(estimate.value, 0.1)], "y": [y],
        "name": f"{label(row.owner)} {label(row.name)}", "cliponaxis": False,
        "marker": {
            "symbol": row.symbol, "size": 13 if large else 10, "color": row.colour,
            "line": {"width": 2.5 if row.symbol.endswith("open") else 0, "color": row.colour},
        },
        "error_x": {
            "type": "data", "symmetric": False, "array": [max(0.0, estimate.high - estimate.value)],
            "arrayminus": [max(0.0, estimate.value - estimate.low)], "color": row.colour, "thickness": 3,
            "width": 0,
        },
        "text": [_hover(row, estimate)], "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _hover(row: _Row, estimate: Estimate) -> str:
    lines = [f"<b>{label(row.owner)}: {label(row.name)}</b>", estimate.text, estimate.interval_text]
    return "<br>".join([*lines, *([label(row.what, 100)] if row.what else []), label(estimate.estimator)])


def _thinned(samples: Samples) -> list[float]:
    """Return at most `_STROKES` samples, evenly spaced by rank, with both ends."""
    ordered = sorted(max(float(t), 0.1) for t in samples.kept)
    if len(ordered) <= _STROKES:
        return ordered
    return [ordered[round(i * (len(ordered) - 1) / (_STROKES - 1))] for i in range(_STROKES)]


def _rows_axis(rows: Sequence[_Row]) -> dict[str, Any]:
    names = ["" if row.is_heading else _name(row) for row in rows]
    return {
        "tickvals": list(range(len(rows))),
        "ticktext": names,
        "range": [len(rows) - 0.4, -0.6],
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "ticks": "",
    }


def _name(row: _Row) -> str:
    name = label(row.name, 28)
    return f"<b>{name}</b>" if row.symbol == "diamond" else name


def _separators(rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
    for y, row in enumerate(rows):
        if row.is_heading and y:
            yield {
                "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y - 0.5, "y1": y - 0.5,
                "line": {"color": FAINT, "width": 1},
            }  # fmt: skip


def _baseline_lines(rows: Sequence[_Row], bottom: int) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row.symbol == "square-open" and row.estimate:
            x = max(row.estimate.value, 0.1)
            yield {
                "type": "line", "x0": x, "x1": x, "y0": -0.6, "y1": bottom - 0.4, "layer": "below",
                "line": {"color": TEXT, "width": 1, "dash": "dot"}, "opacity": 0.6,
            }  # fmt: skip


def _headings(rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
    for y, row in enumerate(rows):
        if row.is_heading:
            what = f"  {label(row.what, 80)}" if row.what else ""
            yield {
                "text": f"<b>{label(row.name, 40)}</b>{what}", "xref": "paper", "x": 0, "xanchor": "left",
                "y": y, "showarrow": False, "font": {"size": 13}, "xshift": 2,
            }  # fmt: skip


def _values(rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
    for y, row in enumerate(rows):
        if row.estimate:
            short = row.estimate.short
            yield {
                "text": f"<b>{short}</b>" if row.symbol == "diamond" else short, "xref": "paper", "x": 1,
                "xanchor": "left", "xshift": 8, "y": y, "showarrow": False, "align": "left",
                "font": {"size": 12},
            }  # fmt: skip
