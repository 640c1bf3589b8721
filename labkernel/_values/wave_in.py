"""WAVE text to the normal form: the tree of `wave_syntax` read against a type, by one reader per type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from labkernel._values.compiled import Compiled
from labkernel._values.misfit import Misfit, missing, unknown
from labkernel._values.wave_scalars import Read, misfit_at, scalar_reader, wrong_kind
from labkernel._values.wave_syntax import Node, parse
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

__all__ = ["parse_wave", "read_node"]


def parse_wave(text: str, wit_type: Type, path: str = "$") -> Any:
    """Return the normal form of a value written as WAVE.

    Raises `UsageError` where the text is no WAVE, `ValueDoesNotFit` where it is of another type.

    >>> parse_wave("{read, write}", FlagsType(("write", "read")))
    ['write', 'read']
    >>> parse_wave("[300]", ListType(Primitive("u8")))
    Traceback (most recent call last):
    labkernel._errors.ValueDoesNotFit: $[0]: 300 does not fit u8 (range 0 to 255). At column 2:
        [300]
         ^^^
    """
    return read_node(parse(text), wit_type, text, path)


def read_node(node: Node, wit_type: Type, text: str, path: str = "$") -> Any:
    """Return the normal form of a parsed value; `text` is what it was parsed from."""
    try:
        return _read_of(wit_type)(node)
    except Misfit as misfit:
        raise misfit.error(path, text) from None


def _make(wit_type: Type) -> Read:
    match wit_type:
        case Primitive():
            return scalar_reader(wit_type)
        case ListType(element):
            return _list(wit_type, element)
        case TupleType():
            return _tuple(wit_type)
        case RecordType():
            return _record(wit_type)
        case OptionType():
            return _option(wit_type)
        case ResultType():
            return _result(wit_type)
        case VariantType():
            return _variant(wit_type)
        case EnumType():
            return _enum(wit_type)
        case FlagsType():
            return _flags(wit_type)
        case HandleType():
            return _uncarried(wit_type, "a handle has no text: give the object with --args, or in Python")
        case OpaqueType():
            return _uncarried(wit_type, "values of this type cannot be written")


_read_of: Final[Compiled[Read]] = Compiled(_make)


def _uncarried(wit_type: Type, why: str) -> Read:
    def read(node: Node) -> Any:
        raise misfit_at(node, wit_type, why)

    return read


def _list(wit_type: Type, element: Type) -> Read:
    read_element = _read_of(element)
    pack: Callable[[list[Any]], Any] = bytes if element == Primitive("u8") else list

    def read(node: Node) -> Any:
        if node.kind != "list":
            raise wrong_kind(node, wit_type, "a list in [ ]")
        return pack(_each(node.value, [read_element] * len(node.value)))

    return read


def _tuple(wit_type: TupleType) -> Read:
    readers = [_read_of(e) for e in wit_type.elements]

    def read(node: Node) -> list[Any]:
        if node.kind != "tuple":
            raise wrong_kind(node, wit_type, "a tuple in ( )")
        if len(node.value) != len(readers):
            raise misfit_at(node, wit_type, f"{len(node.value)} elements, not {len(readers)}")
        return _each(node.value, readers)

    return read


def _each(nodes: list[Node], readers: list[Read]) -> list[Any]:
    made: list[Any] = []
    try:
        for node, read in zip(nodes, readers, strict=True):
            made.append(read(node))
    except Misfit as misfit:
        raise misfit.under(f"[{len(made)}]") from None
    return made


def _record(wit_type: RecordType) -> Read:
    readers = {f.name: _read_of(f.type) for f in wit_type.fields}
    required = [f.name for f in wit_type.fields if not isinstance(f.type, OptionType)]

    def read(node: Node) -> list[Any]:
        if node.kind != "record":
            raise wrong_kind(node, wit_type, "a record", _record_hint(node, required))
        found: dict[str, Any] = {}
        for name, start, end, value in node.value:
            reader = readers.get(name)
            if reader is None:
                hint = unknown(name, readers, "Fields")
                raise Misfit(None, wit_type, "no such field", hint, span=(start, end))
            try:
                found[name] = reader(value)
            except Misfit as misfit:
                raise misfit.under(f".{name}") from None
        absent = [name for name in required if name not in found]
        if absent:
            raise misfit_at(node, wit_type, missing(absent))
        return [found.get(name) for name in readers]

    return read


def _record_hint(node: Node, required: list[str]) -> str:
    if node.kind == "flags" and not node.value and not required:
        return "A record whose fields are all left out is written {:}."
    return "A record is written {field: value, ...}."


def _option(wit_type: OptionType) -> Read:
    payload = _read_of(wit_type.payload)
    flat = not isinstance(wit_type.payload, OptionType | ResultType)

    def read(node: Node) -> list[Any] | None:
        if node.kind == "none":
            return None
        if node.kind == "some":
            return [payload(node.value)]
        if flat:
            return [payload(node)]
        raise wrong_kind(node, wit_type, "some(...) or none")

    return read


def _result(wit_type: ResultType) -> Read:
    readers = {"ok": _payload(wit_type.ok), "err": _payload(wit_type.err)}
    flat_ok = readers["ok"]
    flat = wit_type.ok is not None and not isinstance(wit_type.ok, OptionType | ResultType)

    def read(node: Node) -> list[Any]:
        if node.kind in readers:
            return _with_payload(node, wit_type, node.kind, readers[node.kind], node.value)
        if flat and flat_ok is not None:
            return ["ok", flat_ok(node)]
        raise wrong_kind(node, wit_type, "ok(...) or err(...)" if wit_type.ok else "ok or err(...)")

    return read


def _variant(wit_type: VariantType) -> Read:
    readers = {c.name: _payload(c.type) for c in wit_type.cases}

    def read(node: Node) -> list[Any]:
        if node.kind == "label":
            name, payload = node.value, None
        elif node.kind == "case":
            name, payload = node.value
        else:
            raise wrong_kind(node, wit_type, "a case", _keyword_hint(node, readers))
        if name not in readers:
            raise misfit_at(node, wit_type, "no such case", unknown(name, readers, "Cases"))
        return _with_payload(node, wit_type, name, readers[name], payload)

    return read


def _payload(wit_type: Type | None) -> Read | None:
    return None if wit_type is None else _read_of(wit_type)


def _with_payload(
    node: Node, wit_type: Type, name: str, reader: Read | None, payload: Node | None
) -> list[Any]:
    if reader is None:
        if payload is not None:
            raise misfit_at(node, wit_type, f"case {name!r} has no payload")
        return [name, None]
    if payload is None:
        raise misfit_at(node, wit_type, f"case {name!r} needs a payload", f"Write {name}(...).")
    try:
        return [name, reader(payload)]
    except Misfit as misfit:
        raise misfit.under(f".{name}") from None


def _enum(wit_type: EnumType) -> Read:
    cases = {c: c for c in wit_type.cases}

    def read(node: Node) -> str:
        if node.kind != "label":
            raise wrong_kind(node, wit_type, "a case", _keyword_hint(node, cases))
        if node.value not in cases:
            raise misfit_at(node, wit_type, "no such case", unknown(node.value, cases, "Cases"))
        return cases[node.value]

    return read


def _keyword_hint(node: Node, cases: Mapping[str, Any]) -> str:
    """Say how to write a case that is also a WAVE keyword, or a case in quotes."""
    word = str(node.value).lower() if node.kind in ("bool", "number", "string") else node.kind
    if word not in cases:
        return ""
    if node.kind == "string":
        return f"Cases are written without quotes: {word}."
    return f"{word!r} is a WAVE keyword; as a case it is written %{word}."


def _flags(wit_type: FlagsType) -> Read:
    names = wit_type.names

    def read(node: Node) -> list[str]:
        if node.kind != "flags":
            raise wrong_kind(node, wit_type, "flags", "Flags are written {one, two}, none of them {}.")
        found = set()
        for name, start, end in node.value:
            if name not in names:
                hint = unknown(name, names, "Flags")
                raise Misfit(None, wit_type, "no such flag", hint, span=(start, end))
            found.add(name)
        return [n for n in names if n in found]

    return read
