"""The starter cell of a world in Zig: every function it asks for, with an answer that compiles.

This module knows no tool.
"""

from __future__ import annotations

from typing import Final

from labkernel._toolchains.zig_lang.names import Exported, ZigWorld
from labkernel._toolchains.zig_lang.spelling import quoted, snake, title
from labkernel._wit import (
    EnumType,
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

__all__ = ["starter"]

#: Of a resource there is no value to begin with.
_HANDLE: Final = '@panic("not written yet")'
_ZERO: Final = {"bool": "false", "char": "'a'", "string": '""'}


def starter(world: ZigWorld) -> str:
    """Return functions at the top where their names are clear, and in a namespace elsewhere."""
    spaces: dict[str, list[Exported]] = {}
    spaces.update({title(name): [] for _, name in world.own_resources})
    for exported in world.exports:
        spaces.setdefault("" if exported.is_clear else exported.space, []).append(exported)
    parts = ["\n".join(_function(world, e) for e in spaces.pop("", []))]
    for name, members in spaces.items():
        body = "\n".join(_function(world, e) for e in members)
        inner = "".join(f"    {line}\n" if line else "\n" for line in body.splitlines())
        parts.append(f"const {quoted(name)} = struct {{\n{inner}}};\n")
    return "\n".join(part for part in parts if part) or "// The world asks for nothing.\n"


def _function(world: ZigWorld, exported: Exported) -> str:
    function = exported.function
    docs = "".join(f"/// {line}".rstrip() + "\n" for line in function.docs.splitlines())
    lines = [f"    _ = {quoted(world.param_name(p.name))};\n" for p in function.params]
    if function.result is not None:
        value = _default(function.result, world)
        lines.append(f"    return {value};\n" if _HANDLE not in value else f"    {_HANDLE};\n")
    body = f"\n{''.join(lines)}" if lines else ""
    return f"{docs}{world.signature(exported)} {{{body}}}\n"


def _default(wit_type: Type | None, world: ZigWorld) -> str:
    """Return an expression of the type, where the type is known from the place it stands in."""
    match wit_type:
        case None:
            return "{}"
        case Primitive(name):
            return _ZERO.get(name, "0")
        case ListType():
            return "&.{}"
        case OptionType():
            return "null"
        case ResultType(None, _):
            return ".ok"
        case ResultType(ok, _):
            return f".{{ .ok = {_default(ok, world)} }}"
        case TupleType(elements):
            return _braced([_default(e, world) for e in elements])
        case RecordType(fields):
            return _braced(
                [f".{quoted(snake(f.name), is_member=True)} = {_default(f.type, world)}" for f in fields]
            )
        case VariantType(cases):
            first = next((c for c in cases if c.type is None), cases[0])
            name = quoted(snake(first.name), is_member=True)
            return f".{name}" if first.type is None else f".{{ .{name} = {_default(first.type, world)} }}"
        case EnumType(names):
            return f".{quoted(snake(names[0]), is_member=True)}"
        case FlagsType():
            return ".{}"
        case HandleType(resource, "own", owner) if (owner, resource) in world.own_resources:
            return ".{}"
        case _:
            return _HANDLE


def _braced(parts: list[str]) -> str:
    return f".{{ {', '.join(parts)} }}" if parts else ".{}"
