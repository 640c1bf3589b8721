"""Where an instance is stopped: wall time, memory, output, disk, fuel, tables, instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from labkernel._capability.units import parse_count, parse_duration, parse_size
from labkernel._errors import CapabilityError, UnknownCapability, did_you_mean

__all__ = ["Budgets", "make_budgets"]


@dataclass(frozen=True, slots=True)
class Budgets:
    """Where an instance is stopped.

    Per call, and so per event: `timeout_s` and `fuel`. Per call, or per run of many events: `output_bytes`. Per
    instance, over its life: `memory_bytes` (of each linear memory), `table_elements` (of each table), `instances`
    (core instances, memories and tables), and `disk_bytes`: all that is written to writable directories, and at the
    same time the largest size of each file there.
    """

    timeout_s: float = 5.0
    memory_bytes: int = 256 << 20
    output_bytes: int = 1 << 20
    fuel: int | None = None
    table_elements: int = 1_000_000
    instances: int = 1_000
    disk_bytes: int = 64 << 20


_LIMITS: Final[dict[str, tuple[str, float, float]]] = {
    "timeout_s": ("timeout", 0.001, 86_400),
    "memory_bytes": ("memory", 1 << 16, 4 << 30),
    "output_bytes": ("output", 0, 1 << 30),
    "fuel": ("fuel", 1, (1 << 63) - 1),
    "table_elements": ("table elements", 1, 10_000_000),
    "instances": ("instances", 1, 100_000),
    "disk_bytes": ("disk", 0, 1 << 40),
}


def make_budgets(given: Mapping[str, Any], *, base: Budgets | None = None) -> Budgets:
    """Return budgets from `timeout`, `memory`, `output`, `disk`, `fuel` and the rest, each text or number.

    Absent ones keep `base`.

    Raises `CapabilityError` with the allowed range for a value outside it.
    """
    known = {
        "timeout": ("timeout_s", parse_duration),
        "memory": ("memory_bytes", parse_size),
        "output": ("output_bytes", parse_size),
        "disk": ("disk_bytes", parse_size),
        "fuel": ("fuel", parse_count),
        "table_elements": ("table_elements", parse_count),
        "instances": ("instances", parse_count),
    }
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise UnknownCapability(
                f"Unknown budget {name!r}; known: {', '.join(known)}.{did_you_mean(name, known)}"
            )
        if value is not None:
            target, parse = known[name]
            changes[target] = parse(value, what=name)
    budgets = replace(base or Budgets(), **changes)
    for each in fields(budgets):
        _check_range(each.name, getattr(budgets, each.name))
    return budgets


def _check_range(name: str, value: float | None) -> None:
    what, low, high = _LIMITS[name]
    if value is not None and not low <= value <= high:
        raise CapabilityError(f"{what} {_with_unit(name, value)} is out of range; allowed: "
                              f"{_with_unit(name, low)} to {_with_unit(name, high)}.")  # fmt: skip


def _with_unit(name: str, value: float) -> str:
    if name.endswith("_s"):
        return f"{value:g} s"
    return f"{int(value)} bytes" if name.endswith("_bytes") else f"{int(value)}"
