"""Whether a value fits its WIT type, told before the runtime takes it: that would only panic.

A type is a list as the plan holds it: `["int", low, high]`, `["list", inner]` and so on. The check of one is a
function that returns `None`, or what is wrong: the way to the part, the part, what was expected there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

__all__ = ["Check", "check_of", "misfit"]

Problem: TypeAlias = tuple[str, Any, str]
Check: TypeAlias = Callable[[Any], Problem | None]

_PLAIN = {
    "bool": ((bool,), "True or False"),
    "float": ((float, int), "a number"),
    "bytes": ((bytes,), "bytes"),
    "none": ((type(None),), "None"),
}


def misfit(where: str, problem: Problem) -> TypeError:
    """Return the error for a value that does not fit."""
    path, value, expected = problem
    shown = repr(value)
    shown = shown if len(shown) <= 200 else f"{shown[:199]}…"
    return TypeError(f"{where}{path} is {shown}; expected {expected}")


def check_of(kind: Sequence[Any] | None) -> Check:
    """Return the check of a type; of none, that nothing is to be checked."""
    if kind is None:
        return _anything
    name, *rest = kind
    if name in _PLAIN:
        return _plain(*_PLAIN[name])
    return _MAKERS[name](*rest)


def _anything(value: Any) -> None:
    return None


def _plain(kinds: tuple[type, ...], expected: str) -> Check:
    return lambda value: None if isinstance(value, kinds) else ("", value, expected)


def _int(low: int, high: int) -> Check:
    expected = f"a whole number from {low} to {high}"
    return lambda value: None if isinstance(value, int) and low <= value <= high else ("", value, expected)


def _str() -> Check:
    def check(value: Any) -> Problem | None:
        if not isinstance(value, str):
            return "", value, "text"
        try:
            value.isascii() or value.encode()
        except UnicodeEncodeError:
            return "", value, "text without halves of characters"
        return None

    return check


def _char() -> Check:
    text = _str()
    return lambda value: text(value) or (None if len(value) == 1 else ("", value, "one character"))


def _list(inner: Sequence[Any] | None) -> Check:
    check = check_of(inner)
    is_plain = _all_fit(*(inner or [""]))

    def check_list(value: Any) -> Problem | None:
        if not isinstance(value, list):
            return "", value, "a list"
        if not value or is_plain(value):
            return None
        for index, each in enumerate(value):
            if problem := check(each):
                return f"[{index}]{problem[0]}", *problem[1:]
        return None

    return check_list


def _all_fit(name: str, *bounds: Any) -> Callable[[list[Any]], bool]:
    """Return a quick test that all of a list fits, for types of numbers; where it says no, each is looked at."""
    kinds: dict[str, set[type]] = {"float": {float, int}, "bool": {bool}, "bytes": {bytes}}
    if name == "int":
        low, high = bounds
        return lambda value: {int}.issuperset(map(type, value)) and min(value) >= low and max(value) <= high
    fitting = kinds.get(name, set())
    return lambda value: fitting.issuperset(map(type, value))


def _option(inner: Sequence[Any], is_nested: bool) -> Check:
    check = check_of(inner)
    if not is_nested:
        return lambda value: None if value is None else check(value)

    def check_nested(value: Any) -> Problem | None:
        if value is None:
            return None
        if type(value).__name__ != "Some":
            return "", value, "None or Some(...)"
        return _below(".value", check(value.value))

    return check_nested


def _result(ok: Sequence[Any], err: Sequence[Any]) -> Check:
    common = importlib.import_module("componentize_py_types")
    checks = {common.Ok: check_of(ok), common.Err: check_of(err)}

    def check(value: Any) -> Problem | None:
        inner = checks.get(type(value))
        return ("", value, "Ok(...) or Err(...)") if inner is None else _below(".value", inner(value.value))

    return check


def _tuple(inner: Sequence[Sequence[Any]]) -> Check:
    checks = [check_of(each) for each in inner]
    expected = f"a tuple of {len(checks)}"

    def check(value: Any) -> Problem | None:
        if not isinstance(value, tuple) or len(value) != len(checks):
            return "", value, expected
        for index, (each, part) in enumerate(zip(checks, value, strict=True)):
            if problem := each(part):
                return f"[{index}]{problem[0]}", *problem[1:]
        return None

    return check


def _record(name: str, fields: Sequence[tuple[str, Sequence[Any]]]) -> Check:
    checks = [(field, check_of(kind)) for field, kind in fields]

    def check(value: Any) -> Problem | None:
        for field, each in checks:
            try:
                part = getattr(value, field)
            except AttributeError:
                return "", value, f"{name}({', '.join(field for field, _ in checks)})"
            if problem := each(part):
                return f".{field}{problem[0]}", *problem[1:]
        return None

    return check


def _variant(name: str, cases: dict[str, Sequence[Any] | None]) -> Check:
    checks = {case: None if kind is None else check_of(kind) for case, kind in cases.items()}
    some = list(cases)[:6]
    expected = f"one of {', '.join(some)}{', ...' if len(cases) > len(some) else ''}"

    def check(value: Any) -> Problem | None:
        kind = type(value)
        if kind.__name__ not in checks or not kind.__module__.startswith("wit_world"):
            return "", value, expected
        inner = checks[kind.__name__]
        return None if inner is None else _below(".value", inner(value.value))

    return check


def _named(name: str, expected: str) -> Check:
    def check(value: Any) -> Problem | None:
        kind = type(value)
        is_right = kind.__name__ == name and kind.__module__.startswith("wit_world")
        return None if is_right else ("", value, expected)

    return check


def _below(step: str, problem: Problem | None) -> Problem | None:
    return None if problem is None else (f"{step}{problem[0]}", *problem[1:])


_MAKERS: dict[str, Callable[..., Check]] = {
    "int": _int,
    "str": _str,
    "char": _char,
    "list": _list,
    "option": _option,
    "result": _result,
    "tuple": _tuple,
    "record": _record,
    "variant": _variant,
    "enum": _named,
    "flags": _named,
}
