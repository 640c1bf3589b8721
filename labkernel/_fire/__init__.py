"""Firing events at instances: one, many, and cold starts, timed in the host process. It makes no pictures."""

from __future__ import annotations

from labkernel._fire.differential import (
    Agreement,
    Disagreement,
    Outcome,
    agrees,
    outcome_of,
    refuse_difference,
)
from labkernel._fire.records import Answer, Run, Target, call_of
from labkernel._fire.shrink import SHRINK_S, Shrunk, shrink

__all__ = [
    "SHRINK_S",
    "Agreement",
    "Answer",
    "Disagreement",
    "Outcome",
    "Run",
    "Shrunk",
    "Target",
    "agrees",
    "call_of",
    "outcome_of",
    "refuse_difference",
    "shrink",
]
