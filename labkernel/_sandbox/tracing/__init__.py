"""Traces: what a guest asked of its host, what it used of its grants, and recordings that answer instead."""

from __future__ import annotations

from labkernel._sandbox.tracing.follow import learners
from labkernel._sandbox.tracing.gather import Gathering
from labkernel._sandbox.tracing.recording import Played, Recording, load_recording, save_recording
from labkernel._sandbox.tracing.records import Event, HostCall, Trace
from labkernel._sandbox.tracing.uses import USES

__all__ = [
    "USES",
    "Event",
    "Gathering",
    "HostCall",
    "Played",
    "Recording",
    "Trace",
    "learners",
    "load_recording",
    "save_recording",
]
