"""Typed synthetic events for any function: edges first, then a seeded mix, the same on every machine."""

from __future__ import annotations

from labkernel._events.generate import events, sample
from labkernel._events.overrides import OneOf
from labkernel._values import call_text

__all__ = ["OneOf", "call_text", "events", "sample"]
