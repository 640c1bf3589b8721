"""Whether two samples differ, and by how much: a rank test and the ratio that belongs to it.

The test is Mann-Whitney's U (Mann and Whitney, 1947), exact for few samples without ties, otherwise by its
normal limit with corrections for ties and continuity. The ratio is Hodges and Lehmann's: the median of all
quotients of a sample of one by a sample of the other, with Moses' interval, which is the set of ratios the
same test does not reject. Neither assumes a shape of the distributions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._timing.samples import Samples
from labkernel._timing.units import format_ratio

__all__ = ["SMALLEST_RATIO", "Comparison", "compare"]

SIGNIFICANCE: Final = 0.05
_DEVIATIONS: Final = 1.959963984540054  # of a normal distribution, leaving 0.05 outside
SMALLEST_RATIO: Final = 1.02
"""Differences below this are called none: where code lies in memory alone moves times by as much."""
_EXACT: Final = 400
_PAIRS: Final = 300


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many times as long `b` takes as `a`, with the interval of the ratio and the test's p."""

    ratio: float
    low: float
    high: float
    p: float
    n: tuple[int, int]
    estimator: str

    @property
    def differs(self) -> bool:
        """Whether the difference is significant and large enough to have a name."""
        return self.p < SIGNIFICANCE and max(self.ratio, 1 / self.ratio) >= SMALLEST_RATIO

    def text(self, a: str, b: str) -> str:
        """Return the verdict on the two, under these names, as a sentence."""
        chance = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.2g}"
        named = f"Mann-Whitney, {chance}, n = {self.n[0]} and {self.n[1]}"
        if not self.differs:
            small = f", ratio {self.ratio:.3f}" if self.p < SIGNIFICANCE else ""
            return f"{a} and {b}: no difference ({named}{small})"
        slow, fast, ratio, low, high = b, a, self.ratio, self.low, self.high
        if ratio < 1:
            slow, fast, ratio, low, high = a, b, 1 / ratio, 1 / high, 1 / low
        ends = f"{format_ratio(low)} to {format_ratio(high)}"
        return f"{slow} takes {format_ratio(ratio)} as long as {fast} ({ends}; {named})"

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "ratio": self.ratio, "low": self.low, "high": self.high, "p": self.p,
            "n": list(self.n), "differs": self.differs, "estimator": self.estimator,
        }  # fmt: skip


def compare(a: Samples | Sequence[int], b: Samples | Sequence[int]) -> Comparison:
    """Return how `b` compares to `a`; raises `UsageError` when one of them is empty.

    >>> compare(range(100, 130), range(200, 230)).differs
    True
    >>> compare(range(100, 130), range(101, 131)).text("a", "b")
    'a and b: no difference (Mann-Whitney, p = 0.67, n = 30 and 30)'
    """
    xs, ys = (sorted(s.kept if isinstance(s, Samples) else s) for s in (a, b))
    if not xs or not ys:
        raise UsageError("One side has no samples, so there is nothing to compare; take some with -r.")
    p, exact = _p_value(xs, ys)
    ratio, low, high = _ratio(xs, ys)
    kind = "exact" if exact else "normal limit, ties corrected"
    estimator = f"Mann-Whitney U ({kind}), Hodges-Lehmann ratio"
    return Comparison(ratio, low, high, p, (len(xs), len(ys)), estimator)


def _p_value(xs: list[int], ys: list[int]) -> tuple[float, bool]:
    n, m = len(xs), len(ys)
    counts = Counter(xs) + Counter(ys)
    ranks: dict[int, float] = {}
    seen = 0
    for value in sorted(counts):
        ranks[value] = seen + (counts[value] + 1) / 2
        seen += counts[value]
    u = sum(ranks[x] for x in xs) - n * (n + 1) / 2
    if n * m <= _EXACT and max(counts.values()) == 1:
        ways = _ways(n, m)
        few = sum(ways[: int(min(u, n * m - u)) + 1])
        return min(1.0, 2 * few / sum(ways)), True
    ties = sum(c**3 - c for c in counts.values())
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0, False
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(z / math.sqrt(2))), False


@lru_cache(maxsize=64)
def _ways(n: int, m: int) -> tuple[int, ...]:
    """Return in how many orders of n and m samples U is 0, 1, ... n*m (a Gaussian binomial)."""
    poly = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for k in range(n * m, m + i - 1, -1):
            poly[k] -= poly[k - m - i]
        for k in range(i, n * m + 1):
            poly[k] += poly[k - i]
    return tuple(poly)


def _ratio(xs: list[int], ys: list[int]) -> tuple[float, float, float]:
    """Return the Hodges-Lehmann ratio and its interval.

    Long samples are thinned to evenly spaced order statistics; the interval's width still is that of all.
    """
    n, m = len(xs), len(ys)
    few_xs, few_ys = _thinned(xs), _thinned(ys)
    quotients = sorted(max(y, 0.5) / max(x, 0.5) for x in few_xs for y in few_ys)
    outside = max(0.0, 0.5 - _DEVIATIONS * math.sqrt((n + m + 1) / (12 * n * m)))
    last = len(quotients) - 1
    low, middle, high = (quotients[round(last * share)] for share in (outside, 0.5, 1 - outside))
    return middle, low, high


def _thinned(ordered: list[int]) -> list[int]:
    if len(ordered) <= _PAIRS:
        return ordered
    return [ordered[int((i + 0.5) * len(ordered) / _PAIRS)] for i in range(_PAIRS)]
