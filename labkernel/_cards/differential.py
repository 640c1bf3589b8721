"""The card of a differential run: who agrees with whom, about which event they do not, the smallest such event."""

from __future__ import annotations

from collections.abc import Sequence

from labkernel._cards.model import Badge, Card, Code, Fact, Listing, Section, Tabular, Tone
from labkernel._fire import Agreement, Outcome
from labkernel._timing import Table, format_count

__all__ = ["agreement_card"]

_TEXT_SHOWN = 160
_CALL_SHOWN = 4000


def agreement_card(record: Agreement) -> Card:
    """Return the card of an agreement: the verdict, the matrix, the smallest disagreement, the first few."""
    names = record.names
    differ = record.fired - record.unanimous
    verdict = (
        Badge("all agree", "good") if not differ else Badge(f"{format_count(differ, 'disagreement')}", "bad")
    )
    sections: list[Section] = [_matrix(record), _kinds(record)]
    if record.shrunk is not None:
        sections.append(_outcomes("The smallest event they disagree about", names, record.shrunk_outcomes))
        sections.append(Code(f"That event ({record.shrunk.why})", _cut(record.shrunk.call, _CALL_SHOWN)))
    for found in record.disagreements[:1]:
        sections.append(_outcomes(f"The first disagreement: event {found.index + 1}", names, found.outcomes))
        sections.append(Code("That event", _cut(found.call, _TEXT_SHOWN if record.shrunk else _CALL_SHOWN)))
    if len(record.disagreements) > 1:
        more = [f"event {d.index + 1}: {_cut(d.call, _TEXT_SHOWN)}" for d in record.disagreements[1:]]
        sections.append(Listing("More of them", tuple(more), is_code=True))
    if record.notes:
        sections.append(Listing("Notes", record.notes))
    guests = [target.name for target in record.targets if target.digest]
    call = record.shrunk.call if record.shrunk else ""
    return Card(
        title=" and ".join([", ".join(names[:-1]), names[-1]]),
        kind="Differential",
        badges=(Badge(format_count(record.fired, "event")), verdict),
        facts=tuple(_facts(record)),
        sections=tuple(sections),
        next_line=f"%fire {guests[0]} {_cut(call, _CALL_SHOWN)}" if call and guests else "",
        next_why="fires that event at one of them" if call and guests else "",
    )


def _facts(record: Agreement) -> list[Fact]:
    facts = [Fact("function", record.function.text, is_code=True)]
    if record.fired < record.asked:
        facts.append(Fact("asked for", format_count(record.asked, "event")))
    if record.seed is not None:
        facts.append(Fact("seed", str(record.seed), "the same seed makes the same events everywhere"))
    how = "exactly" if not record.tolerance else f"within {record.tolerance:g}, relative and absolute"
    facts.append(Fact("floats", f"compared {how}"))
    return facts


def _matrix(record: Agreement) -> Section:
    rows = [
        (name, *(f"{n / record.fired:.1%}" if record.fired else "" for n in row))
        for name, row in zip(record.names, record.matrix, strict=True)
    ]
    columns = tuple(range(1, len(record.names) + 1))
    return Tabular("Agreement", Table("", ("", *record.names), tuple(rows), numeric=columns))


def _kinds(record: Agreement) -> Section:
    kinds = list(dict.fromkeys(kind for counts in record.kinds for kind in counts))
    rows = [
        (
            target.name,
            target.language,
            target.form,
            *(f"{counts.get(kind, 0):,}".replace(",", " ") for kind in kinds),
        )
        for target, counts in zip(record.targets, record.kinds, strict=True)
    ]
    columns = tuple(range(3, 3 + len(kinds)))
    return Tabular(
        "Outcomes", Table("", ("target", "language", "form", *kinds), tuple(rows), numeric=columns)
    )


def _outcomes(heading: str, names: Sequence[str], outcomes: Sequence[Outcome]) -> Section:
    rows = [
        (name, o.kind, _cut(o.text or "no result", _TEXT_SHOWN))
        for name, o in zip(names, outcomes, strict=True)
    ]
    tones: tuple[tuple[int, Tone], ...] = tuple(
        (i, "warn") for i, o in enumerate(outcomes) if o.kind != "answer"
    )
    return Tabular(
        heading, Table("", ("target", "outcome", "answer or error"), tuple(rows)), tones, code=(2,)
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 30]}… ({len(text)} characters)"
