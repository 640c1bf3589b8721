"""Engines, components, linkers and stores of the host process, by the engine's C functions.

One engine per `EngineSettings`, one linker per component, one store per instance. It knows no frames, no
requests and no deadlines: an instance is told when it may run until the engine's next tick.
"""

from __future__ import annotations

import ctypes
import itertools
from ctypes import addressof, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, Final

from labkernel._errors import ComponentError, UsageError
from labkernel._host import capi
from labkernel._host.binary import component_error
from labkernel._host.callbacks import asking
from labkernel._host.capi import EngineFailure, c, take_error
from labkernel._host.codec import FunctionCodec, Lowered
from labkernel._host.handles import Handles, activate
from labkernel._host.linking import Linker, Links, link_imports
from labkernel._host.reflect import Reflection, reflect
from labkernel._host.settings import EngineSettings, Start
from labkernel._host.val import VAL
from labkernel._host.wasi import wasi_of
from labkernel._wit import Function, OpaqueType, World, parts, type_text

if TYPE_CHECKING:
    from labkernel._host.membranes import Passage
    from labkernel._host.watch import Job

__all__ = ["Component", "Engine", "Instance", "assemble"]

MAX_WASM_STACK: Final = 1 << 20
_NO_FINALIZER: Final = capi.FINALIZER(0)
_STRATEGIES: Final = {"cranelift": 1, "winch": 2, "pulley": 1}
_STREAMS: Final = "wasi:io/streams@"
FUEL_UNLIMITED: Final = (1 << 63) - 1
_PLAIN: Final = Links()


def assemble(wat: bytes) -> bytes:
    """Return the binary of WebAssembly text. Raises `EngineFailure` with the engine's message."""
    vec = capi.ByteVec()
    take_error(c.wat2wasm(wat, len(wat), addressof(vec)))
    try:
        return capi.read_bytes(vec)
    finally:
        c.wasm_byte_vec_delete(addressof(vec))


class Engine:
    """One engine. `epoch` counts its ticks."""

    def __init__(self, settings: EngineSettings) -> None:
        config = c.wasm_config_new()
        c.config_epoch_interruption_set(config, True)
        c.config_consume_fuel_set(config, settings.fuel)
        c.config_strategy_set(config, _STRATEGIES[settings.compiler])
        c.config_concurrency_support_set(config, False)
        c.config_max_wasm_stack_set(config, MAX_WASM_STACK)
        if settings.compiler == "pulley":
            take_error(c.config_target_set(config, b"pulley64"))
        self.settings = settings
        self.pointer: int = c.wasm_engine_new_with_config(config)
        self.epoch = 0

    def tick(self) -> None:
        """End whatever guest of this engine runs now, at its next loop or call."""
        self.epoch += 1
        c.engine_increment_epoch(self.pointer)

    def compile(self, wasm: bytes) -> bytes:
        """Return the machine code of a component. Raises `ComponentError`."""
        if wasm[:8] != b"\0asm\x0d\0\x01\0":
            raise component_error(wasm, "")
        pointer = c_void_p()
        try:
            take_error(c.component_new(self.pointer, wasm, len(wasm), addressof(pointer)))
        except EngineFailure as failure:
            raise component_error(wasm, failure.text) from None
        vec = capi.ByteVec()
        try:
            take_error(c.component_serialize(pointer.value, addressof(vec)))
            return capi.read_bytes(vec)
        finally:
            c.wasm_byte_vec_delete(addressof(vec))
            c.component_delete(pointer.value)

    def deserialize(self, path: str) -> int:
        """Return the component in a file of machine code. Raises `EngineFailure`."""
        pointer = c_void_p()
        take_error(c.component_deserialize_file(self.pointer, path.encode(), addressof(pointer)))
        assert pointer.value is not None
        return pointer.value


class Component:
    """A component ready to be instantiated: its world, its linker, its exports looked up once.

    `writes` says whether it may write to streams, and so leave something unwritten when it returns.
    """

    def __init__(self, engine: Engine, pointer: int) -> None:
        self.engine = engine
        self.pointer = pointer
        try:
            reflection = reflect(engine.pointer, pointer)
        except ComponentError:
            c.component_delete(pointer)
            raise
        self.world: World = reflection.world
        self.functions: dict[str, Export] = {}
        for function in self.world.functions():
            self.functions[function.full_name] = Export(function)
        self.writes = any(name.startswith(_STREAMS) for name in self.world.imported())
        self._reflection: Reflection = reflection
        self._linkers: dict[Any, Linker] = {}

    def linker(self, links: Links = _PLAIN) -> Linker:
        """Return the linker: WASI 0.2, the host functions of the providers, a refusal at the call for the rest.

        There is one for each set of providers and denied imports.
        """
        key = links.key
        linker = self._linkers.get(key)
        if linker is None:
            pointer = c.component_linker_new(self.engine.pointer)
            try:
                take_error(c.component_linker_add_wasip2(pointer))
                if links.http:
                    take_error(c.component_linker_add_wasi_http(pointer))
                linker = Linker(pointer, link_imports(pointer, self._reflection, links))
            except BaseException:
                c.component_linker_delete(pointer)
                raise
            self._linkers[key] = linker
        return linker

    def export(self, name: str) -> Export:
        """Return an exported function by its full name. Raises `UsageError`, `ComponentError`."""
        try:
            export = self.functions[name]
        except KeyError:
            known = ", ".join(self.functions) or "nothing"
            raise UsageError(f"Unknown function {name!r}; this component exports {known}.") from None
        if not export.index:
            export.resolve(self.pointer)
        return export

    def close(self) -> None:
        """Free the component; live instances keep what they need of it."""
        for export in self.functions.values():
            export.close()
        while self._linkers:
            c.component_linker_delete(self._linkers.popitem()[1].pointer)
        if self.pointer:
            c.component_delete(self.pointer)
        self.pointer = 0


class Export:
    """One exported function: its codec and the engine's index for it."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.index: int = 0
        self._codec: FunctionCodec | None = None

    @property
    def codec(self) -> FunctionCodec:
        """The codec of arguments and result, made at first use."""
        if self._codec is None:
            if self.function.is_async:
                raise ComponentError(
                    f"The function {self.function.full_name!r} is asynchronous, expected a plain one. "
                    "Build the component with a 0.2 world."
                )
            _check_carried(self.function)
            self._codec = FunctionCodec(self.function)
        return self._codec

    def resolve(self, component: int) -> None:
        """Look the export up in a component."""
        outer = None
        if self.function.interface:
            name = self.function.interface.encode()
            outer = c.component_get_export_index(component, None, name, len(name))
        name = self.function.name.encode()
        self.index = c.component_get_export_index(component, outer, name, len(name)) or 0
        if outer:
            c.component_export_index_delete(outer)

    def close(self) -> None:
        """Free the engine's index."""
        if self.index:
            c.component_export_index_delete(self.index)
            self.index = 0


def _check_carried(function: Function) -> None:
    """Raise `UsageError` for a function with a stream or a future, before anything runs."""
    types = [p.type for p in function.params] + ([] if function.result is None else [function.result])
    for part in itertools.chain.from_iterable(map(parts, types)):
        if isinstance(part, OpaqueType):
            raise UsageError(
                f"The function {function.full_name!r} takes or returns {type_text(part)!r}, "
                "which this lab does not carry. Call a function without streams and futures."
            )


class Bound:
    """An exported function of one instance, ready for the C call."""

    __slots__ = ("address", "codec", "func", "index", "lift", "results")

    def __init__(self, func: capi.Func, codec: FunctionCodec, index: int) -> None:
        self.func = func
        self.index = index
        self.address = addressof(func)
        self.codec = codec
        self.lift = codec.lift
        self.results = codec.results


class Instance:
    """One store with one instance in it."""

    def __init__(self, component: Component, start: Start, stdout: int, stderr: int) -> None:
        self.component = component
        self.engine = component.engine
        self.start = start
        self.finished = ""
        self.streams = (stdout, stderr)
        self._bound: dict[str, Bound] = {}
        self._result = ctypes.create_string_buffer(VAL)
        self._result_address = addressof(self._result)
        self._instance = capi.Instance()
        self._instance_address = addressof(self._instance)
        if start.fuel is not None and not self.engine.settings.fuel:
            raise UsageError(
                "A fuel budget needs machine code that counts fuel: use EngineSettings(fuel=True)."
            )
        self.store = 0
        self.open()

    def open(self) -> None:
        """Make a store of its own, with what was granted. After `close` it is a new one, as a new instance has."""
        start = self.start
        self.calls, self.disk_used, self.epoch = 0, 0, -1
        self.job: Job | None = None
        self.host_error: tuple[str, BaseException] | None = None
        self.passage: Passage | None = None
        wasi = wasi_of(start, *self.streams)
        self.store = store = c.store_new(self.engine.pointer, None, _NO_FINALIZER)
        self.context: int = c.store_context(store)
        self.handles = Handles(self.context)
        c.store_limiter(
            store,
            start.memory_bytes,
            start.table_elements,
            start.instances,
            start.instances,
            start.instances,
        )
        take_error(c.context_set_wasi(self.context, wasi))
        if start.http:
            c.context_set_wasi_http(self.context)
        asking[self.context] = self
        if self.engine.settings.fuel:
            self.refuel()

    def arm(self) -> None:
        """Let the guest run until the engine's next tick."""
        if self.epoch != self.engine.epoch:
            self.epoch = self.engine.epoch
            c.context_set_epoch_deadline(self.context, 1)

    def refuel(self) -> int:
        """Fill the tank up to the budget, and return what is in it."""
        fuel = FUEL_UNLIMITED if self.start.fuel is None else self.start.fuel
        take_error(c.context_set_fuel(self.context, fuel))
        return fuel

    def fuel_left(self) -> int:
        """Return the fuel left in the tank."""
        left = c_uint64()
        take_error(c.context_get_fuel(self.context, addressof(left)))
        return left.value

    def instantiate(self, linker: Linker) -> int | None:
        """Run the instantiation; return the engine's error, if any."""
        self.handles.host_types = linker.host_types
        error: int | None = c.component_linker_instantiate(
            linker.pointer, self.context, self.component.pointer, self._instance_address
        )
        return error

    def bind(self, name: str) -> Bound:
        """Return an exported function of this instance, looked up once."""
        bound = self._bound.get(name)
        if bound is None:
            export = self.component.export(name)
            codec = export.codec
            func = capi.Func()
            if not c.component_instance_get_func(
                self._instance_address, self.context, export.index, addressof(func)
            ):
                raise ComponentError(f"The engine finds no function {name!r} in this instance.")
            bound = self._bound[name] = Bound(func, codec, export.index)
        return bound

    def bind_again(self, bound: Bound) -> None:
        """Look a function up again, after `open`."""
        c.component_instance_get_func(self._instance_address, self.context, bound.index, bound.address)

    def lower(self, bound: Bound, arguments: list[Any]) -> Lowered:
        """Return the image of a function's arguments. Raises `ValueDoesNotFit`, `UsageError`."""
        if not bound.codec.has_handles:
            return bound.codec.lower(arguments)
        activate(self.handles)
        try:
            return bound.codec.lower(arguments)
        except BaseException:
            self.handles.settle(failed=True)
            raise

    def call(self, bound: Bound, lowered: Lowered) -> int | None:
        """Call the function; return the engine's error, if any. The result waits for `take_result`."""
        error: int | None = _call(
            bound.address, self.context, lowered.address, lowered.count, self._result_address, bound.results
        )
        if bound.codec.has_handles:
            self.handles.settle()
        return error

    def take_result(self, bound: Bound) -> Any:
        """Return the last call's result in normal form, and free the engine's copy.

        The engine's next call drops what it finds in the result's place, so nothing freed may be left there.
        """
        if bound.lift is None:
            return None
        if bound.codec.has_handles:
            activate(self.handles)
        try:
            return bound.lift(self._result_address)
        finally:
            _val_delete(self._result_address)
            self._result[0] = b"\0"

    def close(self) -> None:
        """Delete the store and all that lives in it."""
        store, self.store = self.store, 0
        if store:
            if self.passage is not None:
                self.passage.close()
            asking.pop(self.context, None)
            self.handles.close()
            c.store_delete(store)


_call: Final = c.component_func_call
_val_delete: Final = c.component_val_delete
