"""A figure as a static drawing (SVG): for pages and frontends without plotly. It reads the same plain data.

Only what our figures use is drawn: markers, lines, bars, shapes, annotations, ticks and a legend; the caption
is left to the text beside it. Text takes the page's own colour.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["drawing"]

_WIDTH: Final = 960
_CHARACTER: Final = 7.2
_BELOW: Final = 46
_TEXT: Final = "var(--jp-ui-font-color1, currentColor)"
_DASHES: Final = {"dash": "8 5", "dashdot": "8 4 2 4", "longdash": "14 6", "dot": "2 4"}


def drawing(parts: Mapping[str, Any], title: str) -> str:
    """Return the figure as SVG text, labelled with its title for screen readers."""
    layout = parts["layout"]
    frame = _frame(layout)
    marks: list[str] = [*_grid(layout, frame), *_shapes(layout, frame)]
    for trace in parts["data"]:
        marks += _bars(trace, parts["data"], frame) if trace["type"] == "bar" else _scatter(trace, frame)
    marks += [*_annotations(layout, frame), *_title(layout, frame)]
    if layout.get("showlegend"):
        marks += _legend(parts["data"], frame)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(title)}" '
        f'viewBox="0 0 {_WIDTH} {frame.bottom + _BELOW:.0f}" '
        f'style="max-width:{_WIDTH}px;width:100%;height:auto" '
        f'font-family="{html.escape(layout["font"]["family"])}" font-size="13" fill="{_TEXT}">'
        f"{''.join(marks)}</svg>"
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """One axis: from values to points of the drawing."""

    is_log: bool
    start: float
    end: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """Return the point of a value."""
        return self.within(math.log10(max(value, 1e-9)) if self.is_log else value)

    def within(self, value: float) -> float:
        """Return the point of a value that is a logarithm already, where the axis has one."""
        return self.first + (value - self.start) / (self.end - self.start) * (self.last - self.first)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The rectangle inside the axes, and its two scales."""

    left: float
    right: float
    top: float
    bottom: float
    x: _Scale
    y: _Scale


def _frame(layout: Mapping[str, Any]) -> _Frame:
    margin = layout["margin"]
    longest = max((len(_plain(str(t))) for t in layout["yaxis"].get("ticktext", ["10 000"])), default=0)
    left = 24.0 + _CHARACTER * longest + (18 if "title" in layout["yaxis"] else 0)
    right, top = float(_WIDTH - margin["r"]), float(margin["t"])
    bottom = float(layout["height"] - margin["b"])
    x, y = layout["xaxis"], layout["yaxis"]
    x_range, y_range = x.get("range") or [0, 1], y.get("range") or [0, 1]
    return _Frame(
        left,
        right,
        top,
        bottom,
        _Scale(x.get("type") == "log", x_range[0], x_range[1], left, right),
        _Scale(y.get("type") == "log", y_range[0], y_range[1], bottom, top),
    )


def _grid(layout: Mapping[str, Any], f: _Frame) -> Iterator[str]:
    for value, text in _ticks(layout["xaxis"]):
        x = f.x.at(value)
        yield _line(x, f.top, x, f.bottom, "#808080", opacity=0.25)
        yield _text(x, f.bottom + 18, text, anchor="middle")
    y_axis = layout["yaxis"]
    for value, text in _ticks(y_axis):
        y = f.y.at(value)
        if y_axis.get("showgrid", True):
            yield _line(f.left, y, f.right, y, "#808080", opacity=0.25)
        yield _text(f.left - 8, y + 4, text, anchor="end")
    yield _line(f.left, f.bottom, f.right, f.bottom, "#808080", opacity=0.6)
    middle = (f.left + f.right) / 2
    yield _text(middle, f.bottom + 36, layout["xaxis"].get("title", {}).get("text", ""), anchor="middle")
    if "title" in y_axis:
        y = (f.top + f.bottom) / 2
        turned = f' transform="rotate(-90 14 {y:.1f})"'
        yield _text(14, y, y_axis["title"]["text"], anchor="middle", extra=turned)


def _ticks(axis: Mapping[str, Any]) -> Sequence[tuple[float, str]]:
    if "tickvals" in axis:
        return list(zip(axis["tickvals"], axis["ticktext"], strict=True))
    start, end = axis.get("range") or [0, 1]
    step = 10.0 ** math.floor(math.log10(max(end - start, 1)))
    return [(i * step, f"{i * step:g}") for i in range(math.ceil(start / step), int(end / step) + 1)]


def _shapes(layout: Mapping[str, Any], f: _Frame) -> Iterator[str]:
    for shape in layout["shapes"]:
        by_paper_x, by_paper_y = shape.get("xref") == "paper", shape.get("yref") == "paper"
        x0, x1 = (_paper_x(f, shape[k]) if by_paper_x else f.x.at(shape[k]) for k in ("x0", "x1"))
        y0, y1 = (_paper_y(f, shape[k]) if by_paper_y else f.y.at(shape[k]) for k in ("y0", "y1"))
        if shape["type"] == "rect":
            place = f'x="{x0:.1f}" y="{min(y0, y1):.1f}"'
            box = f'{place} width="{max(x1 - x0, 1):.1f}" height="{abs(y1 - y0):.1f}"'
            yield f'<rect {box} fill="#808080" fill-opacity="0.25"/>'
        else:
            dash = shape["line"].get("dash", "solid")
            yield _line(x0, y0, x1, y1, "#808080", opacity=0.6, dash=dash)


def _scatter(trace: Mapping[str, Any], f: _Frame) -> Iterator[str]:
    places = zip(trace["x"], trace["y"], strict=True)
    points = [(f.x.at(x), f.y.at(y)) for x, y in places if x is not None]
    if trace["mode"] == "lines":
        line = trace["line"]
        path = "".join(
            f"{'M' if not i else 'H'}{x:.1f}{f' {y:.1f}' if not i else f'V{y:.1f}'}"
            for i, (x, y) in enumerate(points)
        )
        dash = f' stroke-dasharray="{_DASHES[line["dash"]]}"' if line["dash"] in _DASHES else ""
        yield f'<path d="{path}" fill="none" stroke="{line["color"]}" stroke-width="{line["width"]}"{dash}/>'
        return
    yield from _intervals(trace, f)
    marker = trace["marker"]
    symbols = marker.get("symbol", "circle")
    opacity = f' opacity="{trace["opacity"]}"' if "opacity" in trace else ""
    yield f"<g{opacity}>"
    for i, (x, y) in enumerate(points):
        symbol = symbols if isinstance(symbols, str) else symbols[i]
        yield _mark(x, y, symbol, marker["size"] / 2, marker["color"])
    yield "</g>"


def _intervals(trace: Mapping[str, Any], f: _Frame) -> Iterator[str]:
    bars = trace.get("error_x")
    if not bars:
        return
    for x, y, over, under in zip(trace["x"], trace["y"], bars["array"], bars["arrayminus"], strict=True):
        yield _line(f.x.at(x - under), f.y.at(y), f.x.at(x + over), f.y.at(y), bars["color"], width=3)


def _mark(x: float, y: float, symbol: str, r: float, colour: str) -> str:
    if symbol == "line-ns-open":
        return _line(x, y - r, x, y + r, colour)
    if symbol == "diamond":
        path = f"M{x - r:.1f} {y:.1f}L{x:.1f} {y - r:.1f}L{x + r:.1f} {y:.1f}L{x:.1f} {y + r:.1f}Z"
        return f'<path d="{path}" fill="{colour}"/>'
    open_look = f'fill="none" stroke="{colour}" stroke-width="{2.5 if "square" in symbol else 1}"'
    look = open_look if symbol.endswith("open") else f'fill="{colour}"'
    if symbol.startswith("square"):
        return f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:.1f}" height="{2 * r:.1f}" {look}/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" {look}/>'


def _bars(trace: Mapping[str, Any], every: Sequence[Mapping[str, Any]], f: _Frame) -> Iterator[str]:
    before = every[: list(every).index(trace)]
    for y, size in zip(trace["y"], trace["x"], strict=True):
        start = sum(s for other in before for at, s in zip(other["y"], other["x"], strict=True) if at == y)
        x0, x1, middle = f.x.at(start), f.x.at(start + size), f.y.at(y)
        box = f'x="{x0:.1f}" y="{middle - 8:.1f}" width="{max(x1 - x0, 0.5):.1f}" height="16"'
        yield f'<rect {box} fill="{trace["marker"]["color"]}"/>'


def _annotations(layout: Mapping[str, Any], f: _Frame) -> Iterator[str]:
    for note in layout["annotations"]:
        if note.get("name") == "caption":
            continue
        x = _paper_x(f, note["x"]) if note.get("xref") == "paper" else f.x.within(note["x"])
        by_paper = note.get("yref") == "paper"
        y = _paper_y(f, note["y"]) - note.get("yshift", 0) + 12 if by_paper else f.y.within(note["y"]) + 4
        for i, line in enumerate(note["text"].split("<br>")):
            yield _text(x + note.get("xshift", 0), y + 17 * i, line, size=note["font"].get("size", 13))


def _title(layout: Mapping[str, Any], f: _Frame) -> Iterator[str]:
    for i, line in enumerate(layout["title"]["text"].split("<br>")):
        yield _text(f.left, 22 + 20 * i, line, size=12 if i else 16)


def _legend(traces: Sequence[Mapping[str, Any]], f: _Frame) -> Iterator[str]:
    x, row = f.left, 0
    shown = [trace for trace in traces if trace.get("showlegend") is not False]
    widths = [52 + _CHARACTER * len(_plain(trace["name"])) for trace in shown]
    rows = 1 if sum(widths) <= _WIDTH - f.left else 2
    for trace, width in zip(shown, widths, strict=True):
        if x + width > _WIDTH and row < rows - 1:
            x, row = f.left, row + 1
        y = f.top - 12 - 18 * (rows - 1 - row)
        look = trace["line"] if trace.get("mode") == "lines" else trace["marker"]
        yield _line(x, y - 4, x + 24, y - 4, look["color"], width=4, dash=look.get("dash", "solid"))
        yield _text(x + 30, y, trace["name"])
        x += width


def _paper_x(f: _Frame, share: float) -> float:
    return f.left + share * (f.right - f.left)


def _paper_y(f: _Frame, share: float) -> float:
    return f.bottom - share * (f.bottom - f.top)


def _line(
    x0: float, y0: float, x1: float, y1: float, colour: str, *, width: float = 1, opacity: float = 1,
    dash: str = "solid",
) -> str:  # fmt: skip
    dashes = f' stroke-dasharray="{_DASHES[dash]}"' if dash in _DASHES else ""
    ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}" stroke-opacity="{opacity}"{dashes}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, extra: str = "") -> str:
    """Return a line of text; of plotly's little HTML only `<b>` is kept, and entities stay as they are."""
    bold = re.sub(r"<b>(.*?)</b>", r'<tspan font-weight="600">\1</tspan>', text)
    shown = re.sub(r"<(?!/?tspan)[^>]*>", "", bold)
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} xml:space="preserve"{extra}>{shown}</text>'


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text))
