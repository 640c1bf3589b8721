"""Comparisons: several targets and baselines measured in one run, in turns, results checked."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from labkernel import _baselines as baselines
from labkernel import _toolchains as toolchains
from labkernel._errors import LabError, UsageError
from labkernel._events import sample
from labkernel._lab.instance import Instance
from labkernel._lab.latency import Latency
from labkernel._lab.records import Build
from labkernel._lab.subjects import ROUNDS, WARMUP, Subject, check, disagreements, turns, unlike
from labkernel._timing import (
    Baseline,
    Phase,
    Samples,
    SizeTiming,
    StartupTiming,
    TargetTiming,
    Timings,
)
from labkernel._toolbox import Anatomy
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Measuring"]

DEFAULT_STARTS: Final = 30

_Measure: TypeAlias = Callable[[list[Subject], int | None], tuple[list[TargetTiming], list[str]]]


class Measuring:
    """Takes a lab's targets and measures them in turns, in an order shuffled with a fixed seed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._latency = Latency(lab)

    def timings(
        self,
        targets: Sequence[str | Instance | Build],
        *,
        kind: str = "startup",
        baseline: Sequence[str] = (),
        samples: int | None = None,
        call: str | None = None,
        seed: int = 0,
    ) -> Timings:
        """Measure targets, with the same event for all, and return the `Timings`.

        `kind` is `startup`, `latency` or `size`; `samples` are starts or calls per target. The event is
        `call` (WAVE), or a friendly one generated from `seed`, of the function that `call` names. Raises
        `UsageError` when nothing is to be measured.
        """
        if not targets:
            raise UsageError(
                "%timings needs something to measure: name components or instances, or fire first."
            )
        names = [baselines.check_name(name) for name in baseline]
        if samples is not None and not 1 <= samples <= 1_000_000:
            raise UsageError(f"-r {samples} is out of range; take 1 to 1000000 samples.")
        if kind == "size":
            subjects = [Subject(self._lab.target(target), Function(""), []) for target in targets]
            names = []
        else:
            subjects = [self._subject(target, call, seed) for target in targets]
        kinds: dict[str, _Measure] = {
            "startup": self._startup,
            "latency": self._latency.measure,
            "size": self._size,
        }
        measure = kinds.get(kind)
        if measure is None:
            raise UsageError(f"Kind {kind!r} is not known; known: {', '.join(kinds)}.")
        found, warnings = measure(subjects, samples)
        return Timings(
            kind=kind,  # type: ignore[arg-type]
            targets=tuple(found),
            baselines=tuple(self._baseline(name, subjects[0], samples) for name in names),
            warnings=tuple(warnings),
            taken=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _subject(self, target: str | Instance | Build, call: str | None, seed: int) -> Subject:
        instance = self._lab.target(target)
        instance.refresh()
        if call and not re.fullmatch(r"\s*[\w:/@#.+-]+\s*", call):
            function, args = instance.parsed(call)
        else:
            named = call.strip() if call else None
            function = self._lab.function(instance, named, example="--call FUNCTION")
            args = sample(function, seed=seed)
        return Subject(instance, function, args)

    def _startup(self, subjects: list[Subject], samples: int | None) -> tuple[list[TargetTiming], list[str]]:
        starts = samples or DEFAULT_STARTS
        rounds = min(ROUNDS, starts)
        times: list[dict[str, array[int]]] = [{} for _ in subjects]
        for size, index in turns(len(subjects), starts + WARMUP, rounds):
            subject, kept = subjects[index], times[index]
            instance = subject.instance
            done = self._lab.guests.startups(
                instance.watched.build.code,
                instance.how_to_start(),
                subject.function.full_name,
                subject.args,
                n=size,
                settings=instance.watched.build.settings,
                on_host=instance.on_host,
            )
            check(subject, done.result)
            for phase, ns in done.phases.items():
                kept.setdefault(phase, array("Q")).extend(ns)
            self._lab.progress(f"{instance.name}: {len(kept['instantiate'])} of {starts + WARMUP} starts")
        found: list[TargetTiming] = []
        for subject, kept in zip(subjects, times, strict=True):
            build = subject.instance.build
            phases = {Phase(name): Samples(ns, WARMUP) for name, ns in kept.items()}
            built = {Phase(k): Samples.of([v]) for k, v in build.phases.items() if k in _BUILD}
            found.append(
                StartupTiming(
                    subject.instance.name,
                    {**built, **phases},
                    form=build.form,
                    compiler=build.settings.compiler,
                    language=build.language,
                )
            )
        return found, [*disagreements(subjects), *unlike(subjects)]

    def _size(self, subjects: list[Subject], samples: int | None) -> tuple[list[TargetTiming], list[str]]:
        found: list[TargetTiming] = []
        for subject in subjects:
            build = self._lab.code.ensure(subject.instance.build)
            try:
                parts = _parts(self._lab.toolbox.anatomy(build.read()))
            except LabError:
                parts = {"component": build.size}
            label = ", ".join(x for x in (build.language, build.form, build.settings.compiler) if x)
            found.append(SizeTiming(subject.instance.name, parts, build.code.stat().st_size, label))
        return found, unlike(subjects)

    def _baseline(self, name: str, subject: Subject, samples: int | None) -> Baseline:
        native = self._native(subject)
        self._lab.progress(f"baseline {name}: {native.what}")
        return baselines.process(native, n=min(samples or DEFAULT_STARTS, 200))

    def _native(self, subject: Subject) -> baselines.Native:
        """Return the target's own snippet as a native program where its toolchain can, otherwise the floor."""
        build, function = subject.instance.build, subject.function
        try:
            snippet = toolchains.Snippet(build.language, build.source, build.files, build.name)
            made = toolchains.native(snippet, build.package, build.world, function, subject.args, build.options,
                                     self._lab.builder.context())  # fmt: skip
            why = f"{build.language} cells are not compiled for this machine"
        except LabError as error:
            self._lab.progress(f"no native program of {build.name}: {error}")
            made, why = None, str(error).splitlines()[0]
        if made is None:
            return baselines.floor(self._lab.cache, self._lab.progress, zig=toolchains.zig_binary(), why=why)
        return baselines.Native(made.program, made.what, made.expected)


_BUILD: Final = ("bindings", "compile", "componentize", "codegen")


def _parts(anatomy: Anatomy) -> dict[str, int]:
    """Return bytes by embedded core module, and what the component itself adds."""
    parts: dict[str, int] = {}
    for number, module in enumerate(anatomy.modules):
        name = f"core module {module.name or number}"
        parts[f"{name} ({number})" if name in parts else name] = module.size
    return {**parts, "component's types and glue": anatomy.size - sum(parts.values())}
