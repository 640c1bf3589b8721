"""Cards of what was fired: one answer, or a run of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labkernel._cards.model import Badge, Bar, Bars, Card, Code, Fact, Listing, Section, Tabular, Tone
from labkernel._timing import (
    Samples,
    Table,
    format_count,
    format_ns,
    samples_for,
    try_median,
    try_percentile,
)

__all__ = ["CallLine", "answer_card", "run_card"]

_OUTPUT_SHOWN: Final = 16_384
_CALLS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call of a run as text: its WAVE call, its WAVE result or its error, its time."""

    call: str
    result: str
    ns: int
    is_error: bool = False


def answer_card(
    *,
    call: str,
    result: str,
    ns: int,
    used: str = "",
    instance: str = "",
    index: int = 0,
    is_error: bool = False,
    stdout: str = "",
    stderr: str = "",
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    next_line: str = "",
    next_why: str = "",
) -> Card:
    """Return the card of one call: the result first, then how long it took and what the guest printed.

    `used` is what it used of budgets that are counted. `result` is WAVE text, empty for a function without a
    result; `is_error` marks a result's `err` case,
    which is an answer like any other.

    >>> print(answer_card(call="add(1, 2)", result="3", ns=1250, instance="fn", index=4).text())
    Answer: 3
      call  add(1, 2)
      of    fn  (call 5)
      took  1.25 us
    """
    first = "its first call, which takes longer than later ones" if index == 0 else f"call {index + 1}"
    facts = [Fact("call", call, is_code=True), *([Fact("of", instance, first)] if instance else [])]
    facts.append(Fact("took", format_ns(ns)))
    facts += [Fact("used", used)] if used else []
    facts += [Fact("note", note) for note in notes]
    return Card(
        title=result or "no result",
        kind="Answer",
        badges=(Badge("an error the guest returned", "warn"),) if is_error else (),
        facts=tuple(facts),
        sections=(*_output("stdout", stdout), *_output("stderr", stderr)),
        warnings=tuple(warnings),
        next_line=next_line,
        next_why=next_why,
    )


def run_card(
    *,
    target: str,
    fired: int,
    asked: int = 0,
    calls: Sequence[CallLine] = (),
    function: str = "",
    seed: int | None = None,
    policy: str = "",
    results: Mapping[str, int] | None = None,
    errors: Mapping[str, int] | None = None,
    latency: Samples | None = None,
    harness: Samples | None = None,
    path: str = "host call",
    stdout: str = "",
    stderr: str = "",
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    more: Sequence[Fact] = (),
    sections: Sequence[Section] = (),
    next_line: str = "",
    next_why: str = "",
) -> Card:
    """Return the card of a run: how many of those `asked` for answered, with what, how fast, the first calls.

    `results` counts answers by kind (`ok`, `err(unsupported)`), `errors` counts failures by the error's name;
    `more` facts and `sections` are of the kind of run.
    """
    failed = sum((errors or {}).values())
    asked = max(asked, fired)
    badges = [
        Badge(
            f"{fired:,} of ".replace(",", " ") + format_count(asked, "event")
            if fired < asked
            else format_count(fired, "event")
        )
    ]
    badges.append(Badge(format_count(failed, "error"), "bad") if failed else Badge("no errors", "good"))
    facts = [
        *([Fact("function", function, is_code=True)] if function else []),
        *(
            [Fact("seed", str(seed), "the same seed makes the same events everywhere")]
            if seed is not None
            else []
        ),
        *([Fact("policy", policy)] if policy else []),
        *([Fact("results", next(iter(results)) or "no result")] if results and len(results) == 1 else []),
        *([Fact("errors", _counts(errors))] if errors else []),
        *more,
    ]
    parts: list[Section] = [_results(results)] if results and len(results) > 1 else []
    parts += sections
    if latency is not None and len(latency):
        parts.append(_latency(latency, harness, path))
    if calls:
        parts.append(_calls(calls, fired))
    parts += [*_output("stdout", stdout), *_output("stderr", stderr)]
    if notes:
        parts.append(Listing("Notes", tuple(notes)))
    return Card(
        title=target,
        kind="Run",
        badges=tuple(badges),
        facts=tuple(facts),
        sections=tuple(parts),
        warnings=tuple(warnings),
        next_line=next_line,
        next_why=next_why,
    )


def _results(results: Mapping[str, int]) -> Section:
    total = sum(results.values())
    bars = (Bar(name or "no result", f"{n:,}".replace(",", " "), n / total) for name, n in results.items())
    return Bars("Results", tuple(bars))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}".replace(",", " ") for name, n in counts.items())


def _latency(samples: Samples, harness: Samples | None, path: str) -> Section:
    rows: list[tuple[str, ...]] = []
    middle = try_median(samples)
    if middle:
        rows.append(("median", middle.text, middle.interval_text))
    for percent in (90, 99):
        found = try_percentile(samples, percent)
        missing = f"needs {samples_for(percent)} samples, there are {len(samples)}"
        rows.append(
            (f"p{percent}", found.text if found else "not given", "nearest rank" if found else missing)
        )
    cost = try_median(harness) if harness is not None else None
    if cost:
        rows.append(("harness alone", cost.text, "a component that does nothing, called the same way"))
    warm = f", {format_count(samples.warmup, 'warm-up')} left out" if samples.warmup else ""
    return Tabular(f"Time per call ({path}{warm})", Table("", ("", "time", ""), tuple(rows), numeric=(1,)))


def _calls(calls: Sequence[CallLine], fired: int) -> Section:
    shown = calls[:_CALLS_SHOWN]
    rows = tuple((c.call, c.result, format_ns(c.ns)) for c in shown)
    tones: tuple[tuple[int, Tone], ...] = tuple((i, "warn") for i, c in enumerate(shown) if c.is_error)
    heading = f"The first {len(shown)} of {fired}" if fired > len(shown) else "Calls"
    return Tabular(heading, Table("", ("call", "result", "took"), rows, numeric=(2,)), tones, code=(0, 1))


def _output(stream: str, text: str) -> list[Section]:
    if not text:
        return []
    heading = f"The guest's {stream}"
    if len(text) > _OUTPUT_SHOWN:
        heading += f" (the first {_OUTPUT_SHOWN} of {len(text)} characters)"
    return [Code(heading, text[:_OUTPUT_SHOWN].removesuffix("\n"), "warn" if stream == "stderr" else "plain")]
