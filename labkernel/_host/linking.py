"""What stands behind the imports that are not the engine's: host functions, and refusals at the call, by name.

The engine's own `define_unknown_imports_as_traps` is not used: it also shadows WASI interfaces that a
component asks for in another 0.2.x version than the engine's, which would otherwise be linked by compatible
version.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from ctypes import addressof, c_void_p
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from labkernel._errors import ComponentError
from labkernel._host import callbacks, capi
from labkernel._host.callbacks import Provider
from labkernel._host.capi import EngineFailure, c, take_error
from labkernel._host.reflect import Reflection
from labkernel._host.traps import REFUSED
from labkernel._wit import Function, Interface

__all__ = ["Linker", "Links", "Providers", "link_imports"]

Providers: TypeAlias = Mapping[str, Provider]
"""Who implements which imports, by their names in the component's world."""

_HTTP: Final = re.compile(r"^wasi:http/(types|outgoing-handler)@0\.2\.\d+$")
_WASI: Final = re.compile(r"^wasi:(cli|clocks|filesystem|io|random|sockets)/[a-z0-9-]+@0\.2\.\d+$")
_NO_FINALIZER: Final = capi.FINALIZER(0)
_names: Final[list[str]] = []
_numbers: Final = itertools.count(1 << 31)
"""Types of refused resources, apart from those of providers."""


@dataclass(frozen=True, slots=True)
class Links:
    """What a linker holds beside the engine's WASI 0.2.

    `providers` stand in front of it; interfaces whose names begin as one of `denied` are refused at the call;
    `http` lets the engine answer for outgoing HTTP.
    """

    providers: Providers = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    http: bool = False

    @property
    def key(self) -> tuple[frozenset[tuple[str, Provider]], tuple[str, ...], bool]:
        """What tells linkers of one component apart."""
        return frozenset(self.providers.items()), self.denied, self.http

    def is_engines(self, name: str) -> bool:
        """Whether the engine's own WASI answers for this import."""
        if name in self.providers or name.startswith(self.denied):
            return False
        return _WASI.match(name) is not None or (self.http and _HTTP.match(name) is not None)


def _refuse(data: int | None, *_: Any) -> int:
    error: int = c.error_new(f"{REFUSED}{_names[data or 0]}".encode())
    return error


_REFUSE: Final = capi.FUNC_CALLBACK(_refuse)
_DROP: Final = capi.DTOR_CALLBACK(lambda *_: 0)


@dataclass(frozen=True, slots=True)
class Linker:
    """The engine's linker, and its numbers for the resources of providers, by interface and name."""

    pointer: int
    host_types: Mapping[tuple[str, str], int]


def link_imports(linker: int, reflection: Reflection, links: Links) -> dict[tuple[str, str], int]:
    """Define every import that the engine's WASI does not answer, is not to answer, or that a provider answers.

    What has no provider is a refusal at the call. Returns the numbers of the providers' resources.
    Raises `ComponentError`.
    """
    host_types: dict[tuple[str, str], int] = {}
    items = [item for item in reflection.world.imports if not links.is_engines(item.name)]
    if not items and not reflection.resources:
        return host_types
    if reflection.sealed:
        raise ComponentError(
            f"The import {reflection.sealed[0]!r} is a module or component, expected functions and types. "
            "Compose it first."
        )
    c.component_linker_allow_shadowing(linker, True)
    root = c.component_linker_root(linker)
    try:
        for owner, name in reflection.resources:
            if not owner:
                _define_resource(root, name)
        for item in items:
            provider = links.providers.get(item.name)
            if isinstance(item, Function):
                _define_function(root, item, provider)
            else:
                _define_interface(root, item, reflection, provider, host_types)
    except EngineFailure as failure:
        raise ComponentError(f"The imports cannot be linked: {failure.text}") from None
    finally:
        c.component_linker_instance_delete(root)
    return host_types


def _define_interface(
    root: int,
    interface: Interface,
    reflection: Reflection,
    provider: Provider | None,
    host_types: dict[tuple[str, str], int],
) -> None:
    """Define functions, and the resources that are the interface's own: those it uses are defined elsewhere."""
    inner = c_void_p()
    text = interface.name.encode()
    take_error(c.component_linker_instance_add_instance(root, text, len(text), addressof(inner)))
    assert inner.value is not None
    try:
        for function in interface.functions:
            _define_function(inner.value, function, provider)
        for owner, name in reflection.resources:
            if owner == interface.name and provider is None:
                _define_resource(inner.value, name)
            elif owner == interface.name and provider is not None:
                drop = provider(f"[resource-drop]{name}")
                host_types[owner, name] = callbacks.define_resource(inner.value, owner, name, drop)
    finally:
        c.component_linker_instance_delete(inner.value)


def _define_function(parent: int, function: Function, provider: Provider | None) -> None:
    if provider is not None:
        callbacks.define(parent, function, provider(function.name))
        return
    _names.append(function.full_name)
    text = function.name.encode()
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
