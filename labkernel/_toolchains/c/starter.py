"""The starter cell of a world in C: every function it asks for, with an answer that compiles.

This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkernel._toolchains.c.header import Header, Prototype
from labkernel._toolchains.c.names import shortened
from labkernel._wit import Function

__all__ = ["starter"]


def starter(header: Header) -> str:
    """Return definitions of all exported functions; their results are zeros, which is `ok` for a result."""
    functions = {p.name: f for f in header.world.functions() if (p := header.prototype_of(f))}
    bodies = [_definition(p, functions.get(p.name), header) for p in header.exported]
    needs_memset = any("memset(" in body for body in bodies)
    return ("#include <string.h>\n\n" if needs_memset else "") + "\n".join(bodies)


def _definition(prototype: Prototype, function: Function | None, header: Header) -> str:
    docs = "".join(f"// {line}".rstrip() + "\n" for line in (function.docs.splitlines() if function else []))
    lines = [*_frees(prototype, function, header)]
    lines += [f"    memset({name}, 0, sizeof *{name});" for name in _results(prototype)]
    if prototype.returns == "bool":
        lines.append("    return true;")
    elif prototype.returns in header.types and not _is_number(prototype.returns, header):
        lines.append(f"    return ({shortened(prototype.returns, header)}){{0}};")
    elif prototype.returns != "void":
        lines.append("    return 0;")
    body = "\n".join(lines)
    return (
        f"{docs}{shortened(prototype.text(), header)} {{\n{body}\n}}\n"
        if body
        else (f"{docs}{shortened(prototype.text(), header)} {{\n}}\n")
    )


def _frees(prototype: Prototype, function: Function | None, header: Header) -> Iterator[str]:
    """Yield what gives back the memory of arguments, which is the callee's by the canonical ABI."""
    known, aliases = {f.name for f in header.functions}, header.aliases()
    count = len(function.params) if function else 0
    begin = "    // Arguments are the function's own: what it does not free adds up over many calls.\n"
    for param in prototype.params.split(", ")[:count]:
        found = re.fullmatch(r"(\w+_t) \*(\w+)", param)
        if found is None:
            continue
        stems = (name.removesuffix("_t") for name in (found[1], aliases.get(found[1], "")))
        free = next((f"{stem}_free" for stem in stems if f"{stem}_free" in known), None)
        if free:
            there = f"if ({found[2]}) " if found[2].startswith("maybe_") else ""
            yield f"{begin}    {there}{shortened(free, header)}({found[2]});"
            begin = ""


def _results(prototype: Prototype) -> Iterator[str]:
    """Yield the parameters that take a result. (`err` is only written where a function returns false.)"""
    yield from re.findall(r"\*\s*(ret\d*)\b", prototype.params)


def _is_number(name: str, header: Header) -> bool:
    return (
        re.search(rf"^typedef (?:u?int\d+_t|bool|float|double) {name};", header.text, re.MULTILINE)
        is not None
    )
