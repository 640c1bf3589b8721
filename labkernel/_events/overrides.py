"""Parts of generated events that the user fixes: by a value, by a choice of values, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkernel._errors import UsageError, did_you_mean
from labkernel._events.rng import Rng
from labkernel._values import to_normal
from labkernel._wit import Function, RecordType, Type, type_text

__all__ = ["OneOf", "Override", "apply_overrides", "resolve_overrides"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these values for each event, chosen by the seed."""

    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Override:
    """One resolved override: the indices that lead to the part, and what draws its normal form."""

    steps: tuple[int, ...]
    draw: Callable[[Rng, int], Any]


def resolve_overrides(function: Function, overrides: Mapping[str, Any]) -> tuple[Override, ...]:
    """Return overrides resolved against the parameters of `function`, checked where they are plain values."""
    made = []
    for path, value in overrides.items():
        steps, wit_type = _resolve(function, path)
        made.append(Override(steps, _draw(value, wit_type, path)))
    return tuple(made)


def apply_overrides(event: list[Any], overrides: Sequence[Override], rng: Rng, index: int) -> list[Any]:
    """Return a copy of `event` with the overridden parts replaced."""
    for override in overrides:
        event = _with(event, override.steps, override.draw(rng, index))
    return event


def _draw(value: Any, wit_type: Type, path: str) -> Callable[[Rng, int], Any]:
    root = f"$.{path}"
    if isinstance(value, OneOf):
        if not value.values:
            raise UsageError(f"The choice for {path!r} holds no values.")
        normals = [to_normal(v, wit_type, root) for v in value.values]
        return lambda rng, _: rng.choice(normals)
    if callable(value):
        return lambda _, index: to_normal(value(index), wit_type, root)
    normal = to_normal(value, wit_type, root)
    return lambda _, __: normal


def _resolve(function: Function, path: str) -> tuple[tuple[int, ...], Type]:
    """Return indices and type of a path. The name of the only parameter may be left out."""
    words = path.split(".")
    names = [p.name for p in function.params]
    steps: list[int] = []
    if words[0] in names:
        steps = [names.index(words.pop(0))]
    elif len(names) == 1:
        steps = [0]
    else:
        raise UsageError(
            f"{function.name} has no parameter {words[0]!r}; it has {', '.join(names) or 'none'}."
            f"{did_you_mean(words[0], names)}"
        )
    wit_type = function.params[steps[0]].type
    for word in words:
        fields = [f.name for f in wit_type.fields] if isinstance(wit_type, RecordType) else []
        if not isinstance(wit_type, RecordType) or word not in fields:
            known = f"its fields: {', '.join(fields)}" if fields else "it has no fields"
            raise UsageError(
                f"{path!r}: {type_text(wit_type)} has no field {word!r}; {known}.{did_you_mean(word, fields)}"
            )
        steps.append(fields.index(word))
        wit_type = wit_type.fields[steps[-1]].type
    return tuple(steps), wit_type


def _with(parts: list[Any], steps: Sequence[int], value: Any) -> list[Any]:
    copy = list(parts)
    copy[steps[0]] = value if len(steps) == 1 else _with(copy[steps[0]], steps[1:], value)
    return copy
