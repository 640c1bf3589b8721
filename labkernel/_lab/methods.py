"""The functions of an instance as Python sees them: their names, and their arguments against their signature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkernel._errors import UsageError
from labkernel._timing import format_count
from labkernel._values import to_normal
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.instance import Instance

__all__ = ["Method", "normal_args", "python_name"]


class Method:
    """A function of an instance, called with Python values and answering with one."""

    def __init__(self, instance: Instance, function: Function) -> None:
        self._instance, self._function = instance, function
        self.__doc__ = f"{function.text}\n\n{function.docs}".rstrip()

    def __call__(self, *args: Any, **named: Any) -> Any:
        function = self._function
        if named:
            args = _with_named(function, args, named)
        return self._instance.call(function, args).value

    def __repr__(self) -> str:
        return f"<{self._function.text}>"


def _with_named(function: Function, args: Sequence[Any], named: dict[str, Any]) -> tuple[Any, ...]:
    names = [python_name(p.name) for p in function.params]
    rest = names[len(args) :]
    unknown = [name for name in named if name not in rest]
    missing = [name for name in rest if name not in named]
    if unknown or missing:
        raise UsageError(
            f"{function.name} is called as {function.text}; unknown: {unknown}, missing: {missing}."
        )
    return (*args, *(named[name] for name in rest))


def normal_args(function: Function, args: Sequence[Any]) -> list[Any]:
    """Return arguments in normal form. Raises `UsageError` for another number of them, and `ValueDoesNotFit`."""
    if len(args) != len(function.params):
        count = format_count(len(function.params), "argument") if function.params else "no argument"
        got = len(args) or "none"
        raise UsageError(f"{function.name} takes {count}, got {got}. Its signature: {function.text}.")
    names = [p.name for p in function.params]
    paths = ["$"] if len(names) == 1 else [f"${name}" for name in names]
    return [to_normal(a, p.type, path) for a, p, path in zip(args, function.params, paths, strict=True)]


def python_name(name: str) -> str:
    """Return a WIT name as Python writes it, with underscores."""
    return re.sub(r"\W", "_", name)
