"""Sustained firing of a lab's instances through drivers, which are made in the background and kept in the cache.

The first events go by the C functions while a driver is composed and compiled; then the instance is started anew
behind it, and stays there, so that calls and further runs meet the same instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from labkernel._cache import key_of
from labkernel._errors import LabError
from labkernel._fire import (
    DRIVER,
    POOL,
    Composer,
    Driven,
    Facts,
    Guest,
    Live,
    Making,
    NoDriver,
    Plan,
    Sustained,
    drive,
    noop_of,
    sustain,
    why_undrivable,
)
from labkernel._host import EngineSettings, Loaded, Start, Started, Supervisor, load_or_make
from labkernel._lab.code import CODEGEN_TIMEOUT_S
from labkernel._lab.instance import Instance
from labkernel._timing import format_ns
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab
    from labkernel._lab.records import Build

__all__ = ["Background", "Driving", "Target"]

OnLive = Callable[[Live], None]
_COMPOSE_S: Final = 0.1
_START_S: Final = 0.03
_COMPILE_S_PER_BYTE: Final = 0.2e-6
_NOOP_EVENTS: Final = 20_000
_HARNESS_FROM: Final = 10_000
"""Events from which on a run is long enough for the harness to be measured beside it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A live instance behind a driver for one of its functions."""

    host: Supervisor
    started: Started
    function: Function

    def drive(
        self, events: Sequence[list[Any]], n: int, *, duration_s: float | None = None, timeout_s: float | None = None
    ) -> Driven:  # fmt: skip
        """Fire `n` events, the given ones in turn."""
        return drive(
            self.host, self.started, self.function, events, n, duration_s=duration_s, timeout_s=timeout_s
        )


def _open(host: Supervisor, loaded: Loaded, start: Start, function: Function) -> Iterator[Target]:
    started = host.instantiate(loaded, start)
    try:
        yield Target(host, started, function)
    finally:
        host.drop(started)


class Driving:
    """Makes drivers for a lab's components and fires through them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._composer = Composer(lab.toolbox, lab.tools.assemble, lab.cache)
        self.background = Background()

    # ---------------------------------------------------------------------------------------------- what it takes

    def facts(self, instance: Instance, function: Function) -> Facts:
        """Return what a path depends on: why no driver can stand in front of an instance, or what one costs."""
        why = why_undrivable(function)
        if why:
            why = f"no driver fires {function.full_name}: {why}"
        elif instance.on_host.behind:
            why = "the notebook stands behind an import of it, which a driver's batches cannot wait for"
        elif instance.watched.build.wrapped:
            why = "a membrane stands between it and its imports, for a grant or a trace, and is heard after each call"
        elif instance.budgets.fuel is not None or instance.build.settings.fuel:
            why = "a budget of fuel is refilled before each event, which a driver cannot do"
        elif not self._lab.toolbox.is_there:
            why = "drivers are composed by the toolbox, which is missing: labkernel setup builds it"
        return Facts(why, self.cost_s(instance.build, function))

    def cost_s(self, build: Build, function: Function) -> float:
        """Return about how long it takes to have a driver in front of a component, in seconds."""
        if self._code(build, function).is_file():
            return _START_S
        compiled = build.phases.get("codegen")
        return _COMPOSE_S + (compiled / 1e9 if compiled else build.size * _COMPILE_S_PER_BYTE)

    def _code(self, build: Build, function: Function) -> Path:
        key = self._composer.key(build.wasm_digest or build.digest, function)
        return self._lab.cache.path(
            "code", key_of("driver", key, build.settings.key, self._lab.tools.key_id), ".cwasm"
        )

    def prepare(self, build: Build, function: Function) -> Path:
        """Return the machine code of a component with a driver in front of it, made where it is not there.

        Raises `NoDriver`, and what composing and compiling raise.
        """
        code, cache = self._code(build, function), self._lab.cache
        make = self._maker(self._compose(build, function), code, build.settings)
        with cache.building("code", code.stem):
            if cache.get("code", code.stem, ".cwasm") is None:
                make()
        return code

    def _compose(self, build: Build, function: Function) -> Callable[[], bytes]:
        return lambda: self._composer.composite(build.wasm_digest or build.digest, build.read, function)

    def _maker(
        self, compose: Callable[[], bytes], code: Path, settings: EngineSettings
    ) -> Callable[[], None]:
        def make() -> None:
            self.background.check()
            wasm = compose()
            self.background.check()
            made = self._lab.tools.codegen(wasm, code, settings=settings, timeout_s=CODEGEN_TIMEOUT_S)
            self._lab.cache.grew(made.size)

        return make

    def _load(
        self, host: Supervisor, compose: Callable[[], bytes], code: Path, settings: EngineSettings
    ) -> Loaded:
        """Return a driver with its target in a host process, made where it is not there or damaged."""
        make = self._maker(compose, code, settings)
        return load_or_make(host, code, settings, cache=self._lab.cache, make=make)

    def start(self, instance: Instance, function: Function) -> Started:
        """Start an instance anew behind a driver for a function, unless it stands there already."""
        if instance.driven == function.full_name:
            return instance.started()
        loaded = self._loaded(self._host(instance), instance.build, function)
        instance.start(loaded=loaded, driven=function.full_name)
        return instance.started()

    def _host(self, instance: Instance) -> Supervisor:
        return self._lab.guests.host_of(instance.how_to_start())

    def _loaded(self, host: Supervisor, build: Build, function: Function) -> Loaded:
        code = self._code(build, function)
        loaded = self._load(host, self._compose(build, function), code, build.settings)
        if not any(f.full_name == function.full_name for f in loaded.world.functions()):
            raise NoDriver("the component's own exports cannot be kept beside a driver's")
        return loaded

    @contextmanager
    def opened(self, instance: Instance, function: Function) -> Iterator[Target]:
        """Start another instance like this one behind a driver; it ends with the block. Raises `NoDriver`."""
        host = self._host(instance)
        loaded = self._loaded(host, instance.build, function)
        yield from _open(host, loaded, instance.how_to_start(), function)

    @contextmanager
    def nothing(self, function: Function) -> Iterator[Target]:
        """Start a component that does nothing, of a function's signature, behind a driver; it ends with the block."""
        made, settings, guests = noop_of(function), EngineSettings(), self._lab.guests
        # By structure: types of one name differ from world to world.
        key = key_of("no-op", repr(made.to_data()), settings.key)
        name = key_of("driver", self._composer.key(key, made), settings.key, self._lab.tools.key_id)
        code = self._lab.cache.path("code", name, ".cwasm")

        def compose() -> bytes:
            return self._composer.composite(key, lambda: self._composer.noop(function), made)

        loaded = self._load(guests, compose, code, settings)
        yield from _open(guests, loaded, Start(), made)

    # -------------------------------------------------------------------------------------------------- firing

    def sustain(
        self, instance: Instance, function: Function, plan: Plan, pool: Sequence[list[Any]],
        on_live: OnLive | None = None,
    ) -> Sustained:  # fmt: skip
        """Fire by a plan through a driver, by the C functions until there is one."""
        build = instance.build
        code = self._code(build, function)
        guest = Guest(
            supervisor=self._host(instance),
            started=instance.started,
            restart=instance.start,
            prepare=lambda: self.background.start(code, lambda: self.prepare(build, function)),
            behind=lambda: self.start(instance, function),
            is_prepared=code.is_file(),
            timeout_s=instance.budgets.timeout_s,
        )
        was_behind = instance.driven == function.full_name
        made = sustain(guest, plan, function, pool, on_live)
        if made.path == DRIVER and not was_behind:
            made.notes = (
                f"{instance.name} was started anew behind a driver, with the same grants",
                *made.notes,
            )
        whole = made.outcome.problem is None and not made.outcome.is_interrupted
        if made.path == DRIVER and whole and made.outcome.collector.fired >= _HARNESS_FROM:
            made.notes = (*made.notes, self._harness_note(function, pool))
        return made

    def _harness_note(self, function: Function, pool: Sequence[list[Any]]) -> str:
        """Return what the harness takes for itself, in words."""
        try:
            with self.nothing(function) as target:
                nothing = target.drive(pool[:POOL], _NOOP_EVENTS)
        except LabError as error:
            return f"what the harness takes for itself is not known: {error}"
        return (
            f"the harness: a component that does nothing takes {format_ns(median(nothing.samples))} on the same path, "
            f"{format_ns(nothing.wall_ns)} with clocks, comparison and batches around it"
        )


class Background:
    """The threads in which drivers are made. They start nothing any more once the lab is closed."""

    def __init__(self) -> None:
        self._is_closed = False
        self._making: dict[Path, Making] = {}

    def start(self, path: Path, make: Callable[[], object]) -> Making:
        """Make a file in a thread of its own, unless that is under way."""
        self._making = {at: known for at, known in self._making.items() if known.thread.is_alive()}
        if path not in self._making:
            self._making[path] = Making(make)
            self._making[path].thread.start()
        return self._making[path]

    def check(self) -> None:
        """Raise `NoDriver` if the lab is closed."""
        if self._is_closed:
            raise NoDriver("the lab is closed")

    def close(self) -> None:
        """Let what is being made be the last."""
        self._is_closed = True

    def join(self) -> None:
        """Wait for the threads, whose host process has ended."""
        for making in self._making.values():
            making.thread.join()
