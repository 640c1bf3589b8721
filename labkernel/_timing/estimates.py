"""Estimates: a figure from samples, its interval, its estimator by name, and how many samples it stands on.

Intervals are order statistics: the two samples between which the true quantile lies with the stated
confidence, by the binomial distribution alone (David and Nagaraja, "Order Statistics", 2003, 7.1). Nothing is
assumed about the shape of the distribution, which for times is never normal.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._timing.samples import Samples
from labkernel._timing.units import format_ns, time_unit

__all__ = ["CONFIDENCE", "Estimate", "median", "percentile", "samples_for", "try_median", "try_percentile"]

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure in nanoseconds with its interval.

    `confidence` is what the interval really covers: with few samples it is the whole range, and covers less
    than asked for. `estimator` names how value and interval were found.
    """

    value: float
    low: float
    high: float
    n: int
    estimator: str
    confidence: float

    @property
    def has_interval(self) -> bool:
        """Whether there were samples enough for an interval of the usual confidence."""
        return self.confidence >= CONFIDENCE

    @property
    def text(self) -> str:
        """The figure and its ends in one unit: `123 us [118, 131]`; one sample has no ends."""
        unit = time_unit(self.value)
        value = format_ns(self.value, unit=unit)
        if self.n < 2:
            return value
        low, high = (format_ns(end, unit=unit).rpartition(" ")[0] for end in (self.low, self.high))
        return f"{value} [{low}, {high}]"

    @property
    def short(self) -> str:
        """The figure and the farther end of its interval: `123 us ±4%`; `*` marks a whole range."""
        value = format_ns(self.value)
        if self.n < 2 or self.value <= 0:
            return value
        farther = max(self.high - self.value, self.value - self.low) / self.value
        percent = f"{farther:.0%}" if farther >= 0.0095 else f"{farther:.1%}"
        return f"{value} ±{percent}{'' if self.has_interval else '*'}"

    @property
    def interval_text(self) -> str:
        """What the ends are, in words."""
        if self.n < 2:
            return "one sample, no interval"
        if not self.has_interval:
            return f"whole range of {self.n} samples, covers {self.confidence:.0%}"
        return f"{CONFIDENCE:.0%} interval of {self.n} samples"

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        return {
            "value": self.value, "low": self.low, "high": self.high, "n": self.n,
            "estimator": self.estimator, "confidence": round(self.confidence, 4),
        }  # fmt: skip


def median(samples: Samples | Sequence[int], *, confidence: float = CONFIDENCE) -> Estimate:
    """Return the median with its interval; raises `UsageError` when nothing was kept.

    >>> median(range(1, 101)).text
    '50.5 ns [40, 61]'
    """
    ordered = _ordered(samples)
    if not ordered:
        raise UsageError("No samples were kept, so there is no median; take some with -r.")
    low, high, covered = _interval(len(ordered), 0.5, confidence)
    name = "median, order-statistic interval"
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return Estimate(middle, ordered[low], ordered[high], len(ordered), name, covered)


def try_median(samples: Samples | Sequence[int]) -> Estimate | None:
    """Return the median, or `None` when nothing was kept."""
    return median(samples) if len(samples) else None


def samples_for(percent: float) -> int:
    """Return how many samples a percentile needs, so that one of them at least lies beyond it.

    >>> samples_for(99), samples_for(90), samples_for(50)
    (100, 10, 2)
    """
    return max(2, math.ceil(round(100 / min(percent, 100 - percent), 6)))


def percentile(samples: Samples | Sequence[int], percent: float) -> Estimate:
    """Return a percentile by nearest rank: a time that was really measured.

    Raises `UsageError` in words where too few samples were kept.

    >>> percentile(range(1, 101), 99).value
    99
    >>> percentile(range(1, 41), 99)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    labkernel._errors.UsageError: 40 samples are too few for p99: it would be one sample's luck. ...
    """
    if not 0 < percent < 100:
        raise UsageError(f"{percent} is no percentile; expected a number between 0 and 100, such as 99.")
    ordered = _ordered(samples)
    needed = samples_for(percent)
    if len(ordered) < needed:
        raise UsageError(
            f"{len(ordered)} samples are too few for p{percent:g}: it would be one sample's luck. "
            f"It needs {needed}; take more with -r {needed}."
        )
    rank = math.ceil(round(len(ordered) * percent / 100, 6)) - 1
    low, high, covered = _interval(len(ordered), percent / 100, CONFIDENCE)
    name = "nearest rank, order-statistic interval"
    return Estimate(ordered[rank], ordered[low], ordered[high], len(ordered), name, covered)


def try_percentile(samples: Samples | Sequence[int], percent: float) -> Estimate | None:
    """Return the percentile, or `None` where too few samples were kept."""
    return percentile(samples, percent) if len(samples) >= samples_for(percent) else None


def _ordered(samples: Samples | Sequence[int]) -> list[int]:
    return sorted(samples.kept if isinstance(samples, Samples) else samples)


def _interval(n: int, p: float, confidence: float) -> tuple[int, int, float]:
    """Return the indices of the two order statistics around quantile `p`, and what they really cover.

    With B samples below the quantile (binomial), sample `k`, counted from 0, lies above it when B <= k.
    """
    tail = (1 - confidence) / 2
    reach = math.ceil(8 * math.sqrt(n * p * (1 - p))) + 8
    first, last = max(0, math.floor(n * p) - reach), min(n - 1, math.ceil(n * p) + reach)
    at_most = list(itertools.accumulate(_binomial(n, k, p) for k in range(first, last + 1)))
    low = max((i for i, chance in enumerate(at_most) if chance <= tail), default=0)
    high = min((i for i, chance in enumerate(at_most) if chance >= 1 - tail), default=len(at_most) - 1)
    covered = max(0.0, min(1.0, at_most[high] - at_most[low]))
    return first + low, first + high, covered


def _binomial(n: int, k: int, p: float) -> float:
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log + k * math.log(p) + (n - k) * math.log1p(-p))
