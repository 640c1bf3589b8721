"""The machine a measurement was taken on, as far as it explains figures: no user, no host, no path."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["Machine", "this_machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts that a figure cannot be read without."""

    cpu: str = ""
    cores: int = 0
    memory_bytes: int = 0
    system: str = ""
    python: str = ""
    engine: str = ""

    @property
    def text(self) -> str:
        """The facts on one line, unknown ones left out."""
        cores = f"{self.cores} core{'s' if self.cores != 1 else ''}" if self.cores else ""
        python = f"Python {self.python}" if self.python else ""
        return ", ".join(fact for fact in (self.cpu, cores, self.system, python, self.engine) if fact)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Machine:
        """Return the facts that `to_json` gave this data for; unknown and misshapen ones are left out."""
        given = data if isinstance(data, dict) else {}
        known = {f.name: f.default for f in fields(cls)}
        return cls(
            **{name: given[name] for name, like in known.items() if type(given.get(name)) is type(like)}
        )


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """Return the facts of this machine, looked up once."""
    import platform  # late: loading the lab stays fast

    return Machine(
        cpu=_cpu_model() or platform.processor() or platform.machine(),
        cores=_usable_cores(),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        engine=_engine(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"} and value.strip():
            return " ".join(value.split())
    return ""


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def _engine() -> str:
    from importlib import metadata  # late: it takes longer to load than all of this room

    try:
        return f"wasmtime {metadata.version('wasmtime')}"
    except metadata.PackageNotFoundError:
        return ""
