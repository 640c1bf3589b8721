"""Sizes as a picture: bytes by part, and machine code, on a linear axis from zero.

Parts of one component add up, so they are stacked; its machine code is another file, so it is a bar of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from labkernel._plot.style import SERIES_COLOURS, TEXT, label, layout, size_axis
from labkernel._timing import SizeTiming, Timings, format_bytes, report_notes, report_title

__all__ = ["size_spec"]

_ROW_HEIGHT: Final = 28


def size_spec(timings: Timings) -> dict[str, Any]:
    """Return the figure as plain data: `data` and `layout` as plotly reads them."""
    rows = [row for target in timings.sizes for row in _rows(target)]
    notes = (*(f"Warning: {warning}" for warning in timings.all_warnings), *report_notes(timings))
    shape = layout(
        report_title(timings), "linear axis from zero", _ROW_HEIGHT * len(rows) + 20, notes, right=110, top=98
    )
    largest = max((size for _, size, _ in rows), default=1)
    shape |= {"barmode": "stack", "bargap": 0.35, "showlegend": True}
    shape["legend"] = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"}
    shape["xaxis"] = size_axis(largest, "size")
    shape["yaxis"] = {
        "tickvals": list(range(len(rows))),
        "ticktext": [name for name, _, _ in rows],
        "range": [len(rows) - 0.4, -0.6],
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    shape["annotations"] += [_value(y, size) for y, (_, size, _) in enumerate(rows)]
    return {"data": list(_traces(rows)), "layout": shape}


_Rows = list[tuple[str, int, dict[str, int]]]


def _rows(target: SizeTiming) -> Iterator[tuple[str, int, dict[str, int]]]:
    made = f" ({label(target.label, 40)})" if target.label else ""
    yield f"<b>{label(target.target, 30)}</b>{made}", target.size, dict(target.parts)
    if target.code_bytes:
        yield "its machine code", target.code_bytes, {"machine code": target.code_bytes}


def _traces(rows: _Rows) -> Iterator[dict[str, Any]]:
    parts = list(dict.fromkeys(part for _, _, sizes in rows for part in sizes))
    colours = {
        part: SERIES_COLOURS[i % len(SERIES_COLOURS)] for i, part in enumerate(p for p in parts if p != _CODE)
    }
    for part in parts:
        held = [(y, sizes[part]) for y, (_, _, sizes) in enumerate(rows) if part in sizes]
        yield {
            "type": "bar", "orientation": "h", "name": label(part), "x": [size for _, size in held],
            "y": [y for y, _ in held], "marker": {"color": colours.get(part, TEXT), "line": {"width": 0}},
            "text": [format_bytes(size) for _, size in held], "textposition": "none",
            "hovertemplate": f"<b>{label(part)}</b>: %{{text}}<extra></extra>",
        }  # fmt: skip


_CODE: Final = "machine code"


def _value(y: int, size: int) -> dict[str, Any]:
    return {
        "text": format_bytes(size), "xref": "paper", "x": 1, "xanchor": "left", "xshift": 8, "y": y,
        "showarrow": False, "font": {"size": 12},
    }  # fmt: skip
