"""Resources that a cell exports: a class of the cell, which the runtime finds by a stand-in's name.

The runtime makes objects by a class that must be there before the cell is, and calls methods on the objects
themselves. So a stand-in loads the cell and makes the cell's objects. CPython for WebAssembly runs this file.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from labkernel._toolchains.python.guest.answers import answering, missing

__all__ = ["bind", "stand_in"]


def stand_in(members: dict[str, dict[str, Any]], loader: Any) -> type:
    """Return the class that the runtime is given for a resource; `members` are its functions by name."""
    candidates = [name.rpartition(".")[0] for name in next(iter(members.values()))["names"]]

    def kind() -> Any:
        names = loader.need()
        return next((names[name] for name in reversed(candidates) if isinstance(names.get(name), type)), None)

    def make(_: type, *arguments: Any) -> Any:
        found = kind()
        return missing(members["__init__"])() if found is None else found(*arguments)

    def static(export: dict[str, Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            found = getattr(kind(), export["method"], None)
            return (missing(export) if found is None else answering(found, export))(*arguments)

        return call

    body: dict[str, Any] = {"__new__": make}
    statics = (each for each in members.values() if each["kind"] == "static")
    body |= {each["method"]: staticmethod(static(each)) for each in statics}
    return type("Resource", (), body)


def bind(names: dict[str, Any], export: dict[str, Any]) -> None:
    """Have a method's answers checked where the world calls it; the cell's own calls go straight."""
    for candidate in reversed(export["names"]):
        owner, _, name = candidate.rpartition(".")
        kind = names.get(owner)
        if export["kind"] == "method" and isinstance(kind, type):
            function = getattr(kind, name, None) or missing(export)
            setattr(kind, name, _from_outside(function, answering(function, export)))
            return


def _from_outside(function: Callable[..., Any], checked: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def method(*arguments: Any, **named: Any) -> Any:
        if sys._getframe().f_back is None:
            return checked(*arguments, **named)
        return function(*arguments, **named)

    return method
