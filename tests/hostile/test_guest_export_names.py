"""Exports named like the instance's own methods, and like Python's."""

from __future__ import annotations

from hostile_kit import Arena

NAMES = ["close", "drop", "call", "build", "class", "name", "start", "run", "self", "find", "budgets", "if", "init",
         "getattr", "import"]  # fmt: skip


def test_names_of_methods(arena: Arena) -> None:
    """The instance keeps its own; the exports are reached by their full name."""
    exports = "".join(f'(export "{name}" (func $f))' for name in NAMES)
    arena.wat(f"""(component (core module $m (func (export "f") (result i32) (i32.const 7)))
      (core instance $i (instantiate $m)) (func $f (result u32) (canon lift (core func $i "f"))) {exports})""")
    attacker = arena.start("attack")
    assert [attacker[name]() for name in NAMES] == [7] * len(NAMES)
    assert attacker.find("close").name == "close"
    assert [arena.lab.fire(attacker, f"{name}()").normal for name in NAMES] == [7] * len(NAMES)
    attacker.drop()
    assert attacker.budgets.timeout_s == 5.0


def test_a_name_of_a_megabyte(arena: Arena) -> None:
    """It builds or is refused, and does not fill the screen."""
    arena.wat(f"""(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func (export "{"a" * 90_000}") (canon lift (core func $i "f"))))""")
    assert len(repr(arena.start("attack"))) < 300
