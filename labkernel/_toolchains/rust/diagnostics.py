"""From rustc's JSON to diagnostics on the cell's own lines.

A message whose place is in the crate around the cell is told in the world's words: which function is
missing or has another signature. This module knows no tool and starts nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.rust.names import RustWorld
from labkernel._toolchains.rust.scaffold import Scaffold
from labkernel._toolchains.rust.source import Cell, position
from labkernel._wit import Function

__all__ = ["Reader", "messages", "raw_text"]

_SUMMARIES: Final = re.compile(
    r"aborting due to|\d+ warnings? emitted|Some errors have detailed|For more information"
)
_READS: Final = re.compile(r"couldn't read `|Permission denied|No such file")


def messages(stderr: str) -> Iterator[Mapping[str, Any]]:
    """Yield rustc's messages, without its summaries."""
    for line in stderr.splitlines():
        if not line.startswith("{"):
            continue
        try:
            message = json.loads(line)
        except ValueError:
            continue
        is_message = message.get("$message_type", "diagnostic") == "diagnostic"
        if is_message and message["level"] != "failure-note" and not _SUMMARIES.match(message["message"]):
            yield message


def raw_text(stderr: str) -> str:
    """Return what rustc would have printed for people."""
    parts = []
    for line in stderr.splitlines():
        try:
            parts.append(json.loads(line)["rendered"] or "")
        except (ValueError, KeyError, TypeError):
            parts.append(line + "\n")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Reader:
    """Places messages in one cell. `files` are the names of the user's own files, the cell's first."""

    cell: Cell
    world: RustWorld
    crate: Scaffold
    files: Sequence[str]
    root_file: str

    def diagnostics(self, stderr: str) -> tuple[Diagnostic, ...]:
        """Return what the user should see, in order, without repetitions."""
        found: dict[tuple[str, int, int], Diagnostic] = {}
        for message in messages(stderr):
            diagnostic = self._one(message)
            if diagnostic is not None:
                found.setdefault((diagnostic.message, diagnostic.line, diagnostic.column), diagnostic)
        return tuple(found.values())

    def footnote(self, stderr: str, errors: Sequence[Diagnostic]) -> str:
        """Return where the compiler explains the first error that is told in its own words, or an empty string."""
        codes = [message.get("code") or {} for message in messages(stderr)]
        explained = {code["code"] for code in codes if code.get("explanation")}
        own = [e.code for e in errors if e.code in explained and "the world asks for" not in e.message]
        return f"%wasm explain {own[0]} tells more." if own else ""

    def _one(self, message: Mapping[str, Any]) -> Diagnostic | None:
        code = (message.get("code") or {}).get("code", "")
        severity = "warning" if message["level"] == "warning" else "error"
        plain = Diagnostic(message["message"], severity, hint=self._hint(message), code=code)
        span = self._own_span(message)
        generated = self._line_of_root(message)
        if generated in self.crate.functions and not self._is_primary_own(message):
            labels = [s["label"] for s in message["spans"] if s["is_primary"] and s["label"]]
            plain = replace(plain, message=": ".join([plain.message, *labels[:1]]))
            return self._about_function(plain, *self.crate.functions[generated], span)
        if span is not None:
            return self._placed(plain, span)
        if severity == "warning":
            return None
        return self._elsewhere(plain, generated)

    def _is_primary_own(self, message: Mapping[str, Any]) -> bool:
        return any(s["is_primary"] and self._resolved(s) is not None for s in message["spans"])

    def _own_span(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the span in the user's files: the primary one, else a secondary, else a child's."""
        spans = sorted(message["spans"], key=lambda s: not s["is_primary"])
        for child in message.get("children", ()):
            spans += child["spans"]
        for span in spans:
            resolved = self._resolved(span)
            if resolved is not None:
                return resolved
        return None

    def _resolved(self, span: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the span, or the macro call it was expanded from, that lies in the user's files."""
        label = (span or {}).get("label")
        while span is not None:
            if span["file_name"] in self.files:
                return {**span, "label": span["label"] or label}
            if span["file_name"] == self.root_file and span["line_start"] in self.crate.origins:
                line = self.crate.origins[span["line_start"]]
                return {
                    **span,
                    "file_name": self.files[0],
                    "line_start": line,
                    "line_end": line,
                    "label": label,
                }
            expansion = span.get("expansion")
            span = expansion["span"] if expansion else None
        return None

    def _line_of_root(self, message: Mapping[str, Any]) -> int:
        for span in message["spans"]:
            at: Mapping[str, Any] | None = span if span["is_primary"] else None
            while at is not None:
                if at["file_name"] == self.root_file:
                    return int(at["line_start"])
                at = at["expansion"]["span"] if at.get("expansion") else None
        return 0

    def _placed(self, plain: Diagnostic, span: Mapping[str, Any]) -> Diagnostic:
        label = span.get("label") or ""
        message = plain.message if not label or label in plain.message else f"{plain.message}: {label}"
        text = span["text"][0]["text"] if span.get("text") else ""
        one_line = span["line_end"] == span["line_start"]
        return replace(
            plain, message=message, file=span["file_name"], line=span["line_start"],
            column=span["column_start"], end_column=span["column_end"] if one_line else len(text.rstrip()) +
            1, text=text, )  # fmt: skip

    def _hint(self, message: Mapping[str, Any]) -> str:
        """Return the compiler's advice: its `help`, with what it would put there."""
        unlinked = re.search(r"crate `(\w+)`", " ".join(str(s["label"]) for s in message["spans"]))
        if unlinked and (message.get("code") or {}).get("code") in ("E0432", "E0433"):
            return f"if {unlinked[1]} is a crate, ask for it on the cell's first line: --dep {unlinked[1]}"
        hints = []
        for child in message.get("children", ()):
            if child["level"] != "help":
                continue
            pieces = [s["suggested_replacement"] for s in child["spans"] if s.get("suggested_replacement")]
            shown = [p.strip() for p in pieces if p and p.strip() and "\n" not in p.strip()]
            text = child["message"].rstrip(":")
            missing = [f"`{p}`" for p in shown if p not in text]
            hints.append(text + (f": {' '.join(missing)}" if missing else ""))
        return "; ".join(dict.fromkeys(hints))

    def _about_function(
        self, plain: Diagnostic, key: str, function: Function, span: Mapping[str, Any] | None
    ) -> Diagnostic:
        """Say what the world asks for, where the crate's call of the cell's function does not compile."""
        wanted = f"`{self.world.signature(function)}`"
        name = self.world.signature(function)[3:].partition("(")[0]
        within = f" of the exported interface {key}" if key else ""
        defined = self._defined(name)
        if plain.code == "E0425" and defined is None:
            message = f"missing function {name}{within}: the world asks for {wanted}"
            near = did_you_mean(name, self.cell.functions)
            if not near:
                hint = f"write it in the cell, or implement the trait `{self.world.trait(key)}`"
                return replace(plain, message=message, hint=hint)
            other = near.split("'")[1]
            missing = replace(plain, message=message, hint=f"rename {other} to {name}, if that is what it is")
            return self._at(missing, self.cell.functions[other], len(other))
        message = f"wrong signature of function {name}{within}: the world asks for {wanted}"
        detail = f"the compiler says: {plain.message}"
        diagnostic = replace(plain, message=message, hint="; ".join(filter(None, [detail, plain.hint])))
        if defined is not None:
            return self._at(diagnostic, defined, len(name))
        return self._placed(diagnostic, span) if span is not None else diagnostic

    def _defined(self, name: str) -> int | None:
        return self.cell.functions.get(name, self.cell.functions.get(f"r#{name.removesuffix('_')}"))

    def _at(self, diagnostic: Diagnostic, offset: int, width: int) -> Diagnostic:
        line, column = position(self.cell.text, offset)
        return replace(
            diagnostic, file=self.files[0], line=line, column=column, end_column=column + width,
            text=self.cell.line_of(offset),
        )  # fmt: skip

    def _elsewhere(self, plain: Diagnostic, generated: int) -> Diagnostic:
        """Tell an error that has no place in the cell."""
        line = self.crate.root.split("\n")[generated - 1] if generated else ""
        if "generate!" in line:
            return replace(plain, message=f"no Rust bindings can be made for this world: {plain.message}")
        trait = re.search(r"`(\w+): ([\w:]*Guest\w*)`", plain.message)
        if plain.code == "E0277" and trait:
            wanted = "; ".join(self.world.signature(f) for f in self._functions_of(trait[2]))
            message = f"the world asks for `impl {trait[2]} for {trait[1]}`"
            return replace(plain, message=message + (f" with {wanted}" if wanted else ""))
        return replace(plain, message=_without_paths(plain.message))

    def _functions_of(self, trait: str) -> tuple[Function, ...]:
        return next(
            (
                self.world.functions_of(k)
                for k in self.world.required()
                if self.world.trait(k).endswith(trait)
            ),
            (),
        )


def _without_paths(text: str) -> str:
    """Shorten what names files of the machine, as the linker's messages do."""
    if text.startswith("linking with"):
        return text.partition(":")[0] + "; see the compiler's output"
    return text
