"""Handles to resources, of one instance: those of the guest by numbers of ours, those of the host by its own.

In normal form a handle is a number. A resource that the guest made stays with the engine, whose handle is kept here
under a number that no other instance of this process has; a resource that a host function made is known to the engine
by the number (`rep`) that the host function gave it. The codec asks the handles that are `active` in its thread.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from ctypes import addressof, c_void_p
from typing import Any, Final

from labkernel._errors import UsageError, ValueDoesNotFit
from labkernel._host.capi import c, take_error
from labkernel._wit import HandleType, type_text

__all__ = ["Handles", "activate", "active"]

_numbers: Final = itertools.count(1)
_MOST_REP: Final = (1 << 32) - 1


class Handles:
    """The handles of one store. `host_types` maps (interface, resource) to the engine's number of a host's resource."""

    def __init__(self, context: int) -> None:
        self.host_types: Mapping[tuple[str, str], int] = {}
        self._context = context
        self._made: dict[int, int] = {}
        self._moved: list[int] = []
        self._lent: list[tuple[int, bool]] = []

    def lift(self, address: int, wit_type: HandleType) -> int:
        """Return the number of the engine's handle at an address. The engine's copy stays the caller's to free."""
        if (wit_type.owner, wit_type.resource) in self.host_types:
            return self._rep(address)
        number = next(_numbers)
        self._made[number] = c.component_resource_any_clone(address)
        return number

    def _rep(self, address: int) -> int:
        pointer = c_void_p()
        take_error(c.component_resource_any_to_host(self._context, address, addressof(pointer)))
        rep: int = c.component_resource_host_rep(pointer.value)
        c.component_resource_host_delete(pointer.value)
        return rep

    def lower(self, value: Any, wit_type: HandleType) -> int:
        """Return the address of the engine's handle for a number; it lives until `settle`.

        Raises `ValueDoesNotFit` for what is no number, `UsageError` for the number of another instance.
        """
        if type(value) is not int or not 0 <= value <= _MOST_REP:
            raise ValueDoesNotFit("$", value, type_text(wit_type), why="a handle is a number")
        is_own = wit_type.kind == "own"
        host_type = self.host_types.get((wit_type.owner, wit_type.resource))
        if host_type is not None:
            return self._of_host(value, host_type, is_own=is_own)
        address = self._find(value, wit_type.resource)
        if is_own:
            self._moved.append(value)
        return address

    def _of_host(self, rep: int, host_type: int, *, is_own: bool) -> int:
        host, pointer = c.component_resource_host_new(is_own, rep, host_type), c_void_p()
        try:
            take_error(c.component_resource_host_to_any(self._context, host, addressof(pointer)))
        finally:
            c.component_resource_host_delete(host)
        assert pointer.value is not None
        self._lent.append((pointer.value, is_own))
        return pointer.value

    def _find(self, number: int, resource: str) -> int:
        try:
            return self._made[number]
        except KeyError:
            raise UsageError(
                f"{resource}({number}) is no handle of this instance: it was dropped or given away, or is another "
                "instance's. Use one that a call of this instance returned."
            ) from None

    def settle(self, *, failed: bool = False) -> None:
        """Let go of what the arguments of a call needed, now that the engine has its own copies.

        Handles that were given away are gone, unless the call `failed` before it began.
        """
        lent, self._lent = self._lent, []
        for address, is_own in lent:
            if not is_own:
                unheard = c.component_resource_any_drop(self._context, address)
                if unheard:
                    c.error_delete(unheard)
            c.component_resource_any_delete(address)
        moved, self._moved = self._moved, []
        for number in moved if not failed else ():
            if (given := self._made.pop(number, None)) is not None:
                c.component_resource_any_delete(given)

    def drop(self, number: int, resource: str) -> int | None:
        """Drop a resource of the guest, which may run its destructor; return the engine's error, if any.

        Raises `UsageError` for a number that is no handle here.
        """
        address = self._find(number, resource)
        del self._made[number]
        error: int | None = c.component_resource_any_drop(self._context, address)
        c.component_resource_any_delete(address)
        return error

    def close(self) -> None:
        """Free the engine's handles, without dropping what they stand for: the store goes too."""
        while self._made:
            c.component_resource_any_delete(self._made.popitem()[1])


class _Active(threading.local):
    handles: Handles | None = None


_active: Final = _Active()


def activate(handles: Handles | None) -> None:
    """Let the codec ask these handles in this thread. A guest and the host functions it calls share theirs."""
    _active.handles = handles


def active() -> Handles:
    """Return the handles of the instance whose values are read or written now. Raises `UsageError` without one."""
    if _active.handles is None:
        raise UsageError(
            "A function that takes a resource can only be called on an instance that made it, expected one without "
            "resources. Start an instance and call it there."
        )
    return _active.handles
