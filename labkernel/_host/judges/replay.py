"""The guard that answers every call from a recording, so that nothing of the host is needed.

Made of the policy's `guard_data`: the recorded calls as `[number, arguments, [result] or None]`, in order. Handles are
the recorded numbers. What the guest writes to standard output and error is shown as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from labkernel._errors import GuestTrap
from labkernel._host.judges.verdict import name_of
from labkernel._host.policy import Policy
from labkernel._values import wave
from labkernel._wit import (
    Function,
    HandleType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["Replay"]

_WRITES: Final = frozenset(
    f"wasi:io/streams#[method]output-stream.{name}" for name in ("write", "blocking-write-and-flush")
)
_STREAMS: Final = {"wasi:cli/stdout#get-stdout": 0, "wasi:cli/stderr#get-stderr": 1}
_SHOWN: Final = 200
_NEXT: Final = "The component, its input or the lab is another one than when it was recorded."


class Replay:
    """A guard for one instance. Raises `GuestTrap` at the first call that is not the recorded one.

    `written` are pieces of output, (0 or 1, bytes), that the host takes after each answer.
    """

    def __init__(self, policy: Policy) -> None:
        self._table = policy.table
        self._calls: list[list[Any]] = policy.guard_data["calls"]
        self._next = 0
        self._streams: dict[int, int] = {}
        self._given: Counter[int] = Counter()
        self.written: list[tuple[int, bytes]] = []

    def ask(self, number: int, arguments: list[Any]) -> list[Any] | None:
        """Return the recorded result of the call."""
        function = self._table[number]
        is_drop = function.name.startswith("[resource-drop]")
        if is_drop and self._given[arguments[0]]:
            self._given[arguments[0]] -= 1
            return [None]
        at, self._next = self._next, self._next + 1
        if at >= len(self._calls):
            raise GuestTrap(
                f"The replay diverges at call {at + 1}: the recording ends before it, got "
                f"{self._text(number, arguments)}. {_NEXT}"
            )
        expected, recorded, result = self._calls[at]
        if (expected, recorded) != (number, arguments):
            raise GuestTrap(
                f"The replay diverges at call {at + 1}: expected {self._text(expected, recorded)}, got "
                f"{self._text(number, arguments)}. {_NEXT}"
            )
        if result is None:
            raise GuestTrap(
                f"The replay ends as the recording did: {self._text(number, arguments)} never returned."
            )
        self._note(function, arguments, result[0])
        return [result[0]]

    def tell(self, number: int, arguments: list[Any], result: Any) -> None:
        """Nothing is to be told."""

    def take(self) -> list[int]:
        """Return how many calls were answered, and how many the recording has."""
        return [self._next, len(self._calls)]

    def _note(self, function: Function, arguments: list[Any], result: Any) -> None:
        """Follow standard output and error, and handles that the call took from the guest."""
        name = name_of(function)
        if name in _STREAMS:
            self._streams[result] = _STREAMS[name]
        elif name in _WRITES and arguments[0] in self._streams:
            self.written.append((self._streams[arguments[0]], bytes(arguments[1])))
        elif name == "wasi:io/streams#[resource-drop]output-stream":
            self._streams.pop(arguments[0], None)
        if not function.name.startswith("[resource-drop]"):
            for value, param in zip(arguments, function.params, strict=True):
                self._given.update(_owned(value, param.type))

    def _text(self, number: int, arguments: list[Any]) -> str:
        function = self._table[number]
        shown = ", ".join(_shown(v, p.type) for v, p in zip(arguments, function.params, strict=False))
        return f"{function.full_name}({shown})"


def _shown(value: Any, wit_type: Type) -> str:
    text = wave(value, wit_type)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _owned(value: Any, wit_type: Type) -> Iterator[int]:
    """Yield the handles in a value that the guest hands over."""
    match wit_type:
        case HandleType(_, "own"):
            yield value
        case OptionType(payload) if value is not None:
            yield from _owned(value[0], payload)
        case ListType(element) if not isinstance(value, bytes):
            for each in value:
                yield from _owned(each, element)
        case TupleType(elements):
            for each, part in zip(value, elements, strict=True):
                yield from _owned(each, part)
        case RecordType(fields):
            for each, named in zip(value, fields, strict=True):
                yield from _owned(each, named.type)
        case VariantType(cases):
            payload_type = next(c.type for c in cases if c.name == value[0])
            if payload_type is not None:
                yield from _owned(value[1], payload_type)
        case ResultType(ok, err):
            side = ok if value[0] == "ok" else err
            if side is not None:
                yield from _owned(value[1], side)
