"""The policy of a membrane, made of what is wanted of it: which calls to keep, to ask about, to answer by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from labkernel._errors import UsageError
from labkernel._events.rng import Rng
from labkernel._host.membrane_layout import ASK, RECORD, SPECIAL, TELL
from labkernel._host.policy import Policy
from labkernel._sandbox.membrane.specials import special
from labkernel._sandbox.membrane.table import Wrapped

__all__ = ["VirtualClock", "everything", "nothing", "policy_for"]

Choice: TypeAlias = Callable[[Wrapped], bool]
_LAST_NS: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """A clock that shows `wall_ns` (since 1970) at first and moves on by `step_ns` with each reading; a sleep moves it
    on by its length. 0 for the step is a fixed clock."""

    wall_ns: int
    step_ns: int = 0


def nothing(wrapped: Wrapped) -> bool:
    """Choose no function."""
    return False


def everything(wrapped: Wrapped) -> bool:
    """Choose every function."""
    return True


def policy_for(
    table: Sequence[Wrapped],
    *,
    record: Choice = nothing,
    ask: Choice = nothing,
    tell: Choice = nothing,
    clock: VirtualClock | None = None,
    seed: int | None = None,
    guard: str = "",
    guard_data: Any = None,
    keep: int = 20_000,
) -> Policy:
    """Return the policy for the membrane of this table.

    `record` chooses what the ledger keeps (its first `keep` calls), `ask` and `tell` what the guard of that name is
    asked before and told after. With a `clock` the guest sees virtual time, with a `seed` the random numbers of
    `Rng(seed)`. Raises `UsageError` for a clock out of range, or questions without a guard.
    """
    if clock and not (0 <= clock.wall_ns <= _LAST_NS and 0 <= clock.step_ns <= _LAST_NS):
        raise UsageError(f"The clock {clock} is out of range, expected nanoseconds of 64 bits since 1970.")
    modes = bytes(
        record(w) * RECORD | ask(w) * ASK | tell(w) * TELL | _is_virtual(w, clock, seed) * SPECIAL
        for w in table
    )
    asks = any(mode & (ASK | TELL) for mode in modes)
    if asks and not guard:
        raise UsageError("The policy asks about calls and names no guard, expected one that answers.")
    return Policy(
        modes,
        wall_ns=clock.wall_ns if clock else 0,
        step_ns=clock.step_ns if clock else 0,
        random_state=0 if seed is None else Rng(seed).state,
        keep=keep,
        table=tuple(w.function for w in table) if asks else (),
        guard=guard,
        guard_data=guard_data,
    )


def _is_virtual(wrapped: Wrapped, clock: VirtualClock | None, seed: int | None) -> bool:
    if not special(wrapped.function, 0):
        return False
    package = wrapped.function.interface.partition("/")[0]
    return (clock is not None and package == "wasi:clocks") or (seed is not None and package == "wasi:random")
