"""Phases, samples, statistics and units. It knows no engine, no plot, no notebook."""

from __future__ import annotations

from labkernel._timing.band import band_ns, within_band
from labkernel._timing.compare import SMALLEST_RATIO, Comparison, compare
from labkernel._timing.estimates import (
    CONFIDENCE,
    Estimate,
    median,
    percentile,
    samples_for,
    try_median,
    try_percentile,
)
from labkernel._timing.histogram import Counts, Histogram
from labkernel._timing.machine import Machine, this_machine
from labkernel._timing.phases import BUILD_PHASES, RUN_PHASES, START_PHASES, Phase
from labkernel._timing.records import Baseline, LatencyTiming, SizeTiming, StartupTiming
from labkernel._timing.report import FIRST_ANSWER, report_notes, report_table, report_text, report_title
from labkernel._timing.samples import Sample, Samples
from labkernel._timing.table import Table, text_width
from labkernel._timing.timings import KINDS, Kind, TargetTiming, Timings
from labkernel._timing.units import format_bytes, format_count, format_ns, format_ratio, time_unit
from labkernel._timing.visible import visible

__all__ = [
    "BUILD_PHASES",
    "CONFIDENCE",
    "FIRST_ANSWER",
    "KINDS",
    "RUN_PHASES",
    "SMALLEST_RATIO",
    "START_PHASES",
    "Baseline",
    "Comparison",
    "Counts",
    "Estimate",
    "Histogram",
    "Kind",
    "LatencyTiming",
    "Machine",
    "Phase",
    "Sample",
    "Samples",
    "SizeTiming",
    "StartupTiming",
    "Table",
    "TargetTiming",
    "Timings",
    "band_ns",
    "compare",
    "format_bytes",
    "format_count",
    "format_ns",
    "format_ratio",
    "median",
    "percentile",
    "report_notes",
    "report_table",
    "report_text",
    "report_title",
    "samples_for",
    "text_width",
    "this_machine",
    "time_unit",
    "try_median",
    "try_percentile",
    "visible",
    "within_band",
]
