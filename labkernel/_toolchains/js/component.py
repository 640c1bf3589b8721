"""Takes the engine's own export out of a component.

componentize-qjs leaves the function `init`, which it uses while it builds, among the exports. An export makes
an index that later definitions count on, so its place is taken by an alias of an imported function, which
makes one too. This module knows no tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labkernel._errors import ComponentError

__all__ = ["without_export"]

_ALIAS: Final = 6
_IMPORT: Final = 10
_EXPORT: Final = 11
_FUNC: Final = 1
_INSTANCE: Final = 5
_STAND_IN: Final = (b"wasi:cli/environment@", b"get-environment")


def without_export(component: bytes, name: str) -> bytes:
    """Return the component without the exported function of that name, or as it was where there is none.

    Raises `ComponentError` for bytes that are no component of the kind that the engine makes.
    """
    try:
        for section in _sections(component):
            if section.id == _EXPORT and _is_function(section.body, name.encode()):
                made = _section(_ALIAS, _alias(component))
                return component[: section.start] + made + component[section.end :]
    except IndexError:
        raise ComponentError("The engine's component ends too early; build it again.") from None
    return component


@dataclass(frozen=True, slots=True)
class _Section:
    id: int
    body: bytes
    start: int
    end: int


def _sections(component: bytes) -> Iterator[_Section]:
    at = 8
    while at < len(component):
        size, body = _number(component, at + 1)
        yield _Section(component[at], component[body : body + size], at, body + size)
        at = body + size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _leb(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _section(number: int, body: bytes) -> bytes:
    return bytes([number]) + _leb(len(body)) + body


def _name(data: bytes, at: int) -> tuple[bytes, int]:
    """Return an import's or export's name and where it ends."""
    size, start = _number(data, at + 1)
    return data[start : start + size], start + size


def _is_function(body: bytes, name: bytes) -> bool:
    """Whether an export section holds one function of that name and nothing else."""
    count, at = _number(body, 0)
    if count != 1:
        return False
    found, at = _name(body, at)
    return found == name and body[at] == _FUNC


def _alias(component: bytes) -> bytes:
    """Return the body of an alias section for the function that stands in."""
    instances = 0
    for section in _sections(component):
        if section.id != _IMPORT:
            continue
        count, at = _number(section.body, 0)
        name, at = _name(section.body, at)
        if count != 1:
            break
        if section.body[at] == _INSTANCE:
            if name.startswith(_STAND_IN[0]):
                function = _STAND_IN[1]
                return bytes([1, _FUNC, 0]) + _leb(instances) + _leb(len(function)) + function
            instances += 1
    raise ComponentError("The engine's component has no environment to import; build it again.")
