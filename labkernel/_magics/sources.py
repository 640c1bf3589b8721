"""The options of `%fire` about events, from the line to the lab: files, tables, fixed parts, several targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkernel._errors import UsageError, did_you_mean
from labkernel._events import Written
from labkernel._lab import Lab
from labkernel._magics.line import Line

__all__ = ["Evaluate", "event_options", "split_targets"]

Evaluate = Callable[[str, str], Any]
"""Evaluates a Python expression of the notebook for the option that is named."""


def event_options(line: Line, evaluate: Evaluate) -> dict[str, Any]:
    """Return the options about events as `Lab.fire` takes them, those that were given."""
    made = line.given("events", "template", "near", "skip_bad")
    if line.rows is not None:
        if "events" in made:
            raise UsageError("Events come from --events or from --rows; leave one of them out.")
        made["events"] = evaluate("--rows", line.rows)
    if line.set:
        made["set"] = dict(_fixed(text, evaluate) for text in line.set)
    if line.map:
        made["map"] = dict(_halves("--map", text) for text in line.map)
    if line.shrink is not None:
        made["shrink"] = line.shrink
    return made


def _fixed(text: str, evaluate: Evaluate) -> tuple[str, Any]:
    field, value = _halves("--set", text)
    if not value.startswith("@"):
        return field, Written(value)
    found = evaluate("--set", value[1:])
    if not callable(found):
        raise UsageError(
            f"--set {field}={value}: {value[1:]} is no function; write one that takes the event's number."
        )
    return field, found


def _halves(option: str, text: str) -> tuple[str, str]:
    """Return what stands before and after the first `=` outside brackets."""
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    head, bracket, _ = text.partition("=")[0].partition("[")
    at = text.find("]=") + 1 if bracket else text.find("=")
    field, value = text[:at], text[at + 1 :]
    if at < 1 or not field or not value:
        example = "event-type=object-added" if option == "--set" else "event-type=Records.0.eventName"
        raise UsageError(
            f"{option} {text!r} has no FIELD=VALUE in it; write {option} {head or 'FIELD'}=..., as in {example}."
        )
    return field, value


def split_targets(line: Line, lab: Lab) -> tuple[list[str], str, str]:
    """Return the targets of a differential line, and the function's name or the call after them.

    Raises `UsageError` for a word that is neither.
    """
    targets, rest = [line.words[0]], line.wave.strip()
    known = {*lab.instances, *lab.builds}
    while rest:
        word, _, after = rest.partition(" ")
        if word not in known and not word.endswith((".wasm", ".wat")):
            break
        targets.append(word)
        rest = after.strip()
    if any(mark in rest for mark in "({["):
        return targets, "", rest
    if " " in rest or (rest and not _is_function(rest, targets[0], lab)):
        word = rest.split()[0]
        raise UsageError(
            f"{word!r} is neither a target nor a function of {targets[0]}; known targets: "
            f"{', '.join(sorted(known)) or 'none yet'}.{did_you_mean(word, known)}"
        )
    return targets, rest, ""


def _is_function(word: str, target: str, lab: Lab) -> bool:
    return any(word in (f.name, f.full_name) for f in lab.target(target).functions)
