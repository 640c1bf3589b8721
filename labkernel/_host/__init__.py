"""The host process: guests, compilers and the toolbox run there, never in the notebook kernel.

This package owns supervisor, protocol, worker and codec, and is the only one that knows wasmtime; the
kernel's side (`Supervisor` and the records) does not import it.
"""

from __future__ import annotations

from labkernel._host.guests import Guests
from labkernel._host.keeping import load_or_make
from labkernel._host.loading import Ready, clock_ns, go, make_ready
from labkernel._host.order import COLUMNS, Chunk, Order
from labkernel._host.policy import Ledger, Policy
from labkernel._host.process import OnHost
from labkernel._host.settings import (
    Called,
    Codegen,
    ColdRun,
    EngineSettings,
    Fired,
    Loaded,
    Start,
    Started,
    Startups,
)
from labkernel._host.shield import HostFunctionLate
from labkernel._host.supervisor import Supervisor
from labkernel._host.wall import Wall

__all__ = [
    "COLUMNS",
    "Called",
    "Chunk",
    "Codegen",
    "ColdRun",
    "EngineSettings",
    "Fired",
    "Guests",
    "HostFunctionLate",
    "Ledger",
    "Loaded",
    "OnHost",
    "Order",
    "Policy",
    "Ready",
    "Start",
    "Started",
    "Startups",
    "Supervisor",
    "Wall",
    "clock_ns",
    "go",
    "load_or_make",
    "make_ready",
]
