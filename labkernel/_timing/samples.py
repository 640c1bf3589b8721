"""Samples: measured times as data, warm-ups marked, nothing thrown away. It knows no statistics.

Times are whole nanoseconds of a monotonic clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkernel._errors import UsageError

__all__ = ["Sample", "Samples"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured time, and whether it was taken while things were still warming up."""

    ns: int
    is_warmup: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Samples:
    """Times in the order they were taken; the first `warmup` of them are warm-ups.

    Statistics use `kept`, which leaves warm-ups out; files and figures keep them all.

    >>> times = Samples.of([900, 100, 102], warmup=1)
    >>> times
    Samples(2 kept, 1 warm-up)
    >>> list(times.kept)
    [100, 102]
    """

    ns: array[int]
    warmup: int = 0

    @classmethod
    def of(cls, ns: Iterable[int], *, warmup: int = 0) -> Samples:
        """Return samples of these times.

        Raises `ValueError` for a time that is no whole number of at least 0, or for more warm-ups than times.
        """
        try:
            times = array("Q", ns)
        except (OverflowError, TypeError) as error:
            raise ValueError(f"a sample must be a whole number of nanoseconds from 0 on: {error}") from error
        if not 0 <= warmup <= len(times):
            raise ValueError(f"{warmup} warm-ups do not fit {len(times)} samples")
        return cls(times, warmup)

    @property
    def kept(self) -> array[int]:
        """The times without warm-ups."""
        return self.ns[self.warmup :]

    def __len__(self) -> int:
        """Return how many samples are kept."""
        return len(self.ns) - self.warmup

    def __iter__(self) -> Iterator[Sample]:
        """Yield every sample with its mark."""
        return (Sample(ns, index < self.warmup) for index, ns in enumerate(self.ns))

    def __repr__(self) -> str:
        marks = f", {self.warmup} warm-up{'s' if self.warmup > 1 else ''}" if self.warmup else ""
        return f"Samples({len(self)} kept{marks})"

    def to_json(self) -> dict[str, Any]:
        """Return the samples as plain data."""
        return {"ns": list(self.ns), "warmup": self.warmup}

    @classmethod
    def from_json(cls, data: Any) -> Samples:
        """Return the samples that `to_json` gave this data for; raises `UsageError` for other data."""
        if not isinstance(data, Mapping) or not isinstance(data.get("ns"), list):
            raise UsageError(f"{str(data)[:60]!r} is no samples; expected {{'ns': [...], 'warmup': 0}}.")
        warmup = data.get("warmup", 0)
        if any(isinstance(ns, bool) for ns in data["ns"]) or not isinstance(warmup, int):
            raise UsageError(f"warmup {warmup!r} or a time is not a number; samples are nanoseconds.")
        try:
            return cls.of(data["ns"], warmup=warmup)
        except ValueError as error:
            raise UsageError(f"Samples do not read: {error}.") from error
