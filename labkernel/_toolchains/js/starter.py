"""The starter cell of a world in JavaScript or TypeScript: every function it asks for, with an answer.

This module knows no tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labkernel._toolchains.js.names import RESERVED, JsWorld, camel, method_of, pascal
from labkernel._toolchains.js.typings import Names
from labkernel._toolchains.js.values import example, param, ts_type
from labkernel._wit import Function, ResultType

__all__ = ["starter"]


def starter(world: JsWorld, *, typed: bool) -> str:
    """Return exported functions, and an object for each interface whose names are not clear by themselves."""
    names = Names(world)
    parts, exported = [], []
    used: set[str] = set()
    for each in world.exports:
        flat = each.is_interface and not each.classes and all(map(world.is_flat, each.functions))
        if not each.is_interface or flat:
            for function in each.functions:
                text, rename = _function(function, names if typed else None, used)
                parts.append(text)
                exported += rename
            continue
        members = [_method(f, names if typed else None, used) for f in each.functions]
        members += [_class(name, own, names if typed else None, used) for name, own in each.classes.items()]
        parts.append(f"export const {each.name} = {{\n{''.join(members)}}};\n")
    if exported:
        parts.append(f"export {{ {', '.join(exported)} }};\n")
    types = names.declarations(used) if typed else ""
    return (f"{types}\n" if types else "") + "\n".join(parts)


def _class(resource: str, functions: Sequence[Function], names: Names | None, used: set[str]) -> str:
    members = [_member(function, names, used) for function in functions]
    return f"  {pascal(resource)}: class {{\n{''.join(members)}  }},\n"


def _member(function: Function, names: Names | None, used: set[str]) -> str:
    """Return a constructor, method or static function of a resource, as the class has it."""
    kind, _, name = method_of(function) or ("", "", "")
    given = replace(function, params=function.params[1:] if kind == "method" else function.params)
    if kind == "constructor":
        given = replace(given, result=None)
        head = f"constructor{_head(given, names, used).removesuffix(': void')}"
    else:
        head = f"{'static ' if kind == 'static' else ''}{camel(name)}{_head(given, names, used)}"
    return f"{_docs(function, '    ')}    {head} {{\n{_body(given, '      ')}    }}\n"


def _docs(function: Function, indent: str = "") -> str:
    return "".join(f"{indent}// {line}".rstrip() + "\n" for line in function.docs.splitlines())


def _head(function: Function, names: Names | None, used: set[str]) -> str:
    params = []
    for each in function.params:
        name = param(each.name)
        params.append(f"{name}: {names.text(each.type, used)}" if names else name)
    result = function.result.ok if isinstance(function.result, ResultType) else function.result
    returns = f": {ts_type(None) if result is None else names.text(result, used)}" if names else ""
    return f"({', '.join(params)}){returns}"


def _body(function: Function, indent: str) -> str:
    result = function.result
    lines = []
    if isinstance(result, ResultType) and result.err is not None:
        lines.append(f"{indent}// throw {example(result.err)};\n")
    value = result.ok if isinstance(result, ResultType) else result
    if value is not None:
        lines.append(f"{indent}return {example(value)};\n")
    return "".join(lines)


def _function(function: Function, names: Names | None, used: set[str]) -> tuple[str, list[str]]:
    name = camel(function.name)
    own = f"{name}_" if name in RESERVED else name
    lead = "function" if own != name else "export function"
    text = f"{_docs(function)}{lead} {own}{_head(function, names, used)} {{\n{_body(function, '  ')}}}\n"
    return text, [f"{own} as {name}"] if own != name else []


def _method(function: Function, names: Names | None, used: set[str]) -> str:
    head = f"  {camel(function.name)}{_head(function, names, used)}"
    return f"{_docs(function, '  ')}{head} {{\n{_body(function, '    ')}  }},\n"
