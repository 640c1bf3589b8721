"""Firing events: plans, policies and loops carried out in host processes, and what they leave. It makes no pictures."""

from __future__ import annotations

from labkernel._fire.cautions import cautions
from labkernel._fire.collect import KEPT, Collector, ErrorKind, Live, Point
from labkernel._fire.compare import RunComparison
from labkernel._fire.compose import Composer, NoDriver, noop_of, why_undrivable
from labkernel._fire.cycle import POOL, Cycle
from labkernel._fire.differential import (
    Agreement,
    Disagreement,
    Outcome,
    agrees,
    outcome_of,
    refuse_difference,
)
from labkernel._fire.driving import Driven, Gathered, drive
from labkernel._fire.load import LoadOutcome, carry_out
from labkernel._fire.path import CALLS, DRIVER, Facts, choose_path, path_text
from labkernel._fire.plan import MOST_EVENTS, Plan, Policy, make_plan, parse_policy
from labkernel._fire.records import Answer, Target, call_of
from labkernel._fire.run import LoadFacts, Run
from labkernel._fire.shrink import SHRINK_S, Shrunk, shrink
from labkernel._fire.sustain import Guest, Making, Sustained, sustain
from labkernel._fire.timeline import Moment, Timeline

__all__ = [
    "CALLS",
    "DRIVER",
    "KEPT",
    "MOST_EVENTS",
    "POOL",
    "SHRINK_S",
    "Agreement",
    "Answer",
    "Collector",
    "Composer",
    "Cycle",
    "Disagreement",
    "Driven",
    "ErrorKind",
    "Facts",
    "Gathered",
    "Guest",
    "Live",
    "LoadFacts",
    "LoadOutcome",
    "Making",
    "Moment",
    "NoDriver",
    "Outcome",
    "Plan",
    "Point",
    "Policy",
    "Run",
    "RunComparison",
    "Shrunk",
    "Sustained",
    "Target",
    "Timeline",
    "agrees",
    "call_of",
    "carry_out",
    "cautions",
    "choose_path",
    "drive",
    "make_plan",
    "noop_of",
    "outcome_of",
    "parse_policy",
    "path_text",
    "refuse_difference",
    "shrink",
    "sustain",
    "why_undrivable",
]
