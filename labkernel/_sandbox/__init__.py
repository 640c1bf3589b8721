"""From grants to what the engine is told, and what that leaves standing behind each import.

It knows the interfaces of WASI 0.2 and what the engine does with each; it starts nothing itself.
"""

from __future__ import annotations

from labkernel._sandbox.answering import HostCalls, own_traceback
from labkernel._sandbox.contract import Slot, class_name, slots_of
from labkernel._sandbox.guarding import KEPT, needs_membrane, policy_of, replay_policy
from labkernel._sandbox.implementation import HostImplementation, import_of
from labkernel._sandbox.refusing import refuse_other_wasi, refuse_ungranted
from labkernel._sandbox.standing import standings
from labkernel._sandbox.starting import start_of, wasmtime_line

__all__ = [
    "KEPT",
    "HostCalls",
    "HostImplementation",
    "Slot",
    "class_name",
    "import_of",
    "needs_membrane",
    "own_traceback",
    "policy_of",
    "refuse_other_wasi",
    "refuse_ungranted",
    "replay_policy",
    "slots_of",
    "standings",
    "start_of",
    "wasmtime_line",
]
