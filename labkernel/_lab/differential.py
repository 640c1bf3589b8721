"""Differential firing at the lab: the same events at several components, and at a Python function as oracle.

Every target gets an instance of its own that nobody else uses, with its grants and budgets; one that fails is
started anew and goes on with the next event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from labkernel._errors import UsageError, ValueDoesNotFit
from labkernel._events import EventOptions, EventSource, open_source
from labkernel._fire import (
    SHRINK_S,
    Agreement,
    Outcome,
    Shrunk,
    Target,
    agrees,
    outcome_of,
    refuse_difference,
)
from labkernel._fire import shrink as shrink_event
from labkernel._fire.differential import Tally
from labkernel._lab.instance import Instance
from labkernel._lab.shrinking import FreshCalls, spare_of, told
from labkernel._values import from_normal, to_normal
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["compare_targets"]

_CHUNK: Final = 64
ORACLE: Final = "oracle"
_STATEFUL: Final = (
    "the first disagreement does not come in fresh instances: it takes what events before it left"
)


class _Side(Protocol):
    """One of those that are compared."""

    target: Target
    restarts: int

    def answer(self, events: Sequence[list[Any]]) -> list[Outcome]:
        """Return the outcomes of some events, in order, in one instance."""

    def fresh(self, event: list[Any]) -> Outcome:
        """Return the outcome of one event alone."""

    def close(self) -> None:
        """End what was started."""


class _GuestSide:
    def __init__(self, lab: Lab, instance: Instance, function: Function) -> None:
        self._function, self._spare = function, spare_of(lab, instance)
        self._alone = FreshCalls(lab, instance, function)
        self.target, self.restarts = instance.target(), 0

    def answer(self, events: Sequence[list[Any]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while len(outcomes) < len(events):
            rest = events[len(outcomes) :]
            run = self._spare.run(self._function, n=len(rest), events=rest)
            outcomes += [outcome_of(self._function, normal) for normal in run.normals]
            if run.error is not None:  # the next run starts the instance anew
                outcomes.append(outcome_of(self._function, None, run.error))
                self.restarts += 1
        return outcomes

    def fresh(self, event: list[Any]) -> Outcome:
        normal, error = self._alone(event)
        return outcome_of(self._function, normal, error)

    def close(self) -> None:
        self._spare.drop()
        self._alone.close()


class _OracleSide:
    def __init__(self, oracle: Callable[..., Any], function: Function) -> None:
        self._oracle, self._function = oracle, function
        name = getattr(oracle, "__name__", ORACLE)
        self.target = Target(
            name if name.isidentifier() else ORACLE, "", "python", "a function of the notebook", ""
        )
        self.restarts = 0

    def answer(self, events: Sequence[list[Any]]) -> list[Outcome]:
        return [self.fresh(event) for event in events]

    def fresh(self, event: list[Any]) -> Outcome:
        function = self._function
        args = [from_normal(value, p.type) for value, p in zip(event, function.params, strict=True)]
        try:
            value = self._oracle(*args)
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises is its outcome
            return Outcome("raised", f"{type(error).__name__}: {error}")
        if function.result is None:
            return Outcome("answer", "")
        try:
            return outcome_of(function, to_normal(value, function.result))
        except ValueDoesNotFit as error:
            raise UsageError(
                f"The oracle returned what {function.name} cannot return: {error} It gets the arguments as Python "
                "values; for a result it returns labkernel.ok(...) or labkernel.err(...)."
            ) from None

    def close(self) -> None:
        """Have nothing to end."""


def compare_targets(
    lab: Lab, instances: Sequence[Instance], *, function: str | None, call: str | None = None,
    oracle: Callable[..., Any] | None = None, options: EventOptions | None = None, n: int | None = None,
    seed: int = 0, tolerance: float = 0.0, shrink: bool | None = None, shrink_s: float = SHRINK_S,
    on_progress: Callable[[int, int], None] | None = None,
) -> Agreement:  # fmt: skip
    """Fire the same events at all and return how far they agree; see `Lab.differential`."""
    functions = [_function(lab, instance, function) for instance in instances]
    chosen = functions[0]
    _refuse(instances, oracle, tolerance)
    refuse_difference([(i.name, f) for i, f in zip(instances, functions, strict=True)])
    events, asked, made = _events(chosen, instances[0], call, options or EventOptions(), n, seed)
    sides: list[_Side] = [_GuestSide(lab, i, f) for i, f in zip(instances, functions, strict=True)]
    sides += [_OracleSide(oracle, chosen)] if oracle is not None else []
    tally = Tally(chosen, len(sides), tolerance)
    notes: list[str] = []
    try:
        _count(sides, events, tally, notes, asked, on_progress)
        found, outcomes, why = _shrunk(sides, tally, wanted=shrink, limit_s=shrink_s, progress=lab.progress)
    finally:
        for side in sides:
            side.close()
    notes += [
        f"{side.target.name} was started anew {_times(side.restarts)} after an event at which it failed"
        for side in sides
        if side.restarts
    ]
    notes += [*(made.notes if made is not None else ()), *([why] if why else [])]
    return Agreement(
        function=chosen,
        targets=tuple(side.target for side in sides),
        asked=asked,
        fired=tally.fired,
        seed=made.seed if made is not None else None,
        tolerance=tolerance,
        unanimous=tally.unanimous,
        matrix=tuple(map(tuple, tally.matrix)),
        kinds=tuple(map(dict, tally.kinds)),
        disagreements=tuple(kept for _, kept in tally.kept),
        shrunk=found,
        shrunk_outcomes=outcomes,
        notes=tuple(notes),
    )


def _function(lab: Lab, instance: Instance, wanted: str | None) -> Function:
    return lab.function(instance, wanted, example="%fire NAME OTHER FUNCTION --differential")


def _refuse(instances: Sequence[Instance], oracle: Any, tolerance: float) -> None:
    if oracle is not None and not callable(oracle):
        raise UsageError(
            f"The oracle is {oracle!r:.60}, which cannot be called; give a function of the event."
        )
    if len(instances) + (oracle is not None) < 2:
        raise UsageError(
            f"{instances[0].name} alone has nothing to be compared with; name another target, or --oracle FUNCTION."
        )
    names = [instance.name for instance in instances]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"{twice} is named twice; a comparison is between different targets.")
    if not 0 <= tolerance < 1:
        raise UsageError(
            f"A tolerance of {tolerance} is out of range; write a number from 0 up to 1, such as 1e-9."
        )


def _events(
    function: Function, instance: Instance, call: str | None, options: EventOptions, n: int | None, seed: int
) -> tuple[Iterable[list[Any]], int, EventSource | None]:
    """Return the events, how many there are, and their source; of a written call there is one."""
    if call:
        _, args = instance.parsed(call)
        return [args], 1, None
    count = n if n is not None or options.events is not None else 100
    source = open_source(function, options, n=count, seed=seed)
    return source, len(source), source


def _count(
    sides: Sequence[_Side], events: Iterable[list[Any]], tally: Tally, notes: list[str], asked: int,
    on_progress: Callable[[int, int], None] | None,
) -> None:  # fmt: skip
    """Fire all events and count; an interrupt ends that and is noted."""
    try:
        for done in _fire_all(sides, events, tally):
            if on_progress is not None:
                on_progress(done, asked)
    except KeyboardInterrupt:
        notes.append(f"interrupted: {tally.fired} of {asked} events were compared")


def _fire_all(sides: Sequence[_Side], events: Iterable[list[Any]], tally: Tally) -> Iterator[int]:
    """Fire the events in pieces, at all targets in turn, and yield how many are done."""
    rest, size = iter(events), 1
    while piece := list(islice(rest, size)):
        answers = [side.answer(piece) for side in sides]
        for event, outcomes in zip(piece, zip(*answers, strict=True), strict=True):
            tally.add(event, outcomes)
        yield tally.fired
        size = min(_CHUNK, size * 2)


def _shrunk(
    sides: Sequence[_Side],
    tally: Tally,
    *,
    wanted: bool | None,
    limit_s: float,
    progress: Callable[[str], None],
) -> tuple[Shrunk | None, tuple[Outcome, ...], str]:
    """Return the smallest event about which two that disagree still do, its outcomes, or why there is none."""
    if not tally.kept or wanted is False:
        return None, (), ""
    quick = [kept for kept in tally.kept if wanted or not any(map(_took_all_time, kept[1].outcomes))]
    if not quick:
        return None, (), "not shrunk, since every trial would take the time budget: fire again with --shrink"
    event, first = quick[0]
    one, other = _pair(first.outcomes, tally.tolerance)
    begun = time.monotonic()

    def disagree(args: list[Any]) -> bool:
        return not agrees(sides[one].fresh(args), sides[other].fresh(args), tally.tolerance)

    try:
        if not disagree(event):
            return None, (), _STATEFUL
        args, trials, stopped = shrink_event(
            tally.function, event, disagree, limit_s=limit_s,
            on_progress=lambda n: progress(f"shrinking: {n} events tried"),
        )  # fmt: skip
        names = f"{sides[one].target.name} and {sides[other].target.name} disagree"
        found = told(tally.function, args, names, trials, time.monotonic() - begun, stopped)
        return found, tuple(side.fresh(args) for side in sides), ""
    except KeyboardInterrupt:
        return None, (), "shrinking was interrupted"


def _pair(outcomes: Sequence[Outcome], tolerance: float) -> tuple[int, int]:
    """Return the first two that disagree."""
    size = range(len(outcomes))
    pairs = ((i, j) for i in size for j in size[i + 1 :])
    return next((i, j) for i, j in pairs if not agrees(outcomes[i], outcomes[j], tolerance))


def _took_all_time(outcome: Outcome) -> bool:
    return outcome.kind == "budget" and outcome.text.startswith("timeout")


def _times(count: int) -> str:
    return "once," if count == 1 else f"{count} times, each time"
