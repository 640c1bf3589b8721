"""How often each result came, in words: values while they are few, their cases where they are many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

__all__ = ["OTHERS", "by_kind"]

OTHERS: Final = "other values"
"""Stands for values beyond those that were told apart."""

_SHOWN: Final = 8
#: The cases a result begins with (at most two, one in the other), or a case without a payload.
_CASE: Final = re.compile(r"(?:%?[a-z][a-z0-9-]*\(){1,2}|%?[a-z][a-z0-9-]*$")


def by_kind(found: Mapping[str, int]) -> dict[str, int]:
    """Return counts of results (WAVE text), most often first, at most so many that they can be read.

    Where there are many they are put together by their cases, and what has no case by how many there are.
    """
    counts = Counter(found)
    if len(counts) > _SHOWN:
        counts = _by_case(counts)
    kinds: Counter[str] = Counter()
    for text, n in counts.items():
        kinds[_cut(text)] += n
    shown = kinds.most_common()
    others = shown[_SHOWN:]
    rest = {f"{len(others)} other results": sum(n for _, n in others)} if others else {}
    return {**dict(shown[:_SHOWN]), **rest}


def _by_case(found: Counter[str]) -> Counter[str]:
    """Return counts of results by their case: of `err(missing("a"))` and its like as `err(missing(…))`.

    >>> dict(_by_case(Counter({"ok(1)": 2, "ok(2)": 1, "none": 4, "7": 1, "8": 1})))
    {'ok(…)': 3, 'none': 4, '2 different values': 2}
    """
    cases: Counter[str] = Counter()
    values = Counter({text: n for text, n in found.items() if not _CASE.match(text)})
    for text, n in found.items():
        case = _CASE.match(text)
        if case:
            cases[f"{case[0]}…{')' * case[0].count('(')}" if "(" in case[0] else text] += n
    uncounted = "more than " if values[OTHERS] else ""
    if len(values) > 1:
        different = len(values) - bool(uncounted)
        values = Counter({f"{uncounted}{different} different values": values.total()})
    cases += values
    return cases


def _cut(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
