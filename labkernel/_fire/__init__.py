"""Firing events at instances: one, many, and cold starts, timed in the host process. It makes no pictures."""

from __future__ import annotations

from labkernel._fire.records import Answer, Run, Target, call_of

__all__ = ["Answer", "Run", "Target", "call_of"]
