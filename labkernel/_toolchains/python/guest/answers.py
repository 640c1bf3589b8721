"""What the cell's functions answer, checked before the runtime takes it. CPython for WebAssembly runs this file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from labkernel._toolchains.python.guest.fitting import check_of, misfit

__all__ = ["answering", "missing"]


def missing(export: dict[str, Any]) -> Callable[..., Any]:
    """Return what stands for a function that the cell does not define."""

    def refuse(*_: Any) -> Any:
        raise NotImplementedError(f"The cell defines no function {export['names'][-1]!r}: {export['wit']}")

    return refuse


def answering(function: Callable[..., Any], export: dict[str, Any]) -> Callable[..., Any]:
    """Return the function with its answers checked, and `Ok(x)` and `Err(x)` meaning what they say."""
    common = importlib.import_module("componentize_py_types")
    ok, err = common.Ok, common.Err
    unwrap = export["unwrap"]
    check, check_error = map(check_of, export["types"])

    def call(*arguments: Any) -> Any:
        try:
            answer = function(*arguments)
        except err as error:
            if problem := check_error(error.value):
                raise _placed(misfit("the error raised, Err.value,", problem), function) from None
            raise
        if unwrap and type(answer) is ok:
            answer = answer.value
        elif unwrap and type(answer) is err:
            if problem := check_error(answer.value):
                raise _placed(misfit("the error returned, Err.value,", problem), function)
            raise answer
        if problem := check(answer):
            raise _placed(misfit("the answer", problem), function)
        return answer

    return call


def _placed(error: TypeError, function: Any) -> TypeError:
    """Return the error with the function's first line as its place."""
    code = getattr(function, "__code__", None)
    error.labkernel_place = (code.co_filename, code.co_firstlineno, code.co_name) if code else None  # type: ignore[attr-defined]
    return error
