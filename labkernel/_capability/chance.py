"""Clocks and randomness: the machine's, a made-up one that repeats, or none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from labkernel._capability.units import parse_duration
from labkernel._errors import CapabilityError

__all__ = ["STEP_START", "Clock", "Random", "make_clock", "make_random"]

STEP_START: Final = "2026-01-01T00:00:00Z"
"""Where a stepping clock starts when nothing else is said."""
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)", re.ASCII
)
_CLOCK_FORMS: Final = "real, fixed:2026-01-01T00:00:00Z, step:1ms, step:1ms@2026-01-01T00:00:00Z or deny"
_RANDOM_FORMS: Final = "real, seed:7 or deny"
_LATEST_NS: Final = (1 << 64) - 1
_LONGEST_STEP_NS: Final = 366 * 86_400 * 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """What the clocks of a guest show; wall clock and monotonic clock are one time.

    `mode` is `real`, `fixed` (always `start_ns`), `step` (`step_ns` later at each reading) or `deny`. `start_ns`
    counts from 1970-01-01T00:00:00Z.
    """

    mode: str = "real"
    start_ns: int = 0
    step_ns: int = 0

    @property
    def is_virtual(self) -> bool:
        """Whether the time is made up."""
        return self.mode in ("fixed", "step")

    @property
    def text(self) -> str:
        """The grant as `--clock` takes it."""
        if self.mode == "fixed":
            return f"fixed:{_moment_text(self.start_ns)}"
        if self.mode == "step":
            start = _moment_text(self.start_ns)
            return f"step:{_step_text(self.step_ns)}{'' if start == STEP_START else f'@{start}'}"
        return self.mode


@dataclass(frozen=True, slots=True)
class Random:
    """What a guest draws random bytes from: `mode` is `real`, `seed` or `deny`."""

    mode: str = "real"
    seed: int = 0

    @property
    def text(self) -> str:
        """The grant as `--random` takes it."""
        return f"seed:{self.seed}" if self.mode == "seed" else self.mode


def make_clock(given: object) -> Clock | None:
    """Return the clock that `real`, `fixed:T`, `step:D`, `step:D@T` or `deny` mean; T is RFC 3339.

    Raises `CapabilityError`.

    >>> make_clock("step:10ms").text
    'step:10ms'
    """
    if isinstance(given, Clock):
        return given
    if given in (None, ""):
        return None
    mode, colon, rest = str(given).partition(":")
    if mode in ("real", "deny") and not colon:
        return Clock(mode)
    if mode == "fixed" and rest:
        return Clock("fixed", _moment(rest, str(given)))
    if mode == "step" and rest:
        step, at, start = rest.partition("@")
        return Clock("step", _moment(start if at else STEP_START, str(given)), _step(step, str(given)))
    raise CapabilityError(f"--clock {given!r} is no clock; write {_CLOCK_FORMS}.")


def make_random(given: object) -> Random | None:
    """Return the randomness that `real`, `seed:N` or `deny` mean; N is a whole number below 2**64.

    Raises `CapabilityError`.
    """
    if isinstance(given, Random):
        return given
    if given in (None, ""):
        return None
    mode, colon, rest = str(given).partition(":")
    if mode in ("real", "deny") and not colon:
        return Random(mode)
    if mode == "seed" and re.fullmatch(r"\d{1,20}", rest, re.ASCII) and int(rest) < 1 << 64:
        return Random("seed", int(rest))
    if mode == "seed":
        raise CapabilityError(
            f"--random {given!r} has no usable seed, expected a whole number from 0 to 2**64 - 1; "
            "write --random seed:7."
        )
    raise CapabilityError(f"--random {given!r} is no randomness; write {_RANDOM_FORMS}.")


def _moment(text: str, given: str) -> int:
    """Return a moment in nanoseconds since 1970."""
    match = _RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError("no RFC 3339 time with a zone")
        day, time, fraction, zone = match.groups()
        moment = datetime.fromisoformat(f"{day}T{time}{zone.upper()}")
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
        ns = seconds * 10**9 + int((fraction or "0").ljust(9, "0"))
        if not 0 <= ns <= _LATEST_NS:
            raise ValueError("outside 1970 to 2554")
    except ValueError as error:
        raise CapabilityError(
            f"--clock {given!r}: {text!r} is no usable moment ({error}); write one such as 2026-01-01T00:00:00Z."
        ) from None
    return ns


def _step(text: str, given: str) -> int:
    try:
        ns = round(parse_duration(text) * 1e9)
    except CapabilityError:
        ns = -1
    if not 1 <= ns <= _LONGEST_STEP_NS:
        raise CapabilityError(
            f"--clock {given!r}: {text!r} is no usable step, expected from 1ns to 366 days; write step:1ms."
        )
    return ns


def _moment_text(ns: int) -> str:
    seconds, rest = divmod(ns, 10**9)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}{f'.{rest:09}'.rstrip('0') if rest else ''}Z"


def _step_text(ns: int) -> str:
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
