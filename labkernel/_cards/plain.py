"""A card as plain text: what a terminal, a log or a reader without HTML gets."""

from __future__ import annotations

import textwrap
from typing import Final

from labkernel._cards.model import Bars, Card, Code, Fact, Listing, Section, Tabular
from labkernel._timing import Table, text_width, visible

__all__ = ["card_text"]

_BAR_WIDTH: Final = 20
_INDENT: Final = "  "


def card_text(card: Card) -> str:
    """Return all facts of the card as plain text, without trailing spaces and without control characters."""
    parts = [_head(card), _facts(card.facts), *(_section(section) for section in card.sections)]
    if card.warnings:
        parts.append("\n".join(["Warnings", *(_item(warning, mark="! ") for warning in card.warnings)]))
    if card.next_line:
        parts.append(_next(card))
    lines = "\n".join(part for part in parts if part).split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _one(text: str) -> str:
    return visible(text, one_line=True)


def _head(card: Card) -> str:
    badges = "".join(f" [{_one(badge.text)}]" for badge in card.badges)
    kind = f"{_one(card.kind)}: " if card.kind else ""
    if not card.title:
        return ""
    lines = [f"{kind}{_one(card.title)}{badges}"]
    if card.subtitle:
        lines.append(_INDENT + _one(card.subtitle))
    return "\n".join(lines)


def _facts(facts: tuple[Fact, ...]) -> str:
    width = max((text_width(_one(fact.label)) for fact in facts), default=0)
    lines = []
    for fact in facts:
        label = _one(fact.label)
        note = f"  ({_one(fact.note)})" if fact.note else ""
        lines.append(f"{_INDENT}{label}{' ' * (width - text_width(label))}  {_one(fact.value)}{note}")
    return "\n".join(lines)


def _section(section: Section) -> str:
    match section:
        case Code(is_folded=True):
            return ""
        case Code(heading, text):
            return f"{_one(heading)}\n{textwrap.indent(visible(text), _INDENT, lambda _: True)}"
        case Listing(heading, items):
            return "\n".join([_one(heading), *(_item(item) for item in items)])
        case Bars():
            return _bars(section)
        case Tabular(heading, table):
            return f"{_one(heading)}\n{textwrap.indent(_table(table).text(), _INDENT)}"


def _item(text: str, *, mark: str = "- ") -> str:
    first, *rest = visible(text).split("\n")
    return "\n".join([f"{_INDENT}{mark}{first}", *(f"{_INDENT}  {line}" for line in rest)])


def _table(table: Table) -> Table:
    return Table(
        _one(table.caption),
        tuple(_one(cell) for cell in table.headers),
        tuple(tuple(_one(cell) for cell in row) for row in table.rows),
        table.numeric,
    )


def _bars(section: Bars) -> str:
    rows = [(_one(b.label), _one(b.value), _bar(b.share), _one(b.note)) for b in section.bars]
    if section.total:
        rows.append(("total", _one(section.total), "", ""))
    table = Table("", ("", "", "", ""), tuple(rows), numeric=(1,))
    return f"{_one(section.heading)}\n{textwrap.indent(table.text(), _INDENT)}"


def _bar(share: float) -> str:
    return "▇" * max(1, round(min(share, 1.0) * _BAR_WIDTH)) if share > 0 else ""


def _next(card: Card) -> str:
    why = f"    ({_one(card.next_why)})" if card.next_why else ""
    first, *rest = visible(card.next_line).split("\n")
    return "\n".join([f"Next: {first}{why}", *(f"      {line}" for line in rest)])
