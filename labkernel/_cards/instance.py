"""The card of a started component: what stands behind each import, its budgets, how to start it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labkernel._cards.build import phase_bars, short_digest
from labkernel._cards.model import Badge, Card, Code, Fact, Listing, Section, Tabular, Tone
from labkernel._timing import Table

__all__ = ["Standing", "instance_card"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands behind one import.

    `state` is `granted`, `virtual`, `real`, `captured`, `empty`, `refused` or `traps`.
    """

    import_name: str
    state: str
    detail: str = ""


_TONES: Final[dict[str, Tone]] = {
    "granted": "good",
    "real": "good",
    "virtual": "good",
    "captured": "good",
    "empty": "plain",
    "refused": "warn",
    "traps": "bad",
}


def instance_card(
    *,
    component: str,
    name: str = "",
    digest: str = "",
    compiler: str = "",
    imports: Sequence[Standing] = (),
    budgets: Mapping[str, str] | None = None,
    phases: Mapping[str, int] | None = None,
    run_line: str = "",
    differences: Sequence[str] = (),
    started_anew: str = "",
    warnings: Sequence[str] = (),
    next_line: str = "",
    next_why: str = "",
) -> Card:
    """Return the card of an instance.

    `name` is left out for a component's own instance. `run_line` is the equivalent `wasmtime run` line, where
    there is one; `differences` say where it does not mean quite the same. `started_anew` says why.

    >>> imports = [Standing("wasi:cli/stdout", "captured")]
    >>> card = instance_card(component="resize", name="fn", imports=imports, budgets={"call": "5 s"})
    >>> print(card.text())
    Instance: fn
      component  resize
      budgets    call 5 s
    What stands behind each import
      import           state     what it means
      ---------------  --------  -------------
      wasi:cli/stdout  captured
    """
    note = short_digest(digest) if digest else ""
    facts = [Fact("component", component, note), *([Fact("machine code by", compiler)] if compiler else [])]
    if budgets:
        facts.append(Fact("budgets", " · ".join(f"{budget} {limit}" for budget, limit in budgets.items())))
    sections: list[Section] = [_standings(imports)]
    if phases:
        sections.append(phase_bars("Phases", phases))
    if run_line:
        sections.append(Code("The same with the wasmtime command", run_line))
    if differences:
        sections.append(Listing("Where that differs", tuple(differences)))
    return Card(
        title=name or component,
        kind="Instance",
        subtitle=started_anew,
        badges=(Badge("started anew", "good"),) if started_anew else (),
        facts=tuple(facts),
        sections=tuple(sections),
        warnings=tuple(warnings),
        next_line=next_line,
        next_why=next_why,
    )


def _standings(imports: Sequence[Standing]) -> Section:
    heading = "What stands behind each import"
    if not imports:
        return Listing(heading, ("it imports nothing",))
    rows = tuple((standing.import_name, standing.state, standing.detail) for standing in imports)
    tones = tuple((row, _TONES.get(standing.state, "plain")) for row, standing in enumerate(imports))
    return Tabular(heading, Table("", ("import", "state", "what it means"), rows), tones, code=(0,))
