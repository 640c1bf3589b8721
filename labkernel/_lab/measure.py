"""Comparisons: several targets and baselines measured in one run, in turns, results checked."""

from __future__ import annotations

import random
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from labkernel import _baselines as baselines
from labkernel import _toolchains as toolchains
from labkernel._capability import Budgets, Grants
from labkernel._errors import LabError, UsageError
from labkernel._events import sample
from labkernel._fire import call_of
from labkernel._host import EngineSettings
from labkernel._lab.instance import Instance
from labkernel._lab.records import Build
from labkernel._timing import (
    Baseline,
    LatencyTiming,
    Phase,
    Samples,
    SizeTiming,
    StartupTiming,
    TargetTiming,
    Timings,
)
from labkernel._toolbox import Anatomy
from labkernel._values import wave
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Measuring"]

ROUNDS: Final = 10
WARMUP: Final = 1
DEFAULT_STARTS: Final = 30
DEFAULT_CALLS: Final = 2000
NOOP: Final = """(component
  (core module $m (func (export "noop")))
  (core instance $i (instantiate $m))
  (func (export "noop") (canon lift (core func $i "noop"))))"""


@dataclass(slots=True)
class _Subject:
    """One target while it is being measured."""

    instance: Instance
    function: Function
    args: list[Any]
    answer: Any = None


_Measure: TypeAlias = Callable[[list[_Subject], int | None], tuple[list[TargetTiming], list[str]]]


class Measuring:
    """Takes a lab's targets and measures them in turns, in an order shuffled with a fixed seed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

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
            subjects = [_Subject(self._lab.target(target), Function(""), []) for target in targets]
            names = []
        else:
            subjects = [self._subject(target, call, seed) for target in targets]
        kinds: dict[str, _Measure] = {"startup": self._startup, "latency": self._latency, "size": self._size}
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

    def _subject(self, target: str | Instance | Build, call: str | None, seed: int) -> _Subject:
        instance = self._lab.target(target)
        instance.refresh()
        if call and not re.fullmatch(r"\s*[\w:/@#.+-]+\s*", call):
            function, args = instance.parsed(call)
        else:
            named = call.strip() if call else None
            function = self._lab.function(instance, named, example="--call FUNCTION")
            args = sample(function, seed=seed)
        return _Subject(instance, function, args)

    def _startup(self, subjects: list[_Subject], samples: int | None) -> tuple[list[TargetTiming], list[str]]:
        starts = samples or DEFAULT_STARTS
        rounds = min(ROUNDS, starts)
        times: list[dict[str, array[int]]] = [{} for _ in subjects]
        for size, index in _turns(len(subjects), starts + WARMUP, rounds):
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
            self._check(subject, done.result)
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
        return found, [*self._disagreements(subjects), *_unlike(subjects)]

    def _latency(self, subjects: list[_Subject], samples: int | None) -> tuple[list[TargetTiming], list[str]]:
        calls = samples or DEFAULT_CALLS
        noop = self._noop()
        everyone = [*subjects, noop]
        times = [array("Q") for _ in everyone]
        for size, index in _turns(len(everyone), calls + WARMUP, min(ROUNDS, calls)):
            subject = everyone[index]
            run = subject.instance.run(subject.function, n=size, events=[subject.args] * size)
            if run.error is not None:
                raise run.error
            self._check(subject, run.normals[-1])
            times[index].extend(run.ns)
        harness = Samples(times[-1], WARMUP)
        noop.instance.drop()
        found: list[TargetTiming] = []
        for subject, ns in zip(subjects, times, strict=False):
            build = subject.instance.build
            label = ", ".join(x for x in (build.language, build.form, build.settings.compiler) if x)
            name = subject.instance.name
            found.append(
                LatencyTiming(
                    name, Samples(ns, WARMUP), "host call", subject.function.full_name, harness, label
                )
            )
        return found, [*self._disagreements(subjects), *_unlike(subjects)]

    def _size(self, subjects: list[_Subject], samples: int | None) -> tuple[list[TargetTiming], list[str]]:
        found: list[TargetTiming] = []
        for subject in subjects:
            build = self._lab.code.ensure(subject.instance.build)
            try:
                parts = _parts(self._lab.toolbox.anatomy(build.read()))
            except LabError:
                parts = {"component": build.size}
            label = ", ".join(x for x in (build.language, build.form, build.settings.compiler) if x)
            found.append(SizeTiming(subject.instance.name, parts, build.code.stat().st_size, label))
        return found, _unlike(subjects)

    def _noop(self) -> _Subject:
        lab = self._lab
        wasm = lab.tools.assemble(NOOP)
        build = lab.builder.from_bytes(
            wasm, "no-op", settings=EngineSettings(), language="wat", form="release"
        )
        instance = Instance(lab, "no-op", build, Grants(), Budgets(), pin=True)
        return _Subject(instance, instance.functions[0], [])

    def _check(self, subject: _Subject, answer: Any) -> None:
        """Keep no time of a target that does not give one answer to one event."""
        if subject.answer is None:
            subject.answer = (answer,)
        elif subject.answer != (answer,):
            call = call_of(subject.function, subject.args)
            raise LabError(
                f"{subject.instance.name} gave two answers to {call}: {subject.answer[0]!r} and {answer!r}. "
                "Times of a target whose state changes its answers are not compared; fire it with %fire -n."
            )

    def _disagreements(self, subjects: list[_Subject]) -> list[str]:
        first, found = subjects[0], []
        for other in subjects[1:]:
            if other.answer != first.answer and other.function.result == first.function.result:
                texts = [
                    wave(s.answer[0], s.function.result) if s.function.result and s.answer else "done"
                    for s in (first, other)
                ]
                found.append(
                    f"{first.instance.name} and {other.instance.name} answer {call_of(first.function, first.args)} "
                    f"differently ({texts[0]} and {texts[1]}): they do not do the same job."
                )
        return found

    def _baseline(self, name: str, subject: _Subject, samples: int | None) -> Baseline:
        native = self._native(subject)
        self._lab.progress(f"baseline {name}: {native.what}")
        return baselines.process(native, n=min(samples or DEFAULT_STARTS, 200))

    def _native(self, subject: _Subject) -> baselines.Native:
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
        name = module.name or f"core module {number}"
        parts[f"{name} ({number})" if name in parts else name] = module.size
    return {**parts, "component's types and glue": anatomy.size - sum(parts.values())}


def _unlike(subjects: Sequence[_Subject]) -> list[str]:
    """Return the warning that figures of machine code by different compilers stand side by side."""
    by: dict[str, list[str]] = {}
    for subject in subjects:
        by.setdefault(subject.instance.build.settings.compiler, []).append(subject.instance.name)
    if len(by) < 2:
        return []
    said = "; ".join(f"{compiler}: {', '.join(names)}" for compiler, names in by.items())
    return [
        f"Machine code is by different compilers ({said}), of which Cranelift's runs fastest and takes longest "
        "to make. Build with --release, or give one --compiler to all, to compare languages."
    ]


def _turns(subjects: int, samples: int, rounds: int) -> list[tuple[int, int]]:
    """Return (how many samples, of which subject) for every turn, subjects shuffled within each round."""
    order = random.Random(20260101)
    sizes = [samples // rounds + (i < samples % rounds) for i in range(rounds)]
    turns = []
    for size in sizes:
        indices = list(range(subjects))
        order.shuffle(indices)
        turns += [(size, index) for index in indices if size]
    return turns
