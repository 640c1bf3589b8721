"""Targets while they are measured: in turns, shuffled with a fixed seed, their answers checked and compared."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import LabError
from labkernel._fire import call_of
from labkernel._lab.instance import Instance
from labkernel._values import wave
from labkernel._wit import Function

__all__ = ["ROUNDS", "WARMUP", "Subject", "check", "disagreements", "turns", "unlike"]

ROUNDS: Final = 10
WARMUP: Final = 1


@dataclass(slots=True)
class Subject:
    """One target while it is being measured."""

    instance: Instance
    function: Function
    args: list[Any]
    answer: Any = None


def check(subject: Subject, answer: Any) -> None:
    """Keep no time of a target that does not give one answer to one event. Raises `LabError`."""
    if subject.answer is None:
        subject.answer = (answer,)
    elif subject.answer != (answer,):
        call = call_of(subject.function, subject.args)
        raise LabError(
            f"{subject.instance.name} gave two answers to {call}: {subject.answer[0]!r} and {answer!r}. "
            "Times of a target whose state changes its answers are not compared; fire it with %fire -n."
        )


def disagreements(subjects: Sequence[Subject]) -> list[str]:
    """Return in words which targets answer the event differently from the first."""
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


def unlike(subjects: Sequence[Subject]) -> list[str]:
    """Return the warnings that builds of different forms, or code by different compilers, stand side by side."""
    found = []
    builds = [(subject.instance.name, subject.instance.build) for subject in subjects]
    forms = _grouped((name, build.form) for name, build in builds if build.form)
    if forms:
        found.append(
            f"Builds of different forms stand side by side ({forms}): their times say little about each other. "
            "Build all with --release to compare."
        )
    compilers = _grouped((name, build.settings.compiler) for name, build in builds)
    if compilers:
        found.append(
            f"Machine code is by different compilers ({compilers}), of which Cranelift's runs fastest and takes "
            "longest to make. Build with --release, or give one --compiler to all, to compare languages."
        )
    return found


def _grouped(kinds: Iterable[tuple[str, str]]) -> str:
    """Return which names are of which kind; empty where all are of one."""
    by: dict[str, list[str]] = {}
    for name, kind in kinds:
        by.setdefault(kind, []).append(name)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in by.items()) if len(by) > 1 else ""


def turns(subjects: int, samples: int, rounds: int) -> list[tuple[int, int]]:
    """Return (how many samples, of which subject) for every turn, subjects shuffled within each round."""
    order = random.Random(20260101)
    sizes = [samples // rounds + (i < samples % rounds) for i in range(rounds)]
    found = []
    for size in sizes:
        indices = list(range(subjects))
        order.shuffle(indices)
        found += [(size, index) for index in indices if size]
    return found
