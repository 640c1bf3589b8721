"""Shrinking: from an event that fails to the smallest one that still fails in the same way.

It starts from the event at hand, which a search by random values might not find again, and makes its parts
simpler by their types, the largest steps first, until nothing simpler fails or the time is up: lists lose
elements (delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002),
numbers go towards zero by halves, cases towards the first, options to none. It needs no engine: what runs an
event is handed in.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["SHRINK_S", "Shrunk", "shrink", "simplest"]

#: How long shrinking may take unless told otherwise.
SHRINK_S: Final = 5.0
_LETTERS_TRIED: Final = 64
_ELEMENTS_TRIED: Final = 64
_SMALL: Final = 9

Attempt: TypeAlias = Callable[[Any], bool]
"""Whether the event still fails with this value in the place that is being made simpler."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest event that still fails, as arguments in normal form and as a call to paste.

    `why` tells in words how it was found; with `is_smallest` the search came to its end, and no simpler value
    that it tried for any part fails.
    """

    args: list[Any]
    call: str
    error: str
    trials: int
    spent_s: float
    is_smallest: bool
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the event and how it was found as plain data."""
        names = ("call", "error", "trials", "spent_s", "is_smallest", "why")
        return {name: getattr(self, name) for name in names}


class _TimeIsUp(Exception):
    """The time for shrinking is over."""


def shrink(
    function: Function, event: Sequence[Any], fails: Callable[[list[Any]], bool], *, limit_s: float = SHRINK_S,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[list[Any], int, str]:  # fmt: skip
    """Return the smallest event found for which `fails` holds, how many were tried, and what stopped it.

    The last is empty where nothing simpler fails, otherwise `"time"` or `"interrupt"`. `fails` holds for
    `event` itself. `on_progress` is told the number of trials.
    """
    search = _Search(fails, time.monotonic() + limit_s, on_progress)
    best, stopped = list(event), ""
    wit_type = TupleType(tuple(p.type for p in function.params))
    search.best = best
    try:
        while True:
            before = repr(search.best)
            _reduced(search.best, wit_type, search.attempt)
            if repr(search.best) == before:
                break
    except _TimeIsUp:
        stopped = "time"
    except KeyboardInterrupt:
        stopped = "interrupt"
    return search.best, search.trials, stopped


class _Search:
    def __init__(
        self, fails: Callable[[list[Any]], bool], deadline: float, on_progress: Callable[[int], None] | None
    ) -> None:
        self._fails, self._deadline, self._tell = fails, deadline, on_progress
        self._tried: set[str] = set()
        self.best: list[Any] = []
        self.trials = 0

    def attempt(self, event: list[Any]) -> bool:
        """Try an event once and keep it where it fails."""
        key = repr(event)
        if key in self._tried:
            return key == repr(self.best)
        if time.monotonic() > self._deadline:
            raise _TimeIsUp
        self._tried.add(key)
        self.trials += 1
        if self._tell is not None:
            self._tell(self.trials)
        if not self._fails(event):
            return False
        self.best = event
        return True


def simplest(wit_type: Type) -> Any:
    """Return the simplest value of a type in normal form: zero, nothing, the first case.

    >>> simplest(RecordType(()))
    []
    """
    match wit_type:
        case Primitive(name):
            return {"bool": False, "string": "", "char": "a", "f32": 0.0, "f64": 0.0}.get(name, 0)
        case ListType(Primitive("u8")):
            return b""
        case ListType() | FlagsType():
            return []
        case OptionType():
            return None
        case TupleType(elements):
            return [simplest(e) for e in elements]
        case RecordType(fields):
            return [simplest(f.type) for f in fields]
        case EnumType(cases):
            return cases[0]
        case ResultType() | VariantType():
            name, payload = _cases(wit_type)[0]
            return [name, None if payload is None else simplest(payload)]
        case HandleType() | OpaqueType():
            return None


def _cases(wit_type: ResultType | VariantType) -> list[tuple[str, Type | None]]:
    if isinstance(wit_type, ResultType):
        return [("ok", wit_type.ok), ("err", wit_type.err)]
    return [(case.name, case.type) for case in wit_type.cases]


def _reduced(value: Any, wit_type: Type, attempt: Attempt) -> Any:
    """Return the simplest value that `attempt` accepts; `value` itself where there is none."""
    plain = simplest(wit_type)
    if repr(value) == repr(plain):
        return value
    if attempt(plain):
        return plain
    match wit_type:
        case Primitive("f64"):
            return _float(value, attempt)
        case Primitive("f32"):
            return _f32(_float(value, lambda v: attempt(_f32(v))))
        case Primitive("string"):
            return _string(value, attempt)
        case Primitive("char"):
            return _char(value, attempt)
        case Primitive("bool"):
            return value
        case Primitive(name):
            return _integer(value, attempt, can_turn=-value < 2 ** (int(name[1:]) - 1))
        case ListType(Primitive("u8")):
            return _bytes(value, attempt)
        case ListType(element):
            fewer = _alike(_fewer(value, attempt), element, attempt)
            return _parts(fewer, [element] * len(fewer), attempt, limit=_ELEMENTS_TRIED)
        case FlagsType():
            return _fewer(value, attempt)
        case TupleType(elements):
            return _parts(value, elements, attempt)
        case RecordType(fields):
            return _parts(value, [f.type for f in fields], attempt)
        case OptionType(payload):
            return [_reduced(value[0], payload, lambda v: attempt([v]))]
        case EnumType(cases):
            return next((c for c in cases[: cases.index(value)] if attempt(c)), value)
        case ResultType() | VariantType():
            return _case(value, _cases(wit_type), attempt)
    return value


def _parts(
    value: list[Any], types: Sequence[Type], attempt: Attempt, *, limit: int | None = None
) -> list[Any]:
    """Make parts simpler one after the other: first each to its simplest, then each by small steps."""
    current = list(value)
    for step in (_to_simplest, _reduced):
        for index in range(min(len(current), limit or len(current))):

            def try_part(part: Any, index: int = index) -> bool:
                return attempt([*current[:index], part, *current[index + 1 :]])

            current[index] = step(current[index], types[index], try_part)
    return current


def _to_simplest(value: Any, wit_type: Type, attempt: Attempt) -> Any:
    plain = simplest(wit_type)
    return plain if repr(plain) != repr(value) and attempt(plain) else value


def _case(value: list[Any], cases: list[tuple[str, Type | None]], attempt: Attempt) -> list[Any]:
    """Try every earlier case with its simplest payload, then make the payload simpler."""
    names = [name for name, _ in cases]
    for name, payload in cases[: names.index(value[0])]:
        candidate = [name, None if payload is None else simplest(payload)]
        if attempt(candidate):
            return candidate
    payload = cases[names.index(value[0])][1]
    if payload is None:
        return value
    return [value[0], _reduced(value[1], payload, lambda v: attempt([value[0], v]))]


def _fewer(value: Any, attempt: Attempt) -> Any:
    """Leave out as many elements as possible, halves first: of a list, of text, of bytes."""
    size = len(value) // 2
    while size:
        at = 0
        while at < len(value):
            candidate = value[:at] + value[at + size :]
            if attempt(candidate):
                value = candidate
            else:
                at += size
        size //= 2
    return value


def _alike(value: list[Any], element: Type, attempt: Attempt) -> list[Any]:
    """Make elements that are alike simplest together, since it may matter that they are."""
    plain = simplest(element)
    shown = [repr(each) for each in value]
    for text in dict.fromkeys(shown):
        if shown.count(text) > 1 and text != repr(plain):
            candidate = [plain if repr(each) == text else each for each in value]
            if attempt(candidate):
                value = candidate
    return value


def _integer(value: int, attempt: Attempt, *, can_turn: bool = True) -> int:
    """Try the smallest few, then go towards zero by halves; a negative number turns positive where it can."""
    if value < 0 and can_turn and attempt(-value):
        value = -value
    passes, fails, sign = 0, abs(value), -1 if value < 0 else 1
    for small in range(1, min(_SMALL, fails)):
        if attempt(sign * small):
            return sign * small
        passes = small
    while fails - passes > 1:
        middle = (fails + passes) // 2
        if attempt(sign * middle):
            fails = middle
        else:
            passes = middle
    return sign * fails


def _f32(value: float) -> float:
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def _float(value: float, attempt: Attempt) -> float:
    """Try the plain numbers, then fewer digits, then a smaller whole number."""
    for plain in (1.0, -1.0, 0.5, math.inf, -math.inf, math.nan):
        if repr(plain) == repr(value):
            return value
        if attempt(plain):
            return plain
    if not math.isfinite(value):
        return value
    if not value.is_integer():
        value = next((r for d in range(16) if (r := round(value, d)) != value and attempt(r)), value)
    if value.is_integer() and abs(value) < 2**53:
        return float(_integer(int(value), lambda v: attempt(float(v))))
    return value


def _string(value: str, attempt: Attempt) -> str:
    value = _fewer(value, attempt)
    if len(value) > 1 and attempt("a" * len(value)):
        return "a" * len(value)
    for index in range(min(len(value), _LETTERS_TRIED)):

        def try_char(char: str, index: int = index, value: str = value) -> bool:
            return attempt(value[:index] + char + value[index + 1 :])

        if value[index] != "a":
            char = "a" if try_char("a") else _char(value[index], try_char)
            value = value[:index] + char + value[index + 1 :]
    return value


def _char(value: str, attempt: Attempt) -> str:
    """Go to a letter or digit, or else to the first code point that still fails."""
    for plain in "ab0 ":
        if plain == value:
            return value
        if attempt(plain):
            return plain

    def try_point(point: int) -> bool:
        return not 0xD800 <= point < 0xE000 and attempt(chr(point))

    return chr(_integer(ord(value), try_point)) if ord(value) > 0x7F else value


def _bytes(value: bytes, attempt: Attempt) -> bytes:
    value = _fewer(value, attempt)
    if value.strip(b"\0") and attempt(bytes(len(value))):
        return bytes(len(value))
    for index in range(min(len(value), _LETTERS_TRIED)):

        def try_byte(byte: int, index: int = index, value: bytes = value) -> bool:
            return attempt(value[:index] + bytes([byte]) + value[index + 1 :])

        if value[index]:
            byte = 0 if try_byte(0) else _integer(value[index], try_byte)
            value = value[:index] + bytes([byte]) + value[index + 1 :]
    return value
