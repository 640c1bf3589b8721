"""Differential firing: the same events at several targets, their outcomes compared in normal form.

Owns what an outcome is, when two agree, which signatures are the same, and the record `Agreement`. It needs no
engine: outcomes are handed in.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import (
    BudgetExceeded,
    CapabilityDenied,
    GuestCrashed,
    GuestExit,
    GuestTrap,
    LabError,
    UsageError,
)
from labkernel._fire.records import Target, call_of
from labkernel._fire.shrink import Shrunk
from labkernel._values import wave
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    type_text,
)

__all__ = [
    "Agreement",
    "Disagreement",
    "Outcome",
    "Tally",
    "agrees",
    "outcome_of",
    "refuse_difference",
    "same_value",
]

_KEPT: Final = 5
_KINDS: Final = (
    (GuestTrap, "trap"), (GuestExit, "exit"), (BudgetExceeded, "budget"), (CapabilityDenied, "denied"),
    (GuestCrashed, "crash"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one event at one target: an answer in normal form, or how it failed.

    `kind` is `answer`, `trap`, `exit`, `budget`, `denied`, `crash` or, of a Python function, `raised`.
    """

    kind: str
    text: str
    normal: Any = None


def outcome_of(function: Function, normal: Any, error: LabError | None = None) -> Outcome:
    """Return the outcome of a guest's call."""
    if error is None:
        return Outcome("answer", "" if function.result is None else wave(normal, function.result), normal)
    kind = next((kind for error_type, kind in _KINDS if isinstance(error, error_type)), "error")
    return Outcome(kind, str(error))


def agrees(one: Outcome, other: Outcome, tolerance: float = 0.0) -> bool:
    """Whether two outcomes are the same: equal answers, or failures of one kind, whatever their words."""
    if one.kind != other.kind:
        return False
    return one.kind != "answer" or same_value(one.normal, other.normal, tolerance)


def same_value(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two normal forms are the same value.

    NaN is NaN. Floats are compared exactly, so that -0.0 is not 0.0, unless a relative and absolute
    `tolerance` is given.

    >>> same_value([math.nan, 1.0], [math.nan, 1.0]), same_value(1.0, 1.1), same_value(1.0, 1.1, 0.2)
    (True, False, True)
    """
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        if tolerance:
            return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same_value(a, b, tolerance) for a, b in pairs)
    return type(one) is type(other) and bool(one == other)


def refuse_difference(functions: Sequence[tuple[str, Function]]) -> None:
    """Raise `UsageError` where the functions of named targets have not the same types, with the first difference.

    Names of parameters and of types may differ; those of fields and cases may not.
    """
    first_name, first = functions[0]
    for name, other in functions[1:]:
        if len(first.params) != len(other.params):
            raise UsageError(
                f"{first_name} and {name} cannot be compared: {first.text} takes {len(first.params)} arguments, "
                f"{other.text} takes {len(other.params)}."
            )
        pairs = [(f"${p.name}", p.type, q.type) for p, q in zip(first.params, other.params, strict=True)]
        for path, one, two in [*pairs, ("the result", first.result, other.result)]:
            found = _difference(one, two, path)
            if found:
                where, mine, theirs = found
                raise UsageError(
                    f"{first_name} and {name} cannot be compared: at {where} {first_name} has {mine}, {name} has "
                    f"{theirs}. Build both for one world."
                )
    if first.result is not None and _has_handle(first.result):
        shown = type_text(first.result)
        raise UsageError(f"Results of {shown} hold handles, which mean nothing outside their instance.")


def _difference(one: Type | None, other: Type | None, path: str) -> tuple[str, str, str] | None:
    """Return where two types differ and what stands there."""
    if one == other:
        return None
    if one is not None and other is not None and type(one) is type(other):
        mine, theirs = _parts(one), _parts(other)
        names, others = [n for n, _ in mine], [n for n, _ in theirs]
        if names != others:
            return (
                path,
                f"{type_text(one)} of {', '.join(names)}",
                f"{type_text(other)} of {', '.join(others)}",
            )
        for (name, a), (_, b) in zip(mine, theirs, strict=True):
            found = _difference(a, b, f"{path}.{name}" if name else path)
            if found:
                return found
    return path, type_text(one), type_text(other)


def _parts(wit_type: Type) -> list[tuple[str, Type | None]]:
    match wit_type:
        case RecordType(fields):
            return [(f.name, f.type) for f in fields]
        case VariantType(cases):
            return [(c.name, c.type) for c in cases]
        case ResultType(ok, err):
            return [("ok", ok), ("err", err)]
        case TupleType(elements):
            return [(str(i), e) for i, e in enumerate(elements)]
        case OptionType(inner) | ListType(inner):
            return [("", inner)]
        case EnumType(names) | FlagsType(names):
            return [(name, None) for name in names]
    return []


def _has_handle(wit_type: Type | None) -> bool:
    if isinstance(wit_type, HandleType | OpaqueType):
        return True
    return wit_type is not None and any(_has_handle(part) for _, part in _parts(wit_type))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One event and what each target made of it, in their order."""

    index: int
    call: str
    outcomes: tuple[Outcome, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the disagreement as plain data."""
        outcomes = [{"kind": o.kind, "text": o.text} for o in self.outcomes]
        return {"index": self.index, "call": self.call, "outcomes": outcomes}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far several targets agree about the same events.

    `matrix[i][j]` counts the events about which targets `i` and `j` agree, `unanimous` those about which all
    do; `kinds` counts each target's outcomes. `disagreements` are the first few, `shrunk` is the smallest event
    found about which the first of them remains, and `shrunk_outcomes` what became of it.
    """

    function: Function
    targets: tuple[Target, ...]
    asked: int
    fired: int
    seed: int | None
    tolerance: float
    unanimous: int
    matrix: tuple[tuple[int, ...], ...]
    kinds: tuple[dict[str, int], ...]
    disagreements: tuple[Disagreement, ...]
    shrunk: Shrunk | None = None
    shrunk_outcomes: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The targets' names, in order."""
        return tuple(target.name for target in self.targets)

    @property
    def is_unanimous(self) -> bool:
        """Whether all targets agree about every event that was fired."""
        return self.unanimous == self.fired

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain data (format `labkernel-agreement-1`)."""
        return {
            "format": "labkernel-agreement-1",
            "function": self.function.full_name,
            "targets": [target.to_json() for target in self.targets],
            "asked": self.asked,
            "fired": self.fired,
            "seed": self.seed,
            "tolerance": self.tolerance,
            "unanimous": self.unanimous,
            "matrix": [list(row) for row in self.matrix],
            "outcomes": [dict(kinds) for kinds in self.kinds],
            "disagreements": [d.to_json() for d in self.disagreements],
            "shrunk": None if self.shrunk is None else self.shrunk.to_json(),
            "shrunk_outcomes": [{"kind": o.kind, "text": o.text} for o in self.shrunk_outcomes],
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return f"Agreement({self.unanimous} of {self.fired} events, {len(self.targets)} targets)"


class Tally:
    """Counts agreement event by event, and keeps the first few disagreements with their events."""

    def __init__(self, function: Function, count: int, tolerance: float) -> None:
        self.function, self.tolerance = function, tolerance
        self.fired = self.unanimous = 0
        self.matrix = [[0] * count for _ in range(count)]
        self.kinds = [Counter[str]() for _ in range(count)]
        self.kept: list[tuple[list[Any], Disagreement]] = []

    def add(self, event: list[Any], outcomes: Sequence[Outcome]) -> None:
        """Count one event."""
        size = range(len(outcomes))
        same = [[agrees(outcomes[i], outcomes[j], self.tolerance) for j in size] for i in size]
        for i in size:
            self.kinds[i][outcomes[i].kind] += 1
            for j in size:
                self.matrix[i][j] += same[i][j]
        if all(map(all, same)):
            self.unanimous += 1
        elif len(self.kept) < _KEPT:
            found = Disagreement(self.fired, call_of(self.function, event), tuple(outcomes))
            self.kept.append((event, found))
        self.fired += 1
