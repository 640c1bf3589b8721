"""Python and JSON values to the normal form, checked against their WIT type.

One checker is made per type and kept. JSON's forms are the same values: `{"case": payload}` or
`["case", payload]` for a variant, `{"ok": ...}` for a result, `{"some": ...}` where an option holds one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

from labkernel._values.compiled import Compiled
from labkernel._values.handles import handle_check
from labkernel._values.labels import Labels
from labkernel._values.misfit import Misfit, listed, not_a, unknown
from labkernel._values.objects import Some, Variant
from labkernel._values.records import record_check
from labkernel._values.scalars import INT_RANGES, Check, scalar_check
from labkernel._wit import (
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["to_normal"]

_NO_LIST: Final = (str, bytes, bytearray, memoryview, Mapping, Set)


def to_normal(value: Any, wit_type: Type, path: str = "$") -> Any:
    """Return the normal form of a Python or JSON value. Raises `ValueDoesNotFit` with the path to the misfit.

    >>> from labkernel._wit import Field
    >>> to_normal({"seconds": 1}, RecordType((Field("seconds", Primitive("u64")),)))
    [1]
    >>> to_normal(300, Primitive("u8"))
    Traceback (most recent call last):
    labkernel._errors.ValueDoesNotFit: $: 300 does not fit u8 (range 0 to 255).
    """
    try:
        return _check_of(wit_type)(value)
    except Misfit as misfit:
        raise misfit.error(path) from None


def _make(wit_type: Type) -> Check:
    match wit_type:
        case Primitive():
            return scalar_check(wit_type)
        case ListType(Primitive("u8")):
            return _bytes(wit_type)
        case ListType():
            return _list(wit_type)
        case TupleType():
            return _tuple(wit_type)
        case RecordType():
            return record_check(wit_type, [(f.name, _check_of(f.type)) for f in wit_type.fields])
        case OptionType():
            return _option(wit_type)
        case ResultType(ok, err):
            return _variant(wit_type, {"ok": ok, "err": err}, "a result: ok(...), err(...), {'ok': ...}")
        case VariantType():
            expected = "a variant: a case's name, Variant(case, payload), {'case': payload}"
            return _variant(wit_type, {c.name: c.type for c in wit_type.cases}, expected)
        case EnumType():
            return _enum(wit_type)
        case FlagsType():
            return _flags(wit_type)
        case HandleType():
            return handle_check(wit_type)
        case OpaqueType():
            return _uncarried(wit_type)


_check_of: Final[Compiled[Check]] = Compiled(_make)


def _uncarried(wit_type: Type) -> Check:
    def check(value: Any) -> Any:
        raise Misfit(value, wit_type, "values of this type cannot be made from Python")

    return check


def _bytes(wit_type: ListType) -> Check:
    element = _check_of(wit_type.element)

    def check(value: Any) -> bytes:
        if type(value) is bytes:
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        if isinstance(value, str):
            raise Misfit(value, wit_type, not_a(value, "bytes"), "Encode it: value.encode().")
        items = _items(value, wit_type, "bytes or a list of integers")
        try:
            return bytes(items) if set(map(type, items)) == {int} else bytes(_each(items, element))
        except ValueError:
            return bytes(_each(items, element))

    return check


def _list(wit_type: ListType) -> Check:
    element = _check_of(wit_type.element)
    exact: type | None = None
    low = high = 0
    match wit_type.element:
        case Primitive(name) if name in INT_RANGES:
            exact, (low, high) = int, INT_RANGES[name]
        case Primitive("f64" | "bool" as name):
            exact = float if name == "f64" else bool

    def check(value: Any) -> list[Any]:
        items = _items(value, wit_type, "a list")
        # A long list of one plain type is checked without a Python call per element.
        plain = exact is not None and set(map(type, items)) == {exact}
        if plain and (exact is not int or (low <= min(items) and max(items) <= high)):
            return list(items)
        return _each(items, element)

    return check


def _items(value: Any, wit_type: Type, expected: str) -> Sequence[Any]:
    if type(value) is list or type(value) is tuple:
        items: Sequence[Any] = value
        return items
    other = isinstance(value, _NO_LIST)
    if not other and hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        return list(value)
    hint = "" if other or not hasattr(value, "__iter__") else "Make it a list: list(...)."
    raise Misfit(value, wit_type, not_a(value, expected), hint)


def _each(items: Sequence[Any], element: Check) -> list[Any]:
    made: list[Any] = []
    try:
        for item in items:
            made.append(element(item))
    except Misfit as misfit:
        raise misfit.under(f"[{len(made)}]") from None
    return made


def _tuple(wit_type: TupleType) -> Check:
    checks = [_check_of(e) for e in wit_type.elements]

    def check(value: Any) -> list[Any]:
        items = _items(value, wit_type, "a tuple")
        if len(items) != len(checks):
            raise Misfit(value, wit_type, f"{len(items)} elements, not {len(checks)}")
        made: list[Any] = []
        try:
            for item, one in zip(items, checks, strict=True):
                made.append(one(item))
        except Misfit as misfit:
            raise misfit.under(f"[{len(made)}]") from None
        return made

    return check


def _option(wit_type: OptionType) -> Check:
    payload = _check_of(wit_type.payload)
    nested = isinstance(wit_type.payload, OptionType)

    def check(value: Any) -> list[Any] | None:
        if value is None:
            return None
        if type(value) is Some:
            return [payload(value.value)]
        if nested and isinstance(value, Mapping) and list(value) == ["some"]:
            return [payload(value["some"])]
        return [payload(value)]

    return check


def _variant(wit_type: VariantType | ResultType, cases: Mapping[str, Type | None], expected: str) -> Check:
    checks = {name: None if payload is None else _check_of(payload) for name, payload in cases.items()}
    labels = Labels(cases)

    def check(value: Any) -> list[Any]:
        case, payload, given = _taken_apart(value, wit_type, expected)
        name = case if type(case) is str and case in checks else labels.find(case)
        if name is None:
            raise Misfit(value, wit_type, f"no case {case!r}", unknown(case, cases, "Cases"))
        inner = checks[name]
        if inner is None:
            if payload is not None:
                raise Misfit(value, wit_type, f"case {name!r} has no payload")
            return [name, None]
        if not given:
            raise Misfit(value, wit_type, f"case {name!r} needs a payload", f"Write Variant({name!r}, ...).")
        try:
            return [name, inner(payload)]
        except Misfit as misfit:
            raise misfit.under(f".{name}") from None

    return check


def _taken_apart(value: Any, wit_type: Type, expected: str) -> tuple[Any, Any, bool]:
    """Return case, payload, and whether a payload was given."""
    if isinstance(value, Variant):
        return value.case, value.payload, True
    if isinstance(value, str | enum.Enum):
        return value, None, False
    if isinstance(value, Mapping) and len(value) == 1:
        return (*next(iter(value.items())), True)
    if isinstance(value, list | tuple) and 1 <= len(value) <= 2 and isinstance(value[0], str | enum.Enum):
        return value[0], value[1] if len(value) == 2 else None, len(value) == 2
    raise Misfit(value, wit_type, not_a(value, expected))


def _enum(wit_type: EnumType) -> Check:
    exact = {c: c for c in wit_type.cases}
    labels = Labels(wit_type.cases)

    def check(value: Any) -> str:
        if type(value) is str and value in exact:
            return exact[value]
        name = labels.find(value)
        if name is not None:
            return name
        if not isinstance(value, str | enum.Enum):
            raise Misfit(value, wit_type, not_a(value, "a case's name"), f"Cases: {listed(exact)}.")
        word = value.name if isinstance(value, enum.Enum) else value
        raise Misfit(value, wit_type, "no such case", unknown(word, exact, "Cases"))

    return check


def _flags(wit_type: FlagsType) -> Check:
    labels = Labels(wit_type.names)

    def check(value: Any) -> list[str]:
        found = set()
        for flag in _set_flags(value, wit_type):
            name = labels.find(flag)
            if name is None:
                raise Misfit(value, wit_type, f"no flag {flag!r}", unknown(flag, wit_type.names, "Flags"))
            found.add(name)
        return [n for n in wit_type.names if n in found]

    return check


def _set_flags(value: Any, wit_type: FlagsType) -> list[Any]:
    if isinstance(value, enum.Flag):
        return [member.name for member in value]
    if isinstance(value, Mapping):
        for flag, is_set in value.items():
            if type(is_set) is not bool:
                raise Misfit(is_set, wit_type, not_a(is_set, "True or False")).under(f".{flag}")
        return [flag for flag, is_set in value.items() if is_set]
    if isinstance(value, Set | list | tuple):
        return list(value)
    raise Misfit(value, wit_type, not_a(value, "a set of names"), f"Flags: {listed(wit_type.names)}.")
