"""Arrivals: when events are meant to come, as whole nanoseconds from the start of a run, the same everywhere.

Times are made of SplitMix64's integers and of floating-point operations that IEEE 754 rounds the same on every
machine; the logarithm is our own for that reason. It knows no clock and fires nothing.
"""

from __future__ import annotations

import itertools
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from labkernel._capability import parse_duration
from labkernel._errors import CapabilityError, UsageError, did_you_mean
from labkernel._events.rng import Rng

__all__ = ["FASTEST", "Arrivals", "parse_arrivals", "parse_rate", "read_trace"]

KINDS: Final = ("constant", "poisson", "burst", "trace")
FASTEST: Final = 1_000_000.0
"""The highest rate that is accepted, in events per second: a driver in the engine answers half of it."""
SLOWEST: Final = 1 / 86_400
_MOST_AT_ONCE: Final = 1_000_000
_PER: Final = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When events are meant to arrive: `kind` is constant, poisson, burst or trace.

    `rate` is events per second on average; a burst brings `burst` events every `every_s` seconds; a trace
    holds its times in `trace_ns`, already divided by `speed`.
    """

    kind: str
    rate: float
    burst: int = 1
    every_s: float = 0.0
    speed: float = 1.0
    source: str = ""
    trace_ns: array[int] = field(default_factory=lambda: array("Q"), repr=False)

    @property
    def text(self) -> str:
        """The arrivals as `--rate` and `--arrival` take them."""
        if self.kind == "burst":
            return f"burst:{self.burst}/{self.every_s:g}s"
        if self.kind == "trace":
            return f"trace:{self.source}" + (f"@{self.speed:g}x" if self.speed != 1 else "")
        return f"{self.rate:g}/s {self.kind}"

    def offsets_ns(self, seed: int) -> Iterator[int]:
        """Return the intended times in order: without end, but for a trace.

        >>> list(itertools.islice(Arrivals("constant", 3.0).offsets_ns(0), 4))
        [0, 333333333, 666666666, 1000000000]
        """
        match self.kind:
            case "constant":
                return (int(k * _SECOND / self.rate) for k in itertools.count())
            case "poisson":
                return _poisson(self.rate, seed)
            case "burst":
                return _bursts(self.burst, self.every_s)
            case _:
                return iter(self.trace_ns)

    def to_data(self) -> list[Any]:
        """Return the arrivals as plain data."""
        return [
            self.kind, self.rate, self.burst, self.every_s, self.speed, self.source, self.trace_ns.tobytes(),
        ]  # fmt: skip

    @classmethod
    def from_data(cls, data: list[Any]) -> Arrivals:
        """Return the arrivals that `to_data` gave this data for."""
        times = array("Q")
        times.frombytes(data[6])
        kind, rate, burst, every_s, speed, source = data[:6]
        return cls(kind, rate, burst, every_s, speed, source, times)


def _poisson(rate: float, seed: int) -> Iterator[int]:
    """Yield arrivals whose gaps are independent and exponential; the first comes after a gap too."""
    draw = Rng.at(seed, -1).next
    mean, at = _SECOND / rate, 0.0
    while True:
        at -= _log(((draw() >> 11) + 1) * 2.0**-53) * mean
        yield int(at)


def _bursts(size: int, every_s: float) -> Iterator[int]:
    for k in itertools.count():
        at = int(k * every_s * _SECOND)
        yield from itertools.repeat(at, size)


_LN2: Final = 0.6931471805599453
_ODD: Final = tuple(1 / n for n in range(21, 2, -2))


def _log(x: float) -> float:
    """Return the natural logarithm of a number over 0, from operations that round alike everywhere.

    `math.log` is the system's, and systems differ in the last bit.

    >>> abs(_log(0.3) - math.log(0.3)) < 1e-15
    True
    """
    mantissa, exponent = math.frexp(x)
    if mantissa < 0.7071067811865476:
        mantissa, exponent = mantissa * 2, exponent - 1
    s = (mantissa - 1) / (mantissa + 1)
    z = s * s
    series = 0.0
    for term in _ODD:
        series = series * z + term
    return exponent * _LN2 + 2 * s * (series * z + 1)


def parse_rate(text: str | float) -> float:
    """Return events per second from `200/s`, `12/m`, `1.5`. Raises `UsageError` for anything else.

    >>> parse_rate("200/s"), parse_rate("30/m")
    (200.0, 0.5)
    """
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?(?:e\d+)?)\s*(?:/\s*([a-z]*))?\s*", str(text))
    per = _PER.get(found[2] or "") if found else None
    if found is None or per is None:
        raise UsageError(f"--rate {str(text)!r} is no rate; write events per second, as in 200/s, or 30/m.")
    rate = float(found[1]) / per
    if not SLOWEST <= rate <= FASTEST:
        raise UsageError(
            f"--rate {text} is out of range: expected one event a day to {FASTEST:,.0f}/s. "
            "Without --rate each event follows the one before it as fast as it can."
        )
    return rate


def parse_arrivals(arrival: str | None, rate: str | float | None) -> Arrivals | None:
    """Return what `--arrival` and `--rate` mean together; `None` where neither is given.

    Raises `UsageError` for an unknown kind, for a rate that is missing or too much, and for a bad trace.
    """
    if arrival is None and rate is None:
        return None
    kind, _, rest = (arrival or "constant").partition(":")
    if kind not in KINDS:
        known = "constant, poisson, burst:N/D, trace:FILE"
        raise UsageError(f"--arrival {arrival!r} is not known; known: {known}.{did_you_mean(kind, KINDS)}")
    if kind in ("constant", "poisson"):
        if rest:
            raise UsageError(f"--arrival {arrival!r} takes nothing after {kind!r}; the rate goes to --rate.")
        if rate is None:
            raise UsageError(f"--arrival {kind} needs a rate, as in --rate 200/s --arrival {kind}.")
        return Arrivals(kind, parse_rate(rate))
    if rate is not None:
        how = "N/D is its rate" if kind == "burst" else "its times are its rate; @2x makes it twice as fast"
        raise UsageError(f"--rate {rate} does not go with --arrival {kind}: {how}. Leave one of them out.")
    return _parse_burst(rest) if kind == "burst" else _parse_trace(rest)


def _parse_burst(text: str) -> Arrivals:
    found = re.fullmatch(r"(\d+)/(.+)", text)
    try:
        every_s = parse_duration(found[2], what="burst") if found and not found[2].isdigit() else None
    except CapabilityError:
        every_s = None
    if found is None or every_s is None:
        raise UsageError(
            f"--arrival burst:{text} is no burst; write how many and how often, as in burst:100/1s."
        )
    size = int(found[1])
    if not 1 <= size <= _MOST_AT_ONCE or not 1e-6 <= every_s <= 86_400 or size / every_s > FASTEST:
        raise UsageError(
            f"--arrival burst:{text} is out of range: expected 1 event or more, at most {FASTEST:,.0f}/s on average."
        )
    return Arrivals("burst", size / every_s, size, every_s)


def _parse_trace(text: str) -> Arrivals:
    found = re.fullmatch(r"(.*)@(\d+(?:\.\d+)?)x", text)
    name, speed = (found[1], float(found[2])) if found else (text, 1.0)
    if not name or not 1e-6 <= speed <= 1e6:
        raise UsageError(
            f"--arrival trace:{text} names no trace; write trace:FILE, or trace:FILE@2x for twice its speed."
        )
    return read_trace(name, speed=speed)


def read_trace(path: str | Path, *, speed: float = 1.0) -> Arrivals:
    """Return the arrivals a file holds: one time in seconds per line, in order, counted from the first.

    Empty lines and those after `#` are left out; of a line with commas the first column counts. Raises
    `UsageError` for a file that cannot be read, is empty, is cut in its last line, holds something else
    than numbers, or goes backwards: with the line.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"The trace {str(path)!r} cannot be read ({why}); give a text file.") from None
    if text and not text.endswith("\n"):
        last = text.rpartition("\n")[2]
        raise UsageError(
            f"The trace {str(path)!r} seems cut: its last line, {last[:40]!r}, has no end. "
            "Copy it again, or end the line if it is whole."
        )
    seconds = _seconds(text, str(path))
    times = array("Q", (round((at - seconds[0]) * _SECOND / speed) for at in seconds))
    length_s = times[-1] / _SECOND
    rate = (len(times) - 1) / length_s if length_s else float(len(times))
    return Arrivals("trace", rate, speed=speed, source=str(path), trace_ns=times)


def _seconds(text: str, name: str) -> array[float]:
    seconds = array("d")
    for number, line in enumerate(text.splitlines(), 1):
        shown = line.partition("#")[0].partition(",")[0].strip()
        if not shown:
            continue
        try:
            at = float(shown)
        except ValueError:
            at = math.nan
        if not math.isfinite(at):
            raise UsageError(
                f"{name} line {number}: {line.strip()[:40]!r} is no number; expected seconds, one time per line."
            )
        if seconds and at < seconds[-1]:
            raise UsageError(
                f"{name} line {number}: {at:g} goes backwards, after {seconds[-1]:g}; times must not fall. Sort it."
            )
        seconds.append(at)
    if not seconds:
        raise UsageError(f"The trace {name!r} holds no time; expected seconds, one time per line.")
    return seconds
