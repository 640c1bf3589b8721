"""Figures for every frontend: interactive where plotly's renderer is, otherwise a drawing, always text.

JupyterLab picks plotly's own type when the `plotly` package is installed beside it (its renderer is prebuilt
and needs no network); any other frontend, and a saved page, shows the drawing with the table under it; a
terminal shows the text.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Final

from labkernel._errors import ToolchainMissing, UsageError
from labkernel._plot.drawing import drawing
from labkernel._plot.latency import latency_spec, timeline_spec
from labkernel._plot.size import size_spec
from labkernel._plot.startup import startup_spec
from labkernel._timing import Kind, Table, Timings, report_notes, report_table, report_text, report_title

__all__ = ["CONFIG", "PLOTLY_TYPE", "bundle", "figure", "spec", "table_html", "table_markup"]

PLOTLY_TYPE: Final = "application/vnd.plotly.v1+json"
_SPECS: Final[dict[Kind, Callable[[Timings], dict[str, Any]]]] = {
    "startup": startup_spec,
    "latency": latency_spec,
    "timeline": timeline_spec,
    "size": size_spec,
}
#: Without plotly's own `responsive`: JupyterLab's renderer resizes figures itself, and with both a figure
#: measured while its theme is loading keeps a height of nothing.
CONFIG: Final = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg", "filename": "labkernel"},
}


def spec(timings: Timings, kind: Kind | None = None) -> dict[str, Any]:
    """Return the figure as plain data; `kind` says which kind is wanted.

    Raises `UsageError` for timings of another kind, or without anything to draw.
    """
    if kind is not None and timings.kind != kind:
        raise UsageError(f"These are {timings.kind} timings, not {kind}; measure with %timings --{kind}.")
    if not timings.targets and not timings.baselines:
        raise UsageError(
            "These timings hold no target, so there is nothing to draw; name one: %timings NAME."
        )
    return _SPECS[timings.kind](timings) | {"config": CONFIG}


def figure(timings: Timings, kind: Kind | None = None) -> Any:
    """Return the figure as a plotly `Figure`; raises `ToolchainMissing` when plotly is not installed."""
    try:
        from plotly.graph_objects import Figure
    except ImportError:
        raise ToolchainMissing("plotly", language="figures", how='pip install "labkernel[plot]"') from None
    parts = spec(timings, kind)
    return Figure(data=parts["data"], layout=parts["layout"])


def bundle(timings: Timings, *, html_table: str = "") -> dict[str, Any]:
    """Return the measurement by mime type, as a notebook displays it.

    `html_table` is what stands under the drawing where there is no plotly, such as a card; a plain table
    otherwise.
    """
    parts = spec(timings)
    shown = f"{drawing(parts, report_title(timings))}{html_table or table_html(timings)}"
    return {PLOTLY_TYPE: parts, "text/html": shown, "text/plain": report_text(timings)}


def table_html(timings: Timings) -> str:
    """Return the measurement as a plain HTML table with its notes, for screen readers and saved pages."""
    table = report_table(timings)
    notes = [f"Warning: {warning}" for warning in timings.all_warnings] + list(report_notes(timings))
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"{table_markup(table, report_title(timings))}<ul>{items}</ul>"


def table_markup(table: Table, title: str) -> str:
    """Return a table as plain HTML."""
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.headers)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{html.escape(cell)}</td>" if i else f'<th scope="row">{html.escape(cell)}</th>'
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{html.escape(title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
