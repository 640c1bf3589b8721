"""What firing leaves behind: `Answer` for one event, `Run` for many, as frozen records."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import LabError
from labkernel._fire.shrink import Shrunk
from labkernel._timing import Samples
from labkernel._values import from_normal, wave
from labkernel._wit import Function

__all__ = ["Answer", "Run", "Target", "call_of"]

_KINDS_SHOWN: Final = 8
#: The cases a result begins with (at most two, one in the other), or a case without a payload.
_CASE: Final = re.compile(r"(?:%?[a-z][a-z0-9-]*\(){1,2}|%?[a-z][a-z0-9-]*$")


@dataclass(frozen=True, slots=True)
class Target:
    """What was fired at: facts without which a figure means nothing."""

    name: str
    digest: str
    language: str = ""
    form: str = ""
    compiler: str = "cranelift"
    policy: str = "warm"
    path: str = "host call"

    def to_json(self) -> dict[str, str]:
        """Return the facts as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Answer:
    """One event and what came of it. `ns` is the call's time in the host process, lifting included.

    `output` is what the guest printed, stdout and stderr in order; `notes` are the lab's own lines. `made` is
    the Python value of a result with handles, whose objects are the instance's.
    """

    target: Target
    function: Function
    call: str
    normal: Any
    ns: int
    index: int = 0
    output: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fuel_used: int | None = None
    made: Any = None

    @property
    def value(self) -> Any:
        """The result as a Python value; `None` for a function without one."""
        if self.made is not None:
            return self.made
        return None if self.function.result is None else from_normal(self.normal, self.function.result)

    @property
    def wave(self) -> str:
        """The result as WAVE text; empty for a function without one."""
        return "" if self.function.result is None else wave(self.normal, self.function.result)

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "target": self.target.to_json(),
            "function": self.function.full_name,
            "call": self.call,
            "result": self.wave,
            "ns": self.ns,
            "output": self.output,
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return f"Answer({self.wave or 'done'})"


@dataclass(frozen=True, slots=True)
class Run:
    """Many events at one instance: every sample, every result, and the error that ended it, if any.

    `events` and `normals` are in normal form, in the order fired; `ns` holds one time per answered event.
    With an `error`, the event that caused it is `events[len(ns)]`, and `shrunk` the smallest one that does.
    """

    target: Target
    function: Function
    asked: int
    seed: int | None
    events: tuple[list[Any], ...]
    normals: tuple[Any, ...]
    ns: array[int]
    wall_ns: int
    error: LabError | None = None
    output: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    shrunk: Shrunk | None = None

    def __len__(self) -> int:
        """Return how many events were answered."""
        return len(self.ns)

    @property
    def samples(self) -> Samples:
        """The times of the calls; the first is a warm-up."""
        return Samples(self.ns, min(1, max(0, len(self.ns) - 1)))

    @property
    def results(self) -> list[Any]:
        """The results as Python values, in order."""
        result = self.function.result
        return [None if result is None else from_normal(n, result) for n in self.normals]

    @property
    def waves(self) -> list[str]:
        """The results as WAVE text, in order."""
        result = self.function.result
        return ["" if result is None else wave(n, result) for n in self.normals]

    @property
    def counts(self) -> dict[str, int]:
        """How often each result came, most often first.

        Where there are many they are put together by their cases, and what has no case by how many there are.
        """
        found = Counter(self.waves)
        if len(found) > _KINDS_SHOWN:
            found = _by_case(found)
        kinds = [(_cut(text), n) for text, n in found.most_common()]
        others = kinds[_KINDS_SHOWN:]
        rest = {f"{len(others)} other results": sum(n for _, n in others)} if others else {}
        return {**dict(kinds[:_KINDS_SHOWN]), **rest}

    @property
    def failing_event(self) -> str:
        """The event that ended the run, as a call to paste; empty when none did."""
        if self.error is None or len(self.ns) >= len(self.events):
            return ""
        return call_of(self.function, self.events[len(self.ns)])

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain data (format `labkernel-run-1`), events and results as WAVE."""
        return {
            "format": "labkernel-run-1",
            "target": self.target.to_json(),
            "function": self.function.full_name,
            "asked": self.asked,
            "seed": self.seed,
            "events": [call_of(self.function, event) for event in self.events],
            "results": self.waves,
            "ns": list(self.ns),
            "wall_ns": self.wall_ns,
            "shrunk": None if self.shrunk is None else self.shrunk.to_json(),
            "error": None if self.error is None else f"{type(self.error).__name__}: {self.error}",
            "output": self.output,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        failed = f", {type(self.error).__name__}" if self.error else ""
        return f"Run({len(self.ns)} of {self.asked} events{failed})"


def _by_case(found: Counter[str]) -> Counter[str]:
    """Return counts of results by their case: of `err(missing("a"))` and its like as `err(missing(…))`.

    >>> dict(_by_case(Counter({"ok(1)": 2, "ok(2)": 1, "none": 4, "7": 1, "8": 1})))
    {'ok(…)': 3, 'none': 4, '2 different values': 2}
    """
    cases: Counter[str] = Counter()
    values = Counter({text: n for text, n in found.items() if not _CASE.match(text)})
    for text, n in found.items():
        case = _CASE.match(text)
        if case:
            cases[f"{case[0]}…{')' * case[0].count('(')}" if "(" in case[0] else text] += n
    if len(values) > 1:
        values = Counter({f"{len(values)} different values": values.total()})
    cases += values
    return cases


def _cut(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def call_of(function: Function, args: list[Any]) -> str:
    """Return a call as `%fire` takes it."""
    inner = ", ".join(wave(value, param.type) for value, param in zip(args, function.params, strict=True))
    return f"{function.full_name}({inner})"
