"""The starter cell of a world in C++: every function it asks for, with an answer that compiles.

This module knows no tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labkernel._toolchains.cpp.header import Header, Prototype, title
from labkernel._toolchains.cpp.scaffold import homes, shortened, wanted
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

__all__ = ["starter"]

_PLAIN: Final = {
    "bool": "bool", "s8": "int8_t", "u8": "uint8_t", "s16": "int16_t", "u16": "uint16_t", "s32": "int32_t",
    "u32": "uint32_t", "s64": "int64_t", "u64": "uint64_t", "f32": "float", "f64": "double",
    "char": "uint32_t", "string": "wit::string",
}  # fmt: skip


def starter(header: Header) -> str:
    """Return functions at the top where their names are clear, and in a namespace elsewhere."""
    parts = list(_resources(header))
    spaces: dict[str, list[str]] = {}
    for function in header.world.functions():
        prototype = header.prototype_of(function)
        if prototype is not None:
            home = homes(prototype, header)[0].rpartition("::")[0]
            spaces.setdefault(home, []).append(_definition(prototype, function, header))
    parts += spaces.pop("", [])
    parts += [f"namespace {name} {{\n{''.join(found)}}}\n" for name, found in spaces.items()]
    return "\n".join(parts) or "// The world asks for nothing.\n"


def _definition(prototype: Prototype, function: Function, header: Header) -> str:
    docs = "".join(f"// {line}".rstrip() + "\n" for line in function.docs.splitlines())
    names = set(prototype.param_names())
    head = wanted(prototype, header)
    for name in names:
        head = head.replace(f" {name},", f" /*{name}*/,").replace(f" {name})", f" /*{name}*/)")
    if function.result is None:
        return f"{docs}{head} {{\n}}\n"
    return f"{docs}{head} {{\n    {_answer(function.result, header)}\n}}\n"


def _resources(header: Header) -> Iterator[str]:
    """Yield the state and the members of each exported resource."""
    seen = set()
    for member in header.members:
        kind = member.spaces[-1]
        if kind not in seen:
            seen.add(kind)
            yield f"// What a {kind} keeps.\nstruct {kind}::State {{\n}};\n"
        head = shortened(member.text(f"{kind}::{member.name}"), header)
        for name in member.param_names():
            head = head.replace(f" {name},", f" /*{name}*/,").replace(f" {name})", f" /*{name}*/)")
        if member.name == kind:
            yield f"{head} : state(new State{{}}) {{\n}}\n"
        else:
            yield f"{head} {{\n{'' if member.returns == 'void' else '    abort();' + chr(10)}}}\n"


def _answer(result: Type, header: Header) -> str:
    if _has_handle(result):
        return "abort(); // of a resource there is no value to begin with"
    return f"return {_default(result, header)};"


def _has_handle(wit_type: Type | None) -> bool:
    match wit_type:
        case HandleType():
            return True
        case RecordType(fields):
            return any(_has_handle(f.type) for f in fields)
        case TupleType(elements):
            return any(map(_has_handle, elements))
        case ResultType(ok, _):
            return _has_handle(ok)
        case VariantType(cases):
            return _has_handle(_first(cases))
        case _:
            return False


def _first(cases: object) -> Type | None:
    found = list(cases)  # type: ignore[call-overload]
    return None if any(c.type is None for c in found) else found[0].type


def _default(wit_type: Type | None, header: Header) -> str:
    """Return an expression of a type."""
    match wit_type:
        case Primitive("string"):
            return 'wit::string::from_view("")'
        case Primitive("bool"):
            return "false"
        case Primitive("char"):
            return "'a'"
        case Primitive():
            return "0"
        case OptionType():
            return "std::nullopt"
        case ResultType(None, _):
            return f"{_type(wit_type, header)}{{}}"
        case ResultType(ok, _):
            return f"{_type(wit_type, header)}{{{_default(ok, header)}}}"
        case TupleType(elements):
            return f"{_type(wit_type, header)}{{{', '.join(_default(e, header) for e in elements)}}}"
        case RecordType(fields):
            return f"{_type(wit_type, header)}{{{', '.join(_default(f.type, header) for f in fields)}}}"
        case VariantType(cases):
            case = next((c for c in cases if c.type is None), cases[0])
            path = _type(wit_type, header)
            inner = "" if case.type is None else _default(case.type, header)
            return f"{path}{{{path}::{title(case.name)}{{{inner}}}}}"
        case _:
            return f"{_type(wit_type, header)}{{}}"


def _type(wit_type: Type | None, header: Header) -> str:
    """Return a type as the cell writes it."""
    match wit_type:
        case None:
            return "void"
        case Primitive(name):
            return _PLAIN[name]
        case ListType(element):
            return f"wit::vector<{_type(element, header)}>"
        case OptionType(payload):
            return f"std::optional<{_type(payload, header)}>"
        case ResultType(ok, err):
            return f"std::expected<{_type(ok, header)}, {_type(err, header) if err else 'wit::Void'}>"
        case TupleType(elements):
            return f"std::tuple<{', '.join(_type(e, header) for e in elements)}>"
        case RecordType() | VariantType() | EnumType() | FlagsType():
            known = header.interfaces()
            space = "::".join(header.space_of(wit_type.owner if wit_type.owner in known else ""))
            path = f"{space}::{title(wit_type.name)}"
            found = [p for p in (path, f"exports::{path}") if p in header.types]
            found += [
                p
                for p in header.types
                if p.startswith("exports::") and p.endswith(f"::{title(wit_type.name)}")
            ]
            return shortened(f"::{found[0] if found else path}", header)
        case _:
            return ""
