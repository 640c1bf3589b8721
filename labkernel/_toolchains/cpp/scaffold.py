"""What is written around a C++ cell: short names in front, and behind it what hands the world's calls on.

A short name is offered when the cell uses it, it stands for one thing only, and the cell does not have it
already. This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from labkernel._toolchains.clang import output_by_lines
from labkernel._toolchains.cpp.header import Header, Prototype
from labkernel._toolchains.cpp.source import Source

__all__ = ["TAIL", "Scaffold", "aliases", "homes", "scaffold", "short_names", "shortened", "wanted"]

PRELUDE: Final = "labkernel.h"
TAIL: Final = "labkernel_calls.h"
#: Functions and macros of the C library that interfaces like to be called.
_TAKEN_WORDS: Final = """
    abs access bind clock close connect errno error exit index link listen log poll random read recv remove
    rename select send signal socket stat stderr stdin stdout time times unlink write
"""
_TAKEN: Final = frozenset(_TAKEN_WORDS.split())


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The cell as it is compiled, and which lines of its tail hand on which function."""

    text: str
    calls: Mapping[int, Prototype]


def scaffold(source: Source, header: Header, file: str, *, is_cell: bool) -> Scaffold:
    """Return a source with its surroundings; only the cell itself is asked for the world's functions."""
    lead = [
        f'#line 1 "{PRELUDE}"',
        *aliases(source, header),
        *output_by_lines(source),
        f'#line 1 "{file}"',
        "",
    ]
    calls = [(f, p) for f in header.exported if (p := _defined(source, header, f))] if is_cell else []
    lines = [_call(f, path) for f, path in calls]
    tail = "\n".join(["", f'#line 1 "{TAIL}"', *lines, ""]) if lines else ""
    text = "\n".join(lead) + source.text + tail
    return Scaffold(text, {n: f for n, (f, _) in enumerate(calls, 1)})


# ------------------------------------------------------------------------------------------------- exports


def homes(prototype: Prototype, header: Header) -> list[str]:
    """Return where a cell may define an exported function, the shortest first."""
    space = prototype.spaces[-1]
    times = sum(f.name == prototype.name for f in header.exported)
    found = [f"{space}::{prototype.name}"]
    return [prototype.name, *found] if times == 1 else found


def _defined(source: Source, header: Header, prototype: Prototype) -> str:
    """Return where the cell defines the function in short, or nothing."""
    if prototype.path in source.functions:
        return ""
    return next((path for path in homes(prototype, header) if path in source.functions), "")


def _call(prototype: Prototype, path: str) -> str:
    """Return the definition that the bindings call, on one line."""
    names = ", ".join(f"std::move({name})" for name in prototype.param_names())
    opened = " ".join(f"namespace {space} {{" for space in prototype.spaces)
    closed = "}" * len(prototype.spaces)
    return f"{opened} {prototype.text()} {{ return ::{path}({names}); }} {closed}"


# --------------------------------------------------------------------------------------------- short names


def aliases(source: Source, header: Header) -> Iterator[str]:
    """Yield declarations for the short names that a cell uses."""
    for name, path in sorted(short_names(header).items()):
        if name in source.words and name not in source.declared:
            yield f"using ::{path};" if path.rpartition("::")[2] == name else f"using {name} = ::{path};"
    for name, path in sorted(_short_spaces(header).items()):
        is_used = re.search(rf"(?<![\w:]){name}\s*::", source.masked) is not None
        if is_used and name not in source.spaces and name not in source.declared:
            yield f"namespace {name} = ::{path};"


def short_names(header: Header) -> dict[str, str]:
    """Return short name -> path of types and of the world's own imported functions, for all that is clear."""
    found: dict[str, set[str]] = {}
    for path in header.types:
        found.setdefault(path.rpartition("::")[2], set()).add(header.end_of(path))
    own = "::".join(header.space_of(""))
    names = {}
    for name, ends in found.items():
        mine = f"{own}::{name}"
        if mine in header.types:
            names[name] = mine
        elif len(ends) == 1:
            names[name] = next(iter(ends))
    taken = {f.name for f in header.exported}
    for function in header.imported:
        if "::".join(function.spaces) == own and function.name not in (*names, *taken):
            names[function.name] = function.path
    return {name: path for name, path in names.items() if name not in taken}


def _short_spaces(header: Header) -> dict[str, str]:
    """Return short name -> path of the interfaces' namespaces."""
    found: dict[str, set[str]] = {}
    tops = {spaces[0] for spaces in header.interfaces().values()} | {"exports", "std", "wit"}
    for spaces in header.interfaces().values():
        for name in (spaces[-1], "_".join(spaces[-2:])):
            if name not in _TAKEN and name not in tops:
                found.setdefault(name, set()).add("::".join(spaces))
    known = {path.rpartition("::")[0] for path in (*header.types, *(f.path for f in header.imported))}
    return {n: next(iter(p)) for n, p in found.items() if len(p) == 1 and p <= known}


def wanted(prototype: Prototype, header: Header) -> str:
    """Return how a cell declares a function: with short names, and whole paths where those are not clear."""
    names, space = short_names(header), "::".join(prototype.spaces)

    def whole(match: re.Match[str]) -> str:
        path = f"{space}::{match.group()}"
        is_clear = names.get(match.group(), "") in (path, header.end_of(path))
        return match.group() if path not in header.types or is_clear else f"::{path}"

    return shortened(re.sub(r"(?<![\w:])[A-Z]\w*(?![\w(])", whole, prototype.text()), header)


def shortened(text: str, header: Header) -> str:
    """Return text of the header with short names for paths, which may be relative to where they stand."""
    names = {name: header.end_of(path) for name, path in short_names(header).items()}

    def short(match: re.Match[str]) -> str:
        parts = match.group().removeprefix("::").split("::")
        for n in range(len(parts), 1, -1):
            path = "::".join(parts[:n])
            ends = {header.end_of(t) for t in header.types if t == path or t.endswith(f"::{path}")}
            if ends and ends == {names.get(parts[n - 1])}:
                return "::".join(parts[n - 1 :])
        return match.group()

    return re.sub(r"(?<!\w)(?:::)?\w+(?:::\w+)+", short, text)
