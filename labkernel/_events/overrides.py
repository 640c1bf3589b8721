"""Parts of events that the user fixes: by a value, by a choice of values, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkernel._errors import LabError, UsageError, ValueDoesNotFit
from labkernel._events.edges import edges
from labkernel._events.paths import Steps, locate, replaced
from labkernel._events.rng import Rng
from labkernel._values import parse_wave, split_list, to_normal
from labkernel._wit import Function, Primitive, Type

__all__ = ["OneOf", "Override", "Written", "apply_overrides", "resolve_overrides"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these values for each event, chosen by the seed."""

    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A value as text, as `--set` has it: WAVE of the part's type, or a list `[a, b]` of such as choices.

    For a string the quotes may be left out. What is a value of the type is never a list of choices.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Override:
    """One resolved override: the indices that lead to the part, its parameter's type, what draws its normal form."""

    steps: Steps
    param: Type
    draw: Callable[[Rng, int], Any]


def resolve_overrides(function: Function, overrides: Mapping[str, Any]) -> tuple[Override, ...]:
    """Return overrides resolved against the parameters of `function`, checked where they are plain values.

    Wider parts come first, so that `event` and `event-type` may both be set.
    """
    places = [(locate(function, path, elements=True), path, value) for path, value in overrides.items()]
    made = [
        Override(place.steps, function.params[place.steps[0]].type, _draw(value, place.type, path))
        for place, path, value in places
    ]
    return tuple(sorted(made, key=lambda override: len(override.steps)))


def apply_overrides(event: list[Any], overrides: Sequence[Override], rng: Rng, index: int) -> list[Any]:
    """Return a copy of `event` with the overridden parts replaced."""
    for override in overrides:
        event = replaced(event, override.steps, override.draw(rng, index), override.param, _first_edge)
    return event


def _first_edge(wit_type: Type) -> Any:
    return edges(wit_type)[0]


def _draw(value: Any, wit_type: Type, path: str) -> Callable[[Rng, int], Any]:
    root = f"$.{path}"
    if isinstance(value, Written):
        return _chosen(_read(value.text, wit_type, root))
    if isinstance(value, OneOf):
        if not value.values:
            raise UsageError(f"The choice for {path!r} holds no values.")
        return _chosen([to_normal(v, wit_type, root) for v in value.values])
    if callable(value):
        return lambda _, index: to_normal(value(index), wit_type, root)
    return _chosen([to_normal(value, wit_type, root)])


def _chosen(normals: list[Any]) -> Callable[[Rng, int], Any]:
    if len(normals) == 1:
        return lambda _, __: normals[0]
    return lambda rng, _: rng.choice(normals)


def _read(text: str, wit_type: Type, root: str) -> list[Any]:
    """Return the values that a text means: one, or several to choose from."""
    try:
        return [_one(text, wit_type, root)]
    except (UsageError, ValueDoesNotFit):
        choices = split_list(text)
        if choices is None:
            raise
    if not choices:
        raise UsageError(f"The choice [] for {root[2:]!r} holds no values; write [a, b].")
    return [_one(choice, wit_type, root) for choice in choices]


def _one(text: str, wit_type: Type, root: str) -> Any:
    """Return one value: WAVE, and for a string also what is no list and stands without quotes."""
    try:
        return parse_wave(text, wit_type, root)
    except LabError:
        if wit_type != Primitive("string") or text[:1] in ('"', "["):
            raise
    return to_normal(text, wit_type, root)
