"""Where the events of a run come from: made up, a template, a file or a table; checked before any is fired.

A source can be gone through as often as needed. Rows are kept packed; where even that is large they are read again,
so that memory stays bounded. It knows nothing of instances.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from labkernel._errors import BadEvent, LabError, UsageError
from labkernel._events.files import EventFile, Row
from labkernel._events.generate import events as generate
from labkernel._events.generate import sample
from labkernel._events.hints import Hints, Mapped
from labkernel._events.mapping import Mapper
from labkernel._events.moments import read_instant
from labkernel._events.overrides import apply_overrides, resolve_overrides
from labkernel._events.rng import Rng
from labkernel._events.tables import Table
from labkernel._events.templates import Template, template
from labkernel._values import Packed
from labkernel._wit import Function

__all__ = ["EventOptions", "EventSource", "open_source"]

_KEPT_BYTES: Final = 64 << 20
_TRIED: Final = 1000
_BAD_SHOWN: Final = 5
_LISTED: Final = 12


@dataclass(frozen=True, slots=True)
class EventOptions:
    """What a user says about events.

    `events` is a path or a table, `template` a template's name; with neither they are made up. `set` fixes
    parts, `map` says where parts of a row come from, `near` is a time (RFC 3339) that points in time lie near;
    `skip_bad` leaves out rows that are wrong.
    """

    events: Any = None
    template: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    map: Mapping[str, Any] = field(default_factory=dict)
    near: str = ""
    skip_bad: bool = False

    def __post_init__(self) -> None:
        """Refuse options that do not go together."""
        if self.events is not None and self.template:
            raise UsageError("Events come from a file or table or from a template; leave one of them out.")
        if self.map and not self.has_rows:
            raise UsageError(
                "A mapping says where parts of rows come from; give --events FILE or --template NAME."
            )
        if self.near and self.events is not None:
            raise UsageError(
                "--near is for events that are made up; those of a file or table have their times."
            )
        if self.skip_bad and self.events is None:
            raise UsageError("--skip-bad is for events of a file or table; made-up ones are never bad.")

    @property
    def has_rows(self) -> bool:
        """Whether events are rows that are mapped, and not values made up for the function."""
        return self.events is not None or bool(self.template)


class EventSource:
    """Events of one function, as argument lists in normal form: iterate over it as often as you like.

    `count` is how many there are, `origin` says where from in words, `seed` is `None` unless they were made
    up. `mapped` and `left_over` tell what came from where, `bad` the first rows that were left out of all
    `skipped`.
    """

    def __init__(self, function: Function, origin: str, count: int, seed: int | None) -> None:
        self.function, self.origin, self.count, self.seed = function, origin, count, seed
        self.mapped: tuple[Mapped, ...] = ()
        self.left_over: tuple[str, ...] = ()
        self.bad: tuple[str, ...] = ()
        self.skipped = self.available = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[Any]]:
        raise NotImplementedError

    @property
    def kept(self) -> Packed | None:
        """All its different events, where they are kept."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of these events, a line each."""
        lines = [f"events: {self.origin}"] if self.origin else []
        if self.mapped:
            others = [str(m) for m in self.mapped if m.target != m.source]
            same = len(self.mapped) - len(others)
            rest = [f"{'the rest' if others else 'all'} by their own names"] if same else []
            lines.append(f"mapped: {'; '.join([*([_listed(others)] if others else []), *rest])}")
        if self.left_over:
            lines.append(f"left over: {_listed(self.left_over)}")
        if self.skipped:
            lines.append(f"skipped: {self.skipped} bad; the first: {'; '.join(self.bad)}")
        if self.available and self.count > self.available:
            lines.append(f"repeated: {self.available} events, from the start again up to {self.count}")
        return tuple(lines)


def open_source(
    function: Function, options: EventOptions, *, n: int | None = None, seed: int = 0
) -> EventSource:
    """Return the source that the options describe, all of it checked that can be.

    Without `n` it has all the rows of a file or table, and one event otherwise. Raises `BadEvent` for a row
    that is wrong, with its place, `UsageError` for options and files that are, `ValueDoesNotFit` for `set`.
    """
    if n is not None and n < 1:
        raise UsageError(f"{n} events cannot be fired; write a number from 1 up.")
    near_ns = read_instant(options.near) if options.near else None
    if not options.has_rows:
        return _Generated(function, options, n, seed, near_ns)
    return _Rows(function, options, n, seed, near_ns)


class _Generated(EventSource):
    def __init__(
        self, function: Function, options: EventOptions, n: int | None, seed: int, near_ns: int | None
    ) -> None:
        super().__init__(function, "", n or 1, seed)
        self._options, self._near_ns = options, near_ns
        self._one = sample(function, seed, overrides=options.set, near_ns=near_ns) if n is None else None
        next(iter(self))

    def __iter__(self) -> Iterator[list[Any]]:
        if self._one is not None:
            return iter([self._one])
        return generate(
            self.function,
            seed=self.seed or 0,
            n=self.count,
            overrides=self._options.set,
            near_ns=self._near_ns,
        )


class _TemplateRows:
    def __init__(self, made: Template, seed: int, n: int, near_ns: int | None) -> None:
        self.name = f"template {made.name}"
        self._made, self._seed, self._n, self._near_ns = made, seed, n, near_ns

    def rows(self) -> Iterator[Row]:
        for index in range(self._n):
            rng = Rng.at(self._seed, index)
            yield Row(f"event {index + 1}", self._made.make(rng, index, self._near_ns))


class _Rows(EventSource):
    def __init__(
        self, function: Function, options: EventOptions, n: int | None, seed: int, near_ns: int | None
    ) -> None:
        hints = Hints()
        self._from: _TemplateRows | EventFile | Table
        if options.template:
            made = template(options.template)
            hints, self._from = made.hints, _TemplateRows(made, seed, n or 1, near_ns)
        elif isinstance(options.events, str | os.PathLike):
            self._from = EventFile(os.fspath(options.events), function)
        else:
            self._from = Table(options.events)
            hints = Hints(whole=self._from.is_pandas)
        super().__init__(function, self._from.name, 0, seed if options.template else None)
        self._options, self._seed = options, seed
        self._overrides = resolve_overrides(function, options.set)
        provided = [override.steps for override in self._overrides]
        self._mapper = Mapper(function, options.map, hints=hints, provided=provided)
        self._kept: Packed | None = None
        self._check(n)

    def _check(self, n: int | None) -> None:
        """Go through the rows once; keep them where they are few."""
        is_template = isinstance(self._from, _TemplateRows)
        self._kept = None if is_template and (n or 1) > _TRIED else Packed()
        bad: list[str] = []
        count = skipped = 0
        for event in self._once(bad):
            if event is None:
                skipped += 1
                continue
            count += 1
            if self._kept is not None:
                self._kept.append(event)
                if self._kept.size_bytes > _KEPT_BYTES:
                    self._kept = None
            if count == n or (is_template and count == _TRIED):
                break
        if not count:
            what = f"all {skipped} rows are bad; the first: {bad[0]}" if skipped else "it holds no events"
            raise UsageError(f"Nothing can be fired from {self._from.name}: {what}.")
        self.count, self.skipped, self.bad = n or count, skipped, tuple(bad)
        self.available = self.count if is_template else count
        self.mapped, self.left_over = self._mapper.mapped, self._mapper.left_over

    def __iter__(self) -> Iterator[list[Any]]:
        return islice(self._forever(), self.count)

    @property
    def kept(self) -> Packed | None:
        return self._kept

    def _forever(self) -> Iterator[list[Any]]:
        while True:
            yield from self._kept if self._kept is not None else self._good()

    def _good(self) -> Iterator[list[Any]]:
        return (event for event in self._once([]) if event is not None)

    def _once(self, bad: list[str]) -> Iterator[list[Any] | None]:
        """Yield the event of every row, `None` for a bad one that is skipped; `bad` gets the first of those."""
        rows = self._from.rows()
        index = 0
        while True:
            where = ""
            try:
                row = next(rows, None)
                if row is None:
                    return
                where = f"{row.where}: "
                event = self._event(row, index)
            except LabError as error:
                is_row = bool(where)
                if not is_row or not self._options.skip_bad:
                    raise self._bad(where, error) from None
                if len(bad) < _BAD_SHOWN:
                    bad.append(f"{where}{error}")
                yield None
            else:
                index += 1
                yield event

    def _event(self, row: Row, index: int) -> list[Any]:
        if row.error is not None:
            raise row.error
        event = row.args if row.args is not None else self._mapper(row.value)
        if self._overrides:
            event = apply_overrides(event, self._overrides, Rng.at(~self._seed, index), index)
        return event

    def _bad(self, where: str, error: LabError) -> LabError:
        if isinstance(self._from, EventFile):
            skip = " Nothing was fired; --skip-bad leaves such rows out." if where else " Nothing was fired."
            name = self._from.path.name
            return BadEvent(
                f"{name}{', ' if where else ': '}{where}{error}{skip}", source=str(self._from.path)
            )
        skip = " Nothing was fired." if isinstance(self._from, Table) else ""
        return BadEvent(f"{self._from.name}, {where}{error}{skip}", source=self._from.name)


def _listed(texts: tuple[str, ...] | list[str]) -> str:
    more = len(texts) - _LISTED
    return ", ".join(texts[:_LISTED]) + (f" and {more} more" if more > 0 else "")
