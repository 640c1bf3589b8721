"""What is written around a Go cell: the package it becomes part of, with the world's names in it.

Nothing is put in front of the cell but one line, and a `//line` directive takes that back. This module knows
no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from labkernel._toolchains.go.generated import MODULE, WORLD, title
from labkernel._toolchains.go.names import LIBRARY, Exported, GoWorld
from labkernel._toolchains.go.source import Source
from labkernel._wit import ResultType

__all__ = ["ALIASES", "CHECKS", "Scaffold", "alias_file", "scaffold"]

ALIASES: Final = "labkernel_names.go"
CHECKS: Final = "labkernel_checks.go"
_FORWARD: Final = "labkernel_forward.go"
_TYPES: Final = 'witTypes "go.bytecodealliance.org/pkg/wit/types"'


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The files of a build beside the bindings.

    `missing` are functions the cell lacks, `checked` those that the lines of the checks are about.
    """

    files: Mapping[str, str]
    missing: tuple[Exported, ...]
    checked: Mapping[int, Exported]


def scaffold(sources: Mapping[str, Source], world: GoWorld) -> Scaffold:
    """Return the files for a cell and its further sources (the cell first)."""
    functions = {name for s in sources.values() for name in s.functions}
    defined = {e: name for e in world.exports for name in e.names if name in functions}
    missing = tuple(e for e in world.exports if e not in defined)
    checks, lines = _checks(world, defined)
    files = {f"{world.home}/{CHECKS}": checks}
    for number, (name, source) in enumerate(sources.items()):
        # A name of ours: Go leaves out files that end in `_test.go` or `_linux.go`.
        files[f"{world.home}/labkernel_{number}x.go"] = _cell(world, source, name)
    words = {w for text in (checks, *(s.masked for s in sources.values())) for w in re.findall(r"\w+", text)}
    declared = {n for s in sources.values() for n in s.declared}
    files[f"{world.home}/{ALIASES}"] = alias_file(world, words - declared)
    files.update(_forwards(world, defined))
    files.update(_endings(world, sources))
    return Scaffold(files, missing, lines)


def _cell(world: GoWorld, source: Source, name: str) -> str:
    """Return a source as part of the package, with the imports that it uses and does not have."""
    taken = source.imported | source.declared | source.locals()
    used = {s: p for s, p in world.short.items() if s in source.selected and s not in taken}
    used = {s: p for s, p in used.items() if p != world.home}
    imports = "".join(f'; import {short} "{MODULE}/{package}"' for short, package in sorted(used.items()))
    uses = "".join(f"var _ = {short}.{function}\n" for short, function in _any_of(world, used))
    if "witTypes" in source.selected - taken:
        imports += f"; import {_TYPES}"
    lead = f"{source.constraint()}\n\n" if source.constraint() else ""
    text = f"{lead}package {world.home}{imports}\n//line {name}:1:1\n{source.body()}\n"
    return f"{text}\n//line {ALIASES}:1:1\n{uses}" if uses else text


def _any_of(world: GoWorld, used: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield for each package an expression that uses it, in case the cell's own use is shadowed."""
    for short, name in sorted(used.items()):
        package = world.bindings.packages[name]
        if package.functions or package.constants:
            yield short, (*package.functions, *package.constants)[0]


# ------------------------------------------------------------------------------------------------- names


def alias_file(world: GoWorld, words: Iterable[str] | None = None) -> str:
    """Return the file that gives a cell the world's names; with `words` only those among them."""
    wanted = None if words is None else frozenset(words)
    lines = [line for name, line in _aliases(world) if wanted is None or name in wanted]
    return _file(world.home, "\n".join(lines), world)


def _aliases(world: GoWorld) -> Iterator[tuple[str, str]]:
    for name, (package, end) in sorted(world.visible.items()):
        if package != world.home:
            yield name, f"type {name} = {package}.{end}"
    yield from _values(world)
    yield from _library(world)
    yield from _results(world)
    if any(True for _ in world.resources()):
        yield "Resource", "// What a resource's struct begins with.\ntype Resource struct {"
        yield "Resource", "\tpinner runtime.Pinner\n\thandle int32\n}"


def _values(world: GoWorld) -> Iterator[tuple[str, str]]:
    """Yield constants, constructors and the world's own imported functions, where the name is clear."""
    places: dict[str, list[str]] = {}
    lines: dict[str, str] = {}
    taken = {n for e in world.exports for n in e.names}
    for package in world.bindings.packages.values():
        if package.name.startswith("export_"):
            continue
        for name in package.constants:
            places.setdefault(name, []).append(package.name)
            lines[name] = f"const {name} = {package.name}.{name}"
        for name in package.functions:
            if package.name == WORLD or name.startswith("Make"):
                places.setdefault(name, []).append(package.name)
                lines[name] = f"var {name} = {package.name}.{name}"
    yield from ((n, lines[n]) for n, where in places.items() if len(where) == 1 and n not in taken)


def _library(world: GoWorld) -> Iterator[tuple[str, str]]:
    for name in LIBRARY:
        if name in world.visible:
            continue
        if name == "Unit":
            yield name, "type Unit = witTypes.Unit"
            continue
        count = int(name.removeprefix("Tuple")) if name != "Option" else 1
        letters = ", ".join(f"T{i}" for i in range(count))
        yield name, f"type {name}[{letters} any] = witTypes.{name}[{letters}]"
    if "Option" not in world.visible:
        yield "Some", "func Some[T any](value T) witTypes.Option[T] { return witTypes.Some(value) }"
        yield "None", "func None[T any]() witTypes.Option[T] { return witTypes.None[T]() }"


def _results(world: GoWorld) -> Iterator[tuple[str, str]]:
    if world.result:
        yield "Result", f"type Result = {world.result}"
        only = next(e.function.result for e in world.exports if isinstance(e.function.result, ResultType))
        yield from _makers(world, "", only)
        return
    if "Result" not in world.visible:
        yield "Result", "type Result[T, E any] = witTypes.Result[T, E]"
    if not {"Ok", "Err"} & set(world.visible):
        yield "Ok", "func Ok[T, E any](value T) witTypes.Result[T, E] { return witTypes.Ok[T, E](value) }"
        yield (
            "Err",
            "func Err[T, E any](reason E) witTypes.Result[T, E] { return witTypes.Err[T, E](reason) }",
        )
    for exported in world.exports:
        if isinstance(exported.function.result, ResultType):
            text = world.type_text(exported.function.result, is_full=True)
            yield f"{exported.name}Result", f"type {exported.name}Result = {text}"
            yield from _makers(world, exported.name, exported.function.result)


def _makers(world: GoWorld, stem: str, result: ResultType) -> Iterator[tuple[str, str]]:
    """Yield functions that make one result type."""
    whole = world.type_text(result, is_full=True)
    parts = whole.removeprefix("witTypes.Result")
    for name, part in (("Ok", result.ok), ("Err", result.err)):
        param = f"value {world.type_text(part, is_full=True)}" if part else ""
        value = "value" if part else "witTypes.Unit{}"
        call = f"witTypes.{name}{parts}({value})"
        yield f"{stem}{name}", f"func {stem}{name}({param}) {whole} {{ return {call} }}"


def _file(package: str, body: str, world: GoWorld) -> str:
    """Return a file of a package that imports what its text mentions."""
    used = [p for p in world.bindings.packages if re.search(rf"\b{p}\.", body) and p != package]
    imports = [f'{name} "{MODULE}/{name}"' for name in used]
    if "witTypes." in body:
        imports.append(_TYPES)
    if "runtime." in body:
        imports.append('"runtime"')
    if f"{world.home}." in body and world.home not in used:
        imports.append(f'{world.home} "{MODULE}/{world.home}"')
    return f"package {package}\n\n{''.join(f'import {line}{chr(10)}' for line in imports)}\n{body}\n"


# ------------------------------------------------------------------------------------- checks and forwarders


def _checks(world: GoWorld, defined: Mapping[Exported, str]) -> tuple[str, dict[int, Exported]]:
    """Return a file that compares the cell's functions with the world, and whom its lines are about."""
    lines = []
    for exported, name in defined.items():
        params = ", ".join(text for _, text in world.params(exported.function, is_full=True))
        lines.append(
            f"var _ func({params}){world.results_text(exported.function.result, is_full=True)} = {name}"
        )
    text = _file(world.home, "\n".join(lines), world)
    first = text.count("\n") - len(lines) + 1 if lines else 1
    return text, dict(zip(range(first, first + len(lines)), defined, strict=False))


def _forwards(world: GoWorld, defined: Mapping[Exported, str]) -> Iterator[tuple[str, str]]:
    """Yield files in which the world's packages hand calls on to the cell's."""
    bodies: dict[str, list[str]] = {}
    for exported, name in defined.items():
        package = f"export_{exported.package}"
        if package == world.home and name == exported.go_name:
            continue
        function = exported.function
        params = [(f"p{i}", text) for i, (_, text) in enumerate(world.params(function, is_full=True))]
        call = f"{'' if package == world.home else world.home + '.'}{name}({', '.join(n for n, _ in params)})"
        results = world.results_text(function.result, is_full=True)
        head = f"func {exported.go_name}({', '.join(f'{n} {t}' for n, t in params)}){results}"
        bodies.setdefault(package, []).append(f"{head} {{ {'return ' if results else ''}{call} }}")
    for package, lines in bodies.items():
        yield f"{package}/{_FORWARD}", _file(package, "\n".join(lines), world)


def _endings(world: GoWorld, sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    """Yield what the bindings ask of a resource and most cells have no use for."""
    methods = {m for s in sources.values() for m in s.methods}
    names = [title(name) for _, name in world.resources()]
    lines = [f"func (self *{name}) OnDrop() {{}}" for name in names if (name, "OnDrop") not in methods]
    if lines:
        yield f"{world.home}/labkernel_endings.go", _file(world.home, "\n".join(lines), world)
