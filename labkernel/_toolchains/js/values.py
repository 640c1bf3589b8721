"""WIT values and types in JavaScript's and TypeScript's words.

This module knows no tool and no cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from labkernel._toolchains.js.names import RESERVED, camel, pascal
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
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

__all__ = ["example", "key", "param", "quoted", "signature", "ts_type"]

_ZERO: Final = {"bool": "false", "char": "'a'", "string": "''"}
_TS: Final = {"bool": "boolean", "char": "string", "string": "string"}


def quoted(text: str) -> str:
    """Return a string literal.

    >>> quoted("object-added")
    "'object-added'"
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def key(name: str) -> str:
    """Return a property's name as an object literal writes it."""
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else quoted(name)


def example(wit_type: Type | None) -> str:
    """Return an expression of the type: zeros, empty lists, first cases.

    >>> example(TupleType((Primitive("u8"), Primitive("string"))))
    "[0, '']"
    """
    match wit_type:
        case None:
            return "undefined"
        case Primitive(name):
            return _ZERO.get(name, "0")
        case ListType(Primitive("u8")):
            return "new Uint8Array()"
        case ListType():
            return "[]"
        case OptionType():
            return "null"
        case ResultType(ok, _):
            return "{ tag: 'ok' }" if ok is None else f"{{ tag: 'ok', val: {example(ok)} }}"
        case TupleType(elements):
            return f"[{', '.join(map(example, elements))}]"
        case RecordType(fields):
            return f"{{ {', '.join(f'{key(camel(f.name))}: {example(f.type)}' for f in fields)} }}"
        case VariantType(cases):
            first = cases[0]
            val = "" if first.type is None else f", val: {example(first.type)}"
            return f"{{ tag: {quoted(first.name)}{val} }}"
        case EnumType(names):
            return quoted(names[0])
        case FlagsType():
            return "{}"
        case _:
            return "undefined"


def ts_type(wit_type: Type | None, named: Callable[[Type], str | None] = lambda _: None) -> str:
    """Return the type in TypeScript. `named` gives the name of a declared type, or `None` to spell it out.

    >>> ts_type(ListType(OptionType(Primitive("u32"))))
    '(number | null)[]'
    """
    if wit_type is None:
        return "void"
    name = named(wit_type)
    return name if name is not None else _spelled(wit_type, named)


def _spelled(wit_type: Type, named: Callable[[Type], str | None]) -> str:
    def of(inner: Type | None) -> str:
        return ts_type(inner, named)

    match wit_type:
        case Primitive(name):
            return _TS.get(name, "number")
        case ListType(Primitive("u8")):
            return "Uint8Array"
        case ListType(element):
            text = of(element)
            return f"({text})[]" if re.search(r"[|&]", text) and not text.startswith("{") else f"{text}[]"
        case OptionType(OptionType() as inner):
            return f"{{ tag: 'some', val: {of(inner)} }} | {{ tag: 'none' }}"
        case OptionType(payload):
            return f"{of(payload)} | null"
        case ResultType(ok, err):
            return " | ".join(_side(tag, side, of) for tag, side in (("ok", ok), ("err", err)))
        case TupleType(elements):
            return f"[{', '.join(map(of, elements))}]"
        case RecordType(fields):
            inner_text = ", ".join(
                f"{key(camel(f.name))}{'?' if isinstance(f.type, OptionType) else ''}: {of(f.type)}"
                for f in fields
            )
            return f"{{ {inner_text} }}"
        case VariantType(cases):
            return " | ".join(_side(c.name, c.type, of) for c in cases)
        case EnumType(names):
            return " | ".join(map(quoted, names))
        case FlagsType(names):
            return f"{{ {', '.join(f'{key(camel(n))}?: boolean' for n in names)} }}"
        case HandleType(resource):
            return pascal(resource)
        case _:
            return "unknown"


def _side(tag: str, payload: Type | None, of: Callable[[Type | None], str]) -> str:
    return f"{{ tag: {quoted(tag)} }}" if payload is None else f"{{ tag: {quoted(tag)}, val: {of(payload)} }}"


def signature(function: Function, *, lead: str = "function ") -> str:
    """Return how a cell declares a function.

    >>> from labkernel._wit import Param
    >>> signature(Function("put-it", (Param("item-name", Primitive("string")),)))
    'function putIt(itemName)'
    """
    return f"{lead}{camel(function.name)}({', '.join(param(p.name) for p in function.params)})"


def param(name: str) -> str:
    """Return a parameter's name, with an underscore where JavaScript reserves it."""
    made = camel(name)
    return f"{made}_" if made in RESERVED else made
