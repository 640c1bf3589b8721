"""WIT types as frozen records, with their text and their plain-data form.

Names, owners and docs do not take part in equality: two types are equal when the canonical ABI cannot
tell them apart. Plain data (`to_data`, `from_data`) is what travels between processes and into files:
a string for a primitive, otherwise a list that starts with the constructor's WIT keyword.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

__all__ = [
    "MOST_PARTS",
    "PRIMITIVES",
    "Case",
    "EnumType",
    "Field",
    "FlagsType",
    "HandleType",
    "ListType",
    "OpaqueType",
    "OptionType",
    "Primitive",
    "RecordType",
    "ResultType",
    "TupleType",
    "Type",
    "VariantType",
    "from_data",
    "has_handle",
    "parts",
    "to_data",
    "type_text",
]

MOST_PARTS: Final = 50_000
"""How many types the functions of one package or component may mention, each written out with all it holds.

WIT and components share types, so that a few lines can mean millions: here they are written out, in the notebook's
own process. All of WASI 0.2 has about 5,000.
"""
PRIMITIVES: Final = (
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts, by its WIT keyword (one of `PRIMITIVES`)."""

    name: str


@dataclass(frozen=True, slots=True)
class ListType:
    """`list<element>`."""

    element: Type


@dataclass(frozen=True, slots=True)
class OptionType:
    """`option<payload>`."""

    payload: Type


@dataclass(frozen=True, slots=True)
class ResultType:
    """`result<ok, err>`; `None` is a side without a payload (`_`)."""

    ok: Type | None = None
    err: Type | None = None


@dataclass(frozen=True, slots=True)
class TupleType:
    """`tuple<...>`."""

    elements: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record."""

    name: str
    type: Type
    docs: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record. `owner` is the interface or world that declares it."""

    fields: tuple[Field, ...]
    name: str = field(default="", compare=False)
    owner: str = field(default="", compare=False)
    docs: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a variant; `type` is `None` where it has no payload."""

    name: str
    type: Type | None = None
    docs: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class VariantType:
    """A variant."""

    cases: tuple[Case, ...]
    name: str = field(default="", compare=False)
    owner: str = field(default="", compare=False)
    docs: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class EnumType:
    """An enum, by the names of its cases."""

    cases: tuple[str, ...]
    name: str = field(default="", compare=False)
    owner: str = field(default="", compare=False)
    docs: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FlagsType:
    """Flags, by their names."""

    names: tuple[str, ...]
    name: str = field(default="", compare=False)
    owner: str = field(default="", compare=False)
    docs: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class HandleType:
    """`own<resource>` or `borrow<resource>`; `kind` is `"own"` or `"borrow"`."""

    resource: str
    kind: str = "own"
    owner: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """A type the lab shows but does not carry (`future`, `stream`, `error-context`), by its text."""

    text: str


Type: TypeAlias = (
    Primitive | ListType | OptionType | ResultType | TupleType | RecordType | VariantType | EnumType
    | FlagsType | HandleType | OpaqueType
)  # fmt: skip


def type_text(wit_type: Type | None) -> str:
    """Return the type as WIT writes it: named types by name, anonymous ones spelled out.

    >>> type_text(ListType(OptionType(Primitive("u8"))))
    'list<option<u8>>'
    """
    match wit_type:
        case None:
            return "_"
        case Primitive(name):
            return name
        case ListType(element):
            return f"list<{type_text(element)}>"
        case OptionType(payload):
            return f"option<{type_text(payload)}>"
        case TupleType(elements):
            return f"tuple<{', '.join(map(type_text, elements))}>"
        case ResultType(None, None):
            return "result"
        case ResultType(ok, None):
            return f"result<{type_text(ok)}>"
        case ResultType(ok, err):
            return f"result<{type_text(ok)}, {type_text(err)}>"
        case HandleType(resource, kind):
            return f"borrow<{resource}>" if kind == "borrow" else resource
        case OpaqueType(text):
            return text
        case RecordType() | VariantType() | EnumType() | FlagsType():
            return wit_type.name or body_text(wit_type)


def body_text(wit_type: RecordType | VariantType | EnumType | FlagsType) -> str:
    """Return the declaration of a named type on one line, without its name.

    >>> body_text(EnumType(("a", "b")))
    'enum { a, b }'
    """
    match wit_type:
        case RecordType(fields):
            inner = ", ".join(f"{f.name}: {type_text(f.type)}" for f in fields)
            return f"record {{ {inner} }}"
        case VariantType(cases):
            inner = ", ".join(c.name if c.type is None else f"{c.name}({type_text(c.type)})" for c in cases)
            return f"variant {{ {inner} }}"
        case EnumType(cases):
            return f"enum {{ {', '.join(cases)} }}"
        case FlagsType(names):
            return f"flags {{ {', '.join(names)} }}"


def to_data(wit_type: Type | None) -> Any:
    """Return the type as plain data (strings, lists and `None`)."""
    match wit_type:
        case None:
            return None
        case Primitive(name):
            return name
        case ListType(element):
            return ["list", to_data(element)]
        case OptionType(payload):
            return ["option", to_data(payload)]
        case ResultType(ok, err):
            return ["result", to_data(ok), to_data(err)]
        case TupleType(elements):
            return ["tuple", [to_data(e) for e in elements]]
        case RecordType(fields):
            return ["record", [[f.name, to_data(f.type), f.docs] for f in fields], *_named(wit_type)]
        case VariantType(cases):
            return ["variant", [[c.name, to_data(c.type), c.docs] for c in cases], *_named(wit_type)]
        case EnumType(names) | FlagsType(names):
            return ["enum" if isinstance(wit_type, EnumType) else "flags", list(names), *_named(wit_type)]
        case HandleType(resource, kind, owner):
            return [kind, resource, owner]
        case OpaqueType(text):
            return ["opaque", text]


def _named(wit_type: RecordType | VariantType | EnumType | FlagsType) -> list[str]:
    return [wit_type.name, wit_type.owner, wit_type.docs]


def from_data(data: Any) -> Type | None:
    """Return the type that `to_data` gave this data for.

    Raises `ValueError` for data of another shape.
    """
    if data is None:
        return None
    if isinstance(data, str):
        if data not in PRIMITIVES:
            raise ValueError(f"unknown WIT type {data!r}")
        return Primitive(data)
    make = _MAKERS.get(data[0])
    if make is None:
        raise ValueError(f"unknown WIT type constructor {data[0]!r}")
    return make(*data)


def _some(data: Any) -> Type:
    wit_type = from_data(data)
    if wit_type is None:
        raise ValueError("a WIT type is missing")
    return wit_type


def _record(_: str, fields: Any, name: str = "", owner: str = "", docs: str = "") -> Type:
    return RecordType(tuple(Field(f[0], _some(f[1]), *f[2:]) for f in fields), name, owner, docs)


def _variant(_: str, cases: Any, name: str = "", owner: str = "", docs: str = "") -> Type:
    return VariantType(tuple(Case(c[0], from_data(c[1]), *c[2:]) for c in cases), name, owner, docs)


def _enum(_: str, names: Any, name: str = "", owner: str = "", docs: str = "") -> Type:
    return EnumType(tuple(names), name, owner, docs)


def _flags(_: str, names: Any, name: str = "", owner: str = "", docs: str = "") -> Type:
    return FlagsType(tuple(names), name, owner, docs)


_MAKERS: Final[dict[str, Callable[..., Type]]] = {
    "list": lambda _, e: ListType(_some(e)),
    "option": lambda _, p: OptionType(_some(p)),
    "result": lambda _, ok, err: ResultType(from_data(ok), from_data(err)),
    "tuple": lambda _, es: TupleType(tuple(_some(e) for e in es)),
    "record": _record,
    "variant": _variant,
    "enum": _enum,
    "flags": _flags,
    "own": lambda kind, resource, owner="": HandleType(resource, kind, owner),
    "borrow": lambda kind, resource, owner="": HandleType(resource, kind, owner),
    "opaque": lambda _, text: OpaqueType(text),
}


def parts(wit_type: Type) -> Iterator[Type]:
    """Yield the type and every type in it."""
    yield wit_type
    inner: list[Type | None] = []
    match wit_type:
        case ListType(part) | OptionType(part):
            inner = [part]
        case ResultType(ok, err):
            inner = [ok, err]
        case TupleType(elements):
            inner = list(elements)
        case RecordType(fields):
            inner = [f.type for f in fields]
        case VariantType(cases):
            inner = [k.type for k in cases]
    for found in inner:
        if found is not None:
            yield from parts(found)


def has_handle(wit_type: Type | None) -> bool:
    """Whether a value of the type holds handles to resources.

    >>> has_handle(ListType(HandleType("counter"))), has_handle(Primitive("u8")), has_handle(None)
    (True, False, False)
    """
    return wit_type is not None and any(isinstance(part, HandleType) for part in parts(wit_type))
