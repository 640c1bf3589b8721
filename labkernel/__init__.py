"""labkernel: a Jupyter lab for server-side WebAssembly.

In a notebook, `%load_ext labkernel` brings the magics `%%wit`, `%%wasm`, `%instantiate`, `%fire` and
`%timings`. The same without a notebook:

>>> from labkernel import Lab
>>> with Lab() as lab:
...     answer = lab.build("wat", '''(component
...       (core module $m (func (export "double") (param i32) (result i32)
...         (i32.mul (local.get 0) (i32.const 2))))
...       (core instance $i (instantiate $m))
...       (func (export "double") (param "x" u32) (result u32)
...         (canon lift (core func $i "double"))))''', name="doubler")
...     fn = lab.instantiate("doubler")
...     fn.double(21)
42
"""

from __future__ import annotations

from typing import Any

from labkernel._errors import (
    BadEvent,
    BudgetExceeded,
    CacheDamaged,
    CapabilityDenied,
    CapabilityError,
    CompileError,
    ComponentError,
    GuestCrashed,
    GuestError,
    GuestExit,
    GuestTrap,
    LabError,
    RegistryError,
    ToolchainMissing,
    UnknownCapability,
    UsageError,
    ValueDoesNotFit,
    WitError,
)
from labkernel._fire import Run
from labkernel._lab import Build, Instance, Lab
from labkernel._values import Record, Some, Variant, WitErr, err, ok

__all__ = [
    "BadEvent",
    "BudgetExceeded",
    "Build",
    "CacheDamaged",
    "CapabilityDenied",
    "CapabilityError",
    "CompileError",
    "ComponentError",
    "GuestCrashed",
    "GuestError",
    "GuestExit",
    "GuestTrap",
    "Instance",
    "Lab",
    "LabError",
    "Record",
    "RegistryError",
    "Run",
    "Some",
    "ToolchainMissing",
    "UnknownCapability",
    "UsageError",
    "ValueDoesNotFit",
    "Variant",
    "WitErr",
    "WitError",
    "err",
    "ok",
]

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """Register the magics: what `%load_ext labkernel` calls."""
    from labkernel._magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics back and end the lab's processes: what `%unload_ext labkernel` calls."""
    from labkernel._magics import unload

    unload(shell)
