"""Arguments and results of one function between normal form and the engine's values.

It must not know instances, grants or frames.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from labkernel._errors import ValueDoesNotFit
from labkernel._host.capi import c
from labkernel._host.lifting import Lift, lifter
from labkernel._host.lowering import lowerer
from labkernel._host.val import NUMBERS, VAL, WINDOW
from labkernel._wit import Function, Primitive, has_handle

__all__ = ["FunctionCodec", "Lowered"]

_READ: Final = Struct("<Q").unpack_from
_WRITE: Final = Struct("<Q").pack_into
_clone: Final = c.component_val_clone


class Lowered:
    """The arguments of one call as the engine reads them. Alive as long as this object."""

    __slots__ = ("_image", "_window", "address", "count")

    def __init__(self, image: bytearray, moves: list[int], count: int) -> None:
        self._image = image
        self._window = (ctypes.c_char * len(image)).from_buffer(image)
        self.count = count
        self.address = base = ctypes.addressof(self._window)
        for at in moves:
            _WRITE(image, at, base + _READ(image, at)[0])


class FunctionCodec:
    """Arguments and result of one function."""

    def __init__(self, function: Function) -> None:
        self.params = [(p.name, lowerer(p.type)) for p in function.params]
        self.lift = lifter(function.result) if function.result is not None else None
        self.results = 0 if self.lift is None else 1
        self._function = function
        self.has_handles = any(map(has_handle, [*(p.type for p in function.params), function.result]))
        self._lower_result = lowerer(function.result) if function.result is not None else None
        self._is_number = isinstance(function.result, Primitive) and function.result.name in NUMBERS

    def lift_params(self) -> tuple[Lift, ...]:
        """Return what reads each parameter, for a function that the guest calls."""
        return tuple(lifter(p.type) for p in self._function.params)

    def write_result(self, result: Any, at: int) -> None:
        """Write a result into the engine's place for it, for a function that the guest calls.

        The engine clones the image, since it will free what lies there; a number has nothing to free.
        Raises `ValueDoesNotFit`.
        """
        lower = self._lower_result
        if lower is None:
            return
        moves: list[int] = []
        if self._is_number:
            lower(result, WINDOW, moves, at)  # type: ignore[arg-type]
            return
        image = bytearray(VAL)
        lower(result, image, moves, 0)
        _clone(Lowered(image, moves, 1).address, at)

    def lower(self, arguments: Sequence[Any]) -> Lowered:
        """Return the image of the arguments. Raises `ValueDoesNotFit`, and `UsageError` for a handle of elsewhere."""
        if len(arguments) != len(self.params):
            raise ValueDoesNotFit("$", arguments, f"{len(self.params)} arguments")
        image = bytearray(VAL * max(1, len(arguments)))
        moves: list[int] = []
        for index, (argument, (name, lower)) in enumerate(zip(arguments, self.params, strict=True)):
            try:
                lower(argument, image, moves, VAL * index)
            except ValueDoesNotFit as error:
                raise ValueDoesNotFit(f"$.{name}", error.value, error.wit_type) from None
        return Lowered(image, moves, len(arguments))
