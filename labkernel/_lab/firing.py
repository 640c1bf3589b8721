"""Firing at an instance of the lab: one event, or many by a plan. `Lab.fire` and `Instance.run` come here."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkernel._errors import UsageError
from labkernel._events import EventSource, sample
from labkernel._events import events as make_events
from labkernel._fire import (
    DRIVER,
    POOL,
    Answer,
    Collector,
    Cycle,
    Live,
    LoadFacts,
    LoadOutcome,
    Plan,
    Run,
    Target,
    carry_out,
    cautions,
    choose_path,
)
from labkernel._host import Guests, Start, Started, Supervisor
from labkernel._lab.instance import Instance
from labkernel._timing import format_count, this_machine
from labkernel._values import Packed, wave
from labkernel._wit import Function, has_handle

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Firing"]

OnLive = Callable[[Live], None]


class Firing:
    """Fires events at a lab's instances, and tells the lab of the last run.

    `extra` are host processes beside the guests' own, started when a run is spread over several.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.extra: list[Guests] = []

    def fire(
        self, instance: Instance, call: str | None, *, function: str | None, args: Sequence[Any] | None,
        seed: int, plan: Plan | None, on_live: OnLive | None = None,
    ) -> Answer | Run:  # fmt: skip
        """Fire one event, or many by a plan; see `Lab.fire`."""
        if plan is not None:
            self._lab.last_run = run = self._many(instance, call or function, args, plan, on_live)
            return run
        is_name = call is not None and call.strip() in _names(instance)
        if call and args is None and not is_name:
            return instance.call_text(call)
        chosen = self._lab.function(instance, call or function)
        if args is not None:
            return instance.call(chosen, args)
        return instance.call_normal(chosen, sample(chosen, seed=seed))

    def _many(
        self, instance: Instance, call: str | None, args: Sequence[Any] | None, plan: Plan, on_live: OnLive | None
    ) -> Run:  # fmt: skip
        """Fire generated events, or one again and again where a call or arguments are given."""
        if args is not None or (call and call.strip() not in _names(instance)):
            function, normal = instance.parsed(call, args)
            return self.run(instance, function, plan, events=[normal], on_live=on_live)
        function = self._lab.function(instance, call.strip() if call else None)
        return self.run(instance, function, plan, on_live=on_live)

    def run(
        self, instance: Instance, function: Function, plan: Plan, *, events: Iterable[list[Any]] | None = None,
        on_live: OnLive | None = None,
    ) -> Run:  # fmt: skip
        """Fire by a plan: events given in normal form, again from the first where there are too few, or generated.

        A run that was interrupted says so. Raises what starting instances raises, before anything is fired.
        """
        notes = instance.prepare()
        answered = instance.on_host.counts.copy()
        pool = self._pool(function, plan, events)
        path, why = choose_path(plan, self._lab.driving.facts(instance, function))
        if path == DRIVER:
            made = self._lab.driving.sustain(instance, function, plan, pool, on_live)
            outcome, path, why, notes = made.outcome, made.path, made.why, [*notes, *made.notes]
            own: Started | None = instance.started()
        else:
            outcome, own = self._carry_out(instance, function, plan, pool, on_live)
        self._note_end(instance, own, outcome)
        if outcome.problem is not None:
            raise outcome.problem
        target = replace(instance.target(), policy=plan.policy.text, path=path)
        run = _run_of(outcome, plan, pool, seed=plan.seed if events is None else None, function=function)
        run = replace(run, target=target, budgets=instance.budgets, why=why, notes=(*notes, *run.notes))
        if function.result is not None and has_handle(function.result):
            run = replace(
                run, notes=(*run.notes, "the resources that it made live in the guest until that ends")
            )
        run = replace(run, warnings=cautions(run))
        calls = dict(instance.on_host.counts - answered)
        if own is not None:
            calls |= instance.hear_run(run)
        return replace(run, host_calls=calls)

    def _carry_out(
        self, instance: Instance, function: Function, plan: Plan, pool: Sequence[list[Any]], on_live: OnLive | None
    ) -> tuple[LoadOutcome, Started | None]:  # fmt: skip
        """Fire by a plan by the C functions; return the instance's own start where the plan is for that one."""
        start = instance.how_to_start()
        on_host = instance.on_host if instance.on_host.behind else None
        crew = self._crew(1 if on_host else plan.processes(this_machine().cores), start)
        own = instance.started() if plan.policy.kind == "warm" else None
        outcome = carry_out(
            plan, crew, self._lab.code.loaded(instance.watched.build), start, function.full_name, pool, own=own,
            on_live=on_live, on_host=on_host,
        )  # fmt: skip
        return outcome, own

    def _pool(
        self, function: Function, plan: Plan, events: Iterable[list[Any]] | None
    ) -> Sequence[list[Any]]:
        """Return the different events of a run: those of a large source packed, since all stay in memory."""
        count = min(plan.asked or POOL, POOL)
        if events is None:
            return tuple(make_events(function, seed=plan.seed, n=count))
        kept = events.kept if isinstance(events, EventSource) else None
        if kept is None or (plan.asked is not None and plan.asked < len(kept)):
            kept = Packed(itertools.islice(events, plan.asked))
        if not kept:
            raise UsageError("There is no event to fire: what was given holds none.")
        return kept if len(kept) > POOL else tuple(kept)

    def _crew(self, count: int, start: Start) -> list[Supervisor]:
        """Return host processes for instances with these grants, the guests' own first."""
        while len(self.extra) < count - 1:
            self.extra.append(self._lab.guests.another(f"guests-{len(self.extra) + 2}"))
        return [guests.host_of(start) for guests in (self._lab.guests, *self.extra[: count - 1])]

    def _note_end(self, instance: Instance, own: Started | None, outcome: LoadOutcome) -> None:
        """Let the instance know what became of it."""
        if own is None or not self._lab.guests.is_running(own):
            return
        if outcome.is_interrupted:
            instance.finish("was interrupted")
        elif outcome.error is not None:
            instance.note_failure(type(outcome.error).__name__)
        elif failed := _own_failure(outcome.collector):
            instance.note_failure(failed)


def _own_failure(collector: Collector) -> str:
    """Return the class of the error that ended the target's own instance; empty if none did.

    Of events beyond those that are kept it is not known whose they were: any error counts then.
    """
    errors, (line, _) = collector.errors(), collector.timeline()
    own = [m.outcome for m in line if m.outcome and not m.worker and not m.instance]
    if not own and collector.fired > len(line):
        own = [1] if errors else []
    return errors[own[0] - 1].name.partition(":")[0] if own else ""


def _names(instance: Instance) -> set[str]:
    return {name for f in instance.functions for name in (f.name, f.full_name)}


def _run_of(
    outcome: LoadOutcome, plan: Plan, pool: Sequence[list[Any]], *, seed: int | None, function: Function
) -> Run:  # fmt: skip
    """Return the run of what was collected; target, budgets and warnings are still to be set."""
    found = outcome.collector
    line, normals = found.timeline()
    answered = [row for row, kind in enumerate(line.outcome) if not kind]
    kept = line.picked(answered)
    beyond = found.fired > len(line)
    asked = plan.asked
    count = max(asked or 0, found.fired + found.total("dropped") + found.total("left"), len(pool))
    return Run(
        target=Target("", ""),
        function=function,
        asked=asked,
        seed=seed,
        events=pool if count <= len(pool) else Cycle(pool, count),
        normals=normals,
        ns=kept.call_ns,
        wall_ns=found.wall_ns,
        error=outcome.error,
        output=outcome.output,
        notes=tuple(_notes(outcome, plan, beyond=beyond, kept=len(line), pool=len(pool))),
        plan=plan,
        timeline=line,
        answered=found.answered,
        kinds=_kinds(found.kinds(), function),
        errors=found.errors(),
        histograms=found.histograms() if beyond else {},
        facts=LoadFacts(
            **{name: found.total(name) for name in ("dropped", "left", "started", "evicted", "switches")},
            colds=found.colds,
            processes=outcome.processes,
            points=tuple(found.points),
        ),
        taken=datetime.now(UTC).isoformat(timespec="seconds"),
        is_interrupted=outcome.is_interrupted,
    )


def _kinds(found: list[tuple[bool, Any, int]], function: Function) -> dict[str, int]:
    """Return the counts of results with the results as WAVE text."""
    counts: Counter[str] = Counter()
    for is_text, value, n in found:
        result = function.result
        counts[value if is_text else "" if result is None else wave(value, result)] += n
    return dict(counts)


def _notes(outcome: LoadOutcome, plan: Plan, *, beyond: bool, kept: int, pool: int) -> list[str]:
    notes = []
    fired = outcome.collector.fired
    if outcome.is_interrupted:
        of = f" of {plan.asked}" if plan.asked else ""
        notes.append(f"interrupted after {fired}{of} events: the run so far is kept")
    elif outcome.is_lost:
        notes.append(
            f"the host process was lost after {format_count(fired, 'event')}: what it had done since it last told, "
            "a tenth of a second at most, is missing, and so is all that was to follow"
        )
    if beyond:
        notes.append(
            f"times and results of the first {format_count(kept, 'event')} are kept, all are counted"
        )
    if fired > pool > 1:
        notes.append(f"{format_count(pool, 'different event')}, fired again and again")
    if outcome.processes > 1:
        notes.append(f"spread over {outcome.processes} host processes, each with its own share of the events")
    elif plan.in_flight > 1 and plan.arrivals is None:
        notes.append(f"{plan.in_flight} events in flight, one executing at a time: the others' wait counts")
    return notes
