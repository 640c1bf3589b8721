"""What was fired outside of a load's own loop, as chunks for the collector: slices by the C functions, a driver's."""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

from labkernel._errors import BudgetExceeded, LabError
from labkernel._fire.collect import KEPT, Collector
from labkernel._fire.driving import Driven
from labkernel._host import Chunk
from labkernel._host.protocol import encode_error

__all__ = ["feed_driven", "feed_error", "feed_times"]


def feed_times(
    collector: Collector, first: int, times: Sequence[int], results: Sequence[Any], *, began_ns: int, at_ns: int
) -> None:  # fmt: skip
    """Add answered events from number `first` on, one after the other from `began_ns` of the run on."""
    chunk = Chunk.empty()
    count = len(times)
    begins, now = array("q"), began_ns
    for ns in times:
        begins.append(now)
        now += ns
    zeros = bytes(8 * count)
    for name, column in (("index", range(first, first + count)), ("call_ns", times)):
        chunk.columns[name].extend(column)
    for name in ("intended_ns", "began_ns"):
        chunk.columns[name] = begins
    for name in ("cold_ns", "instance", "outcome"):
        found = chunk.columns[name]
        found.frombytes(zeros[: found.itemsize * count])
    chunk.results = list(results)
    chunk.at_ns = at_ns
    collector.add(0, chunk)


def feed_error(collector: Collector, index: int, error: LabError, *, at_ns: int) -> None:
    """Add the event that ended in an error; its time is not known."""
    chunk = Chunk.empty()
    row = {"index": index, "intended_ns": at_ns, "began_ns": at_ns, "cold_ns": 0, "call_ns": 0, "instance": 0}
    for name, value in row.items():
        chunk.columns[name].append(value)
    name = type(error).__name__
    if isinstance(error, BudgetExceeded):
        name = f"{name}: {error.budget}"
    chunk.columns["outcome"].append(1)
    chunk.errors = [[1, name, encode_error(error), index]]
    chunk.at_ns = at_ns
    collector.add(0, chunk)


def feed_driven(collector: Collector, driven: Driven, first: int, *, began_ns: int, at_ns: int) -> None:
    """Add what a driver has fired: the first events as far as their results are known, the others in counts."""
    most = min(_known_first(driven), driven.done, max(0, KEPT - collector.fired))
    times = [round(ns) for ns in itertools.islice(driven.each_ns(), most)]
    keep = len(times)
    rows = len(driven.results)
    results = [found[0] if (found := driven.results[i % rows]) is not None else None for i in range(keep)]
    feed_times(collector, first, times, results, began_ns=began_ns, at_ns=at_ns)
    counts, others = [], 0 if rows else driven.done
    for row, found in enumerate(driven.results):
        fired = _fired(row, rows, driven.done) - _fired(row, rows, keep)
        differing = min(fired, driven.varied_by_row[row])
        if found is None:
            others += fired
        else:
            others += differing
            counts.append((found[0], fired - differing))
    collector.count(driven.counts() - Counter(times), [(r, n) for r, n in counts if n], others=others)


def _fired(row: int, rows: int, done: int) -> int:
    """Return how often a row was fired among the first `done` events."""
    return done // rows + (row < done % rows)


def _known_first(driven: Driven) -> int:
    """Return how many events from the first on have a known result."""
    rows, done = len(driven.results), driven.done
    if not rows:
        return 0
    unknown = next((row for row, found in enumerate(driven.results[:done]) if found is None), None)
    if unknown is not None:
        return unknown
    varied = next((row for row, n in enumerate(driven.varied_by_row) if n), None)
    return done if varied is None else min(done, rows + varied)
