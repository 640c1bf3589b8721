"""Types as WIT text that stands alone: every named type gets a declaration with a name of its own."""

from __future__ import annotations

from labkernel._errors import UsageError
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
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

__all__ = ["declare"]


def declare(wanted: Type | Function, *, result: bool = False) -> tuple[str, str]:
    """Return declarations, as the inside of an interface, and the type that uses them.

    A function's result is left out unless `result` is asked for. Raises `UsageError` for handles and for types
    that have no values in text.

    >>> from labkernel._wit import Primitive, RecordType, Field
    >>> declare(ListType(RecordType((Field("a", Primitive("u8")),))))
    ('record t0 { %a: u8 }', 'list<t0>')
    """
    writer = _Writer()
    if isinstance(wanted, Function):
        params = ", ".join(f"p{i}: {writer.text(p.type)}" for i, p in enumerate(wanted.params))
        answers = f" -> {writer.text(wanted.result)}" if result and wanted.result is not None else ""
        return "\n".join(writer.declarations), f"func({params}){answers}"
    text = writer.text(wanted)
    return "\n".join(writer.declarations), text


class _Writer:
    def __init__(self) -> None:
        self.declarations: list[str] = []
        self._names: dict[Type, str] = {}

    def text(self, wit_type: Type | None) -> str:
        match wit_type:
            case None:
                return "_"
            case Primitive(name):
                return name
            case ListType(inner):
                return f"list<{self.text(inner)}>"
            case OptionType(inner):
                return f"option<{self.text(inner)}>"
            case TupleType(elements):
                return f"tuple<{', '.join(map(self.text, elements))}>"
            case ResultType(None, None):
                return "result"
            case ResultType(ok, None):
                return f"result<{self.text(ok)}>"
            case ResultType(ok, err):
                return f"result<{self.text(ok)}, {self.text(err)}>"
            case HandleType(resource):
                raise UsageError(f"A handle to {resource!r} cannot be written as text: a call returns it.")
            case OpaqueType(text):
                raise UsageError(f"A {text} cannot be written as text: it has no values outside a component.")
            case _:
                return self._declared(wit_type)

    def _declared(self, wit_type: RecordType | VariantType | EnumType | FlagsType) -> str:
        known = self._names.get(wit_type)
        if known is not None:
            return known
        match wit_type:
            case RecordType(fields):
                keyword, parts = "record", [f"{f.name}: {self.text(f.type)}" for f in fields]
            case VariantType(cases):
                keyword, parts = "variant", [f"{c.name}{self._payload(c.type)}" for c in cases]
            case EnumType(names):
                keyword, parts = "enum", list(names)
            case FlagsType(names):
                keyword, parts = "flags", list(names)
        name = self._names[wit_type] = f"t{len(self._names)}"
        self.declarations.append(f"{keyword} {name} {{ {', '.join(f'%{part}' for part in parts)} }}")
        return name

    def _payload(self, wit_type: Type | None) -> str:
        return "" if wit_type is None else f"({self.text(wit_type)})"
