"""Recordings: a run's events and host calls in full, as JSON lines that any machine reads.

The first line is the head: format and version, the component's digest, the names of its functions by number, how many
lines follow. Each
further line is `{"start": ...}` or `{"event": ...}`, what the lab asked of the guest and what came of it, with the
host calls made meanwhile as `[number, arguments, [result] or null]`. Values are in normal form; bytes are
`{"bytes": base64}` and floats that JSON lacks `{"float": text}`.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labkernel._errors import UsageError

__all__ = ["Played", "Recording", "load_recording", "save_recording"]

_FORMAT: Final = "labkernel-recording"
_VERSION: Final = 1
_LARGEST: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Played:
    """One event of a recording: the function and its arguments (normal form), the host calls it led to, its outcome.

    `function` is empty for the start of the instance. `result` is `[value]`, or `None` where `error` says what ended
    the guest.
    """

    function: str
    args: list[Any]
    calls: tuple[list[Any], ...]
    result: list[Any] | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run of one component. `functions` are the names of its host functions, by the calls' numbers."""

    component: str
    functions: tuple[str, ...]
    events: tuple[Played, ...]

    @property
    def calls(self) -> tuple[list[Any], ...]:
        """All host calls, in order."""
        return tuple(call for event in self.events for call in event.calls)


def save_recording(recording: Recording, path: Path) -> None:
    """Write a recording. Raises `UsageError` where the file cannot be written."""
    head = {
        "format": _FORMAT, "version": _VERSION, "component": recording.component,
        "functions": list(recording.functions), "lines": len(recording.events),
    }  # fmt: skip
    lines = [head, *map(_line, recording.events)]
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written ({error.strerror}); give another path.") from None


def load_recording(path: Path) -> Recording:
    """Return the recording in a file. Raises `UsageError` for a file that holds none, or one of another version."""
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(
                f"{str(path)!r} is larger than {_LARGEST >> 20} MiB, expected a smaller recording."
            )
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        head, *rest = lines
        if head["format"] != _FORMAT:
            raise ValueError("its first line names another format")
        if head["version"] != _VERSION:
            raise UsageError(
                f"{str(path)!r} is a recording of version {head['version']}, expected {_VERSION}; record it anew."
            )
        if head["lines"] != len(rest):
            raise UsageError(
                f"{str(path)!r} was cut: it has {len(rest)} of {head['lines']} lines after the first; "
                "save it anew with %wasm trace NAME --save FILE."
            )
        made = Recording(str(head["component"]), tuple(map(str, head["functions"])), tuple(map(_event, rest)))
        if any(call[0] >= len(made.functions) for call in made.calls):
            raise ValueError("a call's number names no function")
        return made
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} cannot be read ({error.strerror}); save one with %wasm trace NAME --save FILE."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{str(path)!r} is no recording of the lab's ({error}); save one with %wasm trace NAME --save FILE."
        ) from None


def _line(event: Played) -> dict[str, Any]:
    calls = [
        [number, _plain(args), None if result is None else _plain(result)]
        for number, args, result in event.calls
    ]
    if not event.function:
        return {"start": {"error": event.error}, "calls": calls}
    outcome = None if event.result is None else _plain(event.result)
    asked = {"function": event.function, "args": _plain(event.args), "result": outcome, "error": event.error}
    return {"event": asked, "calls": calls}


def _event(line: dict[str, Any]) -> Played:
    calls = tuple(_call(call) for call in line["calls"])
    if "start" in line:
        return Played("", [], calls, None, str(line["start"]["error"]))
    event = line["event"]
    result = None if event["result"] is None else _whole(event["result"])
    return Played(str(event["function"]), _whole(event["args"]), calls, result, str(event["error"]))


def _call(call: Sequence[Any]) -> list[Any]:
    number, args, result = call
    if type(number) is not int or number < 0:
        raise ValueError(f"{number!r} numbers no function")
    return [number, _whole(args), None if result is None else _whole(result)]


def _plain(value: Any) -> Any:
    """Return a normal form as JSON has it."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _whole(value: Any) -> Any:
    """Return the normal form that `_plain` gave this for. Raises `ValueError`."""
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return base64.b64decode(value["bytes"], validate=True)
        if set(value) == {"float"} and value["float"] in ("nan", "inf", "-inf"):
            return float(value["float"])
        raise ValueError(f"{value!r} is no value")
    return value
