"""The normal form to what users hold in Python. It trusts the normal form: `_host` or a reader made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from labkernel._values.compiled import Compiled
from labkernel._values.handles import handle_maker
from labkernel._values.objects import Flags, Record, Some, Variant
from labkernel._wit import (
    FlagsType,
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["from_normal"]


def from_normal(normal: Any, wit_type: Type) -> Any:
    """Return the Python value of a normal form.

    Records become `Record`, variants and results `Variant`, flags `Flags`, tuples tuples, `list<u8>` bytes.

    >>> from labkernel._wit import EnumType
    >>> from_normal(["err", "down"], ResultType(None, EnumType(("up", "down"))))
    err('down')
    """
    convert = _convert_of(wit_type)
    return normal if convert is None else convert(normal)


def _make(wit_type: Type) -> Callable[[Any], Any] | None:
    """Return the conversion of a type, or `None` where the normal form is the Python value."""
    match wit_type:
        case ListType(Primitive()):
            return None
        case ListType(element):
            return _list(_convert_of(element))
        case TupleType(elements):
            return _tuple([_convert_of(e) for e in elements])
        case RecordType(fields):
            return _record([(f.name, _convert_of(f.type)) for f in fields])
        case OptionType(payload):
            return _option(_convert_of(payload), nested=isinstance(payload, OptionType))
        case ResultType(ok, err):
            return _variant({"ok": _payload(ok), "err": _payload(err)})
        case VariantType(cases):
            return _variant({c.name: _payload(c.type) for c in cases})
        case FlagsType():
            return Flags
        case HandleType():
            return handle_maker(wit_type)
        case _:
            return None


_Convert = Callable[[Any], Any] | None
_convert_of: Final[Compiled[_Convert]] = Compiled(_make)


def _payload(wit_type: Type | None) -> _Convert:
    return None if wit_type is None else _convert_of(wit_type)


def _list(element: _Convert) -> _Convert:
    return None if element is None else lambda normal: [element(item) for item in normal]


def _tuple(converts: list[_Convert]) -> _Convert:
    def convert(normal: Any) -> tuple[Any, ...]:
        return tuple(n if c is None else c(n) for n, c in zip(normal, converts, strict=True))

    return convert if any(converts) else tuple


def _record(fields: list[tuple[str, _Convert]]) -> _Convert:
    names = [name for name, _ in fields]
    deep = [(name, convert) for name, convert in fields if convert is not None]

    def convert(normal: Any) -> Record:
        made = Record(zip(names, normal, strict=True))
        for name, inner in deep:
            made[name] = inner(made[name])
        return made

    return convert


def _option(payload: _Convert, *, nested: bool) -> _Convert:
    def convert(normal: Any) -> Any:
        if normal is None:
            return None
        value = normal[0] if payload is None else payload(normal[0])
        return Some(value) if nested else value

    return convert


def _variant(payloads: dict[str, _Convert]) -> _Convert:
    def convert(normal: Any) -> Variant:
        case, payload = normal
        inner = payloads[case]
        return Variant(case, payload if inner is None else inner(payload))

    return convert
