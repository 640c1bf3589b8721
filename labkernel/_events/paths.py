"""Paths to parts of a function's arguments: `event-type`, `event.event-timestamp.seconds`, `pair.0`, `items.2.name`.

Names may be written as in other languages (`eventType`, `event_type`), and the name of the only parameter may
be left out; options are gone through. A path becomes the indices that lead to the part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from labkernel._errors import UsageError, did_you_mean
from labkernel._wit import Function, ListType, OptionType, Primitive, RecordType, TupleType, Type, type_text

__all__ = ["Place", "Steps", "essence", "locate", "param_root", "parts_of", "payload_of", "replaced"]

Steps: TypeAlias = tuple[int, ...]
"""Indices of a parameter, of one of its fields, of one of that one's fields, and so on."""

Fresh: TypeAlias = Callable[[Type], Any]
"""Makes a value of a type, in normal form."""

_SEPARATORS = re.compile(r"[\W_]+")
_BYTES = ListType(Primitive("u8"))
_LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a function's arguments: its path as WIT writes it, its indices, its type."""

    path: str
    steps: Steps
    type: Type


@lru_cache(maxsize=4096)
def essence(name: str) -> str:
    """Return a name without case and separators, so that names of other languages meet.

    >>> essence("eventName") == essence("event_name") == essence("Event-Name")
    True
    """
    return _SEPARATORS.sub("", name).lower()


def payload_of(wit_type: Type) -> Type:
    """Return a type without the options around it."""
    while isinstance(wit_type, OptionType):
        wit_type = wit_type.payload
    return wit_type


def parts_of(wit_type: Type) -> list[tuple[str, Type]]:
    """Return names and types of the parts a path can go on with: a record's fields, a tuple's elements."""
    match wit_type:
        case RecordType(fields):
            return [(f.name, f.type) for f in fields]
        case TupleType(elements):
            return [(str(i), e) for i, e in enumerate(elements)]
    return []


def param_root(function: Function, index: int) -> str:
    """Return how errors name a parameter: `$` for the only one, `$.name` among several."""
    return "$" if len(function.params) == 1 else f"$.{function.params[index].name}"


def locate(function: Function, path: str, *, elements: bool = False) -> Place:
    """Return the part that a path leads to, also into lists with `elements`.

    Raises `UsageError` that names the nearest known one.

    >>> from labkernel._wit import Param, Primitive
    >>> pair = Function("f", (Param("pair", TupleType((Primitive("u8"), Primitive("string")))),))
    >>> locate(pair, "pair.1").steps, locate(pair, "0").path
    ((0, 1), '0')
    """
    words = path.split(".")
    names = [p.name for p in function.params]
    first = _index(words[0], names)
    if first is not None and not _is_field_too(function, words):
        words.pop(0)
    elif len(names) == 1:
        first = 0
    else:
        raise UsageError(
            f"{function.name} has no parameter {words[0]!r}; it has {', '.join(names) or 'none'}."
            f"{did_you_mean(words[0], names)}"
        )
    assert first is not None
    steps, shown = [first], [] if len(names) == 1 else [names[first]]
    wit_type = function.params[first].type
    for index, name, inner in _walk(wit_type, words, path, elements):
        steps.append(index)
        shown.append(name)
        wit_type = inner
    return Place(".".join(shown) or names[first], tuple(steps), wit_type)


def _walk(wit_type: Type, words: list[str], path: str, elements: bool) -> Iterator[tuple[int, str, Type]]:
    for word in words:
        wit_type = payload_of(wit_type)
        is_list = elements and isinstance(wit_type, ListType) and wit_type != _BYTES
        if is_list and _is_number(word, path):
            assert isinstance(wit_type, ListType)
            wit_type = wit_type.element
            yield int(word), word, wit_type
            continue
        parts = parts_of(wit_type)
        names = [name for name, _ in parts]
        index = _index(word, names)
        if index is None:
            known = f"its fields: {', '.join(names)}" if names else "it has no fields"
            if is_list:
                known = "its elements are numbers from 0 on"
            raise UsageError(
                f"{path!r}: {type_text(wit_type)} has no field {word!r}; {known}.{did_you_mean(word, names)}"
            )
        name, wit_type = parts[index]
        yield index, name, wit_type


def _is_number(word: str, path: str) -> bool:
    """Whether a word is the number of a list's element."""
    if not (word.isascii() and word.isdecimal()):
        return False
    if int(word) >= _LONGEST:
        raise UsageError(f"{path!r}: element {word} is too far on; expected a number under {_LONGEST}.")
    return True


def _index(word: str, names: list[str]) -> int | None:
    if word in names:
        return names.index(word)
    loose = [essence(name) for name in names]
    return loose.index(essence(word)) if essence(word) in loose else None


def _is_field_too(function: Function, words: list[str]) -> bool:
    """Whether a first word names the only parameter and, with no word after it, one of its fields as well."""
    if len(function.params) != 1 or len(words) > 1:
        return False
    return words[0] in [name for name, _ in parts_of(function.params[0].type)]


def replaced(args: list[Any], steps: Steps, value: Any, wit_type: Type, fresh: Fresh) -> list[Any]:
    """Return a copy of arguments with the part at `steps` replaced; `wit_type` is the parameter's.

    An option on the way there has a value then, and a list as many elements as the path needs: `fresh` makes them.
    """
    copy = list(args)
    copy[steps[0]] = _within(copy[steps[0]], steps[1:], value, wit_type, fresh)
    return copy


def _within(part: Any, steps: Steps, value: Any, wit_type: Type, fresh: Fresh) -> Any:
    if not steps:
        return value
    if isinstance(wit_type, OptionType):
        inner = part[0] if part else fresh(wit_type.payload)
        return [_within(inner, steps, value, wit_type.payload, fresh)]
    copy, at = list(part), steps[0]
    if isinstance(wit_type, ListType):
        copy += [fresh(wit_type.element) for _ in range(at + 1 - len(copy))]
        inner_type = wit_type.element
    else:
        inner_type = parts_of(wit_type)[at][1]
    copy[at] = _within(copy[at], steps[1:], value, inner_type, fresh)
    return copy
