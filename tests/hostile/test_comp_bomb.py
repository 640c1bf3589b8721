"""Components that take long, or much memory, to compile or to describe."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from pathlib import Path

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded, CompileError, ComponentError, UsageError
from labkernel._host import Supervisor


def test_a_large_function_takes_too_much_memory(arena: Arena, tmp_path: Path) -> None:
    """The compile budget is named, the process is gone, the next one compiles."""
    line = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 7)) (i32.load (local.get 0))))"
    wasm = arena.lab.tools.assemble(
        f"(component (core module (memory 1) (func (param i32) {line * 60_000})))"
    )
    with Supervisor(name="small", mac_key=bytes(32), memory_limit_bytes=120 << 20) as small:
        arena.fails(
            BudgetExceeded, lambda: small.codegen(wasm, tmp_path / "bomb.cwasm"), match="compile memory"
        )
        arena.fails(BudgetExceeded, lambda: small.codegen(wasm, tmp_path / "bomb.cwasm", timeout_s=0.05), within_s=0.1,
                    match="compile time")  # fmt: skip
        small.codegen(small.assemble("(component)"), tmp_path / "small.cwasm")


def test_blocks_in_blocks(arena: Arena) -> None:
    """Forty thousand deep: it compiles, or is refused, and nobody's stack ends."""
    arena.wat(plain(f'(func (export "f") {"(block " * 40_000} {")" * 40_000})'))
    arena.start("attack").f()


def test_fifty_thousand_functions(arena: Arena) -> None:
    """Within the compile budget."""
    arena.wat(
        plain(
            f'(func (export "f")) {"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))" * 50_000}'
        )
    )
    arena.start("attack").f()


def nested(n: int) -> str:
    """Return types of which each holds the one before twice: 2^n parts in n lines."""
    types = "".join(f"(type $t{i} (tuple {f'$t{i - 1} $t{i - 1}' if i else 'u8 u8'}))" for i in range(n))
    return f"""(component {types} (core module $m (memory (export "m") 1) (func (export "f") (result i32) (i32.const 8)))
      (core instance $i (instantiate $m))
      (func (export "f") (result (list $t{n - 1})) (canon lift (core func $i "f") (memory (core memory $i "m")))))"""


def test_types_that_double(arena: Arena) -> None:
    """Small ones work; those that would fill the notebook's memory are refused, soon."""
    arena.wat(nested(8))
    assert arena.start("attack").f() == []
    for n in (17, 18):
        arena.fails(
            ComponentError,
            lambda n=n: arena.start(arena.wat(nested(n))),
            within_s=2.0,
            match="more than 50000 parts",
        )
    arena.fails(ComponentError, lambda: arena.wat(nested(40)), within_s=2.0)


def test_deep_types(arena: Arena) -> None:
    """Lists of lists, as deep as the engine lets them be and deeper."""

    def deep(n: int) -> str:
        types = "".join(f"(type $t{i} (list {f'$t{i - 1}' if i else 'u8'}))" for i in range(n))
        return f"""(component {types} (core module $m (memory (export "m") 1) (func (export "f") (result i32) (i32.const 8)))
          (core instance $i (instantiate $m))
          (func (export "f") (result $t{n - 1}) (canon lift (core func $i "f") (memory (core memory $i "m")))))"""

    arena.wat(deep(90))
    assert arena.start("attack").f() == []
    arena.fails(ComponentError, lambda: arena.wat(deep(5000)), match="nesting is too deep")


def test_components_in_components(arena: Arena) -> None:
    """A thousand deep: refused where the text is read."""
    arena.fails(CompileError, lambda: arena.wat("(component " * 1000 + ")" * 1000), match="nesting too deep")


def test_thousands_of_imports_and_exports(arena: Arena) -> None:
    """They link, each refused at its call; the list of what there is stays short."""
    imports = "".join(f'(import "f{i}" (func))' for i in range(2000))
    arena.wat(f"(component {imports})")
    arena.start("attack")
    exports = "".join(f'(export "f{i}" (func $f))' for i in range(2000))
    arena.wat(f"""(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "f"))) {exports})""")
    attacker = arena.start("attack")
    attacker["f1999"]()
    assert "f1999" in str(arena.fails(UsageError, lambda: attacker["f2000"]()))
