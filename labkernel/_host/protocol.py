"""Frames between the notebook kernel and its host process: a length, then msgpack. No pickle.

It owns framing, the kinds of frame, their limits, and how an error of the lab travels. Both sides import it,
so it must not know the engine.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgpack

from labkernel import _errors
from labkernel._errors import Diagnostic, LabError

__all__ = [
    "CHUNK",
    "ERROR",
    "HELLO",
    "HOST_ANSWER",
    "HOST_CALL",
    "KINDS",
    "MAX_FRAME",
    "OUTPUT",
    "PROGRESS",
    "REPLY",
    "REQUEST",
    "FrameBuffer",
    "ProtocolError",
    "decode_error",
    "encode_error",
    "pack",
    "unpack",
]

HELLO: Final = 0
"""Kernel -> host, once: `[HELLO, 0, settings]`; the host answers with a `REPLY` to request 0."""
REQUEST: Final = 1
"""Kernel -> host: `[REQUEST, id, operation, arguments]`."""
REPLY: Final = 2
"""Host -> kernel: `[REPLY, id, value]`. Ends the request."""
ERROR: Final = 3
"""Host -> kernel: `[ERROR, id, [class, message, fields]]`. Ends the request."""
OUTPUT: Final = 4
"""Host -> kernel: `[OUTPUT, id, stream, text]`; stream 0 is stdout, 1 is stderr."""
PROGRESS: Final = 5
"""Host -> kernel: `[PROGRESS, id, done, total]`."""
HOST_CALL: Final = 6
"""Host -> kernel: `[HOST_CALL, id, function, arguments, seconds left]`: a guest calls back into the notebook."""
HOST_ANSWER: Final = 7
"""Kernel -> host: `[HOST_ANSWER, id, is_ok, value]`; where it is not, the value is `[what was raised, traceback]`."""
CHUNK: Final = 8
"""Host -> kernel: `[CHUNK, id, data]`: a part of a long request's result; renews its patience as progress does."""

KINDS: Final = frozenset(range(9))
MAX_FRAME: Final = 256 << 20
_MAX_ITEMS: Final = 8_000_000
_LENGTH: Final = struct.Struct(">I")


class ProtocolError(Exception):
    """The other side sent what this protocol does not have; it is not to be trusted any more."""


def pack(frame: list[Any]) -> bytes:
    """Return the frame as it travels. Raises `ProtocolError` when it is larger than `MAX_FRAME`."""
    body: bytes = msgpack.packb(frame, use_bin_type=True)
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a frame of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


def unpack(body: bytes | bytearray | memoryview) -> list[Any]:
    """Return the frame in `body` (without its length). Raises `ProtocolError` for anything else."""
    try:
        frame = msgpack.unpackb(body, raw=False, max_array_len=_MAX_ITEMS, max_map_len=10_000, max_ext_len=0)
    except Exception as error:  # noqa: BLE001 - msgpack raises ValueErrors of its own, and UnicodeDecodeError
        raise ProtocolError(f"not a frame: {error}") from None
    if not isinstance(frame, list) or len(frame) < 3 or type(frame[0]) is not int or frame[0] not in KINDS:
        raise ProtocolError(f"unknown frame {str(frame)[:60]!r}")
    if type(frame[1]) is not int:
        raise ProtocolError("a frame without a request number")
    return frame


class FrameBuffer:
    """Bytes as they arrive, cut into frames. Memory grows with what arrived, never with what is announced."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        self._bytes += data

    def next(self) -> list[Any] | None:
        """Return the next whole frame, or None. Raises `ProtocolError`."""
        if len(self._bytes) < 4:
            return None
        size = _LENGTH.unpack_from(self._bytes)[0]
        if size > MAX_FRAME:
            raise ProtocolError(f"a frame of {size} bytes is over the limit of {MAX_FRAME}")
        if len(self._bytes) < 4 + size:
            return None
        with memoryview(self._bytes) as view:
            frame = unpack(view[4 : 4 + size])
        del self._bytes[: 4 + size]
        return frame


_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "LabError": (),
    "UsageError": (),
    "ComponentError": (),
    "CapabilityError": (),
    "CapabilityDenied": ("import_name", "how_to_grant"),
    "CompileError": ("language", "raw", "summary"),
    "ValueDoesNotFit": ("path", "value", "wit_type"),
    "GuestError": (),
    "GuestTrap": ("backtrace", "traceback"),
    "GuestExit": ("status",),
    "GuestCrashed": (),
    "BudgetExceeded": ("budget", "limit", "used"),
    "CacheDamaged": (),
}


def encode_error(error: LabError) -> list[Any]:
    """Return the error as plain data."""
    name = type(error).__name__
    if name not in _FIELDS:
        name = "LabError"
    fields: dict[str, Any] = {key: _plain(getattr(error, key)) for key in _FIELDS[name]}
    if isinstance(error, _errors.CompileError):
        fields["diagnostics"] = [d.to_json() for d in error.diagnostics]
    return [name, str(error), fields]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bytes | bool | None) else repr(value)[:200]


def decode_error(data: Any) -> LabError:
    """Return the error that `encode_error` gave this data for. Raises `ProtocolError` for other data."""
    try:
        name, message, fields = data
        allowed = _FIELDS[name]
        kind: type[LabError] = getattr(_errors, name)
        error = kind.__new__(kind)
        error.args = (str(message),)
        error.output = ""
        for key in allowed:
            setattr(error, key, fields[key])
        if isinstance(error, _errors.CompileError):
            error.diagnostics = tuple(Diagnostic(**d) for d in fields["diagnostics"])
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ProtocolError(f"not an error: {problem}") from None
    return error
