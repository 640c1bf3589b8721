"""What was measured, as frozen records: per target and as a whole, with their JSON form.

Every figure is made from these records and can be made again from their file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labkernel._errors import UsageError, did_you_mean
from labkernel._timing.estimates import Estimate, try_median
from labkernel._timing.phases import START_PHASES, Phase
from labkernel._timing.samples import Samples

__all__ = ["Baseline", "LatencyTiming", "SizeTiming", "StartupTiming"]


@dataclass(frozen=True, slots=True)
class StartupTiming:
    """How long each phase of building and starting one target takes.

    Sample i of every phase of a start is of start i.
    """

    target: str
    phases: Mapping[Phase, Samples]
    form: str = ""
    compiler: str = ""
    language: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the target is, in a few words: `rust, release, cranelift`."""
        return ", ".join(part for part in (self.language, self.form, self.compiler) if part)

    @property
    def start_phases(self) -> tuple[Phase, ...]:
        """The phases of a start that are here, in order; where code is loaded, making it is no part."""
        here = [p for p in START_PHASES if p in self.phases and len(self.phases[p])]
        if Phase.DESERIALIZE in here and Phase.CODEGEN in here:
            here.remove(Phase.CODEGEN)
        return tuple(here)

    @property
    def total_samples(self) -> Samples | None:
        """Time from having the component to its first answer, per start; `None` where starts cannot pair."""
        parts = [self.phases[p] for p in self.start_phases]
        shapes = {(len(s.ns), s.warmup) for s in parts}
        if len(shapes) != 1:
            return None
        starts = zip(*(s.ns for s in parts), strict=True)
        return Samples.of((sum(times) for times in starts), warmup=parts[0].warmup)

    @property
    def total(self) -> Estimate | None:
        """The median of `total_samples`, else the sum of the phases' medians, named so."""
        paired = self.total_samples
        if paired is not None:
            return try_median(paired)
        parts = [part for p in self.start_phases if (part := try_median(self.phases[p]))]
        if not parts:
            return None
        return Estimate(
            value=sum(p.value for p in parts),
            low=sum(p.low for p in parts),
            high=sum(p.high for p in parts),
            n=min(p.n for p in parts),
            estimator="sum of the phases' medians and of their ends",
            confidence=min(p.confidence for p in parts),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the timing as plain data."""
        return {
            "target": self.target,
            "language": self.language,
            "form": self.form,
            "compiler": self.compiler,
            "phases": {str(phase): samples.to_json() for phase, samples in self.phases.items()},
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: Any) -> StartupTiming:
        """Return the timing that `to_json` gave this data for; raises `UsageError` for other data."""
        found = data.get("phases") if isinstance(data, Mapping) else None
        if not isinstance(found, Mapping):
            raise UsageError(f"{str(data)[:60]!r} is no start-up timing; expected a target with its phases.")
        phases = {_phase(str(name)): Samples.from_json(samples) for name, samples in found.items()}
        return cls(
            target=_text(data, "target"),
            phases=phases,
            form=_text(data, "form"),
            compiler=_text(data, "compiler"),
            language=_text(data, "language"),
            notes=_texts(data, "notes"),
            warnings=_texts(data, "warnings"),
        )


@dataclass(frozen=True, slots=True)
class LatencyTiming:
    """How long single calls of one target take.

    `path` says what a call went through (`host call`: the engine's C functions; `driver`: inside the engine),
    and `harness` is what a component that does nothing costs on the same path in the same run.
    """

    target: str
    samples: Samples
    path: str = "host call"
    function: str = ""
    harness: Samples | None = None
    label: str = ""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the timing as plain data."""
        return {
            "target": self.target,
            "function": self.function,
            "path": self.path,
            "label": self.label,
            "samples": self.samples.to_json(),
            "harness": self.harness.to_json() if self.harness else None,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: Any) -> LatencyTiming:
        """Return the timing that `to_json` gave this data for; raises `UsageError` for other data."""
        if not isinstance(data, Mapping) or "samples" not in data:
            raise UsageError(f"{str(data)[:60]!r} is no latency timing; expected a target with its samples.")
        harness = data.get("harness")
        return cls(
            target=_text(data, "target"),
            samples=Samples.from_json(data["samples"]),
            path=_text(data, "path"),
            function=_text(data, "function"),
            harness=None if harness is None else Samples.from_json(harness),
            label=_text(data, "label"),
            warnings=_texts(data, "warnings"),
        )


@dataclass(frozen=True, slots=True)
class SizeTiming:
    """How large one target is: the component's bytes by part, and its machine code (0: not made)."""

    target: str
    parts: Mapping[str, int]
    code_bytes: int = 0
    label: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The component's bytes."""
        return sum(self.parts.values())

    def to_json(self) -> dict[str, Any]:
        """Return the sizes as plain data."""
        return {
            "target": self.target,
            "parts": dict(self.parts),
            "code_bytes": self.code_bytes,
            "label": self.label,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: Any) -> SizeTiming:
        """Return the sizes that `to_json` gave this data for; raises `UsageError` for other data."""
        parts = data.get("parts") if isinstance(data, Mapping) else None
        if not isinstance(parts, Mapping) or not all(type(v) is int and v >= 0 for v in parts.values()):
            raise UsageError(f"{str(data)[:60]!r} is no size; expected a target with the bytes of its parts.")
        code = data.get("code_bytes", 0)
        return cls(
            _text(data, "target"),
            {str(k): v for k, v in parts.items()},
            code if type(code) is int else 0,
            _text(data, "label"),
            _texts(data, "warnings"),
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The same job done in another way: `name` as users type it, `what` it is in words, a time per job."""

    name: str
    samples: Samples
    what: str = ""
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the baseline as plain data."""
        return {
            "name": self.name,
            "what": self.what,
            "samples": self.samples.to_json(),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: Any) -> Baseline:
        """Return the baseline that `to_json` gave this data for; raises `UsageError` for other data."""
        if not isinstance(data, Mapping) or "samples" not in data:
            raise UsageError(f"{str(data)[:60]!r} is no baseline; expected a name with its samples.")
        samples = Samples.from_json(data["samples"])
        return cls(_text(data, "name"), samples, _text(data, "what"), _texts(data, "warnings"))


def _phase(name: str) -> Phase:
    try:
        return Phase(name)
    except ValueError:
        known = [str(p) for p in Phase]
        hint = did_you_mean(name, known)
        raise UsageError(f"Unknown phase {name!r}; known: {', '.join(known)}.{hint}") from None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{key} {str(value)[:40]!r} is not text; this file was not written by labkernel.")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = data.get(key, [])
    if not isinstance(values, list):
        raise UsageError(f"{key} {str(values)[:40]!r} is not a list; this file was not written by labkernel.")
    return tuple(str(value) for value in values)
