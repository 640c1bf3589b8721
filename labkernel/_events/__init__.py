"""Typed synthetic events for any function, and when they arrive: seeded, the same on every machine."""

from __future__ import annotations

from labkernel._events.arrivals import FASTEST, Arrivals, parse_arrivals, parse_rate, read_trace
from labkernel._events.generate import events, sample
from labkernel._events.overrides import OneOf
from labkernel._values import call_text

__all__ = [
    "FASTEST",
    "Arrivals",
    "OneOf",
    "call_text",
    "events",
    "parse_arrivals",
    "parse_rate",
    "read_trace",
    "sample",
]
