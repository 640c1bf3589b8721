"""Shrinking at the lab: every event is tried in a fresh instance, so that nothing of the last one is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from labkernel._errors import BudgetExceeded, CapabilityDenied, GuestError, GuestExit, GuestTrap, LabError
from labkernel._fire import SHRINK_S, Run, Shrunk, call_of, shrink
from labkernel._lab.instance import Instance
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["FreshCalls", "shrink_run", "spare_of", "told"]

_STATEFUL: Final = (
    "that event alone does not fail in a fresh instance: it takes what the events before it left behind"
)


def spare_of(lab: Lab, instance: Instance) -> Instance:
    """Return another instance of the same component with the same grants and budgets, which nobody watches."""
    compiler = instance.build.settings.compiler
    return Instance(
        lab, instance.name, instance.build, instance.grants, instance.budgets, pin=True, compiler=compiler
    )


class FreshCalls:
    """Calls of one function of a component, each in an instance of its own with the same grants."""

    def __init__(self, lab: Lab, instance: Instance, function: Function) -> None:
        self._lab, self._instance, self._function = lab, instance, function
        self._spare: Instance | None = None

    def __call__(self, args: list[Any]) -> tuple[Any, LabError | None]:
        """Return the result in normal form, or the error the guest ended with."""
        if self._spare is None:
            self._spare = spare_of(self._lab, self._instance)
        spare = self._spare
        loaded = self._lab.code.loaded(spare.watched.build)
        try:
            done = self._lab.guests.cold(
                loaded, spare.how_to_start(), self._function.full_name, [args],
                timeout_s=spare.budgets.timeout_s, on_output=_unheard, on_host=spare.on_host,
            )  # fmt: skip
        except (GuestError, CapabilityDenied) as error:
            return None, error
        return (None, done.error) if done.error is not None else (done.results[0], None)

    def close(self) -> None:
        """End the instance that the calls were modelled on."""
        if self._spare is not None:
            self._spare.drop()
            self._spare = None


def _unheard(_: str, __: str) -> None:
    """Take what a guest prints while events are tried, of which nobody wants to read a hundred."""


def shrink_run(
    lab: Lab, instance: Instance, run: Run, *, wanted: bool | None, limit_s: float = SHRINK_S
) -> Run:
    """Return the run with the smallest event that fails as its last one did.

    With `wanted=None` it does so for events that were made up and failures that come at once: a time budget
    would have to run out for every trial, so that is done only when asked for.
    """
    if run.error is None or wanted is False or len(run.ns) >= len(run.events):
        return run
    slow = isinstance(run.error, BudgetExceeded) and run.error.budget == "timeout"
    can = isinstance(run.error, GuestTrap | GuestExit | BudgetExceeded | CapabilityDenied)
    if wanted is None and (run.seed is None or slow or not can):
        note = "a smaller event that does the same: fire again with --shrink" if slow else ""
        return replace(run, notes=(*run.notes, note)) if note and run.seed is not None else run
    calls = FreshCalls(lab, instance, run.function)
    try:
        found = _shrunk(run.function, run.events[len(run.ns)], run.error, calls, limit_s, lab.progress)
    finally:
        calls.close()
    if isinstance(found, str):
        return replace(run, notes=(*run.notes, found))
    return replace(run, shrunk=found)


def _shrunk(
    function: Function, event: list[Any], error: LabError, calls: FreshCalls, limit_s: float,
    progress: Callable[[str], None],
) -> Shrunk | str:  # fmt: skip
    """Return the smallest event, or why there is none to show."""
    begun = time.monotonic()

    def fails(args: list[Any]) -> bool:
        _, found = calls(args)
        return found is not None and _is_same(found, error)

    try:
        if not fails(event):
            return _STATEFUL
    except KeyboardInterrupt:
        return "shrinking was interrupted before its first trial"
    args, trials, stopped = shrink(
        function,
        event,
        fails,
        limit_s=limit_s,
        on_progress=lambda n: progress(f"shrinking: {n} events tried"),
    )
    return told(function, args, str(error), trials, time.monotonic() - begun, stopped)


def told(
    function: Function, args: list[Any], error: str, trials: int, spent_s: float, stopped: str
) -> Shrunk:
    """Return a shrunk event with words about how it was found."""
    ways = {
        "": f"no simpler one does, of {trials} tried in fresh instances",
        "time": f"the smallest of {trials} tried in fresh instances, until the time was up",
        "interrupt": f"the smallest of {trials} tried in fresh instances, until it was interrupted",
    }
    return Shrunk(args, call_of(function, args), error, trials, spent_s, not stopped, ways[stopped])


def _is_same(one: LabError, other: LabError) -> bool:
    """Whether two failures are of one kind: the same trap, status or budget."""
    if isinstance(one, BudgetExceeded) and isinstance(other, BudgetExceeded):
        return one.budget == other.budget
    if isinstance(one, GuestTrap) and isinstance(other, GuestTrap):
        return str(one) == str(other)
    if isinstance(one, CapabilityDenied) and isinstance(other, CapabilityDenied):
        return one.import_name == other.import_name
    return type(one) is type(other)
