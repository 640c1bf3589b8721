"""Finding values in rows by name: at the top, by a path, or somewhere within, and what nobody has taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from labkernel._errors import UsageError, did_you_mean
from labkernel._events.paths import essence

__all__ = ["Path", "as_mapping", "follow", "leaves", "named", "named_within", "path_text"]

Path: TypeAlias = tuple[str | int, ...]

_DEPTH: Final = 6
_BREADTH: Final = 500
_PLAIN: Final = (str, bytes, bytearray, int, float, list, type, type(None))


def path_text(path: Path) -> str:
    """Return a path as `--map` takes it.

    >>> path_text(("Records", 0, "eventName")), path_text(())
    ('Records.0.eventName', '$')
    """
    return ".".join(map(str, path)) or "$"


def as_mapping(value: Any) -> Mapping[Any, Any] | None:
    """Return a dict, a dataclass or a named tuple as a mapping of its parts, and `None` for anything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, _PLAIN):
        return None
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    named_tuple = getattr(value, "_asdict", None)
    made: Mapping[Any, Any] | None = named_tuple() if isinstance(value, tuple) and named_tuple else None
    return made


def follow(row: Any, text: str) -> tuple[Path, Any]:
    """Return where a path such as `Records.0.eventName` leads; `$` is the whole row.

    Raises `UsageError` that shows how far it leads and what is there.
    """
    path: Path = ()
    node, rest = row, "" if text == "$" else text.removeprefix("$.")
    while rest:
        mapping = as_mapping(node)
        word, _, after = rest.partition(".")
        if mapping is not None and rest in mapping:
            word, after = rest, ""
        key = _key(mapping if mapping is not None else node, word)
        if key is None:
            there = _described(node)
            near = did_you_mean(word, [str(k) for k in mapping]) if mapping is not None else ""
            raise UsageError(f"{text!r} leads nowhere: {path_text(path)} {there}, and no {word!r}.{near}")
        node = mapping[key] if mapping is not None else node[key]
        path, rest = (*path, key), after
    return path, node


def _key(node: Any, word: str) -> str | int | None:
    if isinstance(node, Mapping):
        if word in node:
            return word
        found = named(node, word)
        return found[0] if len(found) == 1 else None
    is_index = isinstance(node, list | tuple) and word.isascii() and word.isdecimal()
    return int(word) if is_index and int(word) < len(node) else None


def _described(node: Any) -> str:
    mapping = as_mapping(node)
    if mapping is not None:
        return f"has {', '.join(map(str, list(mapping)[:20])) or 'nothing'}"
    if isinstance(node, list | tuple):
        return f"is a list of {len(node)}"
    text = repr(node)
    return f"is {text if len(text) <= 60 else text[:59] + '…'}"


def named(mapping: Mapping[Any, Any], name: str) -> list[str]:
    """Return the keys that are a name: the exact one, or all that differ from it in case and separators.

    >>> named({"eventName": 1, "id": 2}, "event-name")
    ['eventName']
    """
    if name in mapping:
        return [name]
    wanted = essence(name)
    return [key for key in mapping if isinstance(key, str) and essence(key) == wanted]


def named_within(node: Any, name: str) -> list[Path]:
    """Return the paths of the values of that name that lie least deep.

    Lists are looked into where they have one element, since another one would be taken no notice of.

    >>> named_within({"Records": [{"s3": {"key": 1}, "id": {"key": 2}}]}, "key")
    [('Records', 0, 's3', 'key'), ('Records', 0, 'id', 'key')]
    """
    level: list[tuple[Path, Any]] = [((), node)]
    for _ in range(_DEPTH):
        hits: list[Path] = []
        deeper: list[tuple[Path, Any]] = []
        for path, each in level[:_BREADTH]:
            if isinstance(each, Mapping):
                hits += [(*path, key) for key in named(each, name)]
            deeper += [((*path, key), value) for key, value in _inner(each)]
        if hits:
            return hits
        level = deeper
    return []


def _inner(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, Mapping):
        yield from ((k, v) for k, v in node.items() if isinstance(v, Mapping | list))
    elif isinstance(node, list) and len(node) == 1:
        yield 0, node[0]


def leaves(node: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of everything in a row that has no parts of its own."""
    if len(path) < _DEPTH:
        if isinstance(node, Mapping) and node:
            for key, value in node.items():
                yield from leaves(value, (*path, key))
            return
        if isinstance(node, list) and node and isinstance(node[0], Mapping):
            for index, value in enumerate(node[:_BREADTH]):
                yield from leaves(value, (*path, index))
            return
    yield path
