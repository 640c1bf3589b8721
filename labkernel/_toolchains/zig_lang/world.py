"""The module `world` that a cell sees: the world's types, and its imported functions as functions of Zig.

This module knows no tool and no cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labkernel._toolchains.zig_lang.names import Space, ZigWorld
from labkernel._toolchains.zig_lang.spelling import camel, method_name, quoted, resource_of, snake, title
from labkernel._values import layout
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    NamedType,
    OpaqueType,
    OptionType,
    RecordType,
    VariantType,
)

__all__ = ["world_file"]

_HEAD: Final = """const glue = @import("glue.zig");
const runtime = @import("runtime.zig");
const w = @This();

/// Makes memory that lives until the answer of the call is out.
pub const allocator = runtime.allocator;

comptime {
    _ = glue;
}
"""


def world_file(world: ZigWorld) -> str:
    """Return the module that a cell imports as `world`."""
    numbers = {(key, f.name): n for n, (key, f) in enumerate(world.imports)}
    own, *others = world.spaces
    parts = [_docs(own.docs or f"The world `{world.world.full_name}`.", "", "//!"), _HEAD]
    if "Result" not in {title(t.name) for t in own.types}:
        parts.append("pub const Result = runtime.Result;\n")
    parts.append("pub const panic = runtime.panic;\n")
    parts.append('pub const debug_io = @import("printing.zig").debug_io;\n')
    parts += _Face(world, own, "", numbers).lines()
    for space in others:
        inner = "".join(_Face(world, space, "    ", numbers).lines()).removeprefix("\n")
        parts.append(f"\n{_docs(space.docs)}pub const {quoted(space.name)} = struct {{\n{inner}}};\n")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Face:
    """Writes one namespace."""

    world: ZigWorld
    space: Space
    indent: str
    numbers: dict[tuple[str, str], int]

    def lines(self) -> Iterator[str]:
        for named in self.space.types:
            yield "\n" + _docs(named.docs, self.indent) + self._type(named)
        for function in self.space.imports:
            if not function.name.startswith("["):
                yield "\n" + self._function(function, camel(function.name), self.indent)

    def _type(self, named: NamedType) -> str:
        name, pad = title(named.name), self.indent
        target = self.world.path_of(named.type, self.space, named)
        own = f"{quoted(self.space.name)}.{name}" if self.space.name else name
        if target != own:
            return f"{pad}pub const {name} = w.{target};\n"
        match named.type:
            case OpaqueType():
                return self._resource(named.name)
            case RecordType() | VariantType() | EnumType() | FlagsType():
                return f"{pad}pub const {name} = {self._declaration(named.type)};\n"
            case _:
                return f"{pad}pub const {name} = {self.world.type_text(named.type, 'w.')};\n"

    def _declaration(self, t: RecordType | VariantType | EnumType | FlagsType) -> str:
        pad, text = self.indent, self.world.type_text
        match t:
            case RecordType(fields):
                head, rows = "struct", []
                for f in fields:
                    default = " = null" if isinstance(f.type, OptionType) else ""
                    rows.append((f.docs, f"{_member(f.name)}: {text(f.type, 'w.')}{default}"))
            case VariantType(cases):
                head = "union(enum)"
                rows = [
                    (c.docs, _member(c.name) + (f": {text(c.type, 'w.')}" if c.type else "")) for c in cases
                ]
            case EnumType(names):
                head = f"enum(u{8 * layout.discriminant_size(len(names))})"
                rows = [("", _member(n)) for n in names]
            case FlagsType(names):
                bits = 8 * max(1, layout.size(t))
                head, rows = f"packed struct(u{bits})", [("", f"{_member(n)}: bool = false") for n in names]
                if len(names) < bits:
                    rows.append(("", f"_unused: u{bits - len(names)} = 0"))
        inner = "".join(f"{_docs(docs, pad + '    ')}{pad}    {row},\n" for docs, row in rows)
        return f"{head} {{\n{inner}{pad}}}"

    def _resource(self, name: str) -> str:
        pad = self.indent
        if (self.space.key, name) in self.world.own_resources:
            own = self.world.own_resources.index((self.space.key, name))
            return f'{pad}pub const {title(name)} = @import("root").labkernel_cell.resource{own};\n'
        methods = [(f, method_name(f)) for f in self.space.imports if resource_of(f) == name]
        taken = {method for _, method in methods}
        rows = [f"{pad}    handle: u32,\n"]
        rows += ["\n" + self._function(f, method, pad + "    ") for f, method in methods]
        number = self.numbers.get((self.space.key, f"[resource-drop]{name}"))
        if number is not None:
            end = "deinit" if "deinit" not in taken else "drop"
            rows.append(
                f"\n{pad}    pub fn {end}(self: @This()) void {{\n{pad}        glue.import{number}(self);\n"
            )
            rows.append(f"{pad}    }}\n")
        return f"{pad}pub const {title(name)} = struct {{\n{''.join(rows)}{pad}}};\n"

    def _function(self, function: Function, name: str, pad: str) -> str:
        text = self.world.type_text
        names = [self._param(p.name) for p in function.params]
        params = ", ".join(f"{n}: {text(p.type, 'w.')}" for n, p in zip(names, function.params, strict=True))
        call = f"glue.import{self.numbers[self.space.key, function.name]}({', '.join(names)})"
        return (
            f"{_docs(function.docs, pad)}{pad}pub fn {quoted(name)}({params}) {text(function.result, 'w.')} {{\n"
            f"{pad}    return {call};\n{pad}}}\n"
        )

    def _param(self, name: str) -> str:
        made = snake(name)
        functions = {n for f in self.space.imports for n in (camel(f.name), method_name(f))}
        taken = functions | {s.name for s in self.world.spaces}
        taken |= {camel(f.name) for f in self.world.spaces[0].imports}
        is_taken = made in taken or made in ("w", "glue", "runtime", "allocator", "panic")
        return quoted(f"{made}_" if is_taken else made)


def _member(name: str) -> str:
    return quoted(snake(name), is_member=True)


def _docs(docs: str, pad: str = "", mark: str = "///") -> str:
    return "".join(f"{pad}{mark} {line}".rstrip() + "\n" for line in docs.expandtabs(4).splitlines())
