"""`Instance`: a started component with its grants and budgets, which starts itself anew when it must."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from labkernel._capability import Budgets, Grants, Standing
from labkernel._errors import (
    CapabilityDenied,
    GuestCrashed,
    GuestError,
    UsageError,
    did_you_mean,
    render_short,
)
from labkernel._fire import Answer, Live, Plan, Run, Target, call_of, make_plan
from labkernel._host import Loaded, Start, Started
from labkernel._lab.code import settings_for
from labkernel._lab.methods import Method, normal_args, python_name
from labkernel._lab.records import NoSuchFunction
from labkernel._lab.resources import GuestHandles, Lending, resource_makers
from labkernel._lab.tracing import UNWATCHED, Tracing, Watched
from labkernel._sandbox import HostCalls, refuse_ungranted, slots_of, standings, start_of, wasmtime_line
from labkernel._sandbox.tracing import Event, Played, Trace
from labkernel._values import find_function, from_normal, owned_by, parse_call
from labkernel._wit import Function, Type, has_handle

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab
    from labkernel._lab.records import Build

__all__ = ["Instance"]

OnOutput = Callable[[str, str], None]
_AS_BEFORE: Final = "All else is as it was; the next call starts it anew with the same grants."


class Instance:
    """A started component. Call its functions as methods: `fn.handle({...})`.

    It knows its build: when the component has been built anew, or the guest has trapped, or its host
    process is gone, the next call starts it again with the same grants and says so in one line.
    `pin=True` keeps the old component. `driven` names the function that a driver in front of it fires, if there is one.
    """

    def __init__(
        self, lab: Lab, name: str, build: Build, grants: Grants, budgets: Budgets, *, pin: bool,
        tracing: Tracing = UNWATCHED, compiler: str | None = None,
    ) -> None:  # fmt: skip
        self.name, self.build, self.grants, self.budgets, self.pin = name, build, grants, budgets, pin
        self.tracing = tracing
        self._compiler = compiler
        self._lab = lab
        self._started: Started | None = None
        self._finished = self.driven = ""
        self.phases: dict[str, int] = {}
        self._notes: list[str] = []
        self._renew()
        refuse_ungranted(build.component, grants, self.on_host.behind)
        self.start()

    def _renew(self) -> None:
        """Match the imports with the implementations that were granted, for the next life of the instance."""
        self.on_host = HostCalls(self.build.component, self.grants.host, self._lab.hosts.named)
        self._handles = GuestHandles(self, self.on_host)

    def start(
        self, *, on_output: OnOutput | None = None, loaded: Loaded | None = None, driven: str = ""
    ) -> None:
        """Start afresh: new memory, the same grants; as `loaded` where a driver of `driven` is in front of it."""
        self.drop()
        self._renew()
        self.watched = watched = Watched(
            self._lab, self.build, self.grants, self.tracing, compiler=self._compiler
        )
        loaded, self.driven = loaded or self._lab.code.loaded(watched.build), driven
        sink = on_output or self._lab.on_output
        try:
            self._started = self._lab.guests.instantiate(
                loaded, self.how_to_start(), on_output=sink, on_host=self.on_host
            )
        finally:
            watched.hear(self._started)
        self._finished = ""
        self.phases = {
            "deserialize": loaded.deserialize_ns,
            "link": self._started.link_ns,
            "instantiate": self._started.instantiate_ns,
        }

    @property
    def trace(self) -> Trace:
        """Every host call since this instance was started. Raises `UsageError` where none is kept."""
        return self.watched.trace(self)

    def peek(self, wanted: bytes, *, most: int) -> tuple[int, list[list[Any]]]:
        """Return the host process's number and what `Supervisor.peek` finds. Raises `UsageError`, `GuestTrap`."""
        if self._started is None or self._finished:
            raise UsageError(f"{self.name} does not run now; fire at it first, then look into its memory.")
        found = self._lab.guests.peek(self._started, wanted, most=most)
        return self._lab.guests.pid_of(self._started) or 0, found

    def drop(self) -> None:
        """Let go of the store; the next call starts a new one."""
        if self._started is not None:
            self._lab.guests.drop(self._started)
            self._started = None
        self._end("belongs to an instance that was ended")

    def _end(self, why: str) -> None:
        """Let go of all resources, since the guest has ended."""
        self._handles.end(why)
        self._notes += self.on_host.close()

    def how_to_start(self) -> Start:
        """Return how the host process starts `watched.build`; `on_host` then answers its calls into the notebook."""
        start = start_of(self.grants, self.budgets, self.build.supplies, notebook=self.on_host.behind)
        return self.watched.start(start)

    def refresh(self) -> list[str]:
        """Start anew where that is due and return the lines that say why."""
        notes = []
        newest = self._newest()
        if newest.digest != self.build.digest:
            settings = settings_for(newest, self._compiler, self.budgets.fuel)
            self.build = self._lab.code.for_settings(newest, settings)
            notes.append(f"{self.build.name} has been rebuilt")
        elif self._finished:
            notes.append(f"the last one {self._finished}")
        elif self._started is None or not self._lab.guests.is_running(self._started):
            notes.append("its host process has ended")
        elif changed := self.on_host.redefined():
            notes.append(f"{changed} stands behind other imports now")
        if not notes:
            return []
        self.start()
        refuse_ungranted(self.build.component, self.grants, self.on_host.behind)
        return [f"{self.name} was started anew with the same grants: {notes[0]}."]

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions that can be called: those of the component that the next call meets."""
        return self._newest().functions

    def _newest(self) -> Build:
        """Return the build of now, or the one it was started with where that is pinned."""
        return self.build if self.pin else self._lab.builds.get(self.build.name, self.build)

    @property
    def standings(self) -> list[Standing]:
        """What stands behind each import."""
        return standings(self.build.component, self.grants, self.on_host.behind)

    def wasmtime_line(self, call: str = "") -> tuple[str, list[str]]:
        """Return the equivalent `wasmtime run` line and in what it differs."""
        functions = self.functions
        call = call or (f"{functions[0].full_name}(...)" if functions else "")
        line, notes = wasmtime_line(self.grants, self.budgets, component=f"{self.build.name}.wasm", call=call)
        if self.build.supplies:
            notes.append("a development build gets its snippet from the lab: build it with --release first")
        return line, notes

    def find(self, wanted: str) -> Function:
        """Return the exported function of that name: plain, with its interface, or with underscores for hyphens.

        Raises `UsageError` when there is none.
        """
        found = find_function(wanted, self.functions)
        if found is None:
            names = [f.full_name for f in self.functions]
            near = did_you_mean(wanted, [*names, *(f.name for f in self.functions)])
            raise UsageError(
                f"{self.name} exports no function {wanted!r}; it exports {', '.join(names) or 'none'}.{near}"
            )
        return found

    def call(
        self, function: Function | str, args: Sequence[Any] = (), *, on_output: OnOutput | None = None
    ) -> Answer:
        """Call a function with Python values and return the `Answer`.

        Raises `ValueDoesNotFit` before anything runs, or a `GuestError`.
        """
        function = self.find(function) if isinstance(function, str) else function
        if not any(has_handle(p.type) for p in function.params):
            return self.call_normal(function, normal_args(function, args), on_output=on_output)
        self._notes += self.refresh()
        with Lending(self._handles) as lending:
            with owned_by(lending):
                normal = normal_args(function, args)
            return self.call_normal(function, normal, on_output=on_output)

    def call_text(self, text: str, *, on_output: OnOutput | None = None) -> Answer:
        """Call with WAVE text, as `%fire` does: `handle({...}, 1)`, `handle {...}` or only the argument."""
        function, args = parse_call(text, self.functions)
        return self.call_normal(function, args, on_output=on_output)

    def parsed(self, call: str | None, args: Sequence[Any] | None = None) -> tuple[Function, list[Any]]:
        """Return the function and the arguments (normal form) that WAVE text or Python values mean."""
        if args is None:
            return parse_call(call or "", self.functions)
        function = self.find(call) if call else self._lab.function(self, None)
        if any(has_handle(p.type) for p in function.params):
            raise UsageError(f"{function.name} takes a handle, which many events cannot share. Fire it once.")
        return function, normal_args(function, args)

    def call_normal(
        self, function: Function, args: list[Any], *, on_output: OnOutput | None = None
    ) -> Answer:
        """Call with values in normal form."""
        notes = self.prepare()
        said: list[str] = []
        sink = on_output or self._lab.on_output

        def hear(stream: str, text: str) -> None:
            said.append(text)
            if sink:
                sink(stream, text)

        assert self._started is not None
        event = Event(self.watched.next_event(), call_of(function, args), 0)
        begun = time.perf_counter_ns()
        try:
            called = self._lab.guests.call(
                self._started, function.full_name, args, timeout_s=self.budgets.timeout_s, on_output=hear,
                on_host=self.on_host,
            )  # fmt: skip
        except (GuestError, CapabilityDenied) as error:
            self.note_failure(type(error).__name__)
            error.output = "".join(said)
            spent = time.perf_counter_ns() - begun
            told = f"{type(error).__name__}: {error}"
            fired = Played(function.full_name, args, (), None, told)
            self._hear(replace(event, ns=spent, error=told), said, fired)
            raise error from self.on_host.raised
        except KeyboardInterrupt as error:
            self._note_interrupt(error)
            raise
        fired = Played(function.full_name, args, (), [called.result])
        used: dict[str, Any] = {name: getattr(called, name) for name in ("ns", "fuel_used", "disk_bytes")}
        self._hear(replace(event, **used), said, fired)
        return Answer(
            target=self.target(),
            function=function,
            call=call_of(function, args),
            normal=called.result,
            index=called.index,
            output="".join(said),
            notes=tuple(notes),
            **used,
            made=self._made(called.result, function.result),
        )

    def _made(self, normal: Any, wit_type: Type | None) -> Any:
        """Return the objects of a result with handles; other results are made when they are looked at."""
        if wit_type is None or not has_handle(wit_type):
            return None
        with owned_by(Lending(self._handles)):
            return from_normal(normal, wit_type)

    def _taken_notes(self) -> list[str]:
        notes, self._notes = self._notes, []
        return notes

    def _drop_forgotten(self) -> list[str]:
        """Drop the resources that nothing refers to any more, and say which."""
        notes = []
        while self._handles.forgotten:
            number, resource = self._handles.forgotten.pop()
            self.release(self._handles, number, resource)
            notes.append(f"{resource}({number}) was dropped: nothing referred to it any more.")
        return notes

    def release(self, handles: GuestHandles, number: int, resource: str) -> None:
        """Drop a resource in the guest; one whose instance or process has ended is gone already."""
        here = self._started is not None and self._lab.guests.is_running(self._started)
        if handles is not self._handles or handles.ended or not here:
            return
        assert self._started is not None
        sink = self._lab.on_output
        try:
            self._lab.guests.release(self._started, number, resource, on_output=sink, on_host=self.on_host)
        except GuestCrashed as error:
            self.note_failure(type(error).__name__)
        except GuestError as error:
            self.note_failure(type(error).__name__)
            raise error from self.on_host.raised
        except KeyboardInterrupt as error:
            self._note_interrupt(error)
            raise

    def run(
        self,
        function: Function,
        *,
        n: int | None = None,
        seed: int = 0,
        events: Iterable[list[Any]] | None = None,
        on_progress: Callable[[Live], None] | None = None,
        plan: Plan | None = None,
    ) -> Run:
        """Fire many events and return the `Run`; generated from the seed unless `events` (normal form) are given.

        Without a plan, `n` events one after the other: a guest that traps, exits or exceeds a budget ends the
        run, which keeps what was answered until then. Raises `KeyboardInterrupt` when it was stopped: only
        `Lab.fire` keeps a run so far, for the user to see.
        """
        run = self._lab.firing.run(
            self, function, plan or make_plan(n=n, seed=seed), events=events, on_live=on_progress
        )
        if run.is_interrupted:
            error = KeyboardInterrupt()
            self._note_interrupt(error)
            raise error
        return run

    def started(self) -> Started:
        """Return what the host process knows this instance as; starts it where it has not been."""
        if self._started is None:
            self.start()
        assert self._started is not None
        return self._started

    def finish(self, how: str) -> None:
        """Note that the instance ended, and how, as in `trapped`: the next call starts it anew and says so."""
        self._finished = how
        self._end(f"belongs to an instance that {how}")

    def prepare(self) -> list[str]:
        """Start anew where that is due before events are fired, and return all lines that are to be said."""
        return [*self._taken_notes(), *self._drop_forgotten(), *self.refresh()]

    def hear_run(self, run: Run) -> dict[str, int]:
        """Take in what the membrane has told while a run was fired here; return how often each function was called."""
        told = f"{type(run.error).__name__}: {run.error}" if run.error else ""
        normals = iter(run.normals)
        played = [
            Played(run.function.full_name, run.events[moment.event], (), None, _kind_of(run, moment.outcome))
            if moment.outcome
            else Played(run.function.full_name, run.events[moment.event], (), [next(normals)])
            for moment in (run.timeline if self.tracing.is_recorded else ())
        ]
        what = f"{run.function.full_name}(...) × {run.fired}"
        event = Event(self.watched.next_event(), what, sum(run.ns), error=told)
        self._hear(event, [run.output], *played)
        return self.watched.counts() if self.watched.tracing.is_kept else {}

    def _hear(self, event: Event, said: list[str], *fired: Played) -> None:
        event = replace(event, output_bytes=len("".join(said).encode()))
        self.watched.hear(self._started, event, fired)

    def target(self) -> Target:
        """Return what a figure of this instance is a figure of."""
        build = self.build
        return Target(self.name, build.digest, build.language, build.form, build.settings.compiler)

    def _note_interrupt(self, error: KeyboardInterrupt) -> None:
        self._finished = "was interrupted"
        self._end("belongs to an instance that was interrupted")
        render_short(error, f"{self.name} was stopped. {_AS_BEFORE}")

    def note_failure(self, kind: str) -> None:
        """Note that a call ended the instance by an error of that class."""
        words = {"GuestTrap": "trapped", "GuestExit": "exited", "BudgetExceeded": "went over a budget"}
        words["CapabilityDenied"] = "was refused an import"
        self.finish(words.get(kind, "crashed"))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except UsageError as error:
            maker = resource_makers(self, name)
            if maker is not None:
                return maker
            several = [f.full_name for f in self.functions if name in (f.name, python_name(f.name))]
            how = f' In Python: {self.name}["{several[0]}"](...).' if several else ""
            raise NoSuchFunction(f"{error}{how}") from None

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """Return a function by its name, such as `fn["my:pkg/iface#get"]`; raises `UsageError` if there is none."""
        return Method(self, self.find(name))

    def __dir__(self) -> list[str]:
        named = (s.owner or python_name(s.function.name) for s in slots_of(self.functions).values())
        return [*super().__dir__(), *dict.fromkeys(named)]

    def __repr__(self) -> str:
        state = self._finished or ("ready" if self._started else "not started")
        return f"Instance({self.name!r} of {self.build.name}, {state})"


def _kind_of(run: Run, outcome: int) -> str:
    """Return what an error of that number says, with its class."""
    kind = run.errors[outcome - 1]
    return f"{kind.name.partition(':')[0]}: {kind.message}"
