"""Cards of the lab itself: the doctor's table, lists, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labkernel._cards.model import Badge, Card, Code, Section, Tabular, Tone
from labkernel._errors import LabError
from labkernel._timing import Table, format_count

__all__ = ["ToolLine", "deps_card", "doctor_card", "error_card", "list_card"]


@dataclass(frozen=True, slots=True)
class ToolLine:
    """One tool: its version (empty: not found), what it is for, and the line that installs it."""

    name: str
    version: str = ""
    purpose: str = ""
    how: str = ""
    is_optional: bool = True


def doctor_card(tools: Sequence[ToolLine], *, notes: Sequence[str] = (), next_line: str = "") -> Card:
    """Return the doctor's table; a missing tool shows what installs it.

    >>> print(doctor_card([ToolLine("rustc", "", "Rust snippets", "rustup target add wasm32-wasip2")]).text())
    Doctor: the tools of this lab [1 missing]
    Tools
      tool   state    version  for            to install
      -----  -------  -------  -------------  -------------------------------
      rustc  missing  -        Rust snippets  rustup target add wasm32-wasip2
    """
    missing = sum(not tool.version for tool in tools)
    badge = Badge(f"{missing} missing", "warn") if missing else Badge("all found", "good")
    rows = tuple(
        (t.name, "found" if t.version else "missing", t.version or "-", t.purpose, "" if t.version else t.how)
        for t in tools
    )
    tones: tuple[tuple[int, Tone], ...] = tuple((i, _tone(tool)) for i, tool in enumerate(tools))
    table = Table("", ("tool", "state", "version", "for", "to install"), rows).trimmed()
    return Card(
        title="the tools of this lab",
        kind="Doctor",
        badges=(badge,),
        sections=(Tabular("Tools", table, tones),),
        warnings=tuple(notes),
        next_line=next_line,
    )


def _tone(tool: ToolLine) -> Tone:
    return "good" if tool.version else "warn" if tool.is_optional else "bad"


def list_card(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    next_line: str = "",
) -> Card:
    """Return a card of one table, such as all components or all languages."""
    table = Table("", tuple(headers), tuple(tuple(row) for row in rows), tuple(numeric))
    empty = "" if rows else "There are none yet."
    counted = sum(bool(row[0]) for row in table.rows)
    sections: tuple[Section, ...] = (Tabular(format_count(counted, "row"), table),) if rows else ()
    return Card(title=title, kind="List", subtitle=empty, sections=sections, next_line=next_line)


def deps_card(folder: str, rows: Sequence[Sequence[str]], *, notes: Sequence[str] = ()) -> Card:
    """Return the card of a folder's packages: each with where it lies, what was done, why, and its digest."""
    card = list_card(
        f"packages of {folder}", ("package", "in", "state", "asked for as", "sha256"), rows,
        next_line=f"%%wit NAME --deps {folder}",
    )  # fmt: skip
    return replace(card, kind="Dependencies", warnings=tuple(notes), next_why="a cell that may refer to them")


def error_card(error: LabError, *, next_line: str = "") -> Card:
    """Return the card of an error the user can act on, with what the guest printed before it."""
    summary = str(getattr(error, "summary", "")) or str(error)
    first, _, rest = summary.partition("\n")
    sections: list[Section] = [Code("Details", rest)] if rest else []
    diagnostics = getattr(error, "diagnostics", ())
    if diagnostics:
        sections.append(Code("Where", "\n".join(d.render() for d in diagnostics), "bad"))
    if traceback := getattr(error, "traceback", ""):
        sections.append(Code("In the host function", str(traceback), "bad"))
    backtrace = getattr(error, "backtrace", "")
    if backtrace:
        sections.append(Code("Frames of the guest", str(backtrace), "bad"))
    if error.output:
        sections.append(Code("What the guest printed", error.output))
    return Card(
        title=first, kind="Error", badges=(Badge(type(error).__name__, "bad"),), sections=tuple(sections),
        next_line=next_line,
    )  # fmt: skip
