"""Figures: honest axes, readable in both themes, the same facts as text, nothing loaded before it is used."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest

from labkernel import _plot as plot
from labkernel._errors import UsageError
from labkernel._plot.style import PHASE_COLOURS, SERIES_COLOURS, TEXT, label, log_axis, size_axis
from labkernel._timing import (
    Baseline,
    LatencyTiming,
    Machine,
    Phase,
    Samples,
    SizeTiming,
    StartupTiming,
    Timings,
    report_text,
)

RAMP = Samples.of([9000, *range(1000, 1150)], warmup=1)
FEW = Samples.of([0, 5, 2000])
BASE = (Baseline("process", Samples.of(range(10**6, 10**6 + 30)), "a native program"),)
MACHINE = Machine("CPU", 2)


def startup(name: str = "fn", warnings: tuple[str, ...] = ("busy machine",)) -> Timings:
    """Return start-up timings of two targets beside a baseline."""
    phases = {Phase.COMPILE: Samples.of([150_000_000]), Phase.LINK: RAMP, Phase.FIRST_CALL: RAMP}
    second = StartupTiming("other", {Phase.LINK: FEW}, language="c")
    return Timings("startup", (StartupTiming(name, phases, "release"), second), BASE, MACHINE, warnings)


def latency(name: str = "fn") -> Timings:
    """Return latency timings of a target with many calls and one with few."""
    many = LatencyTiming(name, RAMP, "driver", harness=Samples.of(range(90, 110)))
    few = LatencyTiming("few", Samples.of(range(2000, 2040)), "driver")
    return Timings("latency", (many, few), BASE, MACHINE)


def sizes() -> Timings:
    """Return sizes of two components."""
    first = SizeTiming("fn", {"code": 1000, "data": 24}, 4096, "rust")
    return Timings("size", (first, SizeTiming("py", {"code": 9 << 20})), (), MACHINE)


EVERY = {
    "startup": startup(),
    "latency": latency(),
    "timeline": Timings("timeline", latency().targets, (), MACHINE),
    "size": sizes(),
    "one sample": Timings("startup", (StartupTiming("fn", {Phase.LINK: Samples.of([7])}),), (), MACHINE),
    "nothing kept": Timings("latency", (LatencyTiming("fn", Samples.of([])),), (), MACHINE),
    "no phases": Timings("startup", (StartupTiming("fn", {}),), (), MACHINE),
}


@pytest.mark.parametrize("name", EVERY)
def test_plotly_accepts_every_figure(name: str) -> None:
    """Plotly validates all properties, and a figure is plain JSON without NaN."""
    figure = plot.figure(EVERY[name])
    assert figure.layout.title.text
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    json.dumps(plot.spec(EVERY[name]), allow_nan=False)


@pytest.mark.parametrize("name", EVERY)
def test_a_bundle_has_a_form_for_every_frontend(name: str) -> None:
    """Plotly's type, a drawing with a table, and the text."""
    bundle = plot.bundle(EVERY[name])
    assert list(bundle) == [plot.PLOTLY_TYPE, "text/html", "text/plain"]
    assert bundle["text/plain"] == report_text(EVERY[name])
    html = bundle["text/html"]
    drawing = ElementTree.fromstring(html[: html.index("</svg>") + 6])
    assert drawing.get("aria-label")
    assert "<table>" in html
    assert "<script" not in html
    assert "<table>" not in plot.bundle(EVERY[name], html_table="<p>card</p>")["text/html"]


def test_a_figure_leaves_its_size_to_jupyterlab() -> None:
    """With plotly's own `responsive` a figure that is drawn while a theme loads has no height."""
    assert "responsive" not in plot.spec(startup())["config"]


def test_a_figure_of_another_kind_is_refused() -> None:
    """Each function draws its own kind, and says how to measure it."""
    assert plot.startup(startup()).layout.xaxis.type == "log"
    assert plot.latency(latency()).layout.xaxis.type == "log"
    assert plot.size(sizes()).layout.xaxis.type != "log"
    assert plot.timeline(EVERY["timeline"]).layout.yaxis.type == "log"
    with pytest.raises(
        UsageError, match=r"These are size timings, not startup; measure with %timings --startup"
    ):
        plot.startup(sizes())
    with pytest.raises(UsageError, match="not latency"):
        plot.latency_text(startup())
    with pytest.raises(UsageError, match="nothing to draw"):
        plot.figure(Timings("startup", (), (), MACHINE))


def test_the_texts_are_the_reports() -> None:
    """Each figure has its twin in words."""
    assert plot.startup_text(startup()) == report_text(startup())
    assert plot.latency_text(latency()) == report_text(latency())
    assert plot.size_text(sizes()) == report_text(sizes())


def test_nothing_is_stacked_on_the_log_axis() -> None:
    """Start-up is dots, one a phase and target, with a diamond for the first answer, a square baseline."""
    spec = plot.spec(startup())
    assert {trace["type"] for trace in spec["data"]} == {"scatter"}
    dots = [t for t in spec["data"] if "error_x" in t]
    symbols = [t["marker"]["symbol"] for t in dots]
    assert symbols == ["circle"] * 3 + ["diamond", "circle", "diamond", "square-open"]
    assert len({t["y"][0] for t in dots}) == len(dots)
    assert [t["text"][0].split("<br>")[1] for t in dots][1] == "1.07 us [1.06, 1.09]"


def test_a_dot_is_the_median_with_its_interval() -> None:
    """Hover text has the interval, n, and the estimator's name."""
    dot = next(t for t in plot.spec(startup())["data"] if "link" in t["name"] and "error_x" in t)
    assert dot["x"] == [1074.5]
    assert dot["x"][0] - dot["error_x"]["arrayminus"][0] == 1062
    assert "95% interval of 150 samples" in dot["text"][0]
    assert "order-statistic interval" in dot["text"][0]


@pytest.mark.parametrize("timings", [startup(), latency()], ids=["startup", "latency"])
def test_the_log_axis_reads_in_units(timings: Timings) -> None:
    """Ticks are decades with their unit, inside the range, and every point lies on the axis."""
    spec = plot.spec(timings)
    axis = spec["layout"]["xaxis"]
    low, high = axis["range"]
    assert all(re.fullmatch(r"\d+(\.\d)? (ns|us|ms|s)", text) for text in axis["ticktext"])
    assert all(low <= math.log10(tick) <= high for tick in axis["tickvals"])
    points = [x for trace in spec["data"] for x in trace["x"] if x is not None]
    assert all(low <= math.log10(x) <= high for x in points)


@pytest.mark.parametrize(("times", "ticks"), [
    ([1000, 10**7], ["1 us", "10 us", "100 us", "1 ms", "10 ms"]),
    ([1500, 60_000], ["2 us", "5 us", "10 us", "20 us", "50 us"]),
    ([1000, 1000], ["600 ns", "800 ns", "1 us", "1.5 us"]),
])  # fmt: skip
def test_ticks_fit_the_span(times: list[float], ticks: list[str]) -> None:
    """Few decades get steps between them, so that there are always some to read by."""
    assert log_axis(times, "")["ticktext"] == ticks
    assert size_axis(3 << 20, "")["ticktext"] == [
        "0",
        "512 KiB",
        "1 MiB",
        "1.5 MiB",
        "2 MiB",
        "2.5 MiB",
        "3 MiB",
    ]


def test_percentiles_are_marked_only_where_allowed() -> None:
    """40 calls have p50 and p90; the missing p99 is said in words."""
    spec = plot.spec(latency())
    marks = {t["name"]: t["y"] for t in spec["data"] if t["mode"] == "markers" and t["y"] != [None]}
    assert marks == {"fn": [50, 90, 99], "few": [50, 90], "process": [50, 90]}
    assert "few: no p99, since 40 calls are too few for it" in caption(spec)


def test_the_harness_stands_behind_the_curves() -> None:
    """A grey band of what a component that does nothing costs, named in the legend."""
    spec = plot.spec(latency())
    (band,) = spec["layout"]["shapes"]
    assert (band["type"], band["layer"], band["x0"], band["x1"]) == ("rect", "below", 91, 108)
    assert any(t["name"] == "harness alone, middle 90%: 91 ns to 108 ns" for t in spec["data"])


def test_curves_keep_the_whole_tail() -> None:
    """Of many calls the drawn points are thinned, never the slowest fifty."""
    calls = Samples.of(range(1, 100_001))
    (line, _) = plot.spec(Timings("latency", (LatencyTiming("fn", calls),), (), MACHINE))["data"]
    assert len(line["x"]) < 500
    assert line["x"][-50:] == list(range(99_951, 100_001))
    assert line["y"][-1] == 100


def test_parts_of_a_component_are_stacked_from_zero() -> None:
    """Sizes add up, so they are bars on a linear axis; machine code is a bar of its own."""
    spec = plot.spec(sizes())
    assert spec["layout"]["barmode"] == "stack"
    assert spec["layout"]["xaxis"]["range"][0] == 0
    rows = {t["name"]: t["y"] for t in spec["data"]}
    assert rows == {"code": [0, 2], "data": [0], "machine code": [1]}


def test_warnings_are_under_the_figure() -> None:
    """Warnings, verdicts and the machine are in the caption, for which there is room."""
    spec = plot.spec(startup())
    text = caption(spec)
    assert text.startswith("Warning: busy machine<br>")
    assert "Mann-Whitney" in text
    assert spec["layout"]["margin"]["b"] > 17 * (text.count("<br>") + 1)


def test_names_cannot_draw() -> None:
    """A name or warning with HTML in it is shown as it is, in the figure, the drawing and the table."""
    evil = "<a href='javascript:alert(1)'><b>x</b></a>\x1b[31m"
    for timings in (startup(evil, (evil,)), latency(evil)):
        bundle = plot.bundle(timings)
        assert "<a" not in json.dumps(bundle[plot.PLOTLY_TYPE])
        assert "<a" not in bundle["text/html"]
        assert "\x1b" not in bundle["text/plain"]
        ElementTree.fromstring(bundle["text/html"].partition("</svg>")[0] + "</svg>")
    assert label("x" * 100) == "x" * 59 + "…"


def test_colours_are_readable_in_both_themes() -> None:
    """Marks have a contrast of 3 to 1, text of 4.3 to 1, to white and to JupyterLab's dark background."""
    for colour in {*SERIES_COLOURS, *PHASE_COLOURS.values()}:
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#111111")) >= 3, colour
    assert min(contrast(TEXT, "#ffffff"), contrast(TEXT, "#111111")) >= 4.3


def test_colours_differ_for_every_eye() -> None:
    """Without red or green cones, colours that can meet in one figure stay apart."""
    for colours in (SERIES_COLOURS, tuple(PHASE_COLOURS.values())):
        for seen in (lambda c: c, deuteranope, protanope):
            shown = [seen(linear(colour)) for colour in colours]
            apart = [math.dist(lab(a), lab(b)) for i, a in enumerate(shown) for b in shown[:i]]
            assert min(apart) > 15


def test_every_phase_has_a_colour() -> None:
    """The closed list of phases is closed here too."""
    assert set(PHASE_COLOURS) == set(Phase)
    assert len(set(PHASE_COLOURS.values())) == len(Phase)


def test_plotly_is_loaded_when_a_figure_is_asked_for() -> None:
    """Neither the import nor a bundle loads it."""
    code = (
        "import sys; from labkernel import _plot; from labkernel._timing import *;"
        "_plot.bundle(Timings('startup', (StartupTiming('fn', {Phase.LINK: Samples.of([5])}),)));"
        "print([m for m in sys.modules if m.startswith('plotly')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def caption(spec: dict[str, Any]) -> str:
    """Return the text under a figure."""
    return str(next(a["text"] for a in spec["layout"]["annotations"] if a.get("name") == "caption"))


def linear(colour: str) -> tuple[float, float, float]:
    """Return linear red, green and blue of a colour."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return r, g, b


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    a, b = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)
    )
    return (b + 0.05) / (a + 0.05)


def deuteranope(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a linear colour as seen without green cones (Viénot, Brettel and Mollon, 1999)."""
    r, g, b = rgb
    return 0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b


def protanope(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a linear colour as seen without red cones (Viénot, Brettel and Mollon, 1999)."""
    r, g, b = rgb
    return 0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b


def lab(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a linear colour in CIELAB, where distances are seen differences."""
    r, g, b = rgb
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (max(t, 0) ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)
