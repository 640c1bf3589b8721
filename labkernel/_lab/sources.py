"""Events from somewhere else than a call: the options that say where from, and firing what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from labkernel._errors import UsageError
from labkernel._events import EventOptions, open_source
from labkernel._fire import SHRINK_S, Answer, Run
from labkernel._lab.instance import Instance
from labkernel._lab.shrinking import shrink_run

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Sourcing", "split_options"]

_OPTIONS = frozenset(f.name for f in fields(EventOptions))


@dataclass(frozen=True, slots=True)
class Sourcing:
    """What a user said about where events come from (`None`: nothing), and about shrinking one that fails."""

    options: EventOptions | None
    shrink: bool | None
    shrink_s: float

    def fire(
        self, lab: Lab, instance: Instance, wanted: str | None, *, n: int | None, seed: int,
        on_progress: Callable[[int, int], None] | None,
    ) -> Answer | Run:  # fmt: skip
        """Fire the events of a source: one is an `Answer`, unless it is a row of a file or table."""
        options = self.options or EventOptions()
        name = wanted.strip() if wanted else None
        if name and name not in {each for f in instance.functions for each in (f.name, f.full_name)}:
            if any(mark in name for mark in "({["):
                raise UsageError(
                    "A call has its event written out; leave it out, or --events, --template and --set."
                )
            instance.find(name)
        function = lab.function(instance, name)
        source = open_source(function, options, n=n, seed=seed)
        if n is None and options.events is None:
            answer = instance.call_normal(function, next(iter(source)))
            return replace(answer, notes=(*answer.notes, *source.notes))
        run = instance.run(function, n=len(source), seed=seed, events=source, on_progress=on_progress)
        return replace(run, seed=source.seed, notes=(*run.notes, *source.notes))

    def shrunk(self, lab: Lab, instance: Instance, run: Run) -> Run:
        """Return the run with the smallest event that fails as it did, where that is due."""
        return shrink_run(lab, instance, run, wanted=self.shrink, limit_s=self.shrink_s)


def split_options(given: dict[str, Any]) -> Sourcing:
    """Take the options about events out of those that are given, and return them.

    They are the fields of `EventOptions`, and `shrink` (default: where it costs no time) and `shrink_s`.
    """
    said = {name: given.pop(name) for name in [*given] if name in _OPTIONS}
    options = EventOptions(**said) if any(value is not None for value in said.values()) else None
    return Sourcing(options, given.pop("shrink", None), given.pop("shrink_s", SHRINK_S))
