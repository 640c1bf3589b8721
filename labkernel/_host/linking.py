"""Stand-ins for the imports that nothing was granted for: they link, and refuse at the call, by name.

The engine's own `define_unknown_imports_as_traps` is not used: it also shadows WASI interfaces that a
component asks for in another 0.2.x version than the engine's, which would otherwise be linked by compatible
version.
"""

from __future__ import annotations

import ctypes
import re
from ctypes import addressof, c_void_p
from typing import Any, Final

from wasmtime import _ffi as ffi
from wasmtime.component import _types as engine_types

from labkernel._errors import ComponentError
from labkernel._host import capi
from labkernel._host.capi import EngineFailure, c, take_error
from labkernel._host.traps import REFUSED

__all__ = ["refuse_unknown"]

_WASI: Final = re.compile(r"^wasi:(cli|clocks|filesystem|io|random|sockets)/[a-z0-9-]+@0\.2\.\d+$")
_NO_FINALIZER: Final = capi.FINALIZER(0)
_names: Final[list[str]] = []


def is_wasi(name: str) -> bool:
    """Whether the engine's own WASI 0.2 answers for this interface."""
    return _WASI.match(name) is not None


def _refuse(data: int | None, *_: Any) -> int:
    error: int = c.error_new(f"{REFUSED}{_names[data or 0]}".encode())
    return error


_REFUSE: Final = capi.FUNC_CALLBACK(_refuse)
_DROP: Final = capi.DTOR_CALLBACK(lambda *_: 0)


def refuse_unknown(linker: int, engine: int, reflection: Any) -> None:
    """Define every import that the engine's WASI does not answer, as a refusal. Raises `ComponentError`."""
    unknown = [(name, item) for name, item in reflection.import_items() if not is_wasi(name)]
    if not unknown:
        return
    resources = _Resources(reflection)
    root = c.component_linker_root(linker)
    try:
        for name, item in unknown:
            try:
                _define(root, name, item, reflection, resources)
            except EngineFailure as failure:
                raise ComponentError(f"The import {name!r} cannot be linked: {failure.text}") from None
    finally:
        c.component_linker_instance_delete(root)


def _define(parent: int, name: str, item: Any, reflection: Any, resources: _Resources) -> None:
    if isinstance(item, engine_types.FuncType):
        _define_function(parent, name, name)
    elif isinstance(item, engine_types.ResourceType):
        resources.define(parent, "", name, item)
    elif isinstance(item, engine_types.ComponentInstanceType):
        inner = c_void_p()
        text = name.encode()
        take_error(c.component_linker_instance_add_instance(parent, text, len(text), addressof(inner)))
        assert inner.value is not None
        try:
            for key, part in reflection.instance_items(item):
                if isinstance(part, engine_types.FuncType):
                    _define_function(inner.value, key, f"{name}#{key}")
                elif isinstance(part, engine_types.ResourceType):
                    resources.define(inner.value, name, key, part)
        finally:
            c.component_linker_instance_delete(inner.value)
    elif isinstance(item, engine_types.ModuleType | engine_types.ComponentType):
        raise ComponentError(
            f"The import {name!r} is a module or component, expected functions and types. Compose it first."
        )


def _define_function(parent: int, name: str, full_name: str) -> None:
    _names.append(full_name)
    text = name.encode()
    take_error(
        c.component_linker_instance_add_func(parent, text, len(text), _REFUSE, len(_names) - 1, _NO_FINALIZER)
    )


class _Resources:
    """Defines the resources that an unknown import brings; those it only uses are defined by their own interface."""

    def __init__(self, reflection: Any) -> None:
        self._owners = reflection.owners

    def define(self, parent: int, interface: str, name: str, item: Any) -> None:
        """Define a resource, if it is this interface's own."""
        if self._owners(item) != (name, interface):
            return
        text = name.encode()
        pointer = c.component_resource_type_new_host(0)
        take_error(
            c.component_linker_instance_add_resource(
                parent, text, len(text), pointer, _DROP, None, _NO_FINALIZER
            )
        )
