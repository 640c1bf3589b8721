"""Runs written to a file and played again from it, with every host call answered from the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkernel._capability import Grants
from labkernel._errors import GuestError, LabError, UsageError
from labkernel._fire import Answer
from labkernel._lab.instance import Instance
from labkernel._lab.tracing import Tracing
from labkernel._sandbox.tracing import Played, Recording, load_recording, save_recording
from labkernel._timing import format_count
from labkernel._values import wave
from labkernel._wit import Function

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab
    from labkernel._lab.records import Build

__all__ = ["Replayed", "play", "write_recording"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recording played again: its answers in order, and where they are not those recorded.

    `host_calls` were all answered from the file. `differences` is empty where the component gave the same results.
    `error` is what ended it, the same as when it was recorded unless `differences` says otherwise.
    """

    target: str
    path: str
    answers: tuple[Answer, ...]
    host_calls: int
    differences: tuple[str, ...] = ()
    error: LabError | None = None

    @property
    def is_same(self) -> bool:
        """Whether everything came out as recorded."""
        return not self.differences

    @property
    def output(self) -> str:
        """What the guest printed, as recorded."""
        return "".join(answer.output for answer in self.answers)

    @property
    def notes(self) -> tuple[str, ...]:
        """The lab's own lines."""
        return ()

    def __repr__(self) -> str:
        verdict = "the same" if self.is_same else f"{len(self.differences)} differences"
        return (
            f"Replayed({format_count(len(self.answers), 'event')}, {self.host_calls} host calls, {verdict})"
        )


def write_recording(instance: Instance, path: str | Path) -> Path:
    """Write what an instance was recorded to do since its start, and return the path.

    Raises `UsageError` for an instance that was not started with `record`, or that did more than is kept.
    """
    watched = instance.watched
    if not instance.tracing.is_recorded:
        options = f"{instance.grants.options()} --record".strip()
        raise UsageError(
            f"{instance.name} was not recorded; start it so: %instantiate {instance.build.name} --as {instance.name} "
            f"{options}."
        )
    if watched.lost:
        raise UsageError(
            f"{instance.name} made {watched.lost} host calls more than a recording holds. Record a shorter run."
        )
    target = Path(path).expanduser()
    functions = tuple(wrapped.name for wrapped in watched.build.wrapped)
    save_recording(Recording(instance.build.digest, functions, tuple(watched.played)), target)
    return target


def play(
    lab: Lab, build: Build, path: str | Path, *, call: str | None = None, name: str, budgets: Any
) -> Replayed:
    """Start a component that asks nothing of its host, and fire a recording's events at it, or `call` in their place.

    Raises `UsageError` for a recording of another component, and `GuestTrap` at the first call that differs.
    """
    recording = load_recording(Path(path).expanduser())
    if recording.component != build.digest:
        raise UsageError(
            f"{str(path)!r} is a recording of the component {recording.component[:12]}, expected one of {build.name}, "
            f"{build.digest[:12]}. Build the component that was recorded, or record this one."
        )
    tracing = Tracing(recording=recording.calls)
    instance = Instance(lab, name, build, Grants(), budgets, pin=True, tracing=tracing)
    try:
        _check_functions(recording, instance, path)
        return _fire(instance, recording, str(path), call)
    finally:
        instance.drop()


def _check_functions(recording: Recording, instance: Instance, path: str | Path) -> None:
    own = tuple(wrapped.name for wrapped in instance.watched.build.wrapped)
    if own != recording.functions:
        raise UsageError(
            f"{str(path)!r} numbers other host functions than this version of the lab; record it anew."
        )


def _fire(instance: Instance, recording: Recording, path: str, call: str | None) -> Replayed:
    events = [event for event in recording.events if event.function]
    answers: list[Answer] = []
    differences: list[str] = []
    error: LabError | None = None
    if call is not None:
        answers.append(instance.call_text(call))
        events = []
    for number, event in enumerate(events, 1):
        function = instance.find(event.function)
        try:
            answers.append(instance.call_normal(function, event.args))
        except GuestError as failed:
            if not event.error or "replay diverges" in str(failed):
                raise
            error = failed
            break
        differences += _difference(number, function, event, answers[-1])
    return Replayed(instance.name, path, tuple(answers), len(instance.trace), tuple(differences), error)


def _difference(number: int, function: Function, event: Played, answer: Answer) -> list[str]:
    if event.result is None:
        return [f"event {number}: expected {event.error}, got {answer.wave or 'an end without an error'}"]
    if event.result[0] == answer.normal or function.result is None:
        return []
    return [f"event {number}: expected {wave(event.result[0], function.result)}, got {answer.wave}"]
