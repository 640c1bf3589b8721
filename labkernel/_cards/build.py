"""Cards of what is made: a build, a WIT package. It takes plain values and knows no toolchain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from labkernel._cards.compiler import HEADING, printed
from labkernel._cards.model import Badge, Bar, Bars, Card, Code, Fact, Listing, Section, Tabular, Tone
from labkernel._errors import Diagnostic
from labkernel._timing import Phase, Table, format_bytes, format_ns
from labkernel._wit import Function, Interface, Package, World, body_text, type_text
from labkernel._wit.types import EnumType, FlagsType, RecordType, VariantType

__all__ = ["build_card", "phase_bars", "short_digest", "wit_card"]


def build_card(
    *,
    name: str,
    language: str,
    size: int,
    digest: str,
    form: str = "",
    world: str = "",
    phases: Mapping[str, int] | None = None,
    imports: Sequence[str] = (),
    exports: Sequence[str] = (),
    cached: bool = False,
    diagnostics: Sequence[Diagnostic] = (),
    raw: str = "",
    toolchain: str = "",
    compiler: str = "",
    is_shared: bool = False,
    notes: Sequence[str] = (),
    next_line: str = "",
    next_why: str = "",
) -> Card:
    """Return the card of a build; `phases` maps each phase to its nanoseconds, `exports` are signatures.

    >>> card = build_card(name="resize", language="rust", size=20480, digest="sha256:0123456789abcdef",
    ...                   cached=True, next_line="%instantiate resize")
    >>> print(card.text().splitlines()[0])
    Build: resize [rust] [cache hit]
    """
    badges = [*([Badge(language)] if language else []), *([Badge(form)] if form else [])]
    if phases or cached:
        badges.append(Badge("cache hit", "good") if cached else Badge("cache miss: built now"))
    facts = [
        *([Fact("world", world)] if world else []),
        Fact(
            "size", format_bytes(size), f"{size:,} bytes".replace(",", " ") + (_SHARED if is_shared else "")
        ),
        Fact("digest", short_digest(digest), is_code=True),
        *([Fact("made by", toolchain)] if toolchain else []),
        *([Fact("machine code by", compiler, _COMPILERS.get(compiler, ""))] if compiler else []),
    ]
    sections: list[Section] = []
    if exports:
        sections.append(Listing("Exports", tuple(exports), is_code=True))
    closed = ("none: it is closed to the outside",)
    sections.append(Listing("Imports it asks for", tuple(imports) or closed, is_code=bool(imports)))
    if phases:
        heading = "Phases when it was built" if cached else "Phases"
        sections.append(phase_bars(heading, phases))
    sections += _diagnostics(diagnostics, raw)
    return Card(
        title=name,
        kind="Build",
        badges=tuple(badges),
        facts=tuple(facts),
        sections=tuple(sections),
        warnings=tuple(notes),
        next_line=next_line,
        next_why=next_why,
    )


#: Said of a component that reads its snippet when it starts.
_SHARED: Final = ": a runtime that all cells of this world share"
_COMPILERS: Final = {
    "winch": "quick to make, slower to run: for editing; --release takes cranelift",
    "pulley": "interpreted",
}


def short_digest(digest: str) -> str:
    """Return a digest short enough to read, long enough to tell builds of one lab apart.

    >>> short_digest("sha256:0123456789abcdef0123")
    'sha256:0123456789ab'
    """
    algorithm, colon, digits = digest.rpartition(":")
    return f"{algorithm}{colon}{digits[:12]}"


def phase_bars(heading: str, phases: Mapping[str, int]) -> Bars:
    """Return the phases in the closed list's order, each with a bar for its share of the total."""
    order = {str(phase): place for place, phase in enumerate(Phase)}
    steps = sorted(phases.items(), key=lambda step: order.get(str(step[0]), len(order)))
    total = sum(phases.values())
    bars = tuple(
        Bar(str(name), format_ns(ns), ns / total if total else 0.0, _what(str(name))) for name, ns in steps
    )
    return Bars(heading, bars, format_ns(total) if len(bars) > 1 else "")


def _what(name: str) -> str:
    try:
        return Phase(name).what
    except ValueError:
        return ""


def _diagnostics(diagnostics: Sequence[Diagnostic], raw: str) -> list[Section]:
    if not diagnostics:
        return []
    worst: Tone = "bad" if any(d.severity == "error" for d in diagnostics) else "warn"
    text = "\n".join(diagnostic.render() for diagnostic in diagnostics)
    more = printed(raw, diagnostics)
    return [
        Code("What the compiler says", text, worst),
        *([Code(HEADING, more, is_folded=True)] if more else []),
    ]


def wit_card(
    package: Package, *, name: str = "", notes: Sequence[str] = (), next_cell: str = "", next_why: str = ""
) -> Card:
    """Return the card of a WIT package: worlds, functions, types, notes, and the next cell to paste.

    `name` is what the lab calls it; the package's own notes come before `notes`.
    """
    sections: list[Section] = []
    for world in package.worlds:
        sections.append(Tabular(f"World {world.name}", _world_table(world).trimmed(), code=(1,)))
    shown = {item.name for world in package.worlds for item in world.exports}
    for interface in package.interfaces:
        if interface.functions and interface.name not in shown:
            rows = tuple(_function_row("function", f) for f in interface.functions)
            sections.append(
                Tabular(f"Interface {interface.name}", Table("", _HEADERS, rows).trimmed(), code=(1,))
            )
    types = tuple(_types(package))
    if types:
        sections.append(Tabular("Types", Table("", ("type", "is", "meaning"), types).trimmed(), code=(0, 1)))
    every_note = (*package.notes, *notes)
    if every_note:
        sections.append(Listing("Notes", every_note))
    return Card(
        title=package.name or name,
        kind="WIT package",
        subtitle=_first_sentence(package.docs),
        badges=(Badge(f"known as {name}"),) if name else (),
        sections=tuple(sections),
        next_line=next_cell,
        next_why=next_why,
    )


_HEADERS = ("", "signature", "meaning")


def _world_table(world: World) -> Table:
    rows: list[tuple[str, ...]] = []
    for direction, items in (("imports", world.imports), ("exports", world.exports)):
        for item in items:
            if isinstance(item, Function):
                rows.append(_function_row(direction, item))
            else:
                rows += _interface_rows(direction, item)
    return Table(_first_sentence(world.docs), _HEADERS, tuple(rows))


def _interface_rows(direction: str, interface: Interface) -> Iterable[tuple[str, ...]]:
    yield direction, f"interface {interface.name}", _first_sentence(interface.docs)
    for function in interface.functions if direction == "exports" else ():
        yield "", function.text, _first_sentence(function.docs)


def _function_row(direction: str, function: Function) -> tuple[str, ...]:
    """Return a function's row; what the component model writes as `[method]safe.open` is a method `safe.open`."""
    kind, mark, rest = function.text.partition("]")
    if mark and kind.startswith("["):
        return kind[1:] if direction == "function" else direction, rest, _first_sentence(function.docs)
    return direction, function.text, _first_sentence(function.docs)


def _types(package: Package) -> Iterable[tuple[str, ...]]:
    of_worlds = (named for world in package.worlds for named in world.types)
    of_interfaces = (named for interface in package.interfaces for named in interface.types)
    for named in (*of_worlds, *of_interfaces):
        if named.alias_of:
            body = f"= {named.alias_of}"
        elif isinstance(named.type, RecordType | VariantType | EnumType | FlagsType):
            body = body_text(named.type)
        else:
            body = type_text(named.type)
        yield named.name, body, _first_sentence(named.docs)


def _first_sentence(docs: str) -> str:
    """Return the first sentence of a comment, whichever lines it is written on.

    >>> _first_sentence("A clock that tells\\nthe time. It may jump.")
    'A clock that tells the time.'
    """
    paragraph = " ".join(docs.strip().partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph, maxsplit=1)[0]
