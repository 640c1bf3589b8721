"""Two doors, fuzzed by coverage: `python tests/fuzz/guided.py frames|wave -runs=100000`, with atheris installed.

Further options are libFuzzer's. It stops at the first input that ends in anything but an answer or the door's error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import atheris

with atheris.instrument_imports(include=["labkernel._host.protocol", "labkernel._values", "labkernel._wit"]):
    from labkernel._errors import LabError
    from labkernel._host import protocol
    from labkernel._host.protocol import FrameBuffer, ProtocolError
    from labkernel._values import parse_call, wave
    from labkernel._wit import (
        Case,
        Field,
        FlagsType,
        Function,
        ListType,
        OptionType,
        Param,
        Primitive,
        RecordType,
        ResultType,
        TupleType,
        VariantType,
    )

_RECORD: Final = RecordType((Field("a", Primitive("u8")), Field("b", OptionType(Primitive("string")))), "r")
_VARIANT: Final = VariantType(
    (Case("dot", None), Case("b", TupleType((Primitive("s8"), Primitive("f64"))))), "v"
)
_TYPES: Final = (
    _RECORD, _VARIANT, ListType(Primitive("u8")), ResultType(ListType(Primitive("string")), None),
    FlagsType(("read", "write"), "f"), Primitive("char"), OptionType(OptionType(Primitive("f32"))),
)  # fmt: skip
_FUNCTIONS: Final = tuple(Function(f"f{n}", (Param("x", t),)) for n, t in enumerate(_TYPES))


def frames(data: bytes) -> None:
    """Take bytes for what a host process sent: the body of a frame, and what follows it without a length."""
    buffer, half = FrameBuffer(), len(data) // 2
    try:
        buffer.feed(half.to_bytes(4, "big") + data)
        while (frame := buffer.next()) is not None:
            if frame[0] == protocol.ERROR:
                assert isinstance(protocol.decode_error(frame[2]), LabError)
    except ProtocolError:
        pass


def calls(data: bytes) -> None:
    """Take bytes for a call in WAVE: a value that reads the same when it is written again, or an error of the lab's."""
    text = data.decode("utf-8", "replace")
    try:
        function, args = parse_call(text, _FUNCTIONS)
        again = f"{function.name}({wave(args[0], function.params[0].type)})"
    except LabError:
        return
    assert repr(parse_call(again, _FUNCTIONS)) == repr((function, args)), again


_DOORS: Final[dict[str, Callable[[bytes], None]]] = {"frames": frames, "wave": calls}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, _DOORS[name])
    atheris.Fuzz()
