"""Names as Python and JSON users write them: snake_case and UPPER_CASE for WIT's kebab-case."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

__all__ = ["KEYWORDS", "Labels", "snake"]

KEYWORDS: Final = frozenset({"true", "false", "inf", "nan", "some", "none", "ok", "err"})


def snake(name: str) -> str:
    """Return the Python name of a WIT name.

    >>> snake("event-type")
    'event_type'
    """
    return name.replace("-", "_")


class Labels:
    """The declared names of one type, found exactly or with tolerance."""

    __slots__ = ("_loose", "names")

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._loose = {_loosely(n): n for n in self.names}
        self._loose.update((n, n) for n in self.names)

    def find(self, word: object) -> str | None:
        """Return the declared name for a string or a member of a Python enum, or `None`.

        >>> Labels(["object-added"]).find("OBJECT_ADDED")
        'object-added'
        """
        if isinstance(word, enum.Enum):
            return self.find(word.name) or (self.find(word.value) if isinstance(word.value, str) else None)
        if not isinstance(word, str):
            return None
        return self._loose.get(word) or self._loose.get(_loosely(word))


def _loosely(word: str) -> str:
    return word.replace("_", "-").lower()
