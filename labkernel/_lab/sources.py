"""Events from somewhere else than a call: the options that say where from, and firing what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from labkernel._errors import UsageError
from labkernel._events import EventOptions, open_source
from labkernel._fire import POOL, SHRINK_S, Answer, Live, Run, make_plan
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
        load: Mapping[str, Any], on_live: Callable[[Live], None] | None,
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
        is_one = n is None and not load and options.events is None
        if is_one or options.events is not None:
            source = open_source(function, options, n=n, seed=seed)
        else:
            source = open_source(function, options, n=min(n or POOL, POOL), seed=seed)
        if is_one:
            answer = instance.call_normal(function, next(iter(source)))
            return replace(answer, notes=(*answer.notes, *source.notes))
        is_ended = n is not None or "duration" in load or str(load.get("arrival")).startswith("trace:")
        plan = make_plan(n=n if is_ended else len(source), seed=seed, **load)
        run = lab.firing.run(instance, function, plan, events=source, on_live=on_live)
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
