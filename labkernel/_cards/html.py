"""A card as HTML: semantic elements, scoped style, every text escaped, no script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from labkernel._cards.escape import escape
from labkernel._cards.model import Bars, Card, Code, Fact, Listing, Section, Tabular
from labkernel._cards.style import STYLE
from labkernel._timing import Table

__all__ = ["card_html"]

_LONG: Final = 6
#: What lies between two dollar signs of a guest's text is no formula (and could hold a link): MathJax's own words.
_NO_FORMULAS: Final = "mathjax_ignore tex2jax_ignore"
_SHORT: Final = 44


def card_html(card: Card) -> str:
    """Return the card as one `<section>`, labelled for screen readers by its kind and title."""
    label = ": ".join(filter(None, [card.kind, card.title])) or card.sections[0].heading
    body = "".join([_facts(card.facts), *(_section(section) for section in card.sections)])
    head, frame = _head(card), "lk-card"
    if card.is_folded:
        body = f'<details><summary class="lk-fold">{head}</summary>{body}</details>'
        head, frame = "", "lk-card lk-bare"
    parts = [head, body]
    if card.warnings:
        items = "".join(f"<li>{escape(warning)}</li>" for warning in card.warnings)
        parts.append(f'<ul class="lk-warnings" role="note" aria-label="Warnings">{items}</ul>')
    if card.next_line:
        parts.append(_next(card))
    inner = "".join(parts)
    return f'<section class="{frame} {_NO_FORMULAS}" aria-label="{_one(label)}"><style>{STYLE}</style>{inner}</section>'


def _one(text: str) -> str:
    return escape(text, one_line=True)


def _head(card: Card) -> str:
    if not card.title:
        return ""
    kind = f'<span class="lk-kind">{_one(card.kind)}</span>' if card.kind else ""
    # A notebook that is not trusted drops the style: a space then keeps words apart that a margin kept apart before.
    badges = " ".join(f'<span class="lk-badge lk-{b.tone}">{_one(b.text)}</span>' for b in card.badges)
    subtitle = f'<p class="lk-sub">{_one(card.subtitle)}</p>' if card.subtitle else ""
    return f'<div class="lk-head">{kind}<h4 class="lk-title">{_one(card.title)}</h4>{badges}</div>{subtitle}'


def _facts(facts: tuple[Fact, ...]) -> str:
    if not facts:
        return ""
    rows = "".join(
        f'<tr class="lk-row"><th scope="row">{_one(fact.label)}</th><td>{_value(fact)}</td></tr>'
        for fact in facts
    )
    return f'<table class="lk-table lk-facts"><tbody>{rows}</tbody></table>'


def _value(fact: Fact) -> str:
    value = f'<code class="lk-code">{_one(fact.value)}</code>' if fact.is_code else _one(fact.value)
    return value + (f' <span class="lk-note">{_one(fact.note)}</span>' if fact.note else "")


def _section(section: Section) -> str:
    heading = f'<h5 class="lk-sec">{_one(section.heading)}</h5>'
    match section:
        case Code(title, text, tone, is_folded):
            label = f'tabindex="0" role="region" aria-label="{_one(title)}"'
            shown = f'<pre class="lk-pre lk-{tone}" {label}>{escape(text)}</pre>'
            summary = f'<summary class="lk-fold">{_one(title)}</summary>'
            return f"<details>{summary}{shown}</details>" if is_folded else heading + shown
        case Listing(_, items, is_code):
            look = f"lk-list{' lk-mono' if is_code else ''}{' lk-columns' if _is_long(items) else ''}"
            return f'{heading}<ul class="{look}">{"".join(f"<li>{escape(item)}</li>" for item in items)}</ul>'
        case Bars():
            return heading + _bars(section)
        case Tabular(_, table):
            return heading + _table(table, dict(section.tones), section.code)


def _is_long(items: Sequence[str]) -> bool:
    """Whether a list is of many short items, which read better side by side."""
    return len(items) > _LONG and all(len(item) <= _SHORT for item in items)


def _bars(section: Bars) -> str:
    rows = []
    for bar in section.bars:
        width = f"{100 * max(0.0, min(bar.share, 1.0)):.1f}%"
        drawn = f'<span class="lk-bar" style="width:{width}"></span>' if bar.share > 0 else ""
        note = f'<td class="lk-note">{_one(bar.note)}</td>' if bar.note else "<td></td>"
        rows.append(
            f'<tr class="lk-row"><th scope="row">{_one(bar.label)}</th>'
            f'<td class="lk-num">{_one(bar.value)}</td>'
            f'<td class="lk-barcell" aria-hidden="true">{drawn}</td>{note}</tr>'
        )
    if section.total:
        rows.append(
            '<tr class="lk-row lk-total"><th scope="row">total</th>'
            f'<td class="lk-num">{_one(section.total)}</td><td></td><td></td></tr>'
        )
    label = _one(section.heading)
    return f'<table class="lk-table" aria-label="{label}"><tbody>{"".join(rows)}</tbody></table>'


def _table(table: Table, tones: dict[int, str], code: Sequence[int]) -> str:
    caption = f"<caption>{_one(table.caption)}</caption>" if table.caption else ""
    cells = enumerate(table.headers)
    head = "".join(f'<th scope="col"{_look(table, i)}>{_one(cell)}</th>' for i, cell in cells)
    thead = f'<thead><tr class="lk-row">{head}</tr></thead>' if any(table.headers) else ""
    body = "".join(_row(table, row, tones.get(i, ""), code) for i, row in enumerate(table.rows))
    inner = f"{caption}{thead}<tbody>{body}</tbody>"
    return f'<div class="lk-scroll"><table class="lk-table lk-grid">{inner}</table></div>'


def _row(table: Table, row: tuple[str, ...], tone: str, code: Sequence[int]) -> str:
    cells = "".join(
        f"<td{_look(table, i, code)}>{escape(cell)}</td>"
        if i
        else f'<th scope="row"{_look(table, 0, code)}>{escape(cell)}</th>'
        for i, cell in enumerate(row)
    )
    return f'<tr class="lk-row{f" lk-{tone}" if tone else ""}">{cells}</tr>'


def _look(table: Table, index: int, code: Sequence[int] = ()) -> str:
    """Return the class of a cell: figures to the right, code in its font, short names on one line."""
    looks = ["lk-num"] if index in table.numeric else ["lk-mono"] if index in code else []
    if index == 0:
        looks.append("lk-name" if all(len(row[0]) <= _SHORT for row in table.rows) else "lk-text")
    return f' class="{" ".join(looks)}"' if looks else ""


def _next(card: Card) -> str:
    why = f' <span class="lk-note">{_one(card.next_why)}</span>' if card.next_why else ""
    code = f'<code class="lk-code" title="Click to select, then copy">{escape(card.next_line)}</code>'
    return f'<div class="lk-next"><span class="lk-label">Next</span> {code}{why}</div>'
