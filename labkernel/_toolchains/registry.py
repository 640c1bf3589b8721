"""Which languages there are: the built-in ones and those that other packages add by an entry point.

A toolchain's module is imported when its language is first asked for. This module knows no tool.
"""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from typing import Any, Final

from labkernel._errors import UsageError, did_you_mean
from labkernel._toolchains.base import Context, Native, Toolchain
from labkernel._wit import Function, Package, World

__all__ = ["GROUP", "get", "language_of_file", "languages", "native", "toolchains"]

GROUP: Final = "labkernel.languages"
_BUILT_IN: Final = {"rust": "rust:Rust", "c": "c:C", "wat": "wat:Wat"}


@functools.cache
def _built_in(language: str) -> Toolchain:
    module, _, name = _BUILT_IN[language].partition(":")
    kind = getattr(importlib.import_module(f"labkernel._toolchains.{module}"), name)
    made: Toolchain = kind()
    return made


@functools.cache
def toolchains() -> dict[str, Toolchain]:
    """Return every toolchain by language. One of another package that does not load is left out."""
    found = {language: _built_in(language) for language in _BUILT_IN}
    for entry in metadata.entry_points(group=GROUP):
        try:
            toolchain = entry.load()()
        except Exception:  # noqa: BLE001 - whatever a third party's module does wrong
            continue
        if isinstance(toolchain, Toolchain):
            found.setdefault(toolchain.language, toolchain)
    return found


def languages() -> tuple[str, ...]:
    """Return the names of all languages, aliases left out."""
    return tuple(toolchains())


def get(language: str) -> Toolchain:
    """Return the toolchain of a language by its name or an alias; raise `UsageError` for an unknown one."""
    wanted = language.lower()
    if wanted in _BUILT_IN:
        return _built_in(wanted)
    for name, toolchain in toolchains().items():
        if wanted == name or wanted in toolchain.aliases:
            return toolchain
    known = sorted(toolchains())
    raise UsageError(
        f"Unknown language {language!r}; known: {', '.join(known)}.{did_you_mean(wanted, known)}"
    )


def language_of_file(name: str) -> str | None:
    """Return the language of a file by its ending, or `None`."""
    for language, toolchain in toolchains().items():
        if name.endswith(toolchain.extensions):
            return language
    return None


def native(
    language: str, text: str, package: Package | None, world: World | None, function: Function, args:
    list[Any], context: Context, ) -> Native | None:  # fmt: skip
    """Return a snippet as a program of this machine that calls one function, or `None`."""
    toolchain = toolchains().get(language)
    if toolchain is None or package is None or world is None:
        return None
    return toolchain.native(text, package, world, function, args, context)
