"""What a run of load adds to the card of a run: its loop and rates, cold starts, drops, and where time went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labkernel._cards.model import Fact, Section, Tabular
from labkernel._fire import Run
from labkernel._timing import Table, format_bytes, format_count, format_ns, samples_for

__all__ = ["load_facts", "load_sections", "per_second"]

_PERCENTS: Final = (50, 90, 99, 99.9)


def per_second(rate: float) -> str:
    """Return a rate with its unit.

    >>> per_second(12345.6), per_second(0.52)
    ('12 346/s', '0.52/s')
    """
    digits = 0 if rate >= 100 else 1 if rate >= 10 else 2
    return f"{rate:,.{digits}f}/s".replace(",", " ")


def load_facts(run: Run) -> list[Fact]:
    """Return what a figure of the run is a figure of, and the facts of a load."""
    return [*_of(run), *_host_calls(run), *_facts(run)]


def _host_calls(run: Run) -> Iterator[Fact]:
    if run.host_calls:
        most = [f"{name.rpartition('#')[2]} {count}x" for name, count in run.host_calls.items()]
        more = f", and {len(most) - 3} more" if len(most) > 3 else ""
        yield Fact("host calls", f"{sum(run.host_calls.values())}", ", ".join(most[:3]) + more)


def _of(run: Run) -> Iterator[Fact]:
    target, budgets = run.target, run.budgets
    parts = [target.language, f"{target.form} build" if target.form else "", target.compiler]
    note = ""
    if budgets is not None:
        note = f"budgets: {budgets.timeout_s:g} s per event, {format_bytes(budgets.memory_bytes)}"
        note += f", {budgets.fuel} fuel per event" if budgets.fuel else ""
    yield Fact("of", ", ".join(part for part in parts if part), note)


def _facts(run: Run) -> Iterator[Fact]:
    plan, facts = run.plan, run.facts
    if plan is None or not plan.is_load:
        return
    yield Fact("loop", plan.loop)
    offered = f"{per_second(plan.arrivals.rate)} offered, " if plan.arrivals is not None else ""
    took = f"in {format_ns(run.wall_ns)}"
    yield Fact("rate", f"{offered}{per_second(run.rate)} done", took)
    if facts.colds:
        share = facts.colds / max(1, run.fired)
        cost = run.quantile(50, "cold")
        each = f"median {format_ns(cost)} each" if cost is not None else ""
        yield Fact("cold starts", f"{format_count(facts.colds, 'event')} ({share:.1%})", each)
    yield Fact("instances", _instances(run))
    lost = [(facts.dropped, "dropped, the queue was full"), (facts.left, "left waiting at the end")]
    if any(n for n, _ in lost):
        yield Fact("not fired", ", ".join(f"{format_count(n, 'event')} {why}" for n, why in lost if n))


def _instances(run: Run) -> str:
    facts = run.facts
    own = run.plan is not None and run.plan.policy.kind == "warm"
    parts = ["the target's own"] if own else []
    if facts.started:
        parts.append(
            f"{facts.started} more started" if own else f"{format_count(facts.started, 'instance')} started"
        )
    parts += [f"{facts.evicted} ended after idling"] if facts.evicted else []
    parts += [f"{facts.processes} host processes"] if facts.processes > 1 else []
    return ", ".join(parts)


def load_sections(run: Run) -> list[Section]:
    """Return the table of where the time went; empty for a run without options of load."""
    if not run.is_load or not len(run):
        return []
    columns = [("latency", "latency"), ("call", "call")]
    columns += [("cold", "cold start")] if run.facts.colds else []
    rows = []
    for percent in _PERCENTS:
        found = [run.quantile(percent, of) for of, _ in columns]
        if percent <= 99 or found[0] is not None:
            cells = ["not given" if ns is None else format_ns(ns) for ns in found]
            rows.append((f"p{percent:g}", *cells))
    if len(run) < samples_for(99):
        rows[-1] = (*rows[-1][:1], f"needs {samples_for(99)} events", *rows[-1][2:])
    waits = "from the intended time: waiting, cold start and call" if _is_open(run) else "cold start and call"
    heading = f"Latency ({waits}; timed {run.timed})"
    table = Table(
        "", ("", *(name for _, name in columns)), tuple(rows), numeric=tuple(range(1, len(columns) + 1))
    )
    return [Tabular(heading, table)]


def _is_open(run: Run) -> bool:
    return run.plan is not None and run.plan.arrivals is not None
