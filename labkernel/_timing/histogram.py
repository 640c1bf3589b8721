"""Times counted instead of kept: bounded memory for any number of them, within a thousandth of each.

The classes are HdrHistogram's for three significant digits (https://github.com/HdrHistogram/HdrHistogram): eleven
bits of each value count. So a histogram is written to that project's log without loss.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._timing.estimates import samples_for

__all__ = ["Counts", "Histogram"]

_BITS: Final = 11


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of times in nanoseconds by class; `values` are the classes' lowest times, in order.

    >>> Histogram.of(Counter({1000: 98, 5000: 2})).quantile(50)
    1000
    """

    values: array[int] = field(default_factory=lambda: array("Q"))
    counts: array[int] = field(default_factory=lambda: array("Q"))

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Histogram:
        """Return the histogram of times and how often each came."""
        ordered = sorted(counts.items())
        return cls(array("Q", (v for v, _ in ordered)), array("Q", (n for _, n in ordered)))

    def __len__(self) -> int:
        """Return how many times were counted."""
        return sum(self.counts)

    def quantile(self, percent: float) -> int | None:
        """Return the percentile by nearest rank (a class's middle), `None` where too few times were counted."""
        n = len(self)
        if n < samples_for(percent):
            return None
        rank = math.ceil(round(n * percent / 100, 6))
        at = next(i for i, seen in enumerate(itertools.accumulate(self.counts)) if seen >= rank)
        return _middle(self.values[at])

    @property
    def longest(self) -> int:
        """The longest time; 0 where there is none."""
        return _middle(self.values[-1]) if self.values else 0

    def to_json(self) -> dict[str, Any]:
        """Return the histogram as plain data."""
        return {"ns": list(self.values), "counts": list(self.counts)}

    @classmethod
    def from_json(cls, data: Any) -> Histogram:
        """Return the histogram that `to_json` gave this data for; raises `UsageError` for other data."""
        try:
            values, counts = array("Q", data["ns"]), array("Q", data["counts"])
        except (TypeError, KeyError, OverflowError) as error:
            raise UsageError(
                f"{str(data)[:60]!r} is no histogram; expected {{'ns': [...], 'counts': [...]}}."
            ) from error
        if len(values) != len(counts) or any(a >= b for a, b in itertools.pairwise(values)):
            raise UsageError(
                "A histogram's times do not rise or do not match its counts; the file is damaged."
            )
        return cls(values, counts)


class Counts:
    """A histogram while it grows."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, times: Iterable[int]) -> None:
        """Count more times."""
        for value, n in Counter(times).items():
            self._counts[_class_of(value)] += n

    def histogram(self) -> Histogram:
        """Return what has been counted until now."""
        return Histogram.of(self._counts)


def _class_of(value: int) -> int:
    """Return the lowest time of a time's class.

    >>> _class_of(1234), _class_of(123_457)
    (1234, 123456)
    """
    shift = value.bit_length() - _BITS
    return value if shift <= 0 else value >> shift << shift


def _middle(lowest: int) -> int:
    shift = lowest.bit_length() - _BITS
    return lowest if shift <= 0 else lowest + (1 << shift >> 1)
