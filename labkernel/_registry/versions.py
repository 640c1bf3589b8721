"""Versions and what one asks of them, by the rules of Semantic Versioning 2.0 and of Cargo's requirements.

`1.2` and `^1.2` ask for 1.2.0 or later below 2.0.0, `^0.2` for 0.2.x, `~1.2` for 1.2.x, `=1.2.3` for that one;
`>=`, `>`, `<=`, `<` and `*` are as one reads them, and a comma joins several. A pre-release answers only where one of
its own `major.minor.patch` is asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from labkernel._errors import UsageError

__all__ = ["Requirement", "Version", "is_compatible", "try_version"]

_NUMBER: Final = r"(?:0|[1-9]\d{0,17})"
_DOTTED: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION: Final = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_DOTTED}))?(?:\+({_DOTTED}))?", re.ASCII
)
_PART: Final = re.compile(
    rf"(\^|~|=|>=|<=|>|<|)\s*({_NUMBER})(?:\.({_NUMBER}|\*))?(?:\.({_NUMBER}|\*))?(?:-({_DOTTED}))?(?:\+{_DOTTED})?",
    re.ASCII,
)

_Core = tuple[int, int, int]


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """One version; ordered as Semantic Versioning says, then by build metadata."""

    core: _Core
    pre: str = ""
    build: str = ""

    def __str__(self) -> str:
        pre, build = f"-{self.pre}" if self.pre else "", f"+{self.build}" if self.build else ""
        return f"{self.core[0]}.{self.core[1]}.{self.core[2]}{pre}{build}"

    def __lt__(self, other: Version) -> bool:
        return (self.rank, self.build) < (other.rank, other.build)

    @property
    def rank(self) -> tuple[_Core, bool, list[tuple[bool, int, str]]]:
        """What versions are ordered by."""
        parts = self.pre.split(".") if self.pre else []
        words = [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts]
        return self.core, not self.pre, words


def try_version(text: str) -> Version | None:
    """Return the version a text writes, or `None`.

    >>> str(try_version("0.2.0-rc.1+b"))
    '0.2.0-rc.1+b'
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    return Version((int(match[1]), int(match[2]), int(match[3])), match[4] or "", match[5] or "")


def is_compatible(wanted: str, there: str) -> bool:
    """Return whether a package at version `there` can stand in for one asked for as `wanted` (empty: any).

    >>> is_compatible("0.2.0", "0.2.12"), is_compatible("0.2.0", "0.3.0")
    (True, False)
    """
    if not wanted or wanted == there:
        return True
    asked, found = try_version(wanted), try_version(there)
    if asked is None or found is None or asked.pre or found.pre:
        return False
    return asked.core <= found.core < _above(asked.core, 3)


@dataclass(frozen=True, slots=True)
class _Range:
    """Versions from `low` to `high`, either end open where it is `None`; `named` is what was written."""

    named: Version
    low: Version | None = None
    high: Version | None = None
    is_low_in: bool = True
    is_high_in: bool = False

    def accepts(self, version: Version) -> bool:
        rank = version.rank
        is_above = self.low is None or self.low.rank < rank or (self.is_low_in and self.low.rank == rank)
        is_below = self.high is None or rank < self.high.rank or (self.is_high_in and self.high.rank == rank)
        return is_above and is_below

    def allows_pre(self, version: Version) -> bool:
        return bool(self.named.pre) and self.named.core == version.core


@dataclass(frozen=True, slots=True)
class Requirement:
    """What is asked of a version."""

    text: str
    parts: tuple[_Range, ...]

    @classmethod
    def from_text(cls, text: str) -> Requirement:
        """Return the requirement a text writes; raises `UsageError`.

        >>> Requirement.from_text("^0.2.3").accepts(try_version("0.2.12"))
        True
        """
        if text.strip() == "*":
            return cls("*", ())
        found = []
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None or len(text) > 200:
                raise UsageError(
                    f'{text[:200]!r} is no version requirement; write one such as "0.2.6", "=1.2.3" or ">=1.2, <2".'
                )
            found.append(_range(match))
        return cls(", ".join(part.strip() for part in text.split(",")), tuple(found))

    def accepts(self, version: Version) -> bool:
        """Return whether a version answers the requirement."""
        if version.pre and not any(part.allows_pre(version) for part in self.parts):
            return False
        return all(part.accepts(version) for part in self.parts)

    def best(self, versions: Iterable[Version]) -> Version | None:
        """Return the highest version that answers the requirement."""
        return max((v for v in versions if self.accepts(v)), default=None)


def _range(match: re.Match[str]) -> _Range:
    sign, numbers = match[1], (match[2], match[3], match[4])
    count = next((i for i, n in enumerate(numbers) if n in (None, "*")), 3)
    if not sign:
        sign = "=" if "*" in numbers else "^"
    major, minor, patch = (int(n) if i < count and n else 0 for i, n in enumerate(numbers))
    core = (major, minor, patch)
    named, beyond = Version(core, match[5] or ""), Version(_after(core, count))
    match sign:
        case "^":
            return _Range(named, named, Version(_above(core, count)))
        case "~":
            return _Range(named, named, Version(_after(core, min(count, 2))))
        case "=" if count == 3:
            return _Range(named, named, named, is_high_in=True)
        case "=":
            return _Range(named, named, beyond)
        case ">=":
            return _Range(named, named)
        case ">":
            return _Range(named, named, is_low_in=False) if count == 3 else _Range(named, beyond)
        case "<=" if count < 3:
            return _Range(named, None, beyond)
        case _:
            return _Range(named, None, named, is_high_in=sign == "<=")


def _after(core: _Core, count: int) -> _Core:
    """Return the first version beyond those that begin with the first `count` numbers."""
    major, minor, patch = core
    return ((major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1))[count - 1]


def _above(core: _Core, count: int) -> _Core:
    """Return the first version that is not compatible with `core`, of which `count` numbers were written."""
    major, minor, _ = core
    if major or count == 1:
        return _after(core, 1)
    if minor or count == 2:
        return _after(core, 2)
    return _after(core, 3)
