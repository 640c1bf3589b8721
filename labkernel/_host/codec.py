"""Arguments and results of one function between normal form and the engine's values.

It must not know instances, grants or frames.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from labkernel._errors import ValueDoesNotFit
from labkernel._host.lifting import lifter
from labkernel._host.lowering import lowerer
from labkernel._host.val import VAL
from labkernel._wit import Function

__all__ = ["FunctionCodec", "Lowered"]

_READ: Final = Struct("<Q").unpack_from
_WRITE: Final = Struct("<Q").pack_into


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

    def lower(self, arguments: Sequence[Any]) -> Lowered:
        """Return the image of the arguments. Raises `ValueDoesNotFit`."""
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
