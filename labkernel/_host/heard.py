"""What a request hears besides its answer: output, progress and chunks on the way, or that its process is gone."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from labkernel._errors import BudgetExceeded, GuestCrashed, LabError
from labkernel._host import protocol
from labkernel._host.process import ProcessDied
from labkernel._host.protocol import ProtocolError
from labkernel._host.traps import seconds_text

__all__ = ["Heard", "OnChunk", "OnOutput", "OnProgress", "crashed", "error_from", "times_from"]

OnOutput: TypeAlias = Callable[[str, str], None]
OnProgress: TypeAlias = Callable[[int, int], None]
OnChunk: TypeAlias = Callable[[list[Any]], None]
_STREAMS: Final = ("stdout", "stderr")
_MOST_OUTPUT: Final = 1 << 28


class Heard:
    """Takes the frames of a request that come before its answer, and hands them to the caller's callbacks."""

    def __init__(
        self, on_output: OnOutput | None, on_progress: OnProgress | None, on_chunk: OnChunk | None = None
    ) -> None:
        self._on_output = on_output
        self._on_progress = on_progress
        self._on_chunk = on_chunk
        self._pieces: list[str] = []
        self._left = _MOST_OUTPUT

    @property
    def text(self) -> str:
        """All that the guest printed."""
        return "".join(self._pieces)

    def __call__(self, frame: list[Any]) -> None:
        """Take one frame. Raises `ProtocolError` for one that has no place here."""
        match frame:
            case [protocol.OUTPUT, _, 0 | 1 as stream, str(text)]:
                self._left -= len(text)
                if self._left < 0:
                    raise ProtocolError("more output than any budget allows")
                self._pieces.append(text)
                if self._on_output is not None:
                    self._on_output(_STREAMS[stream], text)
            case [protocol.PROGRESS, _, int(done), int(total)]:
                if self._on_progress is not None:
                    self._on_progress(done, total)
            case [protocol.CHUNK, _, list(data)] if self._on_chunk is not None:
                self._on_chunk(data)
            case _:
                raise ProtocolError(f"a frame of kind {frame[0]} is not expected here")


_TIMED: Final = frozenset({"instantiate", "call"})


def crashed(operation: str, problem: Exception, output: str, limit_s: float) -> LabError:
    """Return the error for a request whose process is gone, or was ended because it did not answer."""
    if isinstance(problem, ProcessDied) and problem.killed and operation in _TIMED:
        late = "The host process did not stop it and had to be ended; its instances are lost."
        return BudgetExceeded("timeout", seconds_text(limit_s), used="more", how=late, output=output)
    error = GuestCrashed(
        f"The host process is gone ({problem}) while it served {operation!r}. "
        "Its instances are lost; the next use starts a fresh process."
    )
    error.output = output
    if isinstance(problem, ProcessDied):
        error.was_killed = problem.killed  # type: ignore[attr-defined]
    return error


def times_from(data: bytes) -> array[int]:
    """Return nanoseconds as they travel."""
    times = array("Q")
    times.frombytes(data)
    return times


def error_from(data: Any) -> LabError | None:
    """Return the error that a reply holds, if it holds one."""
    return None if data is None else protocol.decode_error(data)
