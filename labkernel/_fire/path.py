"""By which path events are fired and timed, and why not by a faster one. It fires nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from labkernel._fire.plan import Plan

__all__ = ["CALLS", "DRIVER", "NOTEBOOK", "Facts", "choose_path", "path_text"]

CALLS: Final = "host call"
DRIVER: Final = "driver"
NOTEBOOK: Final = "notebook"
_TEXTS: Final = {CALLS: "by the C functions", DRIVER: "in the engine", NOTEBOOK: "from the notebook"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a path depends on beside the plan: `no_driver` says why a driver cannot be used; empty if it can."""

    no_driver: str = "no driver component is made in this version"


def choose_path(plan: Plan, facts: Facts) -> tuple[str, str]:
    """Return the path for a plan, and in words why it is not a faster one; empty where it is the fastest."""
    if plan.policy.makes_instances:
        return CALLS, f"policy {plan.policy.text} starts instances between events, which no driver can do"
    if facts.no_driver:
        return CALLS, facts.no_driver
    return CALLS, ""


def path_text(path: str) -> str:
    """Return what timed the events, in words: `in the engine`, `by the C functions`, `from the notebook`."""
    return _TEXTS.get(path, path)
