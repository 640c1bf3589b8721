"""Sustained warm firing through a driver: what is asked of the host process, and `Driven`, what comes back."""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labkernel._errors import LabError
from labkernel._fire.compose import NoDriver
from labkernel._fire.table import result_of, table_of
from labkernel._host import Started, Supervisor
from labkernel._host.driver_memory import TableData
from labkernel._host.protocol import decode_error
from labkernel._wit import Function

__all__ = ["Driven", "Gathered", "drive"]

_KEPT: Final = 200_000
"""Samples that are kept one by one, roughly; all beyond are counted."""


@dataclass(frozen=True, slots=True)
class Driven:
    """What a driver has fired: `done` events of a table whose rows came in turn.

    `alone` are the nanoseconds of calls timed one by one, in order; `grouped` those of a call in each of the groups of
    `group` calls that followed, a mean. The clock's own cost (`clock_ns` for two reads) and that of an empty
    loop (`dry_ns` for a group) are taken out. `results` are the first answers of the rows, in normal form, `None` in a
    list of its own where there was no room; `varied_by_row` counts later answers of each row that differed from its
    first, `unchecked` those there was nothing to compare with. `busy_ns` is the time of the batches, all of the harness
    included. The event that caused an `error` is the one of index `done`. Times beyond those kept are counted in
    `beyond`; the last group has `short` calls less than the others.
    """

    done: int
    alone: array[int]
    grouped: array[float]
    group: int
    clock_ns: int = 0
    dry_ns: int = 0
    busy_ns: int = 0
    results: tuple[Any, ...] = ()
    varied_by_row: array[int] = field(default_factory=lambda: array("I"))
    unchecked: int = 0
    error: LabError | None = None
    output_cut: bool = False
    beyond: Mapping[int, int] = field(default_factory=dict)
    short: int = 0

    @property
    def varied(self) -> int:
        """How many answers differed from the first one to the same event."""
        return sum(self.varied_by_row)

    @property
    def mode(self) -> str:
        """How the calls were timed, in words."""
        if not self.grouped:
            return "each call alone"
        return f"the first {len(self.alone)} calls alone, then {self.group} calls between two clock reads"

    def each_ns(self) -> Iterator[float]:
        """Yield one time for each event whose time was kept; a group's mean stands for each of its calls."""
        yield from self.alone
        for mean in self.grouped:
            yield from itertools.repeat(mean, self.group)

    def counts(self) -> Counter[int]:
        """Return how many events took so many nanoseconds, those that were not kept included."""
        found: Counter[int] = Counter(self.alone)
        for mean in self.grouped:
            found[round(mean)] += self.group
        if self.grouped and self.short:
            found[round(self.grouped[-1])] -= self.short
        found.update(self.beyond)
        return found

    @property
    def samples(self) -> array[float]:
        """The times of sustained firing: means of groups where there are any, otherwise of single calls."""
        return self.grouped if self.grouped else array("d", self.alone)

    @property
    def wall_ns(self) -> float:
        """Nanoseconds of each event, with the harness around it: clocks, comparison, batches."""
        return self.busy_ns / max(1, self.done)


class Gathered:
    """Takes the chunks of a drive as they come, so that an interrupt loses none; then `driven` is what it left."""

    def __init__(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        self.done, self.group = 0, 1
        self.alone, self.grouped = array("q"), array("d")
        self._on_progress = on_progress
        self.beyond: Counter[int] = Counter()
        self.short = self._timed = 0
        self.driven: Driven | None = None
        self._varied = 0
        self._kept: list[bytes | None] = []
        self._ending: list[Any] | None = None

    def __call__(self, chunk: list[Any]) -> None:
        """Take one chunk."""
        if len(chunk) == 1:
            self._kept = chunk[0]
            return
        if len(chunk) == 2:
            self._ending = chunk[1]
            return
        self.done, asked, group, off, self._varied, data = chunk
        raw = array("Q")
        raw.frombytes(data)
        if group == 1:
            self._add(array("q", [ns - off if ns > off else 0 for ns in raw]))
        elif raw:
            self.group = group
            self._add_groups(raw, group, off)
        if self._on_progress is not None:
            self._on_progress(self.done, asked)

    def _add(self, times: array[int]) -> None:
        if len(self.alone) < _KEPT:
            self.alone.extend(times)
        else:
            self.beyond.update(times)
        self._timed += len(times)

    def _add_groups(self, raw: array[int], group: int, off: int) -> None:
        """Add means; only the last group of all may be short of calls."""
        short = max(0, min(group - 1, self._timed + group * len(raw) - self.done))
        self._timed += group * len(raw) - short
        means = array("d", [max(0, ns - off) / group for ns in raw])
        size = group - short
        means[-1] = max(0, raw[-1] - off * size // group) / size
        if len(self.grouped) < _KEPT:
            self.grouped.extend(means)
            self.short = short
            return
        for mean in means:
            self.beyond[round(mean)] += group
        self.beyond[round(means[-1])] -= short

    def settle(self, function: Function, table: TableData) -> None:
        """Make of the chunks what can be made, where the reply is lost."""
        if self._ending is not None:
            self.driven = _driven(function, table, self._ending, self)
        elif self.done:
            is_known = bool(self._kept) and not self._varied
            kept = self._kept if is_known else []
            answer = ["", None, self.done, bytes(4 * len(kept)), 0, kept, self.group, 0, 0, 0, False]
            self.driven = _driven(function, table, answer, self)


def drive(
    supervisor: Supervisor, started: Started, function: Function, events: Sequence[list[Any]], n: int, *,
    duration_s: float | None = None, timeout_s: float | None = None, keep: bool = True,
    gathered: Gathered | None = None, on_output: Callable[[str, str], None] | None = None,
) -> Driven:  # fmt: skip
    """Fire `n` events, the given ones in turn, at an instance that begins with a driver for this function.

    `duration_s` may end it earlier. What is answered before an interrupt, or before the process is lost, is in
    `gathered.driven`. Raises `NoDriver` where this process or the instance's budgets have no place for one,
    `ValueDoesNotFit`, and `KeyboardInterrupt`.
    """
    gathered = gathered or Gathered()
    table = table_of(function, events)
    limit = started.start.timeout_s if timeout_s is None else timeout_s
    try:
        answer = supervisor.stream(
            "drive", [started.id, table.to_data(), n, duration_s, timeout_s, keep], patience_s=limit + 1.0,
            generation=started.generation, on_chunk=gathered, on_output=on_output,
        )  # fmt: skip
    except BaseException:
        gathered.settle(function, table)
        raise
    if answer[0]:
        raise NoDriver(f"no driver fires {function.full_name}: {answer[0]}")
    return _driven(function, table, answer, gathered)


def _driven(function: Function, table: TableData, answer: list[Any], gathered: Gathered) -> Driven:
    _, error, done, varied, unchecked, kept, group, clock_ns, dry_ns, busy_ns, cut = answer
    counts = array("I")
    counts.frombytes(varied)
    results = [None if blob is None else [result_of(function, blob, table)] for blob in kept]
    if function.result is None:
        results = [[None] if row < done else None for row in range(len(kept))]
    return Driven(
        done, gathered.alone, gathered.grouped, group, clock_ns, dry_ns, busy_ns, tuple(results), counts,
        unchecked, None if error is None else decode_error(error), cut, gathered.beyond, gathered.short,
    )  # fmt: skip
