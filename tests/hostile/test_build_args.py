"""Flags and file names that would make a compiler do something else."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_kit import Arena

from labkernel._errors import LabError, UsageError

FLAGS = ["-include/etc/passwd", "@/etc/passwd", "-o/tmp/labkernel-attack", "-fplugin=/tmp/x.so", "-Wl,--export-all",
         "-B/tmp", "--sysroot=/", "-specs=/tmp/x", "-Xclang=-load", "-imacros/etc/passwd", "-MF/tmp/labkernel-attack"]  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS)
def test_flags_in_c(c_arena: Arena, flag: str) -> None:
    """Refused by name before anything runs."""
    error = c_arena.fails(
        UsageError,
        lambda: c_arena.build("c", "uint32_t run(uint32_t n) { return n; }", flags=(flag,)),
        within_s=10,
    )
    assert flag.split("/")[0][:6] in str(error)
    assert not Path("/tmp/labkernel-attack").exists()


FILES = [
    "../out.h",
    "/tmp/labkernel-attack.h",
    "-o",
    "@args",
    "a b.h",
    "attack.c\n.h",
    ".cargo/config.toml",
    "build.rs",
]


@pytest.mark.parametrize("name", FILES)
def test_names_of_further_files(c_arena: Arena, name: str) -> None:
    """They stay inside the build's folder, or are refused."""
    try:
        c_arena.build(
            "c",
            "uint32_t run(uint32_t n) { return n; }",
            files=[(name, "#error nobody asked for this file\n")],
        )
    except LabError as error:
        said = str(error)
    else:
        said = ""
    assert "nobody asked" not in said
    assert not Path("/tmp/labkernel-attack.h").exists()
