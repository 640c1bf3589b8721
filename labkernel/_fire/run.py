"""`Run`: what firing many events leaves behind, as a frozen record that can be saved, loaded and compared."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkernel._capability import Budgets
from labkernel._errors import LabError
from labkernel._fire.collect import ErrorKind, Point
from labkernel._fire.counting import by_kind
from labkernel._fire.cycle import call_at
from labkernel._fire.path import path_text
from labkernel._fire.plan import Plan
from labkernel._fire.records import Target
from labkernel._fire.shrink import Shrunk
from labkernel._fire.timeline import Timeline
from labkernel._timing import Histogram, Machine, Samples, this_machine, try_median, try_percentile
from labkernel._values import from_normal, wave
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._fire.compare import RunComparison

__all__ = ["LoadFacts", "Run"]


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """What a load did beside answering: counts of the whole run, and how it stood over time (`points`).

    `dropped` events found the queue full, `left` still waited when the run ended, `colds` had to wait for an
    instance to start; `switches` is how often a host process was put off the processor.
    """

    dropped: int = 0
    left: int = 0
    started: int = 0
    evicted: int = 0
    colds: int = 0
    processes: int = 1
    switches: int = 0
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Many events at one target: times, results, errors by kind, and the error that ended it, if any.

    `events` and `normals` are in normal form; `ns` holds the call's time of each answered event and `timeline`
    each event fired, in the order they began. Both hold every event up to 100 000; beyond that `kinds`, `errors`
    and `histograms` count them all. `wall_ns` is from the first event's time to the last answer. `host_calls` counts
    calls of imports by function, as far as they were seen: by a trace, or answered by the notebook.
    """

    target: Target
    function: Function
    asked: int | None
    seed: int | None
    events: Sequence[list[Any]]
    normals: tuple[Any, ...]
    ns: array[int]
    wall_ns: int
    error: LabError | None = None
    output: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    plan: Plan | None = None
    timeline: Timeline = field(default_factory=Timeline, repr=False)
    answered: int | None = None
    kinds: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[ErrorKind, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict, repr=False)
    facts: LoadFacts = field(default_factory=LoadFacts, repr=False)
    budgets: Budgets | None = None
    machine: Machine = field(default_factory=this_machine, repr=False)
    taken: str = ""
    why: str = ""
    is_interrupted: bool = False
    host_calls: Mapping[str, int] = field(default_factory=dict)
    shrunk: Shrunk | None = None

    def __len__(self) -> int:
        """Return how many events were answered."""
        return len(self.ns) if self.answered is None else self.answered

    @property
    def fired(self) -> int:
        """How many events were fired: those answered and those that made an error."""
        return len(self) + sum(kind.count for kind in self.errors)

    @property
    def is_load(self) -> bool:
        """Whether it was fired by options of load, such as a rate, a duration or a policy."""
        return self.plan is not None and self.plan.is_load

    @property
    def timed(self) -> str:
        """What timed the events: `in the engine`, `by the C functions` or `from the notebook`."""
        return path_text(self.target.path)

    @property
    def rate(self) -> float:
        """Events done per second."""
        return self.fired / (self.wall_ns / 1e9) if self.wall_ns else 0.0

    @property
    def samples(self) -> Samples:
        """The times of the calls; the first is a warm-up, but for policies in which cold starts are no exception."""
        keeps_all = self.plan is not None and self.plan.policy.makes_instances
        return Samples(self.ns, 0 if keeps_all else min(1, max(0, len(self.ns) - 1)))

    @property
    def latencies(self) -> Samples:
        """From when each answered event was meant to come to its answer, in the order they began."""
        if not len(self.timeline):
            return self.samples
        times = zip(self.timeline.latency_ns, self.timeline.outcome, strict=True)
        return Samples.of(ns for ns, outcome in times if not outcome)

    def quantile(self, percent: float, of: str = "latency") -> float | None:
        """Return a percentile of `latency`, `call` or `cold` over all events; `None` where they are too few."""
        if of in self.histograms:
            return self.histograms[of].quantile(percent)
        if of == "cold":
            samples = Samples.of(ns for ns in self.timeline.cold_ns if ns)
        else:
            samples = self.latencies if of == "latency" else self.samples
        found = try_median(samples) if percent == 50 else try_percentile(samples, percent)
        return None if found is None else found.value

    @property
    def results(self) -> list[Any]:
        """The results as Python values, in order."""
        result = self.function.result
        return [None if result is None else from_normal(n, result) for n in self.normals]

    @property
    def waves(self) -> list[str]:
        """The results as WAVE text, in order."""
        return self.first_waves(len(self.normals))

    def first_waves(self, n: int) -> list[str]:
        """Return the first results as WAVE text."""
        result = self.function.result
        if result is None:
            return [text if isinstance(text, str) else "" for text in self.normals[:n]]
        return [wave(normal, result) for normal in self.normals[:n]]

    @property
    def counts(self) -> dict[str, int]:
        """How often each result came, most often first; where there are many, by their cases."""
        return by_kind(self.kinds or Counter(self.waves))

    def call(self, index: int) -> str:
        """Return the event of that number as a call to paste into `%fire`."""
        return call_at(self.function, self.events, index)

    @property
    def failing_index(self) -> int | None:
        """The number of the event that ended the run; `None` when none did, or none is known to have."""
        if self.error is None or type(self.error).__name__ == "GuestCrashed":
            return None
        index = self.errors[-1].index if self.errors else len(self)
        return index if index < len(self.events) else None

    @property
    def failing_event(self) -> str:
        """The event that ended the run, as a call to paste; empty when none did."""
        return "" if self.failing_index is None else self.call(self.failing_index)

    def compare(self, other: Run, *, across_forms: bool = False) -> RunComparison:
        """Return how this run's times compare to another's.

        Raises `UsageError` for a development build beside a release, unless `across_forms` says that it is meant.
        """
        from labkernel._fire.compare import compare_runs

        return compare_runs(self, other, across_forms=across_forms)

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain data (format `labkernel-run-2`), events and results as WAVE."""
        from labkernel._fire.files import to_json

        return to_json(self)

    def to_pandas(self) -> Any:
        """Return the kept events as a pandas `DataFrame`; raises `ToolchainMissing` without pandas."""
        from labkernel._fire.files import to_pandas

        return to_pandas(self)

    def save(self, path: str | Path) -> Path:
        """Write the run to a file: `.csv` its events, `.hlog` its latencies as an HdrHistogram log, else JSON.

        Raises `UsageError` where it cannot be written; nothing half-written stays.
        """
        from labkernel._fire.files import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Return the run of a JSON file that `save` wrote, of this version or the one before.

        Raises `UsageError` for any other file.
        """
        from labkernel._fire.files import load

        return load(path)

    def __repr__(self) -> str:
        failed = f", {type(self.error).__name__}" if self.error else ""
        failed += "" if self.error or not self.errors else f", {sum(k.count for k in self.errors)} errors"
        of = f" of {self.asked}" if self.asked is not None else ""
        return f"Run({len(self)}{of} events{failed}{', interrupted' if self.is_interrupted else ''})"
