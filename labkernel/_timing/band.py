"""The band of the harness: how far apart two figures must be before they are ranked.

What the harness takes for itself, measured with a component that does nothing, is no constant. The width of the
middle 90% of its times is what it may have added to one figure and not to another.
"""

from __future__ import annotations

import statistics

from labkernel._timing.samples import Samples
from labkernel._timing.units import format_ns

__all__ = ["band_ns", "within_band"]


def band_ns(harness: Samples) -> float:
    """Return the width of the middle 90% of a harness's times in nanoseconds, at least 1; 0 without samples.

    >>> band_ns(Samples.of(range(100, 200)))
    89.0
    """
    ordered = sorted(harness.kept)
    if not ordered:
        return 0.0
    cut = len(ordered) // 20
    return max(1.0, float(ordered[-1 - cut] - ordered[cut]))


def within_band(a: Samples, b: Samples, harness: Samples | None) -> str:
    """Return in words that two figures are not to be ranked, where their medians differ by less than the band.

    Empty where they may be, or where the harness was not measured.

    >>> quiet = Samples.of([20] * 50)
    >>> within_band(Samples.of([100] * 9), Samples.of([100] * 9), quiet)
    "no difference within the harness's band (1 ns)"
    >>> within_band(Samples.of([100] * 9), Samples.of([102] * 9), quiet)
    ''
    """
    if harness is None or not len(harness) or not len(a) or not len(b):
        return ""
    width = band_ns(harness)
    apart = abs(statistics.median(a.kept) - statistics.median(b.kept))
    return f"no difference within the harness's band ({format_ns(width)})" if apart < width else ""
