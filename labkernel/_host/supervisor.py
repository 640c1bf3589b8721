"""The kernel's side of the host process: typed requests, one process at a time, a fresh one after a crash.

It never imports the engine. All of it may be called from any thread; requests are served one after the other.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from pathlib import Path
from typing import Any, Final

from labkernel._errors import GuestCrashed, LabError, UsageError, ValueDoesNotFit
from labkernel._host import machine_code, protocol
from labkernel._host.heard import Heard, OnChunk, OnOutput, OnProgress, crashed, error_from, times_from
from labkernel._host.policy import Ledger
from labkernel._host.process import Exchange, OnHost, Process, ProcessDied
from labkernel._host.protocol import ProtocolError
from labkernel._host.settings import (
    DEFAULT,
    START_PHASES,
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
from labkernel._host.shield import Shield
from labkernel._host.traps import byte_text, compile_error, seconds_text
from labkernel._host.wall import OPEN, Wall
from labkernel._host.worlds import world_from_data

__all__ = ["Supervisor"]

_SLACK_S: Final = 1.5
"""How much longer than a budget the kernel waits for the host process to say that it is exceeded."""
_LOAD_S: Final = 60.0


class Supervisor:
    """Owner of one host process at a time, behind a wall, of which `walls` says what stands; `generation` counts.

    Without a wall of its own the process has the user's files and network, and the rest of the wall.
    """

    def __init__(
        self, *, name: str = "guests", mac_key: bytes, memory_limit_bytes: int = 3 << 30, wall: Wall = OPEN,
        generation: int = 0,
    ) -> None:  # fmt: skip
        self.name = name
        self.generation = generation
        self.wall = wall
        self._mac_key, self.key_id = mac_key, machine_code.key_id(mac_key)
        self._memory_limit_bytes = memory_limit_bytes
        self._box: list[Process] = []
        weakref.finalize(self, _end, self._box, os.getpid())
        self._greeting: Any = None
        self.walls: tuple[str, ...] = ()
        self._marks: list[tuple[int, int]] = []
        self._loaded: dict[tuple[Any, ...], Loaded] = {}
        self._lock = threading.Lock()
        self._shield = Shield()
        self._serving: dict[int, Supervisor] = {}
        self._owner = os.getpid()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<Supervisor {self.name!r}: process {self.pid or 'not running'}, generation {self.generation}>"
        )

    @property
    def _process(self) -> Process | None:
        return self._box[0] if self._box else None

    @property
    def pid(self) -> int | None:
        """The host process's number, or None while there is none."""
        return None if self._process is None else self._process.pid

    # ------------------------------------------------------------------------------------------- lifetimes

    def warm(self) -> None:
        """Start the process in the background and return at once."""
        with self._exclusive():
            self._current()

    def close(self) -> None:
        """End the process. Closing twice is fine; the next request would start a new one."""
        with self._exclusive():
            self._loaded.clear()
            self._greeting = None
            _end(self._box, self._owner)

    @contextlib.contextmanager
    def _exclusive(self) -> Any:
        if (thread := threading.get_ident()) in self._serving:
            raise UsageError(
                "A guest is being served, and another one cannot be called from within it: not from a host function "
                "that it called, nor from an output or progress callback. Return first, and call then."
            )
        with self._lock:
            self._serving[thread] = self
            try:
                yield
            finally:
                del self._serving[thread]

    def _current(self) -> Process:
        """Return the process, started if there is none. The greeting is answered later."""
        if self._process is not None and self._owner != os.getpid():
            self._box.pop().forget()
        if self._process is not None and not self._process.is_alive:
            self._lose()
        if self._process is None:
            self._owner = os.getpid()
            self._marks = self.wall.marks()
            self._box.append(Process(self.wall))
            self.generation += 1
            self._loaded.clear()
            hello = {"mac_key": self._mac_key, "memory_limit_bytes": self._memory_limit_bytes}
            self._greeting = self._box[0].start(protocol.HELLO, hello, patience_s=_LOAD_S)
            self._box[0].send_now(self._greeting)
        return self._box[0]

    def _renew(self) -> None:
        """End the process if a folder of its wall has been replaced since: it could not reach the new one."""
        if self._process and self._marks != self.wall.marks():
            self.close()

    def _lose(self) -> None:
        self._greeting = None
        self._loaded.clear()
        if self._box:
            self._box.pop().kill()

    # -------------------------------------------------------------------------------------------- requests

    def _request(
        self, operation: str, arguments: list[Any], *, patience_s: float, generation: int | None = None,
        on_output: OnOutput | None = None, on_progress: OnProgress | None = None, on_host: OnHost | None = None,
        on_chunk: OnChunk | None = None, kill_to_stop: bool = False,
    ) -> Any:  # fmt: skip
        """Send one request and return its answer, with the guest's output on the way.

        Raises `GuestCrashed` when the process was lost, `KeyboardInterrupt` when the user stopped it.
        """
        heard = Heard(on_output, on_progress, on_chunk)
        with self._exclusive(), self._shield as shield:
            exchange = None
            value: Any = None
            try:
                process = self._current()
                if generation is not None and generation != self.generation:
                    raise GuestCrashed("The host process of this instance is gone. Start the instance again.")
                if self._greeting is not None:
                    hello = process.finish(self._greeting, shield, heard)
                    self._greeting, self.walls = None, tuple((hello or {}).get("walls", ()))
                exchange = self._exchange(process, operation, arguments, patience_s)
                value = process.finish(exchange, shield, heard, on_host=on_host, kill_to_stop=kill_to_stop)
            except LabError as error:
                error.output = heard.text
                raise
            except (ProcessDied, ProtocolError) as problem:
                self._lose()
                raise crashed(operation, problem, heard.text, patience_s - _SLACK_S) from None
            finally:
                if shield.hit:
                    self._undo(operation, value)
                elif exchange is not None and exchange.callback_error is not None:
                    raise exchange.callback_error
        return value

    def _exchange(
        self, process: Process, operation: str, arguments: list[Any], patience_s: float
    ) -> Exchange:
        """Return the request, ready to be sent. Raises `ValueDoesNotFit` for values that no frame carries."""
        try:
            return process.start(protocol.REQUEST, operation, arguments, patience_s=patience_s)
        except (TypeError, ValueError, OverflowError) as problem:
            raise ValueDoesNotFit("$", arguments, "what can be sent to a guest", why=str(problem)) from None

    def stream(
        self, operation: str, arguments: list[Any], *, patience_s: float, generation: int,
        on_chunk: OnChunk | None = None, on_output: OnOutput | None = None, on_host: OnHost | None = None,
    ) -> Any:  # fmt: skip
        """Do a long request whose results come in chunks, heard in this thread; each renews its patience."""
        return self._request(
            operation, arguments, patience_s=patience_s + _SLACK_S, generation=generation,
            on_output=on_output, on_chunk=on_chunk, on_host=on_host,
        )  # fmt: skip

    def interrupt(self) -> None:
        """Stop the request under way, if there is one: the thread that waits for it gets a `KeyboardInterrupt`."""
        if self in list(self._serving.values()):
            self._shield.strike()

    def _undo(self, operation: str, value: Any) -> None:
        """Drop an instance that was started just as the user interrupted."""
        if operation == "instantiate" and value is not None and self._process is not None:
            self._process.send_now(self._process.start(protocol.REQUEST, "drop", [value[0]], patience_s=1.0))

    # ------------------------------------------------------------------------------------------ components

    def codegen(
        self,
        wasm: bytes,
        target: Path,
        *,
        settings: EngineSettings = DEFAULT,
        timeout_s: float = 60.0,
    ) -> Codegen:
        """Compile a component into `target`.

        Raises `ComponentError`, `BudgetExceeded`; one that takes too long or too much memory ends with its process.
        """
        self._renew()
        arguments = [wasm, str(target.absolute()), _settings_data(settings)]
        try:
            ns, size = self._request("codegen", arguments, patience_s=timeout_s, kill_to_stop=True)
        except GuestCrashed as error:
            raise self._too_large(error, len(wasm), timeout_s) from None
        return Codegen(ns, size)

    def load(self, cwasm: Path, *, settings: EngineSettings = DEFAULT) -> Loaded:
        """Load machine code that `codegen` wrote. Raises `CacheDamaged`."""
        self._renew()
        path = cwasm.absolute()
        key: tuple[Any, ...]
        try:
            found = path.stat()
            key = (str(path), settings, found.st_ino, found.st_size, found.st_mtime_ns)
        except OSError:
            key = (str(path), settings)
        if (known := self._loaded.get(key)) is not None and known.generation == self.generation:
            return known
        answer = self._request("load", [str(path), _settings_data(settings)], patience_s=_LOAD_S)
        number, ns, world = answer
        loaded = Loaded(number, self.generation, world_from_data(world), ns, str(path), settings)
        self._loaded[key] = loaded
        return loaded

    def assemble(self, wat: str) -> bytes:
        """Return the binary of WebAssembly text. Raises `CompileError`, and `BudgetExceeded` as `codegen` does."""
        try:
            wasm: bytes = self._request("assemble", [wat], patience_s=_LOAD_S, kill_to_stop=True)
        except GuestCrashed as error:
            raise self._too_large(error, len(wat), _LOAD_S) from None
        return wasm

    def _too_large(self, error: GuestCrashed, size: int, timeout_s: float) -> LabError:
        """Return the budget that a compilation was over, if that is why its process is gone."""
        if getattr(error, "was_killed", False):
            return compile_error("time", seconds_text(timeout_s), size)
        is_memory = "memory allocation" in str(error)
        return compile_error("memory", byte_text(self._memory_limit_bytes), size) if is_memory else error

    # ------------------------------------------------------------------------------------------- instances

    def _here(self, loaded: Loaded) -> Loaded:
        """Return the component as it is in the process of now, loaded again if that is a new one."""
        if self._process is not None and loaded.generation == self.generation:
            return loaded
        return self.load(Path(loaded.path), settings=loaded.settings)

    def instantiate(
        self,
        loaded: Loaded,
        start: Start,
        *,
        on_output: OnOutput | None = None,
        on_host: OnHost | None = None,
    ) -> Started:
        """Start an instance with these grants and budgets; `on_host` answers its calls into the notebook.

        Raises `GuestError`, `ComponentError`, `CapabilityDenied`, `UsageError`.
        """
        here = self._here(loaded)
        number, link_ns, ns = self._request(
            "instantiate", [here.id, start.to_data()], patience_s=start.timeout_s + _SLACK_S,
            generation=here.generation, on_output=on_output, on_host=on_host,
        )  # fmt: skip
        return Started(number, self.generation, link_ns, ns, start)

    def call(
        self, started: Started, function: str, args: list[Any], *, timeout_s: float | None = None,
        on_output: OnOutput | None = None, on_host: OnHost | None = None,
    ) -> Called:  # fmt: skip
        """Call a function, by its full name, with arguments in normal form.

        Raises `GuestError`, `CapabilityDenied`, `ValueDoesNotFit`, `UsageError`.
        """
        limit = started.start.timeout_s if timeout_s is None else timeout_s
        answer = self._request(
            "call", [started.id, function, args, timeout_s], patience_s=limit + _SLACK_S,
            generation=started.generation, on_output=on_output, on_host=on_host,
        )  # fmt: skip
        return Called(*answer)

    def fire(
        self, started: Started, function: str, events: list[list[Any]], *, timeout_s: float | None = None,
        on_output: OnOutput | None = None, on_progress: OnProgress | None = None, on_host: OnHost | None = None,
        keep_results: bool = True,
    ) -> Fired:  # fmt: skip
        """Call a function once per event; the first guest error ends it and is returned."""
        limit = started.start.timeout_s if timeout_s is None else timeout_s
        ns, results, error, lower_ns, lift_ns, cut = self._request(
            "fire", [started.id, function, events, timeout_s, keep_results],
            patience_s=limit + _SLACK_S + len(events) * 1e-3, generation=started.generation,
            on_output=on_output, on_progress=on_progress, on_host=on_host,
        )  # fmt: skip
        return Fired(times_from(ns), results, error_from(error), lower_ns, lift_ns, cut)

    def cold(
        self, loaded: Loaded, start: Start, function: str, events: list[list[Any]], *,
        timeout_s: float | None = None, on_output: OnOutput | None = None,
        on_progress: OnProgress | None = None, on_host: OnHost | None = None, keep_results: bool = True,
    ) -> ColdRun:  # fmt: skip
        """Call a function once per event, each time in a fresh instance; nanoseconds by phase."""
        here = self._here(loaded)
        limit = start.timeout_s if timeout_s is None else timeout_s
        made, called, dropped, results, error, cut = self._request(
            "cold", [here.id, start.to_data(), function, events, timeout_s, keep_results],
            patience_s=2 * limit + _SLACK_S + len(events) * 1e-3, generation=here.generation,
            on_output=on_output, on_progress=on_progress, on_host=on_host,
        )  # fmt: skip
        return ColdRun(
            times_from(made), times_from(called), times_from(dropped), results, error_from(error), cut
        )

    def startups(
        self, code: Path, start: Start, function: str, args: list[Any], *, n: int,
        settings: EngineSettings = DEFAULT, on_host: OnHost | None = None,
    ) -> Startups:  # fmt: skip
        """Start `n` times from machine code on disk, answer one event each time, and drop everything.

        Raises `CacheDamaged`, `GuestError`, and `UsageError` where the answers differ.
        """
        answer = self._request(
            "startups",
            [str(code.absolute()), _settings_data(settings), start.to_data(), function, args, n],
            patience_s=2 * start.timeout_s + _SLACK_S + n * 5e-3,
            on_host=on_host,
        )
        return Startups(dict(zip(START_PHASES, map(times_from, answer[0]), strict=True)), answer[1])

    def ledger(self, started: Started | None) -> Ledger:
        """Return what the membrane of an instance has seen since the last time, also after its end.

        Without an instance it is that of the last one that failed to start.
        """
        number, generation = (started.id, started.generation) if started else (0, self.generation)
        return Ledger(*self._request("ledger", [number], patience_s=_LOAD_S, generation=generation))

    def peek(self, started: Started, wanted: bytes, *, most: int) -> list[list[Any]]:
        """Return address, size and `[offset, bytes]` of what was found, for each linear memory of an instance."""
        found: list[list[Any]] = self._request(
            "peek", [started.id, wanted, most], patience_s=_LOAD_S, generation=started.generation
        )
        return found

    def release(
        self, started: Started, handle: int, resource: str, *, on_output: OnOutput | None = None,
        on_host: OnHost | None = None,
    ) -> None:  # fmt: skip
        """Drop a resource that the guest made, by the number of its handle, which may run its destructor.

        Raises `GuestError`, and `UsageError` for a number that is no handle of this instance.
        """
        self._request(
            "release", [started.id, handle, resource], patience_s=started.start.timeout_s + _SLACK_S,
            generation=started.generation, on_output=on_output, on_host=on_host,
        )  # fmt: skip

    def drop(self, started: Started) -> None:
        """End an instance. One whose process is gone is gone already."""
        if self._process is not None and started.generation == self.generation:
            self._request("drop", [started.id], patience_s=5.0, generation=started.generation)


def _end(box: list[Process], owner: int) -> None:
    """End the process in the box, unless it belongs to the process that this one was forked from."""
    while box:
        process = box.pop()
        (process.close if owner == os.getpid() else process.forget)()


def _settings_data(settings: EngineSettings) -> list[Any]:
    return [settings.compiler, settings.fuel]
