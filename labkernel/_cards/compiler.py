"""What a compiler printed, and what a language says of a code: text of a tool, shown as it is.

It takes plain values and knows no toolchain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from labkernel._cards.model import Badge, Card, Code
from labkernel._errors import Diagnostic

__all__ = ["HEADING", "explanation_card", "output_card", "printed"]

HEADING: Final = "What the compiler printed"
#: No page gets slow by a compiler's chatter.
MOST: Final = 100_000
_FRAME: Final = re.compile(r"^[\s\d|^~_=<>:*-]*$|^\s*(-->|:::)\s")
_SUMMARY: Final = re.compile(
    r"^(error: aborting due to|error: could not compile|For more information about this|Some errors have detailed"
    r"|warning: .*\d+ warnings? emitted|\d+ (errors?|warnings?)( and \d+ \w+)? generated)"
)
_LEAD: Final = re.compile(
    r"^\s*\d*\s*\|\s?|^\s*=?\s*(help|note|error|warning)(\[\w+\])?:\s*|^.*?:\d+:\d+:\s*\w+(\[\w+\])?:\s*"
)


def printed(raw: str, shown: Iterable[Diagnostic]) -> str:
    """Return what a compiler printed, where it says more than what has been shown of it, else an empty string.

    >>> printed("error[E1]: no\\n --> a.rs:1:1\\n  |\\n1 | x\\n  | ^", [Diagnostic("no", line=1, text="x")])
    ''
    """
    told = "\n".join(f"{d.message}\n{d.hint}\n{d.text}" for d in shown)
    for line in raw.splitlines():
        if _FRAME.match(line) or _SUMMARY.match(line):
            continue
        words = re.sub(r"[\s^~]+$", "", _LEAD.sub("", line)).strip()
        words = re.sub(r"^[\s|^~-]+", "", words)
        if words and words not in told:
            return _bounded(raw.strip("\n"))
    return ""


def _bounded(text: str) -> str:
    if len(text) <= MOST:
        return text
    return f"{text[:MOST]}\n… and {len(text) - MOST:,} characters more: `.raw` has them all"


def output_card(text: str, title: str = "") -> Card:
    """Return the folded card of what a compiler printed; its plain text is empty."""
    return Card(title=title, sections=(Code(HEADING, text, is_folded=True),))


def explanation_card(code: str, language: str, text: str) -> Card:
    """Return the card of a language's own words on a diagnostic's code."""
    return Card(
        title=code, kind="Explanation", badges=(Badge(language),), sections=(Code(f"In {language}'s own words", text),)
    )  # fmt: skip
