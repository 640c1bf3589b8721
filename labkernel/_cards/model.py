"""What a card says, as data: one model, shown as HTML and as plain text with the same facts.

A card has a title, badges, facts in rows, sections, warnings, and the next line to type. It knows nothing of
builds, instances or runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from labkernel._timing import Table

__all__ = ["Badge", "Bar", "Bars", "Card", "Code", "Fact", "Listing", "Section", "Tabular", "Tone"]

Tone: TypeAlias = Literal["plain", "good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A word or two beside the title; its tone is never its only meaning."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of a card: a label, its value, and an explanation that both forms show."""

    label: str
    value: str
    note: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A heading and text of a program or of a guest, shown as it is.

    One that is folded is opened by a click; plain text, which has none, leaves it out.
    """

    heading: str
    text: str
    tone: Tone = "plain"
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A heading and items, one a line; `is_code` for what one could type."""

    heading: str
    items: tuple[str, ...]
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One measured step: its name, its time as text, and its share of the longest (0 to 1) as a bar."""

    label: str
    value: str
    share: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """A heading and steps with bars; `total` is shown under them."""

    heading: str
    bars: tuple[Bar, ...]
    total: str = ""


@dataclass(frozen=True, slots=True)
class Tabular:
    """A heading and a table; `tones` colours rows by their index, `code` names columns of what one could type."""

    heading: str
    table: Table
    tones: tuple[tuple[int, Tone], ...] = ()
    code: tuple[int, ...] = ()


Section: TypeAlias = Code | Listing | Bars | Tabular


@dataclass(frozen=True, slots=True)
class Card:
    """All that a card says.

    `next_line` is what one would type next, `next_why` says what it does; `warnings` stand before it. A
    folded card shows its title and its warnings until it is opened.
    """

    title: str
    kind: str = ""
    subtitle: str = ""
    badges: tuple[Badge, ...] = ()
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = field(default=())
    warnings: tuple[str, ...] = ()
    next_line: str = ""
    next_why: str = ""
    is_folded: bool = False

    def html(self) -> str:
        """Return the card as one element of HTML with its own style."""
        from labkernel._cards.html import card_html

        return card_html(self)

    def text(self) -> str:
        """Return the same facts as plain text."""
        from labkernel._cards.plain import card_text

        return card_text(self)

    def bundle(self) -> dict[str, str]:
        """Return both forms by mime type, as a notebook displays them."""
        return {"text/html": self.html(), "text/plain": self.text()}
