"""Languages: one toolchain each, behind one shape. It knows no notebook and no plot."""

from __future__ import annotations

from labkernel._toolchains.base import Artifact, Context, Native, Options, Snippet, Toolchain, ToolStatus
from labkernel._toolchains.registry import get, language_of_file, languages, native, toolchains
from labkernel._toolchains.zig import zig_binary

__all__ = [
    "Artifact",
    "Context",
    "Native",
    "Options",
    "Snippet",
    "ToolStatus",
    "Toolchain",
    "get",
    "language_of_file",
    "languages",
    "native",
    "toolchains",
    "zig_binary",
]
