"""From grants and a trace to what a membrane is told, and whether one is needed at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from labkernel._capability import Grants
from labkernel._host import Policy
from labkernel._host.judges import ASKED, TOLD, judges_for, name_of
from labkernel._sandbox.membrane import Wrapped
from labkernel._sandbox.membrane.policy import VirtualClock, everything, nothing, policy_for
from labkernel._sandbox.starting import HOW_TO_GRANT, denied_by
from labkernel._sandbox.tracing import USES, learners

__all__ = ["KEPT", "needs_membrane", "policy_of", "replay_policy"]

KEPT: Final = 20_000
"""Host calls that a trace keeps, and as many of one event; what comes after is counted."""
_WHOLE: Final = frozenset(USES) | learners()


def needs_membrane(grants: Grants) -> bool:
    """Whether these grants ask for what the engine alone does not do."""
    is_virtual = (grants.clock and grants.clock.is_virtual) or (
        grants.random and grants.random.mode == "seed"
    )
    return bool(is_virtual or grants.net or grants.http)


def policy_of(
    table: Sequence[Wrapped], grants: Grants, *, is_traced: bool = False, is_recorded: bool = False
) -> Policy:
    """Return what the membrane with this table is told.

    `is_traced` keeps an entry of each call, `is_recorded` every call with all its arguments and results.
    """
    data = {
        "net": [e.text for e in grants.net], "http": [t.text for t in grants.http],
        "denied": list(denied_by(grants)), "hints": [list(hint) for hint in HOW_TO_GRANT],
    }  # fmt: skip
    judges = judges_for(data)
    is_kept = is_traced or is_recorded

    def wants(wrapped: Wrapped, when: str) -> bool:
        return any(when in judge.wants(wrapped.function) for judge in judges)

    def is_whole(wrapped: Wrapped) -> bool:
        return is_recorded or (is_traced and name_of(wrapped.function) in _WHOLE)

    data |= {"whole": [w.number for w in table if is_whole(w)], "most": KEPT}
    clock, random = grants.clock, grants.random
    return policy_for(
        table,
        record=everything if is_kept else nothing,
        ask=lambda w: is_recorded or wants(w, ASKED),
        tell=lambda w: is_whole(w) or wants(w, TOLD),
        clock=VirtualClock(clock.start_ns, clock.step_ns) if clock and clock.is_virtual else None,
        seed=random.seed if random and random.mode == "seed" else None,
        guard="court" if judges or is_kept else "",
        guard_data=data,
        keep=KEPT,
    )


def replay_policy(table: Sequence[Wrapped], calls: list[list[Any]]) -> Policy:
    """Return what a membrane is told that answers every call from a recording."""
    return policy_for(table, record=everything, ask=everything, guard="replay", guard_data={"calls": calls})
