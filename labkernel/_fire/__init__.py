"""Firing events: plans, policies and loops carried out in host processes, and what they leave. It makes no pictures."""

from __future__ import annotations

from labkernel._fire.cautions import cautions
from labkernel._fire.collect import KEPT, Collector, ErrorKind, Live, Point
from labkernel._fire.compare import RunComparison
from labkernel._fire.cycle import POOL, Cycle
from labkernel._fire.differential import (
    Agreement,
    Disagreement,
    Outcome,
    agrees,
    outcome_of,
    refuse_difference,
)
from labkernel._fire.load import LoadOutcome, carry_out
from labkernel._fire.path import Facts, choose_path, path_text
from labkernel._fire.plan import MOST_EVENTS, Plan, Policy, make_plan, parse_policy
from labkernel._fire.records import Answer, Target, call_of
from labkernel._fire.run import LoadFacts, Run
from labkernel._fire.shrink import SHRINK_S, Shrunk, shrink
from labkernel._fire.timeline import Moment, Timeline

__all__ = [
    "KEPT",
    "MOST_EVENTS",
    "POOL",
    "SHRINK_S",
    "Agreement",
    "Answer",
    "Collector",
    "Cycle",
    "Disagreement",
    "ErrorKind",
    "Facts",
    "Live",
    "LoadFacts",
    "LoadOutcome",
    "Moment",
    "Outcome",
    "Plan",
    "Point",
    "Policy",
    "Run",
    "RunComparison",
    "Shrunk",
    "Target",
    "Timeline",
    "agrees",
    "call_of",
    "carry_out",
    "cautions",
    "choose_path",
    "make_plan",
    "outcome_of",
    "parse_policy",
    "path_text",
    "refuse_difference",
    "shrink",
]
