"""A snippet that reads files of the machine while it is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_kit import Arena

from labkernel._errors import CompileError

C = ['#include "/etc/passwd"', '#include "{secret}"', 'const char leak[] = {{\n#embed "{secret}"\n}};',
     '__asm__(".incbin \\"{secret}\\"");', '#include "../../../../../../../../{secret}"']  # fmt: skip
RUST = ['const LEAK: &str = include_str!("{secret}");', 'const LEAK: &[u8] = include_bytes!("/etc/passwd");',
        '#[path = "{secret}"] mod leak;', 'include!("{secret}");', 'const HOME: &str = env!("HOME");',
        'macro_rules! m {{ ($e:expr) => {{ include_str!($e) }} }} const LEAK: &str = m!("{secret}");']  # fmt: skip


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file that no build may read."""
    path = tmp_path / "secret.txt"
    path.write_text("root:hunter2:0:0")
    return path


def check(error: CompileError | None, build: object) -> None:
    """Neither in the error nor in the component."""
    assert error is not None
    assert "hunter2" not in str(error) + error.raw
    assert "root:x:0:0" not in str(error) + error.raw


@pytest.mark.parametrize("line", C)
def test_c(c_arena: Arena, secret: Path, line: str) -> None:
    """Includes, embeds and the assembler's own way."""
    code = line.format(secret=secret) + "\nuint32_t run(uint32_t n) { return n; }"
    check(c_arena.fails(CompileError, lambda: c_arena.build("c", code), within_s=30), None)


@pytest.mark.parametrize("line", RUST)
def test_rust(rust_arena: Arena, secret: Path, line: str) -> None:
    """Macros that include, also behind another macro, and modules by path."""
    code = line.format(secret=secret) + "\nstruct A;\nimpl Guest for A { fn run(n: u32) -> u32 { n } }"
    if "HOME" in line:
        try:
            build = rust_arena.build("rust", code)
        except CompileError:
            return
        assert str(Path.home()).encode() not in build.read()
        return
    check(rust_arena.fails(CompileError, lambda: rust_arena.build("rust", code), within_s=30), None)
