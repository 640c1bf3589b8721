"""More instances than anyone needs."""

from __future__ import annotations

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded
from labkernel._host import Start


def test_thousands_of_instances(arena: Arena) -> None:
    """A thousand live side by side, and go."""
    arena.wat(plain('(func (export "f"))'))
    loaded = arena.lab.code.loaded(arena.lab.builds["attack"])
    start = Start(memory_bytes=1 << 20)
    started = [arena.lab.guests.instantiate(loaded, start) for _ in range(1000)]
    for each in started:
        arena.lab.guests.call(each, "f", [])
        arena.lab.guests.drop(each)


def test_parts_without_end(arena: Arena) -> None:
    """Core instances are bounded by the instances budget, and by the engine before that."""
    arena.wat("(component (core module $m (memory 1)) " + "(core instance (instantiate $m))" * 2000 + ")")
    arena.fails(
        BudgetExceeded, lambda: arena.start("attack", instances=100), match="instances budget exceeded"
    )
