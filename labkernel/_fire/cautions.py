"""What is to be said about a run's figures before they are believed: warnings, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labkernel._fire.run import Run
from labkernel._timing import format_count, samples_for

__all__ = ["cautions"]

_STALL: Final = 10
_STALLED_SHARE: Final = 0.05
_SHORTEST_STALL_NS: Final = 1_000_000
_SWITCHES_PER_S: Final = 50
_FEW: Final = 20
_SHORT: Final = 0.97


def cautions(run: Run) -> tuple[str, ...]:
    """Return the warnings of a run of load; none for a run that had only to answer."""
    return tuple(_all(run)) if run.is_load and run.plan is not None else ()


def _all(run: Run) -> Iterator[str]:
    facts, plan = run.facts, run.plan
    assert plan is not None
    if run.fired < samples_for(99):
        yield f"{format_count(run.fired, 'event')} are too few for p99, which needs {samples_for(99)}"
    if facts.dropped:
        share = facts.dropped / (facts.dropped + facts.left + run.fired)
        yield f"{format_count(facts.dropped, 'event')} ({share:.1%}) dropped: the queue was full when they came"
    if facts.left:
        yield (
            f"{format_count(facts.left, 'event')} still waited when the run ended; "
            "their latency is not in the figures, which are better than the truth"
        )
    if plan.arrivals is not None:
        yield from _queue(run)
    elif (share := _stalled(run)) > _STALLED_SHARE:
        yield (
            f"{share:.0%} of the time went into calls over {_STALL} times the median, and a closed loop sends "
            "nothing meanwhile (coordinated omission): with --rate, all who would have waited are counted"
        )
    seconds = run.wall_ns / 1e9
    if facts.switches >= _FEW and facts.switches / max(seconds, 1e-9) > _SWITCHES_PER_S:
        yield f"the machine was busy: the host process was put off its processor {facts.switches} times"


def _queue(run: Run) -> Iterator[str]:
    assert run.plan is not None
    assert run.plan.arrivals is not None
    points, offered = run.facts.points, run.plan.arrivals.rate
    if len(points) >= 4:
        half, last = points[len(points) // 2].waiting, points[-1].waiting
        most = max(point.waiting for point in points)
        if most > 10 and last >= 0.8 * most and last > 1.5 * half:
            yield (
                f"the queue grew to {most} events and was still growing: {offered:,.0f}/s offered, "
                f"{run.rate:,.0f}/s done. Latency depends on how long one looks"
            )
            return
    if run.plan.arrivals.kind == "constant" and run.fired >= 100 and run.rate < _SHORT * offered:
        yield f"{offered:,.0f}/s were offered and {run.rate:,.0f}/s done"


def _stalled(run: Run) -> float:
    """Return the share of the calls' time that went into those far over the median.

    Where the processor was taken away at least as often as a call was slow, it is the machine's doing: 0.
    """
    ordered = sorted(run.ns)
    if len(ordered) < samples_for(99):
        return 0.0
    limit = _STALL * ordered[len(ordered) // 2]
    slow = [ns for ns in ordered if ns > limit and ns > _SHORTEST_STALL_NS]
    return sum(slow) / max(1, sum(ordered)) if len(slow) > run.facts.switches else 0.0
