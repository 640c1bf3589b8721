"""Measurements as figures. Only here: plotly, imported when a figure is asked for.

It knows no engine and no notebook.
"""

from __future__ import annotations

from typing import Any

from labkernel._plot.forms import PLOTLY_TYPE, bundle, figure, spec, table_html
from labkernel._plot.run import run_bundle, run_spec, run_table, run_text, run_timings
from labkernel._plot.trace import trace_bundle, trace_spec
from labkernel._timing import Timings, report_text

__all__ = [
    "PLOTLY_TYPE",
    "bundle",
    "figure",
    "latency",
    "latency_text",
    "run_bundle",
    "run_spec",
    "run_table",
    "run_text",
    "run_timings",
    "size",
    "size_text",
    "spec",
    "startup",
    "startup_text",
    "table_html",
    "timeline",
    "trace_bundle",
    "trace_spec",
]


def startup(timings: Timings) -> Any:
    """Return a plotly figure of start-up by phase: medians, intervals and samples on a log axis."""
    return figure(timings, "startup")


def latency(timings: Timings) -> Any:
    """Return a plotly figure of the distribution of calls, the harness's own cost behind it."""
    return figure(timings, "latency")


def timeline(timings: Timings) -> Any:
    """Return a plotly figure of calls in their order."""
    return figure(timings, "timeline")


def size(timings: Timings) -> Any:
    """Return a plotly figure of sizes, by part."""
    return figure(timings, "size")


def startup_text(timings: Timings) -> str:
    """Return what `startup` shows as an aligned table, with verdicts and warnings."""
    spec(timings, "startup")
    return report_text(timings)


def latency_text(timings: Timings) -> str:
    """Return what `latency` shows as an aligned table, with verdicts and warnings."""
    spec(timings, "latency")
    return report_text(timings)


def size_text(timings: Timings) -> str:
    """Return what `size` shows as an aligned table."""
    spec(timings, "size")
    return report_text(timings)
