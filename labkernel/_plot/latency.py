"""Calls as a picture: the share of calls that took at most so long, per target, and calls in their order.

The cumulative curve shows every call without bins and lets targets of different counts be compared. What the
harness itself costs stands behind it as a grey band: nothing inside the band can be told from the harness.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from labkernel._plot.style import FAINT, SERIES_COLOURS, TEXT, label, layout, log_axis
from labkernel._timing import (
    LatencyTiming,
    Samples,
    Timings,
    format_count,
    format_ns,
    report_notes,
    report_title,
    samples_for,
    try_median,
    try_percentile,
)

__all__ = ["latency_spec", "timeline_spec"]

_POINTS: Final = 400
_PERCENTS: Final = (50, 90, 99)
_DASHES: Final = ("solid", "dash", "dashdot", "longdash")


def latency_spec(timings: Timings) -> dict[str, Any]:
    """Return the cumulative curves as plain data: `data` and `layout` as plotly reads them."""
    paths = ", ".join(dict.fromkeys(timing.path for timing in timings.latencies))
    what, unit = (
        ("events that were answered within so long", "event")
        if timings.title
        else (
            "calls that took at most so long",
            "call",
        )
    )
    subtitle = f"share of {what}; path: {paths}; marks: p50, p90, p99"
    shape = _shape(timings, subtitle)
    curves = [(t.target, t.path, t.samples, False) for t in timings.latencies]
    curves += [(b.name, "baseline", b.samples, True) for b in timings.baselines]
    data = [
        trace
        for index, (name, path, samples, is_baseline) in enumerate(curves)
        if len(samples)
        for trace in _curve(name, path, samples, index, is_baseline)
    ]
    times = [float(t) for _, _, samples, _ in curves for t in _ends(samples)]
    for x0, x1 in _harness_bands(timings):
        times += [x0, x1]
        shape["shapes"].append(_band(x0, x1))
        data.append(_band_name(x0, x1))
    shape["xaxis"] = log_axis(times, f"time of one {unit} (log scale)")
    shape["yaxis"] = _share_axis()
    return {"data": data, "layout": shape}


def timeline_spec(timings: Timings) -> dict[str, Any]:
    """Return each call's time in the order of calls; warm-ups are hollow."""
    shape = _shape(timings, "each mark is one call; hollow marks are warm-ups, left out of every statistic")
    data = [_sequence(timing, index) for index, timing in enumerate(timings.latencies)]
    times = [float(t) for timing in timings.latencies for t in timing.samples.ns]
    shape["yaxis"] = log_axis(times, "time of one call (log scale)") | {"automargin": True}
    longest = max((len(timing.samples.ns) for timing in timings.latencies), default=1)
    shape["xaxis"] = _plain_axis("call") | {"range": [0, longest * 1.02 + 1]}
    return {"data": data, "layout": shape}


def _shape(timings: Timings, subtitle: str) -> dict[str, Any]:
    notes = [f"Warning: {warning}" for warning in timings.all_warnings]
    for timing in timings.latencies:
        missing = [p for p in _PERCENTS if len(timing.samples) < samples_for(p)]
        if missing:
            names = " and ".join(f"p{p}" for p in missing)
            count = format_count(len(timing.samples), "call")
            notes.append(f"{timing.target}: no {names}, since {count} are too few for it")
    shape = layout(report_title(timings), subtitle, 330, (*notes, *report_notes(timings)), right=30, top=112)
    legend = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 13, "color": TEXT}}
    return shape | {"showlegend": True, "legend": legend}


def _curve(name: str, path: str, samples: Samples, index: int, is_baseline: bool) -> Iterator[dict[str, Any]]:
    ordered = sorted(max(float(t), 0.1) for t in samples.kept)
    picks = _picks(len(ordered))
    colour = TEXT if is_baseline else SERIES_COLOURS[index % len(SERIES_COLOURS)]
    dash = "dot" if is_baseline else _DASHES[index % len(_DASHES)]
    count = format_count(len(ordered), "call")
    yield {
        "type": "scatter", "mode": "lines", "name": f"{label(name)} ({count})", "legendgroup": label(name),
        "x": [ordered[i] for i in picks], "y": [100 * (i + 1) / len(ordered) for i in picks],
        "line": {"shape": "hv", "width": 2.5, "color": colour, "dash": dash},
        "text": [format_ns(ordered[i]) for i in picks],
        "hovertemplate": f"<b>{label(name)}</b> ({label(path)}, {count})<br>"
        "%{y:.3g}% took at most %{text}<extra></extra>",
    }  # fmt: skip
    marks = [(percent, found) for percent in _PERCENTS if (found := _estimate(samples, percent))]
    yield {
        "type": "scatter", "mode": "markers", "name": label(name), "legendgroup": label(name),
        "showlegend": False,
        "x": [max(found.value, 0.1) for _, found in marks], "y": [percent for percent, _ in marks],
        "marker": {"symbol": "diamond", "size": 10, "color": colour},
        "text": [f"p{p} {e.text}<br>{e.interval_text}, {e.estimator}" for p, e in marks],
        "hovertemplate": f"<b>{label(name)}</b> %{{text}}<extra></extra>",
    }  # fmt: skip


def _estimate(samples: Samples, percent: int) -> Any:
    return try_median(samples) if percent == 50 else try_percentile(samples, percent)


def _picks(n: int) -> list[int]:
    """Return which order statistics to draw: all of few, else evenly spaced ones and the whole upper tail."""
    if n <= _POINTS:
        return list(range(n))
    even = {round(i * (n - 1) / (_POINTS - 1)) for i in range(_POINTS)}
    return sorted(even | set(range(n - 50, n)))


def _ends(samples: Samples) -> tuple[int, ...]:
    return (min(samples.kept), max(samples.kept)) if len(samples) else ()


def _harness_bands(timings: Timings) -> list[tuple[float, float]]:
    """Return from where to where the middle 90% of each harness lies, the same one only once."""
    bands: dict[tuple[float, float], None] = {}
    for timing in timings.latencies:
        if timing.harness is not None and len(timing.harness):
            ordered = sorted(timing.harness.kept)
            cut = len(ordered) // 20
            bands[max(float(ordered[cut]), 0.1), max(float(ordered[-1 - cut]), 0.1)] = None
    return list(bands)


def _band(x0: float, x1: float) -> dict[str, Any]:
    return {
        "type": "rect", "yref": "paper", "x0": x0, "x1": x1, "y0": 0, "y1": 1, "layer": "below",
        "fillcolor": FAINT, "line": {"width": 1, "color": FAINT},
    }  # fmt: skip


def _band_name(x0: float, x1: float) -> dict[str, Any]:
    """Return a trace without points: its name is the band's in the legend."""
    ends = f"{format_ns(x0)} to {format_ns(x1)}" if x1 > x0 else format_ns(x0)
    return {
        "type": "scatter", "mode": "markers", "x": [None], "y": [None], "hoverinfo": "skip",
        "name": f"harness alone, middle 90%: {ends}",
        "marker": {"symbol": "square", "size": 13, "color": "rgba(128,128,128,0.5)"},
    }  # fmt: skip


def _share_axis() -> dict[str, Any]:
    ticks = [0, 25, 50, 75, 90, 99]
    return _plain_axis("share of calls") | {
        "range": [-1, 103],
        "tickvals": ticks,
        "ticktext": [f"{tick}%" for tick in ticks],
        "automargin": True,
    }


def _plain_axis(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 13}, "standoff": 6},
        "gridcolor": FAINT,
        "zeroline": False,
        "showline": True,
        "linecolor": FAINT,
        "automargin": True,
    }


def _sequence(timing: LatencyTiming, index: int) -> dict[str, Any]:
    times = [max(float(t), 0.1) for t in timing.samples.ns]
    step = max(1, len(times) // 5000)
    numbers = list(range(0, len(times), step))
    symbols = ["circle-open" if i < timing.samples.warmup else "circle" for i in numbers]
    return {
        "type": "scatter", "mode": "markers", "name": label(timing.target), "x": [i + 1 for i in numbers],
        "y": [times[i] for i in numbers], "opacity": 0.7, "text": [format_ns(times[i]) for i in numbers],
        "marker": {"size": 6, "color": SERIES_COLOURS[index % len(SERIES_COLOURS)], "symbol": symbols},
        "hovertemplate": f"<b>{label(timing.target)}</b> call %{{x}}: %{{text}}<extra></extra>",
    }  # fmt: skip
