"""Which languages there are: the built-in ones and those that other packages add by an entry point.

A toolchain's module is imported when its language is first asked for. The installed packages are looked
through (5 to 20 ms) only for a name that is not built in, or for the list of all. This module knows no tool.
"""

from __future__ import annotations

import contextlib
import functools
from importlib import metadata
from typing import Any, Final

from labkernel._errors import LabError, UsageError, did_you_mean
from labkernel._toolchains.base import Context, Native, Options, Snippet, Toolchain
from labkernel._wit import Function, Package, World

__all__ = [
    "GROUP",
    "broken",
    "explain",
    "forget",
    "get",
    "language_of_file",
    "languages",
    "native",
    "toolchains",
]

GROUP: Final = "labkernel.languages"
_BUILT_IN: Final = {
    "rust": "rust:Rust", "c": "c:C", "cpp": "cpp:Cpp", "zig": "zig_lang:Zig", "go": "go:Go", "js": "js:Js",
    "ts": "js:Ts", "python": "python:Python", "wat": "wat:Wat",
}  # fmt: skip


#: Languages that come as a third party's would: by an entry point, this package's own. The line above serves where
#: the package is not installed, or was before it had the entry point.
_BY_ENTRY_POINT: Final = frozenset({"wat"})


@functools.cache
def _built_in(language: str) -> Toolchain:
    if language in _BY_ENTRY_POINT:
        with contextlib.suppress(metadata.PackageNotFoundError, ImportError, AttributeError):
            for entry in metadata.distribution("labkernel").entry_points:
                if entry.group == GROUP and entry.name == language:
                    return _made(entry)
    module, _, name = _BUILT_IN[language].partition(":")
    return _made(metadata.EntryPoint(language, f"labkernel._toolchains.{module}:{name}", GROUP))


def _made(entry: metadata.EntryPoint) -> Toolchain:
    made = entry.load()()
    if not isinstance(made, Toolchain):
        raise TypeError(f"{entry.value} is no labkernel.language.Toolchain")
    return made


@functools.cache
def _others() -> tuple[metadata.EntryPoint, ...]:
    """Return the entry points of other packages. A built-in language cannot be replaced."""
    return tuple(entry for entry in metadata.entry_points(group=GROUP) if entry.name not in _BUILT_IN)


@functools.cache
def _other(entry: metadata.EntryPoint) -> Toolchain:
    """Return the toolchain of another package; raise `LabError` where it does not load."""
    try:
        return _made(entry)
    except Exception as error:
        package = f" of the package {entry.dist.name}" if entry.dist else ""
        raise LabError(
            f"The language {entry.name!r}{package} does not load: {type(error).__name__}: {error}. "
            f"Its entry point is {entry.value!r}; update or remove the package."
        ) from error


@functools.cache
def toolchains() -> dict[str, Toolchain]:
    """Return every toolchain by language. One of another package that does not load is left out."""
    found = {language: _built_in(language) for language in _BUILT_IN}
    for entry in _others():
        with contextlib.suppress(LabError):
            toolchain = _other(entry)
            found.setdefault(toolchain.language, toolchain)
    return found


def broken() -> dict[str, str]:
    """Return the languages of other packages that do not load, each with the reason."""
    found = {}
    for entry in _others():
        try:
            _other(entry)
        except LabError as error:
            found[entry.name] = str(error)
    return found


def forget() -> None:
    """Look for languages anew when next asked: after a package has been installed into a running notebook."""
    for remembered in (toolchains, _others, _other, _built_in):
        remembered.cache_clear()


def languages() -> tuple[str, ...]:
    """Return the names of all languages, aliases left out."""
    return tuple(toolchains())


def get(language: str) -> Toolchain:
    """Return the toolchain of a language by its name or an alias; raise `UsageError` for an unknown one."""
    wanted = language.lower()
    if wanted in _BUILT_IN:
        return _built_in(wanted)
    for name in _BUILT_IN:
        if wanted in _built_in(name).aliases:
            return _built_in(name)
    for entry in _others():
        if wanted == entry.name.lower():
            return _other(entry)
    for toolchain in toolchains().values():
        if wanted == toolchain.language or wanted in toolchain.aliases:
            return toolchain
    known = sorted(toolchains())
    raise UsageError(
        f"Unknown language {language!r}; known: {', '.join(known)}.{did_you_mean(wanted, known)}"
    )


def explain(code: str) -> tuple[str, str]:
    """Return a language's title and its own explanation of a diagnostic's code; raise `UsageError` for none."""
    wanted = code.strip("[]`'\"").upper()
    for toolchain in toolchains().values():
        with contextlib.suppress(LabError):
            text = toolchain.explain(wanted)
            if text:
                return toolchain.title, text
    raise UsageError(
        f"No language here explains {code!r}; it takes a code like E0308, as errors of Rust show it."
    )


def language_of_file(name: str) -> str | None:
    """Return the language of a file by its ending, or `None`."""
    for language, toolchain in toolchains().items():
        if name.endswith(toolchain.extensions):
            return language
    return None


def native(
    snippet: Snippet, package: Package | None, world: World | None, function: Function, args: list[Any],
    options: Options, context: Context,
) -> Native | None:  # fmt: skip
    """Return a snippet as a program of this machine that calls one function, or `None`."""
    toolchain = toolchains().get(snippet.language)
    if toolchain is None or package is None or world is None:
        return None
    return toolchain.native(snippet, package, world, function, args, options, context)
