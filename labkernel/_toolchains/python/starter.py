"""The starter cell of a world in Python: every function it asks for, with an answer of the right type.

This module knows no tool.
"""

from __future__ import annotations

import textwrap
from typing import Final

from labkernel._toolchains.python.names import (
    Export,
    camel,
    case_class,
    exports_of,
    shouty,
    signature,
)
from labkernel._wit import (
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = ["starter"]

_ZERO: Final = {"bool": "False", "char": '"a"', "string": '""', "f32": "0.0", "f64": "0.0"}


def starter(world: World) -> str:
    """Return a definition of every function, with what it is to answer as a hint."""
    classes: dict[str, list[str]] = {}
    parts: list[str] = []
    for export in exports_of(world):
        if not export.kind:
            parts.append(_function(export))
            continue
        owner = export.name.rpartition(".")[0]
        members = classes.setdefault(owner, [])
        members.append(textwrap.indent(_function(export), "    "))
    found = [f"class {name}:\n" + "\n".join(members) for name, members in classes.items()]
    return "\n\n".join([*found, *parts]) or "# The world asks for no function.\n"


def _function(export: Export) -> str:
    function = export.function
    docs = "".join(f"# {line}".rstrip() + "\n" for line in function.docs.splitlines())
    lines = [f"    # {function.text}"]
    result = function.result
    if isinstance(result, ResultType) and result.err is not None:
        lines.append(f"    # or: raise Err({_default(result.err)})")
    elif isinstance(result, ResultType):
        lines.append("    # or: raise Err(None)")
    answered = result.ok if export.unwraps and isinstance(result, ResultType) else result
    answer = "None" if export.kind == "constructor" else _default(answered)
    lines.append(f"    return {answer}" if result is not None and answer != "None" else "    return")
    head = "@staticmethod\n" if export.kind == "static" else ""
    return f"{docs}{head}{signature(export, hints=False)}:\n" + "\n".join(lines) + "\n"


def _default(wit_type: Type | None) -> str:
    """Return an expression of the type."""
    match wit_type:
        case Primitive(name):
            return _ZERO.get(name, "0")
        case ListType(element):
            return 'b""' if element == Primitive("u8") else "[]"
        case ResultType(ok, _):
            return f"Ok({_default(ok)})"
        case TupleType(elements):
            inner = ", ".join(_default(e) for e in elements)
            return f"({inner}{',' if len(elements) == 1 else ''})"
        case RecordType(fields):
            return f"{camel(wit_type.name)}({', '.join(_default(f.type) for f in fields)})"
        case VariantType(cases):
            first = next((c for c in cases if c.type is None), cases[0])
            return f"{case_class(wit_type.name, first.name)}({'' if first.type is None else _default(first.type)})"
        case EnumType(names):
            return f"{camel(wit_type.name)}.{shouty(names[0])}"
        case FlagsType():
            return f"{camel(wit_type.name)}(0)"
        case OptionType() | None:
            return "None"
        case _:
            return "..."
