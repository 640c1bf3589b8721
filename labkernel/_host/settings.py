"""What callers say to the host process and what it answers: plain records. It knows no engine."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from labkernel._errors import LabError
from labkernel._wit import World

__all__ = [
    "DEFAULT",
    "START_PHASES",
    "Called",
    "Codegen",
    "ColdRun",
    "EngineSettings",
    "Fired",
    "Loaded",
    "Start",
    "Started",
    "Startups",
    "engine_version",
]

_LAYOUT = "3"
"""Raised whenever `engine.py` changes a setting that changes machine code, or `machine_code.py` its files."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How machine code is made: `compiler` is cranelift, winch or pulley; `fuel` counts instructions."""

    compiler: str = "cranelift"
    fuel: bool = False

    @property
    def key(self) -> str:
        """Everything that changes machine code, as one line of text for cache keys."""
        fuel = "fuel" if self.fuel else "nofuel"
        return f"wasmtime-{engine_version()}/{self.compiler}/{fuel}/epochs/{_LAYOUT}/{_cpu()}"


DEFAULT: Final = EngineSettings()


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Return the version of the engine's package, by its folder's neighbour: no import takes as long."""
    spec = importlib.util.find_spec("wasmtime")
    if spec is None or spec.origin is None:
        return "none"
    for found in Path(spec.origin).parents[1].glob("wasmtime-*.dist-info"):
        return found.name.removeprefix("wasmtime-").removesuffix(".dist-info")
    from importlib.metadata import version

    return version("wasmtime")


@lru_cache(maxsize=1)
def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return os.uname().machine
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return f"{os.uname().machine}-{_digest(' '.join(sorted(line.partition(':')[2].split())))}"
    return os.uname().machine


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Start:
    """How an instance is started: its grants and budgets as plain data.

    `dirs` holds (host path, guest path, writable); `hints` maps the beginning of an import's name to the
    sentence that says how to grant it; `denied` holds beginnings of the names of interfaces that trap at the call.
    `network` opens all of it and `http` every host: only for a component behind a membrane. `host` names the
    imports, as in `World.imports`, that the host process implements itself, by a provider of `serving.Service`,
    `notebook` those that the kernel's process implements, by the `on_host` of each request; `membrane` is the plain
    data of the `Policy` for a component behind one. `memory_bytes` bounds each linear memory, `output_bytes` each call,
    `disk_bytes` what is written to directories over the instance's life.
    """

    env: tuple[tuple[str, str], ...] = ()
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    dirs: tuple[tuple[str, str, bool], ...] = ()
    network: bool = False
    http: bool = False
    denied: tuple[str, ...] = ()
    memory_bytes: int = 256 << 20
    table_elements: int = 1_000_000
    instances: int = 1000
    output_bytes: int = 1 << 20
    fuel: int | None = None
    timeout_s: float = 5.0
    hints: tuple[tuple[str, str], ...] = ()
    host: tuple[str, ...] = ()
    notebook: tuple[str, ...] = ()
    membrane: tuple[Any, ...] | None = None
    disk_bytes: int = 64 << 20

    def to_data(self) -> list[Any]:
        """Return the start as plain data, in the order of the fields."""
        return [getattr(self, name) for name in self.__dataclass_fields__]

    @classmethod
    def from_data(cls, data: list[Any]) -> Start:
        """Return the start that `to_data` gave this data for."""
        given = dict(zip(cls.__dataclass_fields__, data, strict=True))
        for name in ("env", "dirs", "hints"):
            given[name] = tuple(map(tuple, given[name]))
        for name in ("args", "denied", "host", "notebook"):
            given[name] = tuple(given[name])
        if given["membrane"] is not None:
            given["membrane"] = tuple(given["membrane"])
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Codegen:
    """Machine code was made: `ns` of compiling, `size` of the file in bytes."""

    ns: int
    size: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """A component in the host process. `generation` is the process it is in; `world` is read off it."""

    id: int
    generation: int
    world: World
    deserialize_ns: int
    path: str = ""
    settings: EngineSettings = DEFAULT


@dataclass(frozen=True, slots=True)
class Started:
    """A live instance in the host process of that generation."""

    id: int
    generation: int
    link_ns: int
    instantiate_ns: int
    start: Start = field(default_factory=Start)


@dataclass(frozen=True, slots=True)
class Called:
    """One call: `result` in normal form, `ns` around the engine's call, `index` 0 for an instance's first.

    `fuel_used` and `disk_bytes`, what was written to writable directories, are `None` where nobody counts.
    """

    result: Any
    ns: int
    index: int
    output_cut: bool = False
    fuel_used: int | None = None
    disk_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """Many calls of one instance: nanoseconds and results in order, and what ended it early, if anything."""

    ns: array[int]
    results: list[Any]
    error: LabError | None = None
    lower_ns: int = 0
    lift_ns: int = 0
    output_cut: bool = False


@dataclass(frozen=True, slots=True)
class ColdRun:
    """Many calls, each of a fresh instance: nanoseconds by phase and results in order."""

    instantiate_ns: array[int]
    first_call_ns: array[int]
    drop_ns: array[int]
    results: list[Any]
    error: LabError | None = None
    output_cut: bool = False


START_PHASES: Final = ("deserialize", "link", "instantiate", "first-call")


@dataclass(frozen=True, slots=True)
class Startups:
    """Whole starts: nanoseconds by phase (`deserialize`, `link`, `instantiate`, `first-call`), and their answer."""

    phases: dict[str, array[int]]
    result: Any
