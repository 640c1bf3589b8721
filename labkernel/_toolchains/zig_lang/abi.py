"""The code that carries values between a cell's types and the component model's memory and core values.

For each type in use there are up to four functions: `load` and `store` for memory, `lift` and `lower` for
core values, which travel as 64-bit slots. This module knows no cell and no tool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from labkernel._toolchains.zig_lang.names import ZigWorld, quoted, snake
from labkernel._values import layout
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
                return [f"return @enumFromInt(runtime.get({_tag(t)}, at));"]
            case FlagsType():
                return [f"return @bitCast(runtime.get({_tag(t)}, at));"]
            case HandleType():
                return ["return .{ .handle = runtime.get(u32, at) };"]
            case OptionType(payload):
                inner = self.load(payload, f"at + {layout.payload_offset(t)}")
                return ["if (runtime.get(u8, at) == 0) return null;", f"return {inner};"]
            case RecordType() | TupleType():
                parts = [self.load(p, f"at + {o}") for p, o in _members(t)]
                return [f"return {_literal(t, parts)};"]
            case _:
                at = f"at + {layout.payload_offset(_variant(t))}"
                return self._cases_in(t, f"runtime.get({_tag(t)}, at)", lambda p: self.load(p, at))

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
                return [f"runtime.put({_tag(t)}, at, @intFromEnum(value));"]
            case FlagsType():
                return [f"runtime.put({_tag(t)}, at, @bitCast(value));"]
            case HandleType():
                return ["runtime.put(u32, at, value.handle);"]
            case OptionType(payload):
                inner = self.store(payload, f"at + {layout.payload_offset(t)}", "inner")
                return ["runtime.put(u8, at, @intFromBool(value != null));", f"if (value) |inner| {inner}"]
            case RecordType() | TupleType():
                return [
                    self.store(p, f"at + {o}", v) for (p, o), v in zip(_members(t), _values(t), strict=True)
                ]
            case _:
                at = f"at + {layout.payload_offset(_variant(t))}"
                tag = f"runtime.put({_tag(t)}, at, %d);"
                return self._cases_out(t, tag, lambda p: self.store(p, at, "inner"))

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
                return [f"return @enumFromInt(runtime.take({_tag(t)}, slots[0]));"]
            case FlagsType():
                return [f"return @bitCast(runtime.take({_tag(t)}, slots[0]));"]
            case HandleType():
                return ["return .{ .handle = runtime.take(u32, slots[0]) };"]
            case OptionType(payload):
                return ["if (slots[0] == 0) return null;", f"return {self.lift(payload, 'slots + 1')};"]
            case RecordType() | TupleType():
                parts = [self.lift(p, f"slots + {n}") for p, n in _flat_members(t)]
                return [f"return {_literal(t, parts)};"]
            case _:
                return self._cases_in(
                    t, f"runtime.take({_tag(t)}, slots[0])", lambda p: self.lift(p, "slots + 1")
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
                return [f"slots[0] = @as({_tag(t)}, @bitCast(value));"]
            case HandleType():
                return ["slots[0] = value.handle;"]
            case OptionType(payload):
                inner = self.lower(payload, "slots + 1", "inner")
                blank = [f"slots[{n}] = 0;" for n in range(len(layout.flatten(t)))]
                return [*blank, f"if (value) |inner| {{ slots[0] = 1; {inner} }}"]
            case RecordType() | TupleType():
                return [
                    self.lower(p, f"slots + {n}", v)
                    for (p, n), v in zip(_flat_members(t), _values(t), strict=True)
                ]
            case _:
                blank = [f"slots[{n}] = 0;" for n in range(1, len(layout.flatten(t)))]
                return [
                    *blank,
                    *self._cases_out(t, "slots[0] = %d;", lambda p: self.lower(p, "slots + 1", "inner")),
                ]

    # ----------------------------------------------------------------------------------------- lists and cases

    def _list_in(self, element: Type, start: str, length: str) -> list[str]:
        if _is_plain(element):
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
        if _is_plain(element):
            return [], "runtime.addressOf(value)"
        size, alignment = layout.size(element), layout.align(element)
        return [
            f"const start = runtime.allocate(value.len * {size}, {alignment});",
            f"for (value, 0..) |each, i| {self.store(element, f'start + i * {size}', 'each')}",
        ], "start"

    def _cases_in(self, t: Type, tag: str, payload: Callable[[Type], str]) -> list[str]:
        lines = [f"return switch ({tag}) {{"]
        for number, (name, inner) in enumerate(_cases(t)):
            value = f".{name}" if inner is None else f".{{ .{name} = {payload(inner)} }}"
            lines.append(f"    {number} => {value},")
        return [*lines, "    else => unreachable,", "};"]

    def _cases_out(self, t: Type, tag: str, payload: Callable[[Type], str]) -> list[str]:
        lines = ["switch (value) {"]
        for number, (name, inner) in enumerate(_cases(t)):
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


def _tag(t: Type) -> str:
    """Return the integer that holds a discriminant or flags."""
    match t:
        case FlagsType(names):
            return f"u{8 * max(1, layout.size(t))}" if len(names) <= 32 else "u64"
        case EnumType(names):
            return f"u{8 * layout.discriminant_size(len(names))}"
        case VariantType(cases):
            return f"u{8 * layout.discriminant_size(len(cases))}"
        case _:
            return "u8"


def _variant(t: Type) -> VariantType | ResultType:
    assert isinstance(t, VariantType | ResultType)
    return t


def _cases(t: Type) -> Sequence[tuple[str, Type | None]]:
    if isinstance(t, ResultType):
        return (("ok", t.ok), ("err", t.err))
    assert isinstance(t, VariantType)
    return [(quoted(snake(c.name), is_member=True), c.type) for c in t.cases]


def _parts(t: Type) -> Sequence[Type]:
    return [f.type for f in t.fields] if isinstance(t, RecordType) else getattr(t, "elements", ())


def _members(t: Type) -> list[tuple[Type, int]]:
    parts = _parts(t)
    return list(zip(parts, layout.offsets(parts), strict=True))


def _flat_members(t: Type) -> list[tuple[Type, int]]:
    found, at = [], 0
    for part in _parts(t):
        found.append((part, at))
        at += len(layout.flatten(part))
    return found


def _values(t: Type) -> list[str]:
    if isinstance(t, RecordType):
        return [f"value.{quoted(snake(f.name), is_member=True)}" for f in t.fields]
    return [f"value[{i}]" for i in range(len(_parts(t)))]


def _literal(t: Type, parts: Sequence[str]) -> str:
    if isinstance(t, RecordType):
        named = [
            f".{quoted(snake(f.name), is_member=True)} = {p}" for f, p in zip(t.fields, parts, strict=True)
        ]
        return f".{{ {', '.join(named)} }}"
    return f".{{ {', '.join(parts)} }}"


def _is_plain(t: Type) -> bool:
    """Whether a list of these lies in memory as Zig has it."""
    return isinstance(t, Primitive) and t.name not in ("string", "char")
