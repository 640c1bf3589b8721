"""What every language refuses before it compiles: file names, flags and functions that no cell may ask for.

This module knows no language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from labkernel._errors import UsageError, did_you_mean
from labkernel._wit import Function

__all__ = ["MEMORY", "check_file_name", "check_flags", "refuse_async", "refuse_names"]

#: What every compiled module exports by itself.
MEMORY: Final = frozenset({"memory"})


def check_file_name(name: str) -> str:
    """Return a further file's name; raise `UsageError` unless it stays within the build's folder."""
    parts = name.replace("\\", "/").split("/")
    if (
        not name
        or name.startswith(("/", "-", "~"))
        or any(p in ("", ".", "..") for p in parts)
        or "\0" in name
    ):
        raise UsageError(
            f"The file name {name!r} leads out of the build; give a plain relative name, like 'util.h'."
        )
    return name


def refuse_async(functions: Iterable[Function]) -> None:
    """Raise `UsageError` for an async function: WASI 0.3 asks for those, and this lab builds for 0.2."""
    for function in functions:
        if function.is_async:
            raise UsageError(
                f"{function.full_name} is an async function: that is WASI 0.3, and this lab builds "
                "components for WASI 0.2. Leave `async` out."
            )


def refuse_names(functions: Iterable[Function], taken: frozenset[str], *, title: str) -> None:
    """Raise `UsageError` for a function of the world itself whose name the language's core module has already.

    A function of an interface carries the interface's name, and clashes with none.
    """
    for function in functions:
        if not function.interface and function.name in taken:
            raise UsageError(
                f"The world exports {function.name!r}, a name that {title}'s own module has for something else; "
                "rename the function, or export it from an interface."
            )


def check_flags(flags: Iterable[str], *, title: str, allowed: re.Pattern[str], known: Sequence[str]) -> None:
    """Raise `UsageError` for a compiler's flag that a cell may not give; `known` are shown as examples."""
    for flag in flags:
        if not allowed.fullmatch(flag):
            raise UsageError(
                f"The flag {flag!r} is not among those a {title} cell may give; for example: {', '.join(known)}."
                f"{did_you_mean(flag, known)}"
            )
