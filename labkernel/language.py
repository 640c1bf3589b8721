"""What another package needs to add a language: the one public module for authors of toolchains.

A package names a subclass of `Toolchain` by an entry point in the group `labkernel.languages`; CONTRIBUTING.md has
a complete example. Everything here is taken from lower rooms; this module owns nothing.
"""

from __future__ import annotations

from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, ToolchainMissing, UsageError, did_you_mean
from labkernel._toolchains.base import (
    Artifact,
    Context,
    Native,
    Options,
    Snippet,
    Supplies,
    Toolchain,
    ToolStatus,
    identity_of,
)
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, find_tool, run
from labkernel._wit import Function, Package, World

__all__ = [
    "Artifact",
    "Cache",
    "CompileError",
    "Confinement",
    "Context",
    "Diagnostic",
    "Finished",
    "Function",
    "Limits",
    "Native",
    "Options",
    "Package",
    "Snippet",
    "Supplies",
    "ToolStatus",
    "Toolchain",
    "ToolchainMissing",
    "UsageError",
    "World",
    "did_you_mean",
    "find_tool",
    "identity_of",
    "run",
]
