"""A trap, and a loop, in the function that cleans up after a result."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import BudgetExceeded, GuestTrap


def test_after_the_return(arena: Arena) -> None:
    """The call has not ended before that: trap and budget are the call's."""
    for body, kind in (("unreachable", GuestTrap), ("(loop $l (br $l))", BudgetExceeded)):
        arena.wat(f"""(component (core module $m (memory (export "m") 1) (func (export "f") (result i32) (i32.const 8))
          (func (export "p") (param i32) {body})) (core instance $i (instantiate $m))
          (func (export "f") (result string)
            (canon lift (core func $i "f") (memory (core memory $i "m")) (post-return (core func $i "p")))))""")
        arena.fails(kind, lambda: arena.start("attack", timeout="200ms").f(), within_s=0.2)
