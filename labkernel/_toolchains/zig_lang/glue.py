"""The glue between a cell and the component model: a core function for each function exported and imported.

This module knows no tool, and of a cell only which functions it defines.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from labkernel._toolchains.zig_lang.abi import Carrier
from labkernel._toolchains.zig_lang.names import Exported, ZigWorld
from labkernel._values import layout
from labkernel._wit import Function, TupleType, Type

__all__ = ["Glue", "glue"]

_HEAD: Final = """const runtime = @import("runtime.zig");
const w = @import("world.zig");
const cell = @import("root").labkernel_cell;
"""


#: A resource of the cell's: values live in boxes, whose addresses the component model keeps.
_RESOURCE: Final = """const resource@NUMBER@ = struct {
    const T = cell.resource@NUMBER@;
    const Box = struct { value: T, is_taken: bool = false };
    const core = struct {
        extern "[export]@KEY@" fn @"[resource-new]@NAME@"(usize) u32;
        extern "[export]@KEY@" fn @"[resource-rep]@NAME@"(u32) usize;
        extern "[export]@KEY@" fn @"[resource-drop]@NAME@"(u32) void;
    };

    fn give(value: T) u32 {
        const box: *Box = @ptrFromInt(runtime.keep(@sizeOf(Box), @alignOf(Box)));
        box.* = .{ .value = value };
        return core.@"[resource-new]@NAME@"(@intFromPtr(box));
    }

    fn take(handle: u32) T {
        const box: *Box = @ptrFromInt(core.@"[resource-rep]@NAME@"(handle));
        const value = box.value;
        box.is_taken = true;
        core.@"[resource-drop]@NAME@"(handle);
        return value;
    }

    fn lent(address: u32) *T {
        const box: *Box = @ptrFromInt(address);
        return &box.value;
    }

    fn end(address: usize) callconv(.c) void {
        const box: *Box = @ptrFromInt(address);
        if (!box.is_taken and @hasDecl(cell, "deinit@NUMBER@")) cell.deinit@NUMBER@(&box.value);
        runtime.giveUp(address, @sizeOf(Box), @alignOf(Box));
    }
};
comptime {
    @export(&resource@NUMBER@.end, .{ .name = "@KEY@#[dtor]@NAME@" });
}
"""


@dataclass(slots=True)
class Glue:
    """The glue's text, and which of its lines belong to which exported function."""

    text: str = _HEAD
    lines: dict[int, Exported] = field(default_factory=dict)

    def add(self, text: str, exported: Exported | None = None) -> None:
        """Append a part, which stands for an exported function or for none."""
        self.text += "\n"
        start = self.text.count("\n") + 1
        self.text += text
        if exported is not None:
            self.lines.update(dict.fromkeys(range(start, start + text.count("\n")), exported))


def glue(world: ZigWorld, defined: Collection[int]) -> Glue:
    """Return the glue for a cell that defines the exported functions with these numbers."""
    carrier, made = Carrier(world), Glue()
    for number, (key, name) in enumerate(world.own_resources):
        made.add(_RESOURCE.replace("@NUMBER@", str(number)).replace("@KEY@", key).replace("@NAME@", name))
    for number in defined:
        exported = world.exports[number]
        made.add(_export(carrier, number, exported.function), exported)
    for number, (key, function) in enumerate(world.imports):
        made.add(_import(carrier, number, key or "$root", function))
    for text in carrier.functions:
        made.add(text)
    return made


def _export(carrier: Carrier, number: int, function: Function) -> str:
    params, results = layout.core_signature(function)
    before, arguments = _arguments(carrier, function)
    wanted = carrier.text(function.result)
    before.append(f"const value = runtime.answer({wanted}, cell.export{number}({', '.join(arguments)}));")
    lines, has_area = _answer(carrier, function.result)
    head = ", ".join(f"p{i}: {core}" for i, core in enumerate(params))
    text = _function(f"export{number}", f"{head}", results[0] if results else "void", [*before, *lines])
    text += _at_start(f'@export(&export{number}, .{{ .name = "{function.full_name}" }});')
    if has_area:
        text += _function(f"post{number}", "_: i32", "void", ["runtime.reset();"])
        text += _at_start(f'@export(&post{number}, .{{ .name = "cabi_post_{function.full_name}" }});')
    return text


def _function(name: str, params: str, result: str, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"fn {name}({params}) callconv(.c) {result} {{\n{body}}}\n"


def _at_start(statement: str) -> str:
    return f"comptime {{\n    {statement}\n}}\n"


def _arguments(carrier: Carrier, function: Function) -> tuple[list[str], list[str]]:
    """Return statements and, after them, the values that core parameters stand for."""
    types = [p.type for p in function.params]
    flat = [layout.flatten(t) for t in types]
    cores = [core for each in flat for core in each]
    if len(cores) > layout.MAX_FLAT_PARAMS:
        places = layout.offsets(types)
        lines = ["const args: usize = @intCast(p0);"]
        return lines, [carrier.load(t, f"args + {o}") for t, o in zip(types, places, strict=True)]
    if not cores:
        return [], [carrier.lift(t, "undefined") for t in types]
    slots = ", ".join(f"runtime.give({core}, p{i})" for i, core in enumerate(cores))
    lines = [f"const given = [_]u64{{ {slots} }};", "const slots: runtime.Slots = &given;"]
    values, at = [], 0
    for wit_type, each in zip(types, flat, strict=True):
        values.append(carrier.lift(wit_type, f"slots + {at}"))
        at += len(each)
    return lines, values


def _answer(carrier: Carrier, wit_type: Type | None) -> tuple[list[str], bool]:
    """Return the statements that give a value back, and whether it lies in memory until it is read."""
    if wit_type is None or not layout.flatten(wit_type):
        return ["_ = value;", "runtime.reset();"], False
    cores = layout.flatten(wit_type)
    if len(cores) > layout.MAX_FLAT_RESULTS:
        size, alignment = layout.size(wit_type), layout.align(wit_type)
        area = f"const at = runtime.allocate({size}, {alignment});"
        return [area, carrier.store(wit_type, "at", "value"), "return @intCast(at);"], True
    return [
        "var slot: [1]u64 = undefined;",
        carrier.lower(wit_type, "&slot", "value"),
        "runtime.reset();",
        f"return runtime.take({cores[0]}, slot[0]);",
    ], False


def _import(carrier: Carrier, number: int, module: str, function: Function) -> str:
    params, results = layout.core_signature(function, lowered=True)
    core = (
        f'extern "{module}" fn @"{function.name}"({", ".join(params)}) {results[0] if results else "void"};'
    )
    lines, arguments = _lowered(carrier, function)
    call = 'core.@"{}"({})'.format(function.name, ", ".join([*arguments, *_result_area(function)]))
    result = function.result
    if result is None:
        lines.append(f"{call};")
    elif _result_area(function):
        lines.append(f"const at = runtime.allocate({layout.size(result)}, {layout.align(result)});")
        lines += [f"{call};", f"return {carrier.load(result, 'at')};"]
    elif results:
        lines.append(f"const slot = [1]u64{{runtime.give({results[0]}, {call})}};")
        lines.append(f"return {carrier.lift(result, '&slot')};")
    else:
        lines += [f"{call};", f"return {carrier.lift(result, 'undefined')};"]
    head = ", ".join(f"a{i}: {carrier.text(p.type)}" for i, p in enumerate(function.params))
    body = "".join(f"    {line}\n" for line in lines)
    return (
        f"const import{number}_core = struct {{\n    {core}\n}};\n"
        f"pub fn import{number}({head}) {carrier.text(result)} {{\n"
        f"    const core = import{number}_core;\n{body}}}\n"
    )


def _result_area(function: Function) -> list[str]:
    is_wide = function.result is not None and len(layout.flatten(function.result)) > layout.MAX_FLAT_RESULTS
    return ["@intCast(at)"] if is_wide else []


def _lowered(carrier: Carrier, function: Function) -> tuple[list[str], list[str]]:
    """Return statements and, after them, the core values of the parameters."""
    types = [p.type for p in function.params]
    cores = [core for t in types for core in layout.flatten(t)]
    if len(cores) > layout.MAX_FLAT_PARAMS:
        whole = TupleType(tuple(types))
        lines = [f"const given = runtime.allocate({layout.size(whole)}, {layout.align(whole)});"]
        for i, (wit_type, offset) in enumerate(zip(types, layout.offsets(types), strict=True)):
            lines.append(carrier.store(wit_type, f"given + {offset}", f"a{i}"))
        return lines, ["@intCast(given)"]
    lines = [f"var slots: [{len(cores)}]u64 = undefined;", "const given: [*]u64 = &slots;"] if cores else []
    at = 0
    for i, wit_type in enumerate(types):
        lines.append(carrier.lower(wit_type, f"given + {at}" if cores else "undefined", f"a{i}"))
        at += len(layout.flatten(wit_type))
    return lines, [f"runtime.take({core}, slots[{i}])" for i, core in enumerate(cores)]
