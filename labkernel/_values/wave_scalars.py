"""WAVE's nodes read as types without parts, and the words for a node of the wrong kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from labkernel._values.floats import float_from_text
from labkernel._values.misfit import Misfit
from labkernel._values.scalars import INT_RANGES, range_text
from labkernel._values.wave_syntax import Node
from labkernel._wit import Primitive, Type

__all__ = ["Read", "misfit_at", "scalar_reader", "wrong_kind"]

Read: TypeAlias = Callable[[Node], Any]

_KINDS: Final = {
    "number": "a number",
    "string": "a string",
    "char": "a char",
    "bool": "a bool",
    "label": "a name",
    "case": "a case with a payload",
    "some": "an option",
    "none": "an option",
    "ok": "a result",
    "err": "a result",
    "list": "a list",
    "tuple": "a tuple",
    "record": "a record",
    "flags": "flags",
}


def scalar_reader(wit_type: Primitive) -> Read:
    """Return what reads a node as `wit_type`, or raises `Misfit`."""
    if wit_type.name in INT_RANGES:
        return _integer(wit_type)
    return _SCALARS[wit_type.name](wit_type)


def misfit_at(node: Node, wit_type: Type, why: str, hint: str = "") -> Misfit:
    """Return the misfit of a node, with its place."""
    return Misfit(None, wit_type, why, hint, span=(node.start, node.end))


def wrong_kind(node: Node, wit_type: Type, expected: str, hint: str = "") -> Misfit:
    """Return the misfit of a node that is of another kind than `expected`."""
    return misfit_at(node, wit_type, f"{_KINDS[node.kind]}, not {expected}", hint)


def _leaf(kind: str, expected: str) -> Callable[[Primitive], Read]:
    def make(wit_type: Primitive) -> Read:
        def read(node: Node) -> Any:
            if node.kind != kind:
                raise wrong_kind(node, wit_type, expected)
            return node.value

        return read

    return make


def _integer(wit_type: Primitive) -> Read:
    low, high = INT_RANGES[wit_type.name]
    in_words = range_text(wit_type.name)

    def read(node: Node) -> int:
        text = node.value
        if node.kind != "number":
            raise wrong_kind(node, wit_type, "an integer")
        if not text.lstrip("-").isdigit():
            raise misfit_at(node, wit_type, "a float, not an integer")
        if len(text) > 21 or not low <= int(text) <= high:
            raise misfit_at(node, wit_type, in_words)
        return int(text)

    return read


def _float(wit_type: Primitive) -> Read:
    bits = int(wit_type.name[1:])

    def read(node: Node) -> float:
        if node.kind != "number":
            raise wrong_kind(node, wit_type, "a number")
        try:
            return float_from_text(node.value, bits)
        except OverflowError:
            raise misfit_at(node, wit_type, range_text(wit_type.name)) from None

    return read


_SCALARS: Final[dict[str, Callable[[Primitive], Read]]] = {
    "bool": _leaf("bool", "true or false"),
    "string": _leaf("string", "a string in double quotes"),
    "char": _leaf("char", "a char in single quotes"),
    "f32": _float,
    "f64": _float,
}
