"""Two runs compared: the rank test of `_timing`, and what else differs between them in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkernel._errors import UsageError
from labkernel._timing import Comparison, compare

if TYPE_CHECKING:
    from labkernel._fire.run import Run

__all__ = ["RunComparison", "compare_runs"]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """How run `b` compares to run `a`, and under which differences of circumstance."""

    a: str
    b: str
    comparison: Comparison
    what: str = "call"
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The verdict in words, with what else differs."""
        verdict = f"{self.what}: {self.comparison.text(self.a, self.b)}"
        return "\n".join([verdict, *(f"  but {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "a": self.a,
            "b": self.b,
            "what": self.what,
            "comparison": self.comparison.to_json(),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return f"RunComparison({self.text})"


def compare_runs(a: Run, b: Run, *, across_forms: bool = False) -> RunComparison:
    """Return how `b` compares to `a`: latencies where one was fired in an open loop, else times of calls.

    Raises `UsageError` for another form of build, unless meant, for another path of timing, and for an empty run.
    """
    notes = []
    if a.target.form != b.target.form:
        forms = f"{a.target.name} is a {a.target.form} build, {b.target.name} a {b.target.form} build"
        if not across_forms:
            raise UsageError(
                f"{forms}: their times say little about each other. Build both with --release, or compare all "
                "the same with across_forms=True."
            )
        notes.append(forms)
    if a.target.path != b.target.path:
        raise UsageError(
            f"One run was timed {a.timed}, the other {b.timed}: the difference would be the clock's. "
            "Fire both the same way."
        )
    for name, one, other in _circumstances(a, b):
        if one != other:
            notes.append(f"{name} differs: {one or 'none'} and {other or 'none'}")
    open_loop = any(run.plan is not None and run.plan.arrivals is not None for run in (a, b))
    left, right = (run.latencies if open_loop else run.samples for run in (a, b))
    for run, kept in ((a, left), (b, right)):
        if len(run) > len(run.ns):
            notes.append(f"of {run.target.name}'s {len(run)} events the first {len(kept.ns)} are compared")
    names = (a.target.name, b.target.name)
    if names[0] == names[1]:
        names = (f"{names[0]} before", f"{names[1]} now")
    return RunComparison(
        *names, compare(left, right), "latency" if open_loop else "call", tuple(dict.fromkeys(notes))
    )


def _circumstances(a: Run, b: Run) -> list[tuple[str, Any, Any]]:
    plans = [run.plan.to_json() if run.plan is not None else {} for run in (a, b)]
    return [
        ("the machine", a.machine.text, b.machine.text),
        ("the compiler", a.target.compiler, b.target.compiler),
        ("the policy", a.target.policy, b.target.policy),
        ("the arrival", plans[0].get("arrival"), plans[1].get("arrival")),
        ("the function", a.function.full_name, b.function.full_name),
        ("the seed of the events", a.seed, b.seed),
    ]
