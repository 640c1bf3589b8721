"""Templates, macros and constants that never end, or need more memory than there is."""

from __future__ import annotations

import pytest
from hostile_kit import Arena

from labkernel._errors import CompileError

C = """#define A(x) x x x x x x x x x x
#define B(x) A(A(A(A(A(x)))))
uint32_t run(uint32_t n) { return 0 B(A(A(+1))); }"""
RUST = {
    "macro": "macro_rules! m { ($($t:tt)*) => { m!{ $($t)* $($t)* } } } m!{ a }",
    "const": "const fn f() -> u32 { loop {} } const X: u32 = f();",
    "array": "static X: [[u64; 1 << 20]; 1 << 16] = [[1; 1 << 20]; 1 << 16];",
}


def test_c_macros(c_arena: Arena) -> None:
    """Stopped on time; nothing of the compiler is left."""
    c_arena.fails(CompileError, lambda: c_arena.build("c", C, timeout_s=3.0), within_s=3.0)


@pytest.mark.parametrize("name", RUST)
def test_rust(rust_arena: Arena, name: str) -> None:
    """A macro that doubles, a constant that loops, an array of half a terabyte."""
    code = RUST[name] + "\nstruct A;\nimpl Guest for A { fn run(n: u32) -> u32 { n } }"
    rust_arena.fails(CompileError, lambda: rust_arena.build("rust", code, timeout_s=10.0), within_s=10.0)
