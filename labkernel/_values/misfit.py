"""A value that does not fit, on its way up: every level adds its step to the path.

Owns the wording of misfits, so that Python values and WAVE text are refused in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable

from labkernel._errors import ValueDoesNotFit, did_you_mean
from labkernel._values.place import excerpt, where
from labkernel._wit import Type, type_text

__all__ = ["Misfit", "listed", "missing", "not_a", "unknown"]

_LISTED = 16


class Misfit(Exception):
    """Raised by a checker where the value stands; `under` adds one step of the path.

    `span` is the value's place in WAVE text, and then stands for `value`.
    """

    __slots__ = ("hint", "span", "steps", "value", "why", "wit_type")

    def __init__(
        self,
        value: object,
        wit_type: Type,
        why: str = "",
        hint: str = "",
        *,
        span: tuple[int, int] | None = None,
    ) -> None:
        self.value = value
        self.wit_type = wit_type
        self.why = why
        self.hint = hint
        self.span = span
        self.steps: list[str] = []

    def under(self, step: str) -> Misfit:
        """Add one step to the path, innermost first: `.field` or `[index]`."""
        self.steps.append(step)
        return self

    def error(self, root: str, text: str = "") -> ValueDoesNotFit:
        """Return the user's error; `text` is the WAVE text that `span` points into."""
        path = root + "".join(reversed(self.steps))
        hint, value = self.hint, self.value
        if self.span is not None:
            start, end = self.span
            value = _Verbatim(text[start:end])
            place = f"At {where(text, start)}:\n{excerpt(text, start, end)}"
            hint = f"{hint} {place}" if hint else place
        made = ValueDoesNotFit(path, _showable(value), type_text(self.wit_type), why=self.why, hint=hint)
        made.value = value
        return made


class _Verbatim(str):
    """Text that is shown as it stands, without Python's quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _showable(value: object) -> object:
    """Return the value, or words about it where its own `repr` fails (huge ints, deep nesting)."""
    try:
        repr(value)
    except Exception:  # noqa: BLE001 - a stranger's repr may raise anything, and this message must still be made
        if isinstance(value, int):
            return _Verbatim(f"<an integer of {value.bit_length()} bits>")
        return _Verbatim(f"<a {type(value).__name__} without a repr>")
    return value


def not_a(value: object, expected: str) -> str:
    """Say that a Python value is of the wrong kind.

    >>> not_a(True, "an integer"), not_a(None, "a string")
    ('a bool, not an integer', 'not a string')
    """
    if value is None:
        return f"not {expected}"
    kind = type(value).__name__
    if kind == "bytes":
        return f"bytes, not {expected}"
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}, not {expected}"


def listed(names: Iterable[str]) -> str:
    """Return names with commas between, the rest of a long list counted."""
    known = list(names)
    more = len(known) - _LISTED
    return ", ".join(known[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def unknown(word: object, known: Iterable[str], noun: str) -> str:
    """Return the next step for a name that is not declared: the nearest one, or all of them."""
    names = list(known)
    near = did_you_mean(word.replace("_", "-"), names).strip() if isinstance(word, str) else ""
    return near or f"{noun}: {listed(names)}."


def missing(names: list[str]) -> str:
    """Say which fields are missing.

    >>> missing(["a"]), missing(["a", "b"])
    ("field 'a' is missing", "fields 'a', 'b' are missing")
    """
    quoted = ", ".join(map(repr, names))
    return f"field {quoted} is missing" if len(names) == 1 else f"fields {quoted} are missing"
