"""Python values as records: dicts, dataclasses, named tuples, any object with the fields as attributes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from labkernel._values.labels import Labels, snake
from labkernel._values.misfit import Misfit, listed, missing, not_a, unknown
from labkernel._values.scalars import Check
from labkernel._wit import OptionType, RecordType

__all__ = ["record_check"]

_ABSENT = object()
_PLAIN = (str, bytes, bytearray, int, float, complex, list, set, frozenset, range, type, type(None))


def record_check(wit_type: RecordType, fields: list[tuple[str, Check]]) -> Check:
    """Return the checker of a record; `fields` are its names with the checkers of their types."""
    names = [name for name, _ in fields]
    count = len(names)
    labels = Labels(names)

    def check(value: Any) -> list[Any]:
        if isinstance(value, dict) and len(value) == count:
            try:
                given = [value[name] for name in names]
            except KeyError:
                given = _given(value, wit_type, labels)
        else:
            given = _given(value, wit_type, labels)
        made: list[Any] = []
        try:
            for item, (_, one) in zip(given, fields, strict=True):
                made.append(one(item))
        except Misfit as misfit:
            raise misfit.under(f".{names[len(made)]}") from None
        return made

    return check


def _given(value: Any, wit_type: RecordType, labels: Labels) -> list[Any]:
    """Return the value of every field in order; `None` for an option left out."""
    mapping = _as_mapping(value, labels)
    if mapping is None:
        fields = f"Fields: {listed(labels.names)}."
        raise Misfit(value, wit_type, not_a(value, "a dict or object with its fields"), fields)
    found: dict[str, Any] = {}
    for key, item in mapping.items():
        name = labels.find(key)
        if name is None:
            raise Misfit(key, wit_type, "no such field", unknown(key, labels.names, "Fields"))
        if name in found:
            raise Misfit(value, wit_type, f"field {name!r} is given twice")
        found[name] = item
    absent = [f.name for f in wit_type.fields if f.name not in found and not isinstance(f.type, OptionType)]
    if absent:
        raise Misfit(value, wit_type, missing(absent))
    return [found.get(name) for name in labels.names]


def _as_mapping(value: Any, labels: Labels) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, _PLAIN):
        return None
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        named = getattr(value, "_asdict", None)
        mapping: Mapping[Any, Any] | None = named() if named is not None else None
        return mapping
    attributes = {name: _attribute(value, snake(name)) for name in labels.names}
    found = {name: item for name, item in attributes.items() if item is not _ABSENT}
    return found if found or not labels.names else None


def _attribute(value: Any, name: str) -> Any:
    """Return an attribute, also under the name with `_` that a Python keyword forces."""
    found = getattr(value, name, _ABSENT)
    return getattr(value, f"{name}_", _ABSENT) if found is _ABSENT else found
