"""Stand-ins for the imports that nothing was granted for: they link, and refuse at the call, by name.

The engine's own `define_unknown_imports_as_traps` is not used: it also shadows WASI interfaces that a
component asks for in another 0.2.x version than the engine's, which would otherwise be linked by compatible
version.
"""

from __future__ import annotations

import itertools
import re
from ctypes import addressof, c_void_p
from typing import Any, Final

from labkernel._errors import ComponentError
from labkernel._host import capi
from labkernel._host.capi import EngineFailure, c, take_error
from labkernel._host.reflect import Reflection
from labkernel._host.traps import REFUSED
from labkernel._wit import Function, Interface

__all__ = ["refuse_unknown"]

_WASI: Final = re.compile(r"^wasi:(cli|clocks|filesystem|io|random|sockets)/[a-z0-9-]+@0\.2\.\d+$")
_NO_FINALIZER: Final = capi.FINALIZER(0)
_names: Final[list[str]] = []
_numbers: Final = itertools.count(1)


def is_wasi(name: str) -> bool:
    """Whether the engine's own WASI 0.2 answers for this interface."""
    return _WASI.match(name) is not None


def _refuse(data: int | None, *_: Any) -> int:
    error: int = c.error_new(f"{REFUSED}{_names[data or 0]}".encode())
    return error


_REFUSE: Final = capi.FUNC_CALLBACK(_refuse)
_DROP: Final = capi.DTOR_CALLBACK(lambda *_: 0)


def refuse_unknown(linker: int, reflection: Reflection) -> None:
    """Define every import that the engine's WASI does not answer, as a refusal. Raises `ComponentError`."""
    unknown = [item for item in reflection.world.imports if not is_wasi(item.name)]
    if not unknown and not reflection.resources:
        return
    if reflection.sealed:
        raise ComponentError(
            f"The import {reflection.sealed[0]!r} is a module or component, expected functions and types. "
            "Compose it first."
        )
    root = c.component_linker_root(linker)
    try:
        for owner, name in reflection.resources:
            if not owner:
                _define_resource(root, name)
        for item in unknown:
            if isinstance(item, Function):
                _define_function(root, item.name, item.name)
            else:
                _define_interface(root, item, reflection)
    except EngineFailure as failure:
        raise ComponentError(f"The imports cannot be linked: {failure.text}") from None
    finally:
        c.component_linker_instance_delete(root)


def _define_interface(root: int, interface: Interface, reflection: Reflection) -> None:
    """Define functions, and the resources that are the interface's own: those it uses are defined elsewhere."""
    inner = c_void_p()
    text = interface.name.encode()
    take_error(c.component_linker_instance_add_instance(root, text, len(text), addressof(inner)))
    assert inner.value is not None
    try:
        for function in interface.functions:
            _define_function(inner.value, function.name, function.full_name)
        for owner, name in reflection.resources:
            if owner == interface.name:
                _define_resource(inner.value, name)
    finally:
        c.component_linker_instance_delete(inner.value)


def _define_function(parent: int, name: str, full_name: str) -> None:
    _names.append(full_name)
    text = name.encode()
    take_error(
        c.component_linker_instance_add_func(parent, text, len(text), _REFUSE, len(_names) - 1, _NO_FINALIZER)
    )


def _define_resource(parent: int, name: str) -> None:
    """Define a resource with a type of its own, of which no value will ever be made."""
    text = name.encode()
    resource = c.component_resource_type_new_host(next(_numbers))
    try:
        take_error(
            c.component_linker_instance_add_resource(
                parent, text, len(text), resource, _DROP, None, _NO_FINALIZER
            )
        )
    finally:
        c.component_resource_type_delete(resource)
