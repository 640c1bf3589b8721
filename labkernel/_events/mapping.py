"""Rows of any shape onto a function's arguments, by names: which part came from where, and what was left over.

Names meet without case and separators. A part is looked for at the top of its row, where a template says, then
within; a mapping that the user gives goes before all. Nothing is guessed in silence: `Mapper` keeps the list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from labkernel._errors import LabError, UsageError, did_you_mean
from labkernel._events.cells import Cell, Gap, read_cell, read_moment
from labkernel._events.cloudevents import CloudEventRow
from labkernel._events.edges import edges
from labkernel._events.hints import Hints, Mapped
from labkernel._events.lookup import Path, as_mapping, follow, leaves, named, named_within, path_text
from labkernel._events.moments import is_moment, rfc3339
from labkernel._events.paths import Steps, essence, locate, payload_of
from labkernel._values import Some, to_normal
from labkernel._wit import (
    EnumType,
    Field,
    Function,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    TupleType,
    Type,
    type_text,
)

__all__ = ["Mapper"]

_NESTED_FOR: Final = 100
_SHAPES: Final = 1000
_VALUE_KEY: Final = re.compile(r"([^\[\]]+)\[(.+)\]", re.DOTALL)
_BYTES: Final = ListType(Primitive("u8"))


class Mapper:
    """Maps rows onto the arguments of one function.

    `given` maps a part to a path in the row (`{"event-type": "Records.0.eventName"}`), or values of a part to
    cases (`{"event-type[ObjectCreated:*]": "object-added"}`). `provided` are the parts that are set
    afterwards and need no source. Raises `UsageError` for a part that does not exist.
    """

    def __init__(
        self, function: Function, given: Mapping[str, Any] | None = None, *, hints: Hints | None = None,
        provided: Iterable[Steps] = (),
    ) -> None:  # fmt: skip
        self.function, self.hints = function, hints or Hints()
        self._provided = tuple(provided)
        self._paths: dict[Steps, str] = {}
        self._cases: dict[Steps, list[tuple[str, str]]] = {}
        for key, source in (given or {}).items():
            self._declare(key, source)
        self._mapped: dict[str, Mapped] = {}
        self._left: dict[str, None] = {}
        self._memo: dict[Steps, str] = {}
        self._row: Any = None
        self._used: set[Path] = set()
        self._missing: list[tuple[str, Type]] = []
        self._rows = 0
        # Rows of a shape that has been looked at are tried as they stand, which takes a tenth of the time.
        is_record = len(function.params) == 1 and isinstance(function.params[0].type, RecordType)
        self._is_plain = is_record and not given and self.hints == Hints() and not self._provided
        self._shapes: set[tuple[Any, ...]] = set()

    def _declare(self, key: str, source: Any) -> None:
        match = _VALUE_KEY.fullmatch(key)
        place = locate(self.function, match[1] if match else key)
        values = {match[2]: source} if match else source
        if isinstance(values, Mapping):
            for glob, case in values.items():
                to_normal(case, payload_of(place.type), f"$.{place.path}")
                self._cases.setdefault(place.steps, []).append((str(glob), case))
        elif isinstance(source, str) and source:
            self._paths[place.steps] = source
        else:
            raise UsageError(
                f"{key!r} is mapped to {source!r}, which is no path; write --map {key}=records.0.name."
            )

    @property
    def mapped(self) -> tuple[Mapped, ...]:
        """What was mapped from where, over all rows so far."""
        return tuple(self._mapped.values())

    @property
    def left_over(self) -> tuple[str, ...]:
        """The paths of rows that nothing was taken from: top ones of all rows, inner ones of the first 100."""
        return tuple(self._left)

    def __call__(self, row: Any) -> list[Any]:
        """Return the arguments (normal form) that a row holds.

        Raises `UsageError` for missing and ambiguous parts, `ValueDoesNotFit` for values of another type.
        """
        params = self.function.params
        if self._is_plain and type(row) is dict and tuple(row) in self._shapes:
            try:
                return [to_normal(row, params[0].type)]
            except LabError:
                pass  # it is no value as it stands: look at it part by part
        self._row, self._used, self._missing = row, set(), []
        args = [self._only(row)] if len(params) == 1 else self._several(row) if params else []
        if self._missing:
            raise self._missing_error(row)
        self._note_left_over(row)
        self._rows += 1
        if self._is_plain and type(row) is dict and len(self._shapes) < _SHAPES:
            self._shapes.add(tuple(row))
        return args

    def _several(self, row: Any) -> list[Any]:
        params = self.function.params
        mapping = as_mapping(row)
        if mapping is not None:
            return self._fields([Field(p.name, p.type) for p in params], mapping, "", (), ())
        if isinstance(row, list | tuple) and len(row) == len(params):
            return [
                self._value(p.type, item, p.name, (i,), (i,))
                for i, (p, item) in enumerate(zip(params, row, strict=True))
            ]
        names = ", ".join(p.name for p in params)
        raise UsageError(
            f"{self.function.name} takes {len(params)} arguments ({names}); a row is an object with these "
            f"names, or a list of {len(params)}."
        )

    def _only(self, row: Any) -> Any:
        param = self.function.params[0]
        inner = payload_of(param.type)
        if (0,) in self._paths:
            return self._one(Field(param.name, param.type), row, "", (0,), ())
        mapping = as_mapping(row)
        if mapping is None:
            if isinstance(row, list) and self._may_be_text(inner):
                return self._as_text(param.type, row)
            return self._value(param.type, row, "", (0,), ())
        keys = named(mapping, param.name)
        if isinstance(inner, RecordType):
            fields = {essence(f.name) for f in inner.fields}
            if len(keys) == 1 and essence(param.name) not in fields and _may_wrap(mapping[keys[0]]):
                return self._value(param.type, mapping[keys[0]], "", (0,), (keys[0],))
            return self._value(param.type, mapping, "", (0,), ())
        if keys or named_within(mapping, param.name) or essence(param.name) in self.hints.paths:
            return self._one(Field(param.name, param.type), mapping, "", (0,), ())
        if self._may_be_text(inner):
            self._take("the whole event", (), "as JSON text")
            return self._as_text(param.type, row)
        return self._value(param.type, row, "", (0,), ())

    def _may_be_text(self, wit_type: Type) -> bool:
        """Whether what has parts may become the JSON text of a string or of bytes."""
        allowed = self.hints.as_text or isinstance(self._row, CloudEventRow)
        return allowed and wit_type in (Primitive("string"), _BYTES)

    def _as_text(self, wit_type: Type, value: Any) -> Any:
        written = value.written if isinstance(value, CloudEventRow) else value
        text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
        return to_normal(text if payload_of(wit_type) == Primitive("string") else text.encode(), wit_type)

    def _fields(
        self, fields: Sequence[Field], source: Mapping[Any, Any], target: str, steps: Steps, at: Path
    ) -> list[Any]:
        return [self._one(f, source, target, (*steps, i), at) for i, f in enumerate(fields)]

    def _one(self, part: Field, source: Any, target: str, steps: Steps, at: Path) -> Any:
        """Return the value of one field, from wherever it comes."""
        name = f"{target}.{part.name}" if target else part.name
        found = self._find(part.name, source, steps, at)
        if found is not None:
            path, value, how = found
            is_whole = not isinstance(payload_of(part.type), RecordType) or as_mapping(value) is None
            if is_whole:  # of a record its parts are told, one by one
                self._take(name, path, how)
            return self._value(part.type, value, name, steps, path)
        inner = payload_of(part.type)
        if steps in self._provided:
            return edges(part.type)[0]
        if isinstance(inner, RecordType) and self._reaches(steps):
            made = self._fields(inner.fields, {}, name, steps, at)
            return [made] if isinstance(part.type, OptionType) else made
        if not isinstance(part.type, OptionType):
            self._missing.append((name, part.type))
        self._mapped.setdefault(name, Mapped(name, "", "none, since no row has it"))
        return None

    def _reaches(self, steps: Steps) -> bool:
        inside = [*self._provided, *self._paths]
        return any(other[: len(steps)] == steps for other in inside)

    def _find(self, name: str, source: Any, steps: Steps, at: Path) -> tuple[Path, Any, str] | None:
        if steps in self._paths:
            path, value = follow(self._row, self._paths[steps])
            return path, value, "as declared"
        keys = named(source, name) if isinstance(source, Mapping) else []
        if len(keys) == 1:
            return (*at, keys[0]), source[keys[0]], "by name"
        for text in self.hints.paths.get(essence(name), ()):
            try:
                path, value = follow(self._row, text)
            except UsageError:
                continue
            return path, value, "as the template says"
        return self._within(name, source, keys, steps, at)

    def _within(
        self, name: str, source: Any, keys: list[str], steps: Steps, at: Path
    ) -> tuple[Path, Any, str] | None:
        if not keys and steps in self._memo:
            try:
                path, value = follow(source, self._memo[steps])
                return (*at, *path), value, "by name, within"
            except UsageError:
                pass
        paths: list[Path] = [(key,) for key in keys] or named_within(source, name)
        if len(paths) > 1:
            several = ", ".join(path_text((*at, *path)) for path in paths[:6])
            raise UsageError(
                f"{name!r} could come from {several}; say which: --map {name}={several.split(', ')[0]}."
            )
        if not paths:
            return None
        self._memo[steps] = path_text(paths[0])
        path, value = follow(source, self._memo[steps])
        return (*at, *path), value, "by name, within"

    def _value(self, wit_type: Type, source: Any, target: str, steps: Steps, at: Path) -> Any:
        """Return the normal form of a source's value for a type."""
        root = f"$.{target}" if target else "$"
        if isinstance(wit_type, OptionType):
            return self._option(wit_type, source, target, steps, at)
        case = self._case(wit_type, source, steps)
        if case is not None:
            return case
        mapping = as_mapping(source)
        match wit_type:
            case RecordType() if is_moment(wit_type) and mapping is None:
                if at and at[-1] in self.hints.millis and isinstance(source, str) and source.isdecimal():
                    source = rfc3339(int(source) * 1_000_000)
                return read_moment(source, wit_type, root)
            case RecordType(fields) if mapping is not None:
                return self._fields(fields, mapping, target, steps, at)
            case ListType(RecordType() as element) if isinstance(source, list):
                return [
                    self._value(element, item, f"{target}[{i}]", (*steps, i), (*at, i))
                    for i, item in enumerate(source)
                ]
            case ListType(TupleType((_, _))) if mapping is not None:
                return to_normal([list(pair) for pair in mapping.items()], wit_type, root)
        if isinstance(source, Cell):
            return read_cell(source, wit_type, root)
        if wit_type == _BYTES and isinstance(source, str) and self._may_be_text(wit_type):
            return source.encode()
        if mapping is not None and self._may_be_text(wit_type):
            return self._as_text(wit_type, source)
        return to_normal(self._loosened(source, wit_type), wit_type, root)

    def _option(self, wit_type: OptionType, source: Any, target: str, steps: Steps, at: Path) -> Any:
        if source is None or isinstance(source, Gap) or _is_blank(source):
            return None
        holds_one = isinstance(wit_type.payload, OptionType) and not isinstance(source, Cell)
        if isinstance(source, Some) or holds_one:
            return to_normal(source, wit_type, f"$.{target}" if target else "$")
        return [self._value(wit_type.payload, source, target, steps, at)]

    def _case(self, wit_type: Type, source: Any, steps: Steps) -> Any:
        """Return the case that a value means by a declared mapping or by the template's words."""
        if not isinstance(source, str):
            return None
        for glob, case in self._cases.get(steps, ()):
            if fnmatchcase(source, glob):
                return to_normal(case, wit_type)
        if not isinstance(wit_type, EnumType):
            return None
        for glob, words in self.hints.cases.items():
            if fnmatchcase(source, glob):
                return next((c for word in words for c in wit_type.cases if word in c.split("-")), None)
        return None

    def _loosened(self, source: Any, wit_type: Type) -> Any:
        """Return a source's own way of writing a number as a number."""
        if not isinstance(wit_type, Primitive) or wit_type.name in ("string", "char", "bool"):
            return source
        if self.hints.digits and isinstance(source, str) and len(source) <= 40:
            return int(source) if source.isascii() and source.isdecimal() else source
        is_float = isinstance(source, float) and source.is_integer()
        return int(source) if self.hints.whole and is_float and wit_type.name[0] != "f" else source

    def _take(self, name: str, path: Path, how: str) -> None:
        self._used.add(path)
        known = self._mapped.get(name)
        if "[" in name:  # one of a list's elements: the list is told
            return
        if known is None or not known.source:
            self._mapped[name] = Mapped(name, path_text(path), how)

    def _note_left_over(self, row: Any) -> None:
        if not isinstance(row, Mapping) or () in self._used:
            return
        tops = {path[0] for path in self._used}
        self._left.update((str(key), None) for key in row if key not in tops and str(key) not in self._left)
        if self._rows < _NESTED_FOR:
            for leaf in leaves(row):
                if leaf and leaf[0] in tops and not any(_meet(leaf, path) for path in self._used):
                    self._left[path_text(leaf)] = None

    def _missing_error(self, row: Any) -> LabError:
        names = [name for name, _ in self._missing]
        shown = ", ".join(f"{name} ({type_text(wit_type)})" for name, wit_type in self._missing[:8])
        mapping = as_mapping(row)
        keys = [str(key) for key in mapping][:12] if mapping is not None else []
        has = f"the row has {', '.join(keys)}" if keys else "the row is empty"
        taken = {path[0] for path in self._used if path}
        near = did_you_mean(names[0].rpartition(".")[2], [key for key in keys if key not in taken])
        first = names[0]
        return UsageError(
            f"{shown} missing; {has}.{near} Say where from: --map {first}=PATH, or fix it: --set {first}=VALUE."
        )


def _may_wrap(value: Any) -> bool:
    """Whether what stands under the only parameter's name is the parameter's value."""
    return value is None or as_mapping(value) is not None


def _meet(one: Path, other: Path) -> bool:
    """Whether one of two paths leads to a part of what the other leads to."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _is_blank(source: Any) -> bool:
    """Whether a cell is empty, or all the cells of a part are."""
    if isinstance(source, Mapping):
        return bool(source) and all(map(_is_blank, source.values()))
    return isinstance(source, Cell) and source == ""
