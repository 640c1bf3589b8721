"""Languages: one toolchain each, behind one shape. It knows no notebook and no plot."""

from __future__ import annotations

from labkernel._toolchains.base import (
    RUNTIME,
    Artifact,
    Context,
    Native,
    Options,
    Runtime,
    Snippet,
    Toolchain,
    ToolStatus,
)
from labkernel._toolchains.kept import close_kept
from labkernel._toolchains.registry import (
    broken,
    explain,
    forget,
    get,
    language_of_file,
    languages,
    native,
    toolchains,
)
from labkernel._toolchains.zig import zig_binary

__all__ = [
    "RUNTIME",
    "Artifact",
    "Context",
    "Native",
    "Options",
    "Runtime",
    "Snippet",
    "ToolStatus",
    "Toolchain",
    "broken",
    "close_kept",
    "explain",
    "forget",
    "get",
    "language_of_file",
    "languages",
    "native",
    "toolchains",
    "zig_binary",
]
