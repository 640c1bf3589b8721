"""What a source knows of its rows before any is read, and what is told of them after they were mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Hints", "Mapped"]


@dataclass(frozen=True, slots=True)
class Hints:
    """What a source knows of its own rows.

    `paths`: where parts of a name are found, `cases`: words in an enum's cases that values (globs) mean.
    `digits`: text of digits is a number; `whole`: so is a float without a fraction; `as_text`: a lone string
    or list of bytes is the row as JSON. `millis`: keys whose digits are milliseconds since 1970.
    """

    paths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    digits: bool = False
    whole: bool = False
    as_text: bool = False
    millis: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mapped:
    """One part of an event, where it came from, and why from there; an empty source is a value not given."""

    target: str
    source: str
    how: str

    def __str__(self) -> str:
        return f"{self.target} ← {self.source}" if self.source else f"{self.target}: {self.how}"
