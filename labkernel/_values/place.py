"""Where something stands in a text the user wrote: line, column, and an excerpt with a caret."""

from __future__ import annotations

from typing import Final

from labkernel._errors import UsageError

__all__ = ["excerpt", "syntax_error", "where"]

_WIDTH: Final = 100


def where(text: str, start: int) -> str:
    """Return `column 5`, or `line 2, column 5` in a text of several lines.

    >>> where("ab", 1), where("ab" + chr(10) + "cd", 3)
    ('column 2', 'line 2, column 1')
    """
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    line = text.count("\n", 0, start) + 1
    return f"line {line}, column {column}" if "\n" in text.strip("\n") else f"column {column}"


def excerpt(text: str, start: int, end: int) -> str:
    """Return the line at `start`, cut to a readable width, and carets under `start` to `end`."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    line = text[first : len(text) if last < 0 else last].rstrip("\r")
    column = start - first
    width = max(1, min(end, first + len(line)) - start)
    cut = max(0, column - _WIDTH * 2 // 3) if len(line) > _WIDTH else 0
    shown = line[cut : cut + _WIDTH]
    if cut:
        shown = "…" + shown[1:]
    if len(line) > cut + _WIDTH:
        shown += "…"
    shown = "".join(c if c.isprintable() else " " for c in shown)
    carets = "^" * max(1, min(width, len(shown) - (column - cut)))
    return f"    {shown}\n    {' ' * (column - cut)}{carets}"


def syntax_error(text: str, start: int, end: int, message: str, hint: str = "") -> UsageError:
    """Return the error for text that is no WAVE, with its place and a caret."""
    hint = f" {hint}" if hint else ""
    return UsageError(f"{message} at {where(text, start)}.{hint}\n{excerpt(text, start, end)}")
