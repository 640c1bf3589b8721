"""What is written around a cell: nothing in front, so that lines stay, and the world's names behind it.

This module knows no tool.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._toolchains.zig_lang.glue import Glue, glue
from labkernel._toolchains.zig_lang.names import Exported, ZigWorld
from labkernel._toolchains.zig_lang.source import Source
from labkernel._toolchains.zig_lang.spelling import quoted, title
from labkernel._toolchains.zig_lang.world import world_file

__all__ = ["GENERATED", "Scaffold", "scaffold"]

#: The folder of what labkernel writes; no file of a cell may lie there.
GENERATED: Final = "labkernel-world"
_FIXED: Final = ("runtime.zig", "printing.zig")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The files of a build.

    `missing` are the functions and `lost` the resources that the cell lacks, `lines` how many lines it has.
    """

    files: Mapping[str, str]
    glue: Glue
    missing: tuple[Exported, ...]
    lines: int
    lost: tuple[str, ...] = ()


def scaffold(source: Source, world: ZigWorld, file: str) -> Scaffold:
    """Return the build's files: the cell with its tail, and the module `world`."""
    found = {n: p for n, e in enumerate(world.exports) if (p := _where(source, e))}
    missing = tuple(e for n, e in enumerate(world.exports) if n not in found)
    lost = tuple(title(name) for _, name in world.own_resources if not source.declaration(title(name)))
    made = glue(world, list(found))
    text = source.text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    aliases = list(_aliases(source, world))
    tail = "".join([*aliases, *_links(found, source, world)])
    files = {
        file: text + tail,
        f"{GENERATED}/world.zig": world_file(world),
        f"{GENERATED}/glue.zig": made.text,
        **{f"{GENERATED}/{name}": _fixed(name) for name in _FIXED},
    }
    return Scaffold(files, made, missing, text.count("\n"), lost)


@functools.cache
def _fixed(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _where(source: Source, exported: Exported) -> str:
    """Return where the cell has the function, as Zig says it, or nothing."""
    if exported.space and source.declaration(exported.name, exported.space):
        return f"{quoted(exported.space)}.{quoted(exported.name)}"
    if exported.is_clear and source.declaration(exported.name):
        return quoted(exported.name)
    return ""


def _aliases(source: Source, world: ZigWorld) -> Iterator[str]:
    """Yield a declaration for each name of the world that the cell uses and does not have itself."""
    for name, path in sorted(world.visible.items()):
        is_own = name in {title(n) for _, n in world.own_resources}
        if name in source.words and not source.declares(name) and not is_own:
            yield f'const {quoted(name)} = @import("world").{path};\n'
    if "world" in source.words and not source.declares("world"):
        yield 'const world = @import("world");\n'


def _links(found: Mapping[int, str], source: Source, world: ZigWorld) -> Iterator[str]:
    if not source.declaration("panic"):
        yield 'pub const panic = @import("world").panic;\n'
    if not source.declaration("std_options_debug_io"):
        yield 'pub const std_options_debug_io = @import("world").debug_io;\n'
    yield "pub const labkernel_cell = struct {\n"
    yield from (f"    pub const export{number} = {path};\n" for number, path in found.items())
    for number, (_, name) in enumerate(world.own_resources):
        known = source.declaration(title(name)) is not None
        yield f"    pub const resource{number} = {title(name) if known else 'struct {}'};\n"
        if source.declaration("deinit", title(name)):
            yield f"    pub const deinit{number} = {title(name)}.deinit;\n"
    yield '};\ncomptime {\n    _ = @import("world");\n}\n'
