"""Firing events: plans, policies and loops carried out in host processes, and what they leave. It makes no pictures."""

from __future__ import annotations

from labkernel._fire.cautions import cautions
from labkernel._fire.collect import KEPT, Collector, ErrorKind, Live, Point
from labkernel._fire.compare import RunComparison
from labkernel._fire.cycle import Cycle
from labkernel._fire.load import Outcome, carry_out
from labkernel._fire.path import Facts, choose_path, path_text
from labkernel._fire.plan import MOST_EVENTS, Plan, Policy, make_plan, parse_policy
from labkernel._fire.records import Answer, Target, call_of
from labkernel._fire.run import LoadFacts, Run
from labkernel._fire.timeline import Moment, Timeline

__all__ = [
    "KEPT",
    "MOST_EVENTS",
    "Answer",
    "Collector",
    "Cycle",
    "ErrorKind",
    "Facts",
    "Live",
    "LoadFacts",
    "Moment",
    "Outcome",
    "Plan",
    "Point",
    "Policy",
    "Run",
    "RunComparison",
    "Target",
    "Timeline",
    "call_of",
    "carry_out",
    "cautions",
    "choose_path",
    "make_plan",
    "parse_policy",
    "path_text",
]
