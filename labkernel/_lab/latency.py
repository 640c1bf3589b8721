"""Warm calls measured: inside the engine, through drivers, where every target can be; otherwise by the C functions.

All targets of one measurement go the same way, with a component that does nothing beside them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from labkernel._capability import Budgets, Grants
from labkernel._errors import LabError
from labkernel._fire import CALLS, DRIVER, Driven, NoDriver, path_text
from labkernel._host import EngineSettings
from labkernel._lab.driving import Target
from labkernel._lab.instance import Instance
from labkernel._lab.subjects import ROUNDS, WARMUP, Subject, check, disagreements, turns, unlike
from labkernel._timing import LatencyTiming, Samples, TargetTiming

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Latency"]

DEFAULT_CALLS: Final = 2000
DEFAULT_DRIVEN: Final = 20_000
_SHORT_NS: Final = 2000
FEWEST_DRIVEN: Final = 1000
"""Calls of each target from which on a driver is made for them."""
NOOP: Final = """(component
  (core module $m (func (export "noop")))
  (core instance $i (instantiate $m))
  (func (export "noop") (canon lift (core func $i "noop"))))"""


class Latency:
    """Measures calls of a lab's targets."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def measure(
        self, subjects: list[Subject], samples: int | None
    ) -> tuple[list[TargetTiming], list[str]]:  # fmt: skip
        """Return each target's times, and warnings. Raises the guest's error, or one for a target of two answers."""
        why = self._why_by_calls(subjects, samples)
        if not why:
            try:
                found = self._driven(subjects, samples)
                return found, [*disagreements(subjects), *unlike(subjects)]
            except NoDriver as refused:
                why = str(refused)
                for subject in subjects:
                    subject.answer = None
        found = self._by_calls(subjects, samples or DEFAULT_CALLS)
        told = f"Timed {path_text(CALLS)}, not {path_text(DRIVER)}: {why}."
        return found, [*disagreements(subjects), *unlike(subjects), told]

    def _why_by_calls(self, subjects: Sequence[Subject], samples: int | None) -> str:
        """Return why not every target can be measured through a driver, or nothing."""
        if samples is not None and samples < FEWEST_DRIVEN:
            return f"a driver is made for {FEWEST_DRIVEN} calls or more (-r {FEWEST_DRIVEN})"
        for subject in subjects:
            why = self._lab.driving.facts(subject.instance, subject.function).no_driver
            if why:
                return f"{subject.instance.name}: {why}"
        return ""

    # ----------------------------------------------------------------------------------------- inside the engine

    def _driven(self, subjects: Sequence[Subject], samples: int | None) -> list[TargetTiming]:
        """Measure in instances of the measurement's own: those of the notebook keep their state.

        Unless the number of calls was asked for, short calls are made ten times as often: each sample is of many.
        """
        calls = samples or DEFAULT_DRIVEN
        driving = self._lab.driving
        with ExitStack() as stack:
            opened = [self._open(stack, subject) for subject in subjects]
            nothing = stack.enter_context(driving.nothing(subjects[0].function))
            everyone = [*opened, nothing]
            runs: list[list[Driven]] = [[] for _ in everyone]
            for size, index in turns(len(everyone), calls, min(ROUNDS, calls)):
                subject = subjects[index] if index < len(subjects) else None
                args = subjects[0].args if subject is None else subject.args
                limit = None if subject is None else subject.instance.budgets.timeout_s
                short = samples is None and bool(runs[index]) and runs[index][0].wall_ns < _SHORT_NS
                done = everyone[index].drive([args], size * (10 if short else 1), timeout_s=limit)
                if done.error is not None:
                    raise done.error
                if subject is not None:
                    _check_driven(subject, done)
                runs[index].append(done)
                if subject is not None:
                    self._lab.progress(
                        f"{subject.instance.name}: round {len(runs[index])} of {min(ROUNDS, calls)}"
                    )
        harness = _samples(runs[-1])
        return [_timing(subject, found, harness) for subject, found in zip(subjects, runs, strict=False)]

    def _open(self, stack: ExitStack, subject: Subject) -> Target:
        instance = subject.instance
        if self._lab.driving.cost_s(instance.build, subject.function) > 1:
            self._lab.progress(f"{instance.name}: a driver is put in front of it, and both are compiled")
        return stack.enter_context(self._lab.driving.opened(instance, subject.function))

    # --------------------------------------------------------------------------------------- by the C functions

    def _by_calls(self, subjects: Sequence[Subject], calls: int) -> list[TargetTiming]:
        with self._noop() as noop:
            everyone = [*subjects, noop]
            times = [array("Q") for _ in everyone]
            for size, index in turns(len(everyone), calls + WARMUP, min(ROUNDS, calls)):
                subject = everyone[index]
                done = self._lab.guests.fire(
                    subject.instance.started(), subject.function.full_name, [subject.args] * size,
                    timeout_s=subject.instance.budgets.timeout_s, on_host=subject.instance.on_host,
                )  # fmt: skip
                if done.error is not None:
                    subject.instance.note_failure(type(done.error).__name__)
                    raise done.error
                for result in done.results:
                    check(subject, result)
                times[index].extend(done.ns)
        harness = Samples(times[-1], WARMUP)
        return [
            LatencyTiming(
                subject.instance.name,
                Samples(ns, WARMUP),
                CALLS,
                subject.function.full_name,
                harness,
                _label(subject),
            )
            for subject, ns in zip(subjects, times, strict=False)
        ]

    @contextmanager
    def _noop(self) -> Iterator[Subject]:
        lab = self._lab
        wasm = lab.tools.assemble(NOOP)
        build = lab.builder.from_bytes(
            wasm, "no-op", settings=EngineSettings(), language="wat", form="release"
        )
        instance = Instance(lab, "no-op", build, Grants(), Budgets(), pin=True)
        try:
            yield Subject(instance, instance.functions[0], [])
        finally:
            instance.drop()


def _check_driven(subject: Subject, done: Driven) -> None:
    found: Any = done.results[0]
    if found is not None:
        check(subject, found[0])
    if done.varied:
        raise LabError(
            f"{subject.instance.name} gave two answers to one event: {done.varied} of {done.done} differed from the "
            "first. Times of a target whose state changes its answers are not compared; fire it with %fire -n."
        )


def _samples(runs: Sequence[Driven]) -> Samples:
    """Return the times of all turns: means of groups where there are any, else of single calls."""
    return Samples.of([round(ns) for run in runs for ns in run.samples])


def _timing(subject: Subject, runs: Sequence[Driven], harness: Samples) -> LatencyTiming:
    groups = sorted({run.group for run in runs if run.grouped})
    label = _label(subject)
    if groups:
        sizes = str(groups[0]) if len(groups) == 1 else f"{groups[0]} to {groups[-1]}"
        label = ", ".join(x for x in (label, f"means of {sizes} calls") if x)
    return LatencyTiming(
        subject.instance.name, _samples(runs), DRIVER, subject.function.full_name, harness, label
    )


def _label(subject: Subject) -> str:
    build = subject.instance.build
    return ", ".join(x for x in (build.language, build.form, build.settings.compiler) if x)
