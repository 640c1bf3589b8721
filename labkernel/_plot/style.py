"""The look of every figure: colours, axes, captions. It knows no measurement.

A saved figure is shown by light and by dark themes, so backgrounds are transparent, and every colour keeps a
contrast of at least 3 to 1 to both white and JupyterLab's dark grey (text: 4.3 to 1, the most both allow).
Within those bounds hues were searched to lie far apart (20 in CIELAB) with all cones, without red and without
green ones (Viénot, Brettel and Mollon, 1999); and no colour carries a meaning alone.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any, Final

from labkernel._timing import Phase, format_bytes, format_ns, visible

__all__ = [
    "FAINT",
    "PHASE_COLOURS",
    "SERIES_COLOURS",
    "TEXT",
    "caption",
    "label",
    "layout",
    "log_axis",
    "size_axis",
]

TEXT: Final = "#797979"
FAINT: Final = "rgba(128,128,128,0.25)"
SERIES_COLOURS: Final = (
    "#0055ea", "#eb2500", "#12a57d", "#a47eca", "#74a03b", "#845a80", "#648afe", "#a0463e",
)  # fmt: skip
PHASE_COLOURS: Final = {
    Phase.BINDINGS: "#be8346",
    Phase.COMPILE: "#aa3946",
    Phase.COMPONENTIZE: "#9f4900",
    Phase.DESERIALIZE: "#3b92e0",
    Phase.CODEGEN: "#a22f93",
    Phase.LINK: "#0ea088",
    Phase.INSTANTIATE: "#166ee2",
    Phase.FIRST_CALL: "#ce8300",
    Phase.CALL: "#7138ff",
}
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_CAPTION_COLUMNS: Final = 118
_LINE: Final = 17


def label(text: str, limit: int = 60) -> str:
    """Return the text as one line of a figure: plotly reads a little HTML, so none may be in it.

    >>> label("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    shown = visible(" ".join(text.split()))
    return html.escape(shown if len(shown) <= limit else f"{shown[: limit - 1]}…", quote=False)


def layout(
    title: str, subtitle: str, height: int, notes: Sequence[str], *, right: int = 40, top: int = 70
) -> dict[str, Any]:
    """Return the layout that figures share: title, margins, fonts, and the caption under the axes."""
    text, lines = caption(notes)
    below = 56
    full = top + height + below + _LINE * lines
    margin = {"l": 10, "r": right, "t": top, "b": below + _LINE * lines, "pad": 4}
    under = {
        "name": "caption", "text": text, "xref": "paper", "yref": "paper", "x": 0, "y": 0,
        "xanchor": "left", "yanchor": "top",
        "yshift": -below + 4, "showarrow": False, "align": "left", "font": {"size": 12, "color": TEXT},
    }  # fmt: skip
    head = f"<b>{label(title, 100)}</b><br><span style='font-size:12px'>{label(subtitle, 130)}</span>"
    return {
        "template": {"layout": {}},
        "title": {
            "text": head, "x": 0, "xref": "paper", "xanchor": "left", "y": 1 - 20 / full, "yref": "container",
            "yanchor": "top", "font": {"size": 16, "color": TEXT},
        },
        "height": full,
        "autosize": True,
        "margin": margin,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": TEXT},
        "hoverlabel": {"font": {"family": _FONT, "size": 12}, "align": "left"},
        "hovermode": "closest",
        "showlegend": False,
        "annotations": [under] if text else [],
        "shapes": [],
    }  # fmt: skip


def caption(notes: Sequence[str]) -> tuple[str, int]:
    """Return notes as wrapped lines of a figure, and how many lines they are."""
    lines: list[str] = []
    for note in notes:
        shown = visible(" ".join(note.split()))
        lines += textwrap.wrap(shown, _CAPTION_COLUMNS, subsequent_indent="   ") or [""]
    return "<br>".join(html.escape(line, quote=False) for line in lines), len(lines)


def log_axis(times: Sequence[float], title: str) -> dict[str, Any]:
    """Return a log axis over times in nanoseconds whose ticks read `1 us`, `10 us`, `1 ms`."""
    low, high = max(min(times, default=1), 0.1), max(max(times, default=1), 0.1)
    start, end = math.log10(low) - 0.12, math.log10(high) + 0.12
    if end - start < 0.5:
        middle = (start + end) / 2
        start, end = middle - 0.25, middle + 0.25
    steps: tuple[float, ...] = (
        (1.0,) if end - start > 2.2 else (1.0, 2.0, 5.0) if end - start > 0.9 else _FINE
    )
    decades = range(math.floor(start), math.ceil(end) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    shown = [tick for tick in ticks if start <= math.log10(tick) <= end]
    return _axis(title) | {
        "type": "log",
        "range": [start, end],
        "tickvals": shown,
        "ticktext": [_tick(tick) for tick in shown],
        "minor": {"dtick": "D1", "showgrid": True, "gridcolor": "rgba(128,128,128,0.10)"},
    }


_FINE: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)


def _tick(ns: float) -> str:
    number, _, unit = format_ns(ns).rpartition(" ")
    return f"{float(number):g} {unit}"


def size_axis(largest: int, title: str) -> dict[str, Any]:
    """Return a linear axis over bytes from zero whose ticks read `512 KiB`, `1 MiB`."""
    step = 2.0 ** math.ceil(math.log2(max(largest, 8) / 6))
    ticks = [index * step for index in range(int(largest * 1.05 / step) + 1)]
    text = ["0" if not tick else _whole(tick) for tick in ticks]
    return _axis(title) | {"range": [0, largest * 1.05], "tickvals": ticks, "ticktext": text}


def _whole(size: float) -> str:
    number, _, unit = format_bytes(size).rpartition(" ")
    return f"{float(number):g} {unit}"


def _axis(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 13}, "standoff": 6},
        "showgrid": True,
        "gridcolor": FAINT,
        "zeroline": False,
        "showline": True,
        "linecolor": FAINT,
        "ticks": "outside",
        "tickcolor": FAINT,
        "fixedrange": False,
    }
