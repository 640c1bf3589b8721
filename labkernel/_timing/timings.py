"""`Timings`: one measurement as a whole, what `%timings` returns, with a file form that has a version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from labkernel._errors import UsageError
from labkernel._timing.compare import Comparison, compare
from labkernel._timing.machine import Machine, this_machine
from labkernel._timing.records import Baseline, LatencyTiming, SizeTiming, StartupTiming
from labkernel._timing.samples import Samples
from labkernel._timing.units import format_count

__all__ = ["KINDS", "Kind", "TargetTiming", "Timings"]

Kind: TypeAlias = Literal["startup", "latency", "timeline", "size"]
TargetTiming: TypeAlias = StartupTiming | LatencyTiming | SizeTiming
KINDS: Final[tuple[Kind, ...]] = ("startup", "latency", "timeline", "size")

_FORMAT: Final = "labkernel-timings"
_VERSION: Final = 1
_EXPECTED: Final = "expected a file written by %timings --save."
_RECORDS: Final[dict[Kind, type[StartupTiming] | type[LatencyTiming] | type[SizeTiming]]] = {
    "startup": StartupTiming,
    "latency": LatencyTiming,
    "timeline": LatencyTiming,
    "size": SizeTiming,
}


@dataclass(frozen=True, slots=True, repr=False)
class Timings:
    """Targets and baselines measured in one run, of one kind, on one machine.

    `taken` is when (ISO 8601, UTC; empty if unknown), `warnings` are of the run as a whole.
    `title` heads the figure of a run of events, whose latencies are more than calls; it is not saved.
    """

    kind: Kind
    targets: tuple[TargetTiming, ...]
    baselines: tuple[Baseline, ...] = ()
    machine: Machine = field(default_factory=this_machine)
    warnings: tuple[str, ...] = ()
    taken: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _RECORDS:
            raise ValueError(f"unknown kind of timings {self.kind!r}; known: {', '.join(KINDS)}")
        wanted = _RECORDS[self.kind]
        if wrong := [t.target for t in self.targets if not isinstance(t, wanted)]:
            raise ValueError(f"{self.kind} timings hold {wanted.__name__}s only; {wrong[0]!r} is none")

    def __repr__(self) -> str:
        names = ", ".join(target.target for target in self.targets)
        beside = f", {format_count(len(self.baselines), 'baseline')}" if self.baselines else ""
        return f"<Timings {self.kind}: {names or 'no targets'}{beside}>"

    @property
    def startups(self) -> tuple[StartupTiming, ...]:
        """The targets, when this is a start-up measurement."""
        return tuple(t for t in self.targets if isinstance(t, StartupTiming))

    @property
    def latencies(self) -> tuple[LatencyTiming, ...]:
        """The targets, when this is a measurement of calls."""
        return tuple(t for t in self.targets if isinstance(t, LatencyTiming))

    @property
    def sizes(self) -> tuple[SizeTiming, ...]:
        """The targets, when this is about sizes."""
        return tuple(t for t in self.targets if isinstance(t, SizeTiming))

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Every warning, the run's first, then each target's and baseline's with its name; none twice."""
        found = list(self.warnings)
        for target in self.targets:
            found += [f"{target.target}: {warning}" for warning in target.warnings]
        for baseline in self.baselines:
            found += [f"{baseline.name}: {warning}" for warning in baseline.warnings]
        return tuple(dict.fromkeys(found))

    def totals(self) -> dict[str, Samples]:
        """Return the samples each target and baseline is judged by: starts to the first answer, or calls."""
        found: dict[str, Samples] = {}
        for target in self.targets:
            samples = target.total_samples if isinstance(target, StartupTiming) else None
            samples = target.samples if isinstance(target, LatencyTiming) else samples
            if samples:
                found[target.target] = samples
        return found | {b.name: b.samples for b in self.baselines if len(b.samples)}

    def comparisons(self) -> list[tuple[str, str, Comparison]]:
        """Return the first target against every other target and baseline."""
        (first, base), *others = list(self.totals().items()) or [("", Samples.of([]))]
        return [(first, name, compare(base, samples)) for name, samples in others]

    def compared_to(self, before: Timings) -> list[tuple[str, Comparison]]:
        """Return how each target and baseline that both measurements hold changed since `before`."""
        if before.kind != self.kind:
            raise UsageError(
                f"A {before.kind} measurement does not compare to a {self.kind} one; save both kinds."
            )
        old = before.totals()
        return [(name, compare(old[name], new)) for name, new in self.totals().items() if name in old]

    def differences(self, before: Timings) -> list[str]:
        """Return what else differs between a target then and now, and the machines, as sentences."""
        old = {target.target: target for target in before.targets}
        found = [
            f"{now.target} was {then.label} before and is {now.label} now: their times say little about each other"
            for now in self.targets
            if (then := old.get(now.target)) is not None and then.label != now.label
        ]
        if before.machine.text != self.machine.text:
            found.append(f"measured before on {before.machine.text}, now on {self.machine.text}")
        if not before.totals().keys() & self.totals().keys():
            there, here = (", ".join(which.totals()) or "nothing" for which in (before, self))
            found.append(f"nothing is compared: measured before were {there}, now {here}")
        return found

    def to_json(self) -> str:
        """Return the measurement as JSON text, every sample in it."""
        return json.dumps(
            {
                "format": _FORMAT,
                "version": _VERSION,
                "kind": self.kind,
                "taken": self.taken,
                "machine": self.machine.to_json(),
                "targets": [target.to_json() for target in self.targets],
                "baselines": [baseline.to_json() for baseline in self.baselines],
                "warnings": list(self.warnings),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Timings:
        """Return the measurement that `to_json` gave this text for; raises `UsageError` for another text."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"This is no JSON ({error}); {_EXPECTED}") from error
        if not isinstance(data, Mapping) or data.get("format") != _FORMAT:
            raise UsageError(f"{text[:40]!r} is no measurement; {_EXPECTED}")
        version, kind = data.get("version"), data.get("kind")
        if version != _VERSION:
            raise UsageError(
                f"Unknown version {version!r} of a timings file; this labkernel reads {_VERSION}."
            )
        if kind not in KINDS:
            raise UsageError(f"Unknown kind of timings {kind!r}; known: {', '.join(KINDS)}.")
        return cls(
            kind=kind,
            targets=tuple(_RECORDS[kind].from_json(target) for target in _items(data, "targets")),
            baselines=tuple(Baseline.from_json(baseline) for baseline in _items(data, "baselines")),
            machine=Machine.from_json(data.get("machine")),
            warnings=tuple(str(warning) for warning in _items(data, "warnings")),
            taken=str(data.get("taken", "")),
        )


def _items(data: Mapping[str, Any], key: str) -> list[Any]:
    values = data.get(key, [])
    if not isinstance(values, list):
        raise UsageError(f"{key} {str(values)[:40]!r} is not a list; this file was not written by labkernel.")
    return values
