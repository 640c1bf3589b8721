"""A trace as a picture: one row per interface, a mark where each host call began and a line as long as it took.

The time between the guest's calls, when nothing ran, is left out; a line across marks where an event begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from labkernel._plot.drawing import drawing
from labkernel._plot.forms import PLOTLY_TYPE
from labkernel._plot.style import FAINT, SERIES_COLOURS, label, layout
from labkernel._sandbox.tracing import HostCall, Trace
from labkernel._timing import format_ns

__all__ = ["trace_bundle", "trace_spec"]

_ROW_HEIGHT: Final = 26
_MOST: Final = 2_000
_LOOKS: Final = {
    "allowed": (SERIES_COLOURS[0], "circle"),
    "virtual": (SERIES_COLOURS[2], "diamond"),
    "replayed": (SERIES_COLOURS[3], "diamond"),
    "refused": (SERIES_COLOURS[1], "square-open"),
    "trapped": (SERIES_COLOURS[5], "square"),
}
_SUBTITLE: Final = "mark: a call begins; line: as long as it took; pauses between events are left out"


def trace_spec(trace: Trace) -> dict[str, Any]:
    """Return the figure as plain data: `data` and `layout` as plotly reads them."""
    calls = trace.calls[:_MOST]
    starts, borders = _laid_out(calls)
    rows = list(dict.fromkeys(_row(call) for call in calls))
    notes = [f"{len(trace.calls) - _MOST} later calls are not drawn"] if len(trace.calls) > _MOST else []
    end = max((start + call.ns for start, call in zip(starts, calls, strict=True)), default=1)
    shape = layout(
        f"Host calls of {label(trace.target, 40)}",
        _SUBTITLE,
        _ROW_HEIGHT * max(len(rows), 1),
        notes,
        right=30,
        top=98,
    )
    shape |= {"showlegend": True, "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}}
    shape["xaxis"] = _time_axis(end)
    shape["yaxis"] = {
        "tickvals": list(range(len(rows))), "ticktext": [label(row, 40) for row in rows],
        "range": [len(rows) - 0.4, -0.6], "automargin": True, "showgrid": True, "gridcolor": FAINT,
        "zeroline": False, "fixedrange": True,
    }  # fmt: skip
    shape["shapes"] += [
        {
            "type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper",
            "line": {"color": FAINT, "width": 1, "dash": "dot"},
        }
        for x in borders
    ]  # fmt: skip
    return {"data": list(_traces(calls, starts, rows)), "layout": shape}


def trace_bundle(trace: Trace) -> dict[str, Any]:
    """Return the figure by mime type, without text: it stands beside the trace's card. Empty without calls."""
    if not trace.calls:
        return {}
    parts = trace_spec(trace)
    return {
        PLOTLY_TYPE: parts,
        "text/html": drawing(parts, f"Host calls of {trace.target}"),
        "text/plain": "",
    }


def _row(call: HostCall) -> str:
    return call.interface.partition("@")[0].removeprefix("wasi:") or "the world itself"


def _laid_out(calls: tuple[HostCall, ...]) -> tuple[list[int], list[int]]:
    """Return where each call begins, pauses between events left out, and where events begin."""
    starts: list[int] = []
    borders: list[int] = []
    shift, end, event = 0, 0, None
    for call in calls:
        if call.event != event:
            shift = end - call.start_ns
            event = call.event
            if starts:
                borders.append(end)
        starts.append(call.start_ns + shift)
        end = max(end, starts[-1] + call.ns)
    return starts, borders


def _traces(calls: tuple[HostCall, ...], starts: list[int], rows: list[str]) -> Iterator[dict[str, Any]]:
    for verdict, (colour, symbol) in _LOOKS.items():
        held = [(s, c) for s, c in zip(starts, calls, strict=True) if c.verdict == verdict]
        if not held:
            continue
        yield {
            "type": "scatter", "mode": "markers", "name": verdict,
            "x": [start for start, _ in held], "y": [rows.index(_row(call)) for _, call in held],
            "marker": {"symbol": symbol, "size": 9, "color": colour},
            "error_x": {
                "type": "data", "symmetric": False, "array": [call.ns for _, call in held],
                "arrayminus": [0] * len(held), "color": colour, "thickness": 3, "width": 0,
            },
            "text": [_hover(call) for _, call in held], "hovertemplate": "%{text}<extra></extra>",
        }  # fmt: skip


def _hover(call: HostCall) -> str:
    about = f"<br>{label(call.about)}" if call.about else ""
    line = f"{call.function}({call.arguments})"
    return (
        f"<b>{label(line, 80)}</b>{about}<br>{label(call.result, 80)}<br>{call.verdict}, {format_ns(call.ns)}"
    )


def _time_axis(end: float) -> dict[str, Any]:
    """Return a linear axis of time from zero whose ticks read `200 us`, `1 ms`."""
    rough = max(end, 1) / 6
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * factor for factor in (1, 2, 5, 10) if base * factor >= rough)
    ticks = [step * n for n in range(int(end * 1.05 / step) + 1)]
    return {
        "title": {"text": "time", "font": {"size": 13}, "standoff": 6}, "range": [-end * 0.01, end * 1.05],
        "tickvals": ticks, "ticktext": ["0" if not tick else format_ns(tick) for tick in ticks], "showgrid": True,
        "gridcolor": FAINT, "zeroline": False, "fixedrange": False,
    }  # fmt: skip
