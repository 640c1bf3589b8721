"""Where events come from: made up from a function's types, templates, files, tables; the same on every machine."""

from __future__ import annotations

from labkernel._events.generate import events, sample
from labkernel._events.hints import Mapped
from labkernel._events.overrides import OneOf, Written
from labkernel._events.sources import EventOptions, EventSource, open_source
from labkernel._events.templates import TEMPLATES
from labkernel._values import call_text

__all__ = [
    "TEMPLATES",
    "EventOptions",
    "EventSource",
    "Mapped",
    "OneOf",
    "Written",
    "call_text",
    "events",
    "open_source",
    "sample",
]
