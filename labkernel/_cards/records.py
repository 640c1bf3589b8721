"""From the lab's records to their cards: which facts a card shows, and the next line to type."""

from __future__ import annotations

import itertools
from functools import singledispatch
from typing import Any, Final

from labkernel._cards.build import build_card, wit_card
from labkernel._cards.differential import agreement_card
from labkernel._cards.instance import Standing, instance_card
from labkernel._cards.load import load_facts, load_sections
from labkernel._cards.model import Card, Fact, Tabular
from labkernel._cards.peek import peek_card
from labkernel._cards.replayed import replayed_card
from labkernel._cards.run import CallLine, answer_card, run_card
from labkernel._cards.tools import ToolLine, deps_card, doctor_card
from labkernel._cards.trace import trace_card
from labkernel._events import call_text, sample
from labkernel._fire import Agreement, Answer, Run
from labkernel._lab import Build, Instance, Peek, Replayed
from labkernel._registry import DepsRecord
from labkernel._sandbox import HostImplementation
from labkernel._sandbox.tracing import Trace
from labkernel._setup import Doctor
from labkernel._timing import Table, format_bytes
from labkernel._wit import Function, Package, World, has_handle

__all__ = ["card_of", "shown_kinds"]


@singledispatch
def card_of(record: Any) -> Card:
    """Return the card of a record; a card is its own. Raises `TypeError` for what has none."""
    raise TypeError(f"{type(record).__name__} has no card")


def shown_kinds() -> list[type]:
    """Return the classes whose objects are shown as cards."""
    return [kind for kind in card_of.registry if kind is not object]


@card_of.register
def _(record: Card) -> Card:
    return record


@card_of.register
def _(record: Package) -> Card:
    world = record.worlds[0] if record.worlds else None
    name = world.name.replace("-", "_") if world else "fn"
    cell = starter_cell(record, world, f"my_{name}") if world else ""
    return wit_card(record, next_cell=cell, next_why="a starter cell that builds as it stands")


def starter_cell(package: Package, world: World, name: str) -> str:
    """Return the magic line that inserts a starter for this world."""
    return f"%wasm new rust {name} --world {world.full_name}"


@card_of.register
def _(record: Build) -> Card:
    return build_card(
        name=record.name,
        language="" if record.language == record.form or record.form == "as loaded" else record.language,
        size=record.size,
        digest=f"sha256:{record.digest}",
        form=record.form,
        world=record.world.full_name if record.world else "its own",
        phases=record.phases,
        imports=_imports(record.component),
        exports=_exports(record.functions),
        cached=record.cached,
        diagnostics=record.diagnostics,
        raw=record.raw,
        toolchain=record.tools,
        compiler=record.settings.compiler,
        is_shared=bool(record.supplies),
        notes=record.notes,
        next_line=_fire_line(record.name, record.functions),
        next_why="starts it with nothing granted and fires one generated event" if record.functions else "",
    )


def _exports(functions: tuple[Function, ...]) -> list[str]:
    """Return the signatures of what is exported; those of an interface under its name."""
    groups: dict[str, list[str]] = {}
    for function in functions:
        groups.setdefault(function.interface, []).append(function.text)
    inner = [f"{name}\n  " + "\n  ".join(texts) for name, texts in groups.items() if name]
    return [*groups.get("", ()), *inner]


def _fire_line(name: str, functions: tuple[Function, ...]) -> str:
    """Return the line that fires one generated event; it names a function where there are several."""
    if len(functions) < 2:
        return f"%fire {name}" if functions else f"%instantiate {name}"
    first, names = functions[0], [f.name for f in functions]
    return f"%fire {name} {first.name if names.count(first.name) == 1 else first.full_name}"


def _imports(world: World) -> list[str]:
    return [item.name if isinstance(item, Function) or item.functions else f"{item.name} (types only)"
            for item in world.imports]  # fmt: skip


@card_of.register
def _(record: HostImplementation) -> Card:
    rows = [(slot.title, slot.function.text) for slot in record.slots.values()]
    return Card(
        title=record.name,
        kind="Host functions",
        facts=(
            Fact("implements", record.interface or "functions that the world imports"),
            Fact("of", record.world),
        ),
        sections=(Tabular("In Python", Table("", ("name", "what it answers"), tuple(rows)), code=(0, 1)),),
        next_line=f"%instantiate COMPONENT --host {record.name}",
        next_why="lets a component call these functions",
    )


@card_of.register
def _(record: Instance) -> Card:
    line, differences = record.wasmtime_line(_example(record.functions))
    budgets = record.budgets
    writable = any(folder.writable for folder in record.grants.dirs)
    limits = {
        "time per call": f"{budgets.timeout_s:g} s",
        "output per call": format_bytes(budgets.output_bytes),
        "fuel per call": f"{budgets.fuel:,}".replace(",", " ") if budgets.fuel else "not counted",
        "memory per instance": format_bytes(budgets.memory_bytes),
        **({"written to disk per instance": format_bytes(budgets.disk_bytes)} if writable else {}),
        "table elements": f"{budgets.table_elements:,}".replace(",", " "),
        "core instances": f"{budgets.instances:,}".replace(",", " "),
    }
    own = record.name == record.build.name
    return instance_card(
        component=record.build.name,
        name="" if own else record.name,
        digest=f"sha256:{record.build.digest}",
        compiler=record.build.settings.compiler,
        imports=[
            Standing(s.import_name, s.state, _detail(s.words, s.how_to_grant)) for s in record.standings
        ],
        budgets=limits,
        phases=record.phases,
        run_line=line,
        differences=differences,
        warnings=record.on_host.unused,
        next_line=_fire_line(record.name, record.functions),
        next_why="fires one generated event and prints its call, ready to edit",
    )


def _cut(text: str, limit: int = 120) -> str:
    """Return a text that fits a row, with how much was left out, where that is worth the mention."""
    if len(text) <= limit + 30:
        return text
    return f"{text[: limit - 20]}… ({len(text)} characters)"


def _first_lines(text: str, limit: int = 10) -> str:
    """Return the first lines of a text, and how many were left out."""
    lines = text.splitlines()
    rest = len(lines) - limit
    return (
        text if rest <= 0 else "\n".join([*lines[:limit], f"… and {rest} lines more: .output has them all"])
    )


def _detail(words: str, how: str) -> str:
    return f"{words} (grant with {how})" if how else words


def _example(functions: tuple[Function, ...]) -> str:
    try:
        return call_text(functions[0], sample(functions[0], seed=0)) if functions else ""
    except Exception:  # noqa: BLE001 - a function with handles has no example; the card says `...` instead
        return ""


@card_of.register
def _(record: Doctor) -> Card:
    lines = [
        ToolLine(row.tool, row.version or "", f"{row.purpose}. {row.note}".rstrip(". "), row.install)
        for row in record
    ]
    return doctor_card(lines)


@card_of.register
def _(record: DepsRecord) -> Card:
    rows = [
        (
            str(state.locked.package),
            f"deps/{state.locked.folder}",
            state.what,
            _cut(state.locked.request or f"needed by {', '.join(state.locked.by)}", 70),
            state.locked.sha256[:12],
        )
        for state in record.packages
    ]
    return deps_card(record.folder, rows, notes=record.notes)


@card_of.register
def _(record: Answer) -> Card:
    takes_handle = any(has_handle(p.type) for p in record.function.params)
    many = f"%fire {record.target.name} {record.function.full_name} -n 1000 --seed 7"
    return answer_card(
        call=f"%fire {record.target.name} {record.call}",
        result=record.wave,
        ns=record.ns,
        used=_used(record),
        instance=record.target.name,
        index=record.index,
        is_error=record.wave.startswith("err"),
        warnings=record.warnings,
        next_line="" if takes_handle else many,
        next_why="" if takes_handle else "a thousand generated events, edges first",
    )


def _used(answer: Answer) -> str:
    fuel = "" if answer.fuel_used is None else f"{answer.fuel_used:,} fuel".replace(",", " ")
    disk = "" if answer.disk_bytes is None else f"{format_bytes(answer.disk_bytes)} written to disk"
    return ", ".join(filter(None, (fuel, disk)))


@card_of.register
def _(record: Replayed) -> Card:
    return replayed_card(record)


_MANY: Final = 1000
"""Events from which on a run says why it was not timed by a faster path."""


@card_of.register
def _(record: Peek) -> Card:
    return peek_card(record)


@card_of.register
def _(record: Trace) -> Card:
    return trace_card(record)


@card_of.register
def _(record: Run) -> Card:
    waves = record.first_waves(10)
    answered = [m.event for m in itertools.islice(record.timeline, 1000) if not m.outcome][: len(waves)]
    calls = [
        CallLine(_cut(record.call(event)), _cut(text), ns, text.startswith("err"))
        for event, text, ns in zip(answered or range(len(waves)), waves, record.ns, strict=False)
    ]
    sections = load_sections(record)
    return run_card(
        target=record.target.name,
        fired=len(record),
        asked=record.asked or 0,
        calls=calls,
        function=record.function.text,
        seed=record.seed,
        policy=record.target.policy,
        results=record.counts,
        errors=_errors(record),
        latency=record.samples if len(record) and not sections else None,
        path=record.timed,
        stdout=_first_lines(record.output),
        notes=_run_notes(record),
        warnings=record.warnings,
        more=load_facts(record),
        sections=sections,
        next_line="%timings --timeline" if sections else f"%timings {record.target.name} --latency",
        next_why="plots each event as queued, cold start, executing"
        if sections
        else "plots the distribution of calls",
    )


def _errors(run: Run) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind in run.errors:
        found[kind.name] = found.get(kind.name, 0) + kind.count
    if run.error is not None and not found:
        found[type(run.error).__name__] = 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _run_notes(run: Run) -> list[str]:
    notes = []
    if run.error is not None and run.failing_event:
        notes.append(f"ended by event {(run.failing_index or 0) + 1}: {run.error}")
        notes.append(
            f"that event: %fire {run.target.name} {_cut(run.failing_event, 2000 if run.shrunk is None else 300)}"
        )
    elif run.error is not None:
        notes.append(f"ended: {run.error}")
    else:
        notes += [
            f"{kind.name}, first at event {kind.index + 1}: {_cut(kind.message, 200)} "
            f"(%fire {run.target.name} {_cut(run.call(kind.index), 300)})"
            for kind in sorted(run.errors, key=lambda kind: -kind.count)[:5]
        ]
    if run.shrunk is not None:
        notes.append(f"the smallest that does so: %fire {run.target.name} {_cut(run.shrunk.call, 2000)}")
        notes.append(f"how it was found: {run.shrunk.why}")
    if run.why and (run.is_load or len(run) >= _MANY):
        notes.append(f"timed {run.timed}: {run.why}")
    return notes


@card_of.register
def _(record: Agreement) -> Card:
    return agreement_card(record)
