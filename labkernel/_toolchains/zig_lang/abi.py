"""The code that carries values between a cell's types and the component model's memory and core values.

For each type in use there are up to four functions: `load` and `store` for memory, `lift` and `lower` for
core values, which travel as 64-bit slots. This module knows no cell and no tool.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from labkernel._toolchains.zig_lang.names import ZigWorld
from labkernel._toolchains.zig_lang.shape import (
    cases,
    flat_members,
    is_plain,
    literal,
    members,
    tag,
    values,
    variant,
)
from labkernel._values import layout
from labkernel._wit import (
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    TupleType,
    Type,
)

__all__ = ["Carrier"]

_NUMBERS: Final = {
    "bool": "u8", "s8": "i8", "u8": "u8", "s16": "i16", "u16": "u16", "s32": "i32", "u32": "u32", "s64": "i64",
    "u64": "u64", "f32": "f32", "f64": "f64", "char": "u32",
}  # fmt: skip


class Carrier:
    """Writes the functions for the types it is asked about, each once."""

    def __init__(self, world: ZigWorld) -> None:
        self._world = world
        self._made: dict[tuple[str, str], str] = {}
        self.functions: list[str] = []

    def text(self, wit_type: Type | None) -> str:
        """Return the type as the glue writes it."""
        return self._world.type_text(wit_type, "w.")

    def load(self, wit_type: Type, address: str) -> str:
        """Return an expression: the value that lies at an address."""
        return f"{self._function('load', wit_type)}({address})"

    def store(self, wit_type: Type, address: str, value: str) -> str:
        """Return a statement that puts a value at an address."""
        return f"{self._function('store', wit_type)}({address}, {value});"

    def lift(self, wit_type: Type, slots: str) -> str:
        """Return an expression: the value in the slots from here on."""
        return f"{self._function('lift', wit_type)}({slots})"

    def lower(self, wit_type: Type, slots: str, value: str) -> str:
        """Return a statement that puts a value into the slots from here on."""
        return f"{self._function('lower', wit_type)}({slots}, {value});"

    def _function(self, kind: str, wit_type: Type) -> str:
        key = (kind, self.text(wit_type))
        if key not in self._made:
            name = self._made[key] = f"{kind}{len(self._made)}"
            head, write = _KINDS[kind]
            body = write(self, wit_type)
            lines = "".join(f"    {line}\n" for line in body)
            self.functions.append(f"fn {name}{head.replace('$', key[1])} {{\n{lines}}}\n")
        return self._made[key]

    # ------------------------------------------------------------------------------------------------- memory

    def _load(self, t: Type) -> list[str]:
        match t:
            case Primitive("string"):
                return ["return runtime.slice(u8, runtime.get(usize, at), runtime.get(usize, at + 4));"]
            case Primitive("bool"):
                return ["return runtime.get(u8, at) != 0;"]
            case Primitive("char"):
                return ["return @intCast(runtime.get(u32, at));"]
            case Primitive(name):
                return [f"return runtime.get({_NUMBERS[name]}, at);"]
            case ListType(element):
                return self._list_in(element, "runtime.get(usize, at)", "runtime.get(usize, at + 4)")
            case EnumType():
                return [f"return @enumFromInt(runtime.get({tag(t)}, at));"]
            case FlagsType():
                return [f"return @bitCast(runtime.get({tag(t)}, at));"]
            case HandleType():
                return [f"return {self._handle_in(t, 'runtime.get(u32, at)')};"]
            case OptionType(payload):
                inner = self.load(payload, f"at + {layout.payload_offset(t)}")
                return ["if (runtime.get(u8, at) == 0) return null;", f"return {inner};"]
            case RecordType() | TupleType():
                parts = [self.load(p, f"at + {o}") for p, o in members(t)]
                return [f"return {literal(t, parts)};"]
            case _:
                at = f"at + {layout.payload_offset(variant(t))}"
                return self._cases_in(t, f"runtime.get({tag(t)}, at)", lambda p: self.load(p, at))

    def _store(self, t: Type) -> list[str]:
        match t:
            case Primitive("bool"):
                return ["runtime.put(u8, at, @intFromBool(value));"]
            case Primitive("string"):
                return [
                    "runtime.put(usize, at, runtime.addressOf(value));",
                    "runtime.put(usize, at + 4, value.len);",
                ]
            case Primitive(name):
                return [f"runtime.put({_NUMBERS[name]}, at, value);"]
            case ListType(element):
                lines, start = self._list_out(element)
                return [*lines, f"runtime.put(usize, at, {start});", "runtime.put(usize, at + 4, value.len);"]
            case EnumType():
                return [f"runtime.put({tag(t)}, at, @intFromEnum(value));"]
            case FlagsType():
                return [f"runtime.put({tag(t)}, at, @bitCast(value));"]
            case HandleType():
                return [f"runtime.put(u32, at, {self._handle_out(t)});"]
            case OptionType(payload):
                inner = self.store(payload, f"at + {layout.payload_offset(t)}", "inner")
                return ["runtime.put(u8, at, @intFromBool(value != null));", f"if (value) |inner| {inner}"]
            case RecordType() | TupleType():
                return [
                    self.store(p, f"at + {o}", v) for (p, o), v in zip(members(t), values(t), strict=True)
                ]
            case _:
                at = f"at + {layout.payload_offset(variant(t))}"
                return self._cases_out(
                    t, f"runtime.put({tag(t)}, at, %d);", lambda p: self.store(p, at, "inner")
                )

    # --------------------------------------------------------------------------------------------- core values

    def _lift(self, t: Type) -> list[str]:
        match t:
            case Primitive("string"):
                return [
                    "return runtime.slice(u8, runtime.take(usize, slots[0]), runtime.take(usize, slots[1]));"
                ]
            case Primitive("char"):
                return ["return runtime.take(u21, slots[0]);"]
            case Primitive(name):
                return [f"return runtime.take({'bool' if name == 'bool' else _NUMBERS[name]}, slots[0]);"]
            case ListType(element):
                return self._list_in(
                    element, "runtime.take(usize, slots[0])", "runtime.take(usize, slots[1])"
                )
            case EnumType():
                return [f"return @enumFromInt(runtime.take({tag(t)}, slots[0]));"]
            case FlagsType():
                return [f"return @bitCast(runtime.take({tag(t)}, slots[0]));"]
            case HandleType():
                return [f"return {self._handle_in(t, 'runtime.take(u32, slots[0])')};"]
            case OptionType(payload):
                return ["if (slots[0] == 0) return null;", f"return {self.lift(payload, 'slots + 1')};"]
            case RecordType() | TupleType():
                parts = [self.lift(p, f"slots + {n}") for p, n in flat_members(t)]
                return [f"return {literal(t, parts)};"]
            case _:
                return self._cases_in(
                    t, f"runtime.take({tag(t)}, slots[0])", lambda p: self.lift(p, "slots + 1")
                )

    def _lower(self, t: Type) -> list[str]:
        match t:
            case Primitive("string"):
                return ["slots[0] = runtime.addressOf(value);", "slots[1] = value.len;"]
            case Primitive(name):
                number = {"bool": "bool", "char": "u21"}.get(name, _NUMBERS[name])
                return [f"slots[0] = runtime.give({number}, value);"]
            case ListType(element):
                lines, start = self._list_out(element)
                return [*lines, f"slots[0] = {start};", "slots[1] = value.len;"]
            case EnumType():
                return ["slots[0] = @intFromEnum(value);"]
            case FlagsType():
                return [f"slots[0] = @as({tag(t)}, @bitCast(value));"]
            case HandleType():
                return [f"slots[0] = {self._handle_out(t)};"]
            case OptionType(payload):
                inner = self.lower(payload, "slots + 1", "inner")
                blank = [f"slots[{n}] = 0;" for n in range(len(layout.flatten(t)))]
                return [*blank, f"if (value) |inner| {{ slots[0] = 1; {inner} }}"]
            case RecordType() | TupleType():
                return [
                    self.lower(p, f"slots + {n}", v)
                    for (p, n), v in zip(flat_members(t), values(t), strict=True)
                ]
            case _:
                blank = [f"slots[{n}] = 0;" for n in range(1, len(layout.flatten(t)))]
                return [
                    *blank,
                    *self._cases_out(t, "slots[0] = %d;", lambda p: self.lower(p, "slots + 1", "inner")),
                ]

    # ------------------------------------------------------------------------------------------------ handles

    def _handle_in(self, t: HandleType, number: str) -> str:
        """Return the value that a handle stands for: of a resource of the cell's, what the cell has made."""
        own = self._world.own_resources
        if (t.owner, t.resource) not in own:
            return f".{{ .handle = {number} }}"
        taken = "lent" if t.kind == "borrow" else "take"
        return f"resource{own.index((t.owner, t.resource))}.{taken}({number})"

    def _handle_out(self, t: HandleType) -> str:
        own = self._world.own_resources
        if (t.owner, t.resource) not in own:
            return "value.handle"
        return f"resource{own.index((t.owner, t.resource))}.give(value)"

    # ----------------------------------------------------------------------------------------- lists and cases

    def _list_in(self, element: Type, start: str, length: str) -> list[str]:
        if is_plain(element):
            return [f"return runtime.slice({self.text(element)}, {start}, {length});"]
        size = layout.size(element)
        return [
            f"const start = {start};",
            f"const made = runtime.list({self.text(element)}, {length});",
            f"for (made, 0..) |*each, i| each.* = {self.load(element, f'start + i * {size}')};",
            "return made;",
        ]

    def _list_out(self, element: Type) -> tuple[list[str], str]:
        """Return statements, and the address of the list's elements in memory after them."""
        if is_plain(element):
            return [], "runtime.addressOf(value)"
        size, alignment = layout.size(element), layout.align(element)
        return [
            f"const start = runtime.allocate(value.len * {size}, {alignment});",
            f"for (value, 0..) |each, i| {self.store(element, f'start + i * {size}', 'each')}",
        ], "start"

    def _cases_in(self, t: Type, tag: str, payload: Callable[[Type], str]) -> list[str]:
        lines = [f"return switch ({tag}) {{"]
        for number, (name, inner) in enumerate(cases(t)):
            value = f".{name}" if inner is None else f".{{ .{name} = {payload(inner)} }}"
            lines.append(f"    {number} => {value},")
        return [*lines, "    else => unreachable,", "};"]

    def _cases_out(self, t: Type, tag: str, payload: Callable[[Type], str]) -> list[str]:
        lines = ["switch (value) {"]
        for number, (name, inner) in enumerate(cases(t)):
            body = "" if inner is None else f" {payload(inner)}"
            lines.append(f"    .{name} => {'|inner| ' if inner else ''}{{ {tag % number}{body} }},")
        return [*lines, "}"]


_Writer = Callable[[Carrier, Type], list[str]]
_KINDS: Final[dict[str, tuple[str, _Writer]]] = {
    "load": ("(at: usize) $", Carrier._load),
    "store": ("(at: usize, value: $) void", Carrier._store),
    "lift": ("(slots: runtime.Slots) $", Carrier._lift),
    "lower": ("(slots: [*]u64, value: $) void", Carrier._lower),
}
