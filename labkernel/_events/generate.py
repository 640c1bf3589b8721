"""Events of a function: edges first, then a seeded mix. The same seed gives the same events everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._events.edges import edges, rotated
from labkernel._events.mix import drawer
from labkernel._events.overrides import apply_overrides, resolve_overrides
from labkernel._events.rng import Rng
from labkernel._wit import Function

__all__ = ["events", "sample"]

_ELEMENTS: Final = 256


def events(
    function: Function,
    *,
    seed: int,
    n: int,
    overrides: Mapping[str, Any] | None = None,
    near_ns: int | None = None,
) -> Iterator[list[Any]]:
    """Return `n` events: argument lists in normal form, the beginning of any longer run with the same seed.

    First come the edges of every parameter, combined by rotation, the same for every seed; then event `k`
    depends on `seed` and `k` alone. `overrides` fixes parts by path (`"event-type"`,
    `"event-timestamp.seconds"`) to a value, to `OneOf(values)`, or to a function of the event's number. With
    `near_ns` (nanoseconds since 1970) points in time lie near that one.

    Raises `UsageError` for a type that cannot be made up and for an unknown path, `ValueDoesNotFit` for a
    value of another type, before the first event is asked for.
    """
    if n < 0:
        raise UsageError(f"{n} events cannot be made; write a number from 0 up.")
    columns = [edges(p.type, near_ns) for p in function.params]
    draws = [drawer(p.type, p.name, near_ns=near_ns) for p in function.params]
    fixed = resolve_overrides(function, overrides or {})

    def generate() -> Iterator[list[Any]]:
        first = rotated(columns) if columns else [[]]
        for index in range(n):
            if index < len(first):
                event = first[index]
            else:
                rng = Rng.at(seed, index)
                event = [draw(rng, _ELEMENTS) for draw in draws]
            yield apply_overrides(event, fixed, Rng.at(~seed, index), index) if fixed else event

    return generate()


def sample(
    function: Function,
    seed: int = 0,
    *,
    overrides: Mapping[str, Any] | None = None,
    near_ns: int | None = None,
) -> list[Any]:
    """Return one friendly event: plausible values, no edges, options present, results ok, first cases.

    >>> from labkernel._wit import Param, Primitive
    >>> sample(Function("greet", (Param("name", Primitive("string")),)))
    ['image']
    """
    rng = Rng.at(seed, 0)
    draws = [drawer(p.type, p.name, friendly=seed, near_ns=near_ns) for p in function.params]
    event = [draw(rng, _ELEMENTS) for draw in draws]
    return apply_overrides(event, resolve_overrides(function, overrides or {}), Rng.at(~seed, 0), 0)
