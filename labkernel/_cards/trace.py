"""The card of a trace: every host call in order, what each event used, and the smallest set of grants."""

from __future__ import annotations

import re
from typing import Final

from labkernel._cards.model import Badge, Card, Code, Fact, Section, Tabular, Tone
from labkernel._sandbox.tracing import Event, HostCall, Trace
from labkernel._timing import Table, format_bytes, format_count, format_ns

__all__ = ["trace_card"]

_ROWS: Final = 100
_EVENTS: Final = 20
_WIDEST: Final = 70
_LEAST: Final = "The smallest set of grants with which this would have worked"
_TONES: Final[dict[str, Tone]] = {
    "refused": "warn",
    "trapped": "bad",
    "virtual": "plain",
    "replayed": "plain",
}


def trace_card(trace: Trace) -> Card:
    """Return the card of a trace; its table holds the first hundred calls, `.trace.calls` has them all."""
    refused = len(trace.refused)
    facts = [
        Fact("host calls", f"{len(trace) + trace.lost}", f"in {format_count(len(trace.events), 'event')}"),
        Fact("refused", f"{refused or 'none'}"),
    ]
    if trace.cost_ns is not None:
        facts.append(Fact("watching costs", f"{format_ns(trace.cost_ns)} a call", "measured on this machine"))
    sections: list[Section] = [_calls(trace)] if trace.calls else []
    if trace.events:
        sections.append(_events(trace))
    sections.append(
        Code(
            "The smallest set of grants with which this would have worked",
            trace.least or "nothing needs to be granted",
        )
    )
    return Card(
        title=trace.target,
        kind="Trace",
        subtitle=_subtitle(trace),
        badges=(Badge(f"{refused} refused", "warn"),) if refused else (),
        facts=tuple(facts),
        sections=tuple(sections),
        warnings=(
            *((f"{trace.lost} later calls were counted and not kept",) if trace.lost else ()),
            *trace.notes,
        ),
        next_line=f"%wasm trace {trace.target} --least",
        next_why="prints the smallest set of grants, ready to paste",
    )


def _subtitle(trace: Trace) -> str:
    most = trace.counts.most_common(3)
    return ", ".join(f"{_plain_name(name.rpartition('#')[2])} {count}x" for name, count in most)


def _calls(trace: Trace) -> Tabular:
    shown = trace.calls[:_ROWS]
    rows = tuple(_row(call) for call in shown)
    left = len(trace.calls) - len(shown)
    heading = "Every host call, in order" + (
        f" (the first {len(shown)}; .trace.calls has {left} more)" if left else ""
    )
    tones = tuple((n, _TONES[c.verdict]) for n, c in enumerate(shown) if c.verdict in _TONES)
    headers = ("event", "interface", "call", "of", "result", "time", "verdict")
    return Tabular(heading, Table("", headers, rows, numeric=(5,)), tones, code=(2,))


def _row(call: HostCall) -> tuple[str, ...]:
    event = "start" if call.event < 0 else str(call.event + 1)
    interface = call.interface.partition("@")[0]
    time = format_ns(call.ns) if call.verdict != "trapped" else ""
    what = _cut(f"{_plain_name(call.function)}({call.arguments})")
    return event, interface, what, call.about, _cut(call.result), time, call.verdict


def _events(trace: Trace) -> Tabular:
    shown = trace.events[:_EVENTS]
    left = len(trace.events) - len(shown)
    writes = bool(trace.budgets.get("written to disk"))
    headers = (
        "event", "call", "host calls", _of("time", trace), _of("memory", trace), _of("output", trace),
        *([_of("written to disk", trace)] if writes else []), _of("fuel", trace), "ended by",
    )  # fmt: skip
    heading = "What each event used of its budgets" + (
        f" (the first {len(shown)}, {left} more)" if left else ""
    )
    rows = tuple(_event(event, writes=writes) for event in shown)
    table = Table("", headers, rows, numeric=tuple(range(2, len(headers) - 1)))
    return Tabular(heading, table.trimmed(), code=(1,))


def _of(budget: str, trace: Trace) -> str:
    limit = trace.budgets.get(budget, "")
    return f"{budget} (of {limit})" if limit else budget


def _event(event: Event, *, writes: bool) -> tuple[str, ...]:
    disk = "" if event.disk_bytes is None else format_bytes(event.disk_bytes)
    memory = "" if event.memory_bytes is None else format_bytes(event.memory_bytes)
    fuel = "" if event.fuel_used is None else str(event.fuel_used)
    return (
        str(event.number + 1), _cut(event.call), str(event.calls), format_ns(event.ns), memory,
        format_bytes(event.output_bytes), *([disk] if writes else []), fuel, _cut(event.error),
    )  # fmt: skip


def _plain_name(function: str) -> str:
    """Return a function's name without WIT's brackets: `descriptor.open-at`, `drop descriptor`."""
    plain = re.sub(r"^\[(method|static)\]", "", function)
    return plain.replace("[resource-drop]", "drop ").replace("[constructor]", "new ")


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
