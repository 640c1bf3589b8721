"""The declarations of a world in TypeScript: what a cell may import, and what it must export.

This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkernel._toolchains.js.names import JsWorld, camel, method_of, pascal, short_name
from labkernel._toolchains.js.values import param, ts_type
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    Interface,
    ListType,
    NamedType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["Names", "declarations"]

_NAMED = (RecordType, VariantType, EnumType, FlagsType)


class Names:
    """Names of the world's declared types; two of one name in different interfaces get their interface's too."""

    def __init__(self, world: JsWorld) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._types: dict[str, Type] = {}
        for item in (*world.world.imports, *world.world.exports):
            for function in item.functions if isinstance(item, Interface) else (item,):
                for wit_type in (*(p.type for p in function.params), function.result):
                    self._add(wit_type)

    def _add(self, wit_type: Type | None) -> None:
        for inner in _parts(wit_type):
            self._add(inner)
        if not isinstance(wit_type, _NAMED) or not wit_type.name:
            return
        key = (wit_type.owner, wit_type.name)
        if key in self._names:
            return
        name = pascal(wit_type.name)
        if name in self._types:
            name = pascal(short_name(wit_type.owner)) + name
        while name in self._types:
            name += "_"
        self._names[key], self._types[name] = name, wit_type

    def of(self, wit_type: Type) -> str | None:
        """Return the name of a declared type, `None` for any other."""
        if isinstance(wit_type, _NAMED):
            return self._names.get((wit_type.owner, wit_type.name))
        return None

    def text(self, wit_type: Type | None, used: set[str]) -> str:
        """Return the type in TypeScript and add the names it stands on to `used`."""
        for inner in self._reached(wit_type):
            name = self.of(inner)
            if name:
                used.add(name)
        return ts_type(wit_type, self.of)

    def _reached(self, wit_type: Type | None) -> Iterator[Type]:
        if wit_type is not None:
            yield wit_type
            for inner in _parts(wit_type):
                yield from self._reached(inner)

    def declarations(self, used: set[str] | None = None, *, lead: str = "") -> str:
        """Return `type` declarations, of all types or of those used, in order of need."""
        lines = []
        for name, wit_type in self._types.items():
            if used is None or name in used:
                docs = _docs(getattr(wit_type, "docs", ""), "")
                body = ts_type(wit_type, lambda t, own=wit_type: None if t is own else self.of(t))  # type: ignore[misc]
                lines.append(f"{docs}{lead}type {name} ={_broken(body)};\n")
        return "".join(lines)


def _broken(body: str) -> str:
    """Return a long union with a line for each case, any other on the line."""
    if len(body) < 90 or not body.startswith(("{ tag", "'")):
        return f" {body}"
    return "".join(f"\n  | {part}" for part in re.split(r" \| (?=\{ tag|')", body))


def _parts(wit_type: Type | None) -> Iterator[Type | None]:
    match wit_type:
        case ListType(inner) | OptionType(inner):
            yield inner
        case ResultType(ok, err):
            yield from (ok, err)
        case TupleType(elements):
            yield from elements
        case RecordType(fields):
            yield from (f.type for f in fields)
        case VariantType(cases):
            yield from (c.type for c in cases)


def declarations(world: JsWorld) -> str:
    """Return a `.d.ts` for the cells of a world."""
    names = Names(world)
    parts = [
        f"// What a cell for the world {world.world.full_name} sees and gives.\n"
        "// An integer of 64 bits is a number up to 2^53 and a bigint beyond; both are taken.\n"
    ]
    types = names.declarations(lead="export ")
    if types:
        parts.append(types)
    if world.import_functions:
        lines = [_function(f, names, "declare function ") for f in world.import_functions]
        parts.append("// Imported functions are global.\n" + "".join(lines))
    parts += [_module(item, names) for item in world.import_interfaces]
    for each in world.exports:
        if not each.is_interface:
            parts.append(_function(each.functions[0], names, "export function "))
            continue
        lines = [
            f"  {line}" if line else ""
            for f in each.functions
            for line in _function(f, names, "").splitlines()
        ]
        lines += [
            f"  {pascal(name)}: {_class_type(functions, names)};" for name, functions in each.classes.items()
        ]
        text = "\n".join(lines)
        parts.append(f"export const {each.name}: {{\n{text}\n}};\n")
    return "\n".join(parts)


def _docs(text: str, indent: str) -> str:
    if not text:
        return ""
    lines = text.replace("*/", "* /").splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


def _signature(function: Function, names: Names, *, skip: int = 0) -> str:
    params = ", ".join(f"{param(p.name)}: {ts_type(p.type, names.of)}" for p in function.params[skip:])
    result = function.result
    value = result.ok if isinstance(result, ResultType) else result
    return f"({params}): {ts_type(value, names.of)}"


def _throws(function: Function, names: Names) -> str:
    result = function.result
    if not isinstance(result, ResultType):
        return function.docs
    thrown = "nothing in particular" if result.err is None else ts_type(result.err, names.of)
    return f"{function.docs}\n@throws {thrown}".lstrip()


def _function(function: Function, names: Names, lead: str) -> str:
    return (
        f"{_docs(_throws(function, names), '')}{lead}{camel(function.name)}{_signature(function, names)};\n"
    )


def _module(item: Interface, names: Names) -> str:
    lines = []
    classes: dict[str, list[Function]] = {}
    for named in item.types:
        if _is_resource(named):
            classes.setdefault(named.name, [])
    for function in item.functions:
        method = method_of(function)
        if method:
            classes.setdefault(method[1], []).append(function)
        else:
            lines += [f"  {line}" for line in _function(function, names, "export function ").splitlines()]
    for name, functions in classes.items():
        members = [f"    {member};" for member in (_member(f, names) for f in functions)]
        body = "\n".join(members)
        lines.append(
            f"  export class {pascal(name)} {{\n{body}\n  }}"
            if members
            else f"  export class {pascal(name)} {{}}"
        )
    text = "\n".join(lines)
    return f'declare module "{item.name}" {{\n{text}\n}}\n'


def _is_resource(named: NamedType) -> bool:
    return getattr(named.type, "text", "") == "resource" and not named.alias_of


def _member(function: Function, names: Names) -> str:
    kind, _, name = method_of(function) or ("", "", function.name)
    if kind == "constructor":
        return "constructor" + _signature(function, names).rpartition("): ")[0] + ")"
    if kind == "static":
        return f"static {camel(name)}{_signature(function, names)}"
    return f"{camel(name)}{_signature(function, names, skip=1)}"


def _class_type(functions: tuple[Function, ...], names: Names) -> str:
    members = []
    for function in functions:
        kind, _, name = method_of(function) or ("", "", function.name)
        if kind == "constructor":
            members.append("new" + _signature(function, names))
        elif kind == "static":
            members.append(f"{camel(name)}{_signature(function, names)}")
    return f"{{ {'; '.join(members)} }}"
