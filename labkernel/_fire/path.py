"""By which path events are fired and timed, and why not by a faster one. It fires nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from labkernel._fire.plan import Plan

__all__ = ["CALLS", "CALL_S", "DRIVER", "NOTEBOOK", "Facts", "choose_path", "path_text"]

CALLS: Final = "host call"
DRIVER: Final = "driver"
NOTEBOOK: Final = "notebook"
_TEXTS: Final = {CALLS: "by the C functions", DRIVER: "in the engine", NOTEBOOK: "from the notebook"}
CALL_S: Final = 15e-6
"""What firing an event by the C functions takes beside the guest's own work, roughly: lowering, call, lifting."""
_ENDLESS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Facts:
    """What a path depends on beside the plan.

    `no_driver` says why a driver cannot be used; empty if it can. `driver_s` is what it costs to have one: composing
    and compiling, or starting alone where that was done before.
    """

    no_driver: str = ""
    driver_s: float = 0.0


def choose_path(plan: Plan, facts: Facts) -> tuple[str, str]:
    """Return the path for a plan, and in words why it is not a faster one; empty where it is the fastest.

    A driver is used where firing by the C functions would cost more than having one.
    """
    policy = plan.policy
    if policy.makes_instances:
        return CALLS, f"policy {policy.text} starts instances between events, which no driver can do"
    if policy.kind == "pool":
        return CALLS, f"policy {policy.text} fires at several instances, and a driver stands in front of one"
    if plan.arrivals is not None:
        return (
            CALLS,
            "in an open loop events have their own times, and a driver fires one right after the other",
        )
    if plan.in_flight > 1:
        return CALLS, f"{plan.in_flight} events in flight wait for each other, and a driver has one at a time"
    if facts.no_driver:
        return CALLS, facts.no_driver
    events = plan.asked if plan.asked is not None else _ENDLESS
    saved = min(events * CALL_S, plan.duration_s or float("inf"))
    if saved < facts.driver_s:
        few = f"{plan.asked:,} events".replace(",", " ") if plan.asked else f"{plan.duration_s:g} s"
        return CALLS, f"{few} are over sooner than a driver is made (about {facts.driver_s:.2g} s)"
    return DRIVER, ""


def path_text(path: str) -> str:
    """Return what timed the events, in words: `in the engine`, `by the C functions`, `from the notebook`."""
    return _TEXTS.get(path, path)
