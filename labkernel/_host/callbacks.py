"""Host functions in Python: what a guest imports, implemented by a callable of this process.

The engine calls in through one C callback; the function's number finds its codec and its callable, the store's
address the instance whose guest is asking. One linker serves all instances of a component, and threads come and go:
neither tells who asks. It knows no frames and no notebook; what the callables do is their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from labkernel._host import capi
from labkernel._host.capi import c, take_error
from labkernel._host.codec import FunctionCodec
from labkernel._host.handles import activate
from labkernel._host.val import VAL
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._host.engine import Instance

__all__ = ["HOST_FAILED", "HostFunction", "Provider", "asking", "define", "define_resource"]

HostFunction: TypeAlias = Callable[["Instance", list[Any]], Any]
"""Takes the instance that asks and its arguments in normal form; returns the result in normal form (`None` where
the function has none). What it raises ends the call: a `LabError` as it is, anything else as a trap."""
Provider: TypeAlias = Callable[[str], HostFunction]
"""Gives the implementation of an imported interface's function, by its name in the WIT. For a function that the
world itself imports the name is the import's own; `[resource-drop]NAME` takes the numbers (`rep`) of an interface's
own resources that the guest has dropped. A dict's `__getitem__` is a provider."""

HOST_FAILED: Final = "labkernel ended the call in the host function "
asking: Final[dict[int, Instance]] = {}
"""Live instances by the address of their store's context, kept by `engine.Instance`."""

_callbacks: Final[dict[int, _Callback]] = {}
_destructors: Final[dict[int, tuple[str, HostFunction]]] = {}
_numbers: Final = itertools.count(1)
_END: Final = 1 << 62


class _Callback:
    """One function as the engine calls it."""

    __slots__ = ("codec", "count", "implementation", "lifts", "name")

    def __init__(self, function: Function, implementation: HostFunction) -> None:
        self.name = function.full_name
        self.codec = FunctionCodec(function)
        self.lifts = self.codec.lift_params()
        self.count = len(self.lifts)
        self.implementation = implementation


def _enter(data: int, context: int, _type: int, args: int, count: int, results: int, wanted: int) -> int:
    """Answer one call of a guest. Nothing may be raised through C: it would go on as if the call had worked.

    The arguments are the engine's and stay so; a result is copied by the engine itself into memory of its own.
    """
    name, instance = "", None
    try:
        callback = _callbacks[data]
        name, instance = callback.name, asking[context]
        if count != callback.count or wanted != callback.codec.results:
            raise TypeError(f"called with {count} arguments for {wanted} results")
        if callback.codec.has_handles:
            activate(instance.handles)
        given = [lift(at) for lift, at in zip(callback.lifts, range(args or 0, _END, VAL), strict=False)]
        result = callback.implementation(instance, given)
        if wanted:
            callback.codec.write_result(result, results)
            if callback.codec.has_handles:
                instance.handles.settle()
    except BaseException as error:  # noqa: BLE001 - raised again by who called the guest
        if instance is not None:
            instance.host_error = (name, error)
        failed: int = c.error_new(f"{HOST_FAILED}{name}".encode())
        return failed
    return 0


def _forget(data: int) -> None:
    """Let go of a function, once the engine has dropped the last linker and store that know it."""
    _callbacks.pop(data, None)


_ENTER: Final = capi.FUNC_CALLBACK(_enter)
_FORGET: Final = capi.FINALIZER(_forget)


def _drop(data: int, context: int, rep: int) -> int:
    """Tell the owner of a host's resource that the guest has dropped it."""
    name, instance = "", asking.get(context)
    try:
        name, implementation = _destructors[data]
        if instance is not None:
            implementation(instance, [rep])
    except BaseException as error:  # noqa: BLE001 - raised again by who called the guest
        if instance is not None:
            instance.host_error = (name, error)
        failed: int = c.error_new(f"{HOST_FAILED}{name}".encode())
        return failed
    return 0


def _forget_destructor(data: int) -> None:
    _destructors.pop(data, None)


_DROP: Final = capi.DTOR_CALLBACK(_drop)
_FORGET_DESTRUCTOR: Final = capi.FINALIZER(_forget_destructor)


def define_resource(parent: int, owner: str, name: str, drop: HostFunction) -> int:
    """Define a resource of the host's, and return the engine's number for its type. Raises `EngineFailure`.

    `drop` gets the number (`rep`) of a resource that the guest has dropped.
    """
    number = next(_numbers)
    _destructors[number] = (f"{owner}#[resource-drop]{name}".removeprefix("#"), drop)
    text, resource = name.encode(), c.component_resource_type_new_host(number)
    try:
        take_error(
            c.component_linker_instance_add_resource(
                parent, text, len(text), resource, _DROP, number, _FORGET_DESTRUCTOR
            )
        )
    finally:
        c.component_resource_type_delete(resource)
    return number


def define(parent: int, function: Function, implementation: HostFunction) -> None:
    """Define an imported function in a linker's instance. Raises `EngineFailure`."""
    number = next(_numbers)
    _callbacks[number] = _Callback(function, implementation)
    text = function.name.encode()
    take_error(c.component_linker_instance_add_func(parent, text, len(text), _ENTER, number, _FORGET))
