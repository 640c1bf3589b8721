"""What the requests do: compile, load, instantiate, call, fire, drop. It knows no sockets and no threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from labkernel._errors import CacheDamaged, ComponentError, GuestTrap, LabError
from labkernel._host import machine_code, membranes, protocol, traps
from labkernel._host.binary import wat_error
from labkernel._host.callbacks import Provider
from labkernel._host.capi import EngineFailure, error_parts
from labkernel._host.driving import Driving
from labkernel._host.engine import Bound, Component, Engine, Instance, assemble
from labkernel._host.linking import Linker, Links
from labkernel._host.load import Loads
from labkernel._host.many import Many
from labkernel._host.memory import linear_memories
from labkernel._host.notebook import Notebook
from labkernel._host.peeking import Memories, peek
from labkernel._host.settings import EngineSettings, Start
from labkernel._host.settling import Sender, Settling, stopped_error
from labkernel._host.starts import Starts
from labkernel._host.watch import OUTPUT_CAP, Abandoned, Job, Stopped
from labkernel._host.worlds import world_to_data
from labkernel._wit import Function

__all__ = ["Service"]

_now: Final = time.perf_counter_ns
_FINISHED: Final = 4096


class Service(Settling):
    """Engines, components and instances of this process.

    `providers` implement imports in this process, by the import's name; a start names those it wants in `host`.
    """

    def __init__(self, link: Sender, mac_key: bytes) -> None:
        super().__init__(link)
        self._mac_key = mac_key
        self._engines: dict[EngineSettings, Engine] = {}
        self._components: dict[int, Component] = {}
        self._instances: dict[int, Instance] = {}
        self._finished: dict[int, str] = {}
        self.providers: dict[str, Provider] = dict.fromkeys(membranes.IMPORTS, membranes.provide)
        self._ledgers = membranes.Ledgers()
        self._memories = Memories()
        self._notebook = Notebook(link, lambda job: self.output.pause(job.output))
        self._last = 0
        self._operations: dict[str, Callable[..., Any]] = {
            "codegen": self.codegen, "load": self.load, "unload": self.unload, "assemble": self.assemble,
            "instantiate": self.instantiate, "call": self.call, "drop": self.drop,
            "ledger": self.ledger, "peek": self.peek, "release": self.release,
        }  # fmt: skip
        many = Many(self)
        self._operations |= {"fire": many.fire, "cold": many.cold, "startups": Starts(self).startups}
        loads = Loads(self)
        self._operations |= {"load-ready": loads.ready, "load-go": loads.go, "load-forget": loads.forget}
        self._operations["drive"] = Driving(self).drive

    def serve(self, job: Job, operation: str, arguments: list[Any]) -> Any:
        """Do one request and return the value of its reply."""
        try:
            serve = self._operations[operation]
        except (KeyError, TypeError):
            raise protocol.ProtocolError(f"unknown operation {operation!r}") from None
        try:
            return serve(job, *arguments)
        finally:
            if job.output is not None:
                self.output.leave(job.output)
            if job.meter is not None:
                job.meter.close()
            if job.abandoned and job.instance is not None:
                job.instance.close()

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _engine(self, data: list[Any]) -> Engine:
        settings = EngineSettings(*data)
        if settings not in self._engines:
            self._engines[settings] = Engine(settings)
        return self._engines[settings]

    # ------------------------------------------------------------------------------------------ components

    def codegen(self, job: Job, wasm: bytes, target: str, settings: list[Any]) -> list[int]:
        """Compile a component and write its machine code."""
        engine = self._engine(settings)
        began = _now()
        code = engine.compile(wasm)
        spent = _now() - began
        machine_code.write(Path(target), code, key=self._mac_key, settings_key=engine.settings.key)
        return [spent, len(code)]

    def load(self, job: Job, path: str, settings: list[Any]) -> list[Any]:
        """Load machine code, once its MAC is right."""
        component, spent = self.load_component(path, settings)
        number = self._number()
        self._components[number] = component
        return [number, spent, world_to_data(component.world)]

    def load_component(self, path: str, settings: list[Any]) -> tuple[Component, int]:
        """Return the component in a file of machine code, and the nanoseconds of loading it. Raises `CacheDamaged`."""
        engine = self._engine(settings)
        spent = 0

        def deserialize(link: str) -> int:
            nonlocal spent
            began = _now()
            pointer = engine.deserialize(link)
            spent = _now() - began
            return pointer

        try:
            pointer = machine_code.load_checked(
                Path(path), deserialize, key=self._mac_key, settings_key=engine.settings.key
            )
        except EngineFailure as failure:
            raise CacheDamaged(f"The engine refuses {Path(path).name}: {failure.text}") from None
        return Component(engine, pointer), spent

    def component(self, number: int) -> Component:
        """Return a loaded component."""
        return self._components[number]

    def unload(self, job: Job, number: int) -> None:
        """Free a component."""
        if component := self._components.pop(number, None):
            component.close()

    def assemble(self, job: Job, wat: str) -> bytes:
        """Turn text into a binary."""
        try:
            return assemble(wat.encode())
        except EngineFailure as failure:
            raise wat_error(failure.text, wat) from None

    # ------------------------------------------------------------------------------------------- instances

    def instantiate(self, job: Job, component: int, start_data: list[Any]) -> list[int]:
        """Start an instance."""
        start = Start.from_data(start_data)
        run = self.begin(job, start)
        self._memories.settle(self._instances)
        began = _now()
        made = self.component(component)
        linker = self.linker(made, start)
        linked = _now()
        instance = self.new_instance(job, made, linker, start)
        spent = _now() - linked
        self.settle(job, instance)
        self.output.end(run)
        number = self._number()
        self._instances[number] = instance
        self._memories.started(number)
        return [number, linked - began, spent]

    def linker(self, component: Component, start: Start) -> Linker:
        """Return the component's linker with the host functions that this start names. Raises `ComponentError`."""
        _check_membrane(component, start)
        functions = {item.name for item in component.world.imports if isinstance(item, Function)}
        kernel = {n: self._notebook.provider(n, is_function=n in functions) for n in start.notebook}
        names = start.host if start.membrane is None else (*start.host, *membranes.IMPORTS)
        providers = {name: self._provider(name) for name in names} | kernel
        return component.linker(Links(providers, start.denied, start.http))

    def _provider(self, name: str) -> Provider:
        try:
            return self.providers[name]
        except KeyError:
            known = ", ".join(self.providers) or "none"
            raise ComponentError(
                f"The import {name!r} has no implementation in the host process; it has those of {known}."
            ) from None

    def new_instance(self, job: Job, component: Component, linker: Linker, start: Start) -> Instance:
        return self.begun(job, Instance(component, start, self.output.stdout, self.output.stderr), linker)

    def begun(self, job: Job, instance: Instance, linker: Linker) -> Instance:
        """Run the start of an instance whose store is open, and return it. Raises the guest's error."""
        start = instance.start
        if job.meter is not None:
            job.meter.begin(instance)
        try:
            job.enter(instance, start.timeout_s)
            error = instance.instantiate(linker)
            job.leave()
        except BaseException:
            instance.close()
            raise
        if error:
            self._ledgers.keep(0, instance)
            raise self._failure(job, instance, error, linking=True)
        return instance

    def live(self, number: int) -> Instance:
        try:
            return self._instances[number]
        except KeyError:
            why = self._finished.get(number, "it was dropped")
            raise GuestTrap(f"This instance is finished: {why} Start a new one.") from None

    def drop(self, job: Job, number: int) -> None:
        """End an instance."""
        if instance := self._instances.pop(number, None):
            instance.close()

    def ledger(self, job: Job, number: int) -> list[Any]:
        """Return what the membrane of an instance has seen, ended ones included; 0 is the last that failed to start."""
        instance = self._instances.get(number)
        held = 0
        if instance is not None and instance.passage is not None:
            held = self._memories.held_bytes(number, self._instances, but=instance.passage.base)
        return [*self._ledgers.take(number, instance), held]

    def peek(self, job: Job, number: int, wanted: bytes, most: int) -> list[list[Any]]:
        """Return what is found in an instance's linear memories; see `peeking.peek`."""
        self.live(number)
        return peek(self._memories.of(number, self._instances), wanted, most)

    # ----------------------------------------------------------------------------------------------- calls

    def call(
        self, job: Job, number: int, function: str, arguments: list[Any], timeout_s: float | None
    ) -> list[Any]:
        """Call one function of an instance once."""
        instance = self.live(number)
        bound = instance.bind(function)
        lowered = instance.lower(bound, arguments)
        start = instance.start
        run, written = self.begin(job, start), instance.disk_used
        tank = instance.refuel() if start.fuel is not None else 0
        with self.finishing(number, instance):
            spent = self.timed(
                job, instance, bound, lowered, start.timeout_s if timeout_s is None else timeout_s
            )
            result = instance.take_result(bound)
            self.settle(job, instance)
        self.output.end(run)
        index, instance.calls = instance.calls, instance.calls + 1
        fuel = tank - instance.fuel_left() if tank else None
        return [result, spent, index, run.cut, fuel, job.meter and instance.disk_used - written]

    def release(self, job: Job, number: int, handle: int, resource: str) -> bool:
        """Drop a resource that a guest made, which may run its destructor."""
        instance = self.live(number)
        run = self.begin(job, instance.start)
        with self.finishing(number, instance):
            if job.meter is not None:
                job.meter.begin(instance)
            job.enter(instance, instance.start.timeout_s)
            error = instance.handles.drop(handle, resource)
            job.leave()
            if error:
                raise self._failure(job, instance, error)
            self.settle(job, instance)
        self.output.end(run)
        return run.cut

    def enter(
        self, job: Job, instance: Instance, function: str, arguments: list[Any], timeout_s: float
    ) -> Any:
        """Call a function of an instance for the lab itself, and return its result. Raises the guest's error."""
        bound = instance.bind(function)
        self.timed(job, instance, bound, bound.codec.lower(arguments), timeout_s)
        return instance.take_result(bound)

    def timed(
        self, job: Job, instance: Instance, bound: Bound, lowered: Any, timeout_s: float,
        on_error: Callable[[], None] | None = None,
    ) -> int:  # fmt: skip
        """Call, and return the nanoseconds of the engine's call alone. Raises the guest's error.

        `on_error` is called while the store of a guest that failed is still there.
        """
        if job.meter is not None:
            job.meter.begin(instance)
        job.enter(instance, timeout_s)
        began = _now()
        error = instance.call(bound, lowered)
        spent = _now() - began
        job.leave()
        if error:
            if on_error is not None:
                on_error()
            raise self._failure(job, instance, error)
        return spent

    # ---------------------------------------------------------------------------------------------- errors

    def _failure(self, job: Job, instance: Instance, error: int, *, linking: bool = False) -> LabError:
        """Close the store and return the lab's error for the engine's."""
        text, status = error_parts(error)
        run = job.output
        self.wait_for_output(instance, lambda: self.output.take_in(run))
        self.output.end(run)
        before = linear_memories()
        instance.close()
        self.wait_for_output(instance, self.output.forget)
        after = linear_memories()
        held = max((size for at, size in before.items() if at not in after), default=0)
        ending = traps.Ending(text, status, instance.start, printed=run.tail, held_bytes=held)
        if run.cut and not job.stopped:
            job.stopped = OUTPUT_CAP
        (name, raised), instance.host_error = instance.host_error or ("", None), None
        if job.stopped and (ending.is_stop or job.stopped == OUTPUT_CAP or isinstance(raised, Stopped)):
            return stopped_error(job)
        if raised is not None:
            return ending.host_error(name, raised)
        return ending.link_error() if linking else ending.error()

    @contextmanager
    def finishing(self, number: int, instance: Instance) -> Iterator[None]:
        """Mark the instance as finished when a call inside fails."""
        try:
            yield
        except LabError as error:
            if not instance.store:
                self.remember(number, f"its last call failed ({str(error).split('. ')[0][:200]}).")
            raise
        except Abandoned:
            self.remember(number, "its last call never came back from a host call.")
            raise

    def abandoned(self, job: Job) -> None:
        """Mark the instance of an abandoned job as finished; its own thread closes its store, if ever.

        A guest may have been waiting until somebody reads what it prints: so that is done once more.
        """
        self.wait_for_output(job.instance, self.output.forget, rounds=3)
        for number, instance in list(self._instances.items()):
            if instance is job.instance:
                self.remember(number, "its last call never came back from a host call.")

    def remember(self, number: int, why: str) -> None:
        """Mark an instance as finished, with the reason that a later call is told."""
        self._ledgers.keep(number, self._instances.pop(number, None))
        self._finished[number] = why
        while len(self._finished) > _FINISHED:
            self._finished.pop(next(iter(self._finished)))


def _check_membrane(component: Component, start: Start) -> None:
    """Raise `ComponentError` where a start relies on a membrane that the component is not behind."""
    is_behind = membranes.IMPORTS[0] in component.world.imported()
    if start.membrane is not None and not is_behind:
        raise ComponentError("The start brings a membrane's policy, expected a component that is behind one.")
    if (start.network or start.http) and not is_behind:
        raise ComponentError("The network is open to components behind a membrane only, and this one is not.")
