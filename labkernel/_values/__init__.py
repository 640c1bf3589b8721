"""Values against WIT types: Python, JSON and WAVE in and out, calls, the canonical ABI's layout.

Everything meets in one normal form of plain data, which also travels to the host process. It knows no engine.
"""

from __future__ import annotations

from labkernel._values.call import bind, call_text, parse_args, parse_call, split_args, split_list
from labkernel._values.functions import find_function
from labkernel._values.handles import Handle, HandleOwner, owned_by
from labkernel._values.labels import snake
from labkernel._values.objects import Flags, Record, Some, Variant, WitErr, err, ok
from labkernel._values.packed import Packed, events_from_data, events_to_data
from labkernel._values.python_in import to_normal
from labkernel._values.python_out import from_normal
from labkernel._values.suggest import suggest
from labkernel._values.wave_in import parse_wave
from labkernel._values.wave_out import wave

__all__ = [
    "Flags",
    "Handle",
    "HandleOwner",
    "Packed",
    "Record",
    "Some",
    "Variant",
    "WitErr",
    "bind",
    "call_text",
    "err",
    "events_from_data",
    "events_to_data",
    "find_function",
    "from_normal",
    "ok",
    "owned_by",
    "parse_args",
    "parse_call",
    "parse_wave",
    "snake",
    "split_args",
    "split_list",
    "suggest",
    "to_normal",
    "wave",
]
