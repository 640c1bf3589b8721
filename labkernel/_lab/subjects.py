"""Targets while they are measured: in turns, shuffled with a fixed seed, their answers checked and compared."""

from __future__ import annotations

import random
from collections.abc import Sequence
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
