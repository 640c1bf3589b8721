"""A magic's line taken apart: options outside WAVE brackets and strings, everything else as it was typed.

Options are declared with `argparse`, which converts them and writes their help. What it cannot do is find
them: it reads `-inf` as an option and knows nothing of brackets. So a scanner walks the line, gives
argparse the options and their values, and keeps the rest, the words and the WAVE text, untouched.
"""

from __future__ import annotations

import argparse
import functools
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from labkernel._errors import UsageError, did_you_mean
from labkernel._magics.later import later

__all__ = ["Line", "MagicParser", "number", "parse_line", "whole_number", "words_only"]

_OPTION: Final = re.compile(r"--[A-Za-z][\w-]*|-[A-Za-z](?=[\s=]|$)")


class MagicParser(argparse.ArgumentParser):
    """An option parser whose errors are the lab's and that never ends the process.

    `later` are options that are planned: what to say of each.
    """

    _section: argparse._ArgumentGroup | None = None

    def __init__(self, prog: str, *, later: Mapping[str, str] | None = None) -> None:
        super().__init__(
            prog=prog,
            usage=argparse.SUPPRESS,
            add_help=False,
            allow_abbrev=False,
            formatter_class=functools.partial(argparse.HelpFormatter, width=100, max_help_position=24),
        )
        self.later = dict(later or {})

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with argparse's words and where the options are explained."""
        raise UsageError(f"{self.prog}: {message.removeprefix('argument ')}. {self.prog}? explains it.")

    def section(self, title: str) -> None:
        """Begin a part of the manual: options that are declared from here on stand under this title."""
        self._section = self.add_argument_group(title)

    def add_argument(self, *names: Any, **how: Any) -> argparse.Action:
        """Declare an option, in the section begun last."""
        if self._section is not None:
            return self._section.add_argument(*names, **how)
        return super().add_argument(*names, **how)

    @property
    def manual(self) -> str:
        """Every option with its help, section by section."""
        text = self.format_help().strip()
        return text.replace("options:", "Options:", 1) if text.startswith("options:") else text

    def unknown(self, name: str) -> UsageError:
        """Return the error for an option that is not declared: planned, misspelt, or none at all."""
        if name in self.later:
            return UsageError(later(f"{self.prog} {name}", self.later[name]))
        near = did_you_mean(name, self.options) or f" Known: {', '.join(sorted(self.options))}."
        return UsageError(f"{self.prog} knows no option {name!r}.{near} {self.prog}? explains all of them.")

    @property
    def options(self) -> dict[str, argparse.Action]:
        """Every option string (`--env`, `-n`) with its declaration."""
        return dict(self._option_string_actions)

    def add_expression(self, name: str, **how: Any) -> None:
        """Declare an option whose value is a Python expression: it reaches to the next option."""
        self.add_argument(name, **how).expression = True  # type: ignore[attr-defined]

    def add_wave(self, name: str, **how: Any) -> None:
        """Declare an option whose value is WAVE text: one word outside brackets and strings, as typed."""
        self.add_argument(name, **how).wave = True  # type: ignore[attr-defined]


def whole_number(text: str) -> int:
    """Return an option's whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number; write one such as 1000") from None


def number(text: str) -> float:
    """Return an option's number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write one such as 0.001") from None


@dataclass(slots=True)
class Line:
    """A line taken apart: the plain words, the WAVE text as typed, the options by name."""

    words: list[str] = field(default_factory=list)
    wave: str = ""
    options: argparse.Namespace = field(default_factory=argparse.Namespace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.options, name)

    def given(self, *names: str) -> dict[str, Any]:
        """Return those of the named options that hold a value."""
        values = {name: getattr(self.options, name, None) for name in names}
        return {name: value for name, value in values.items() if value not in (None, [], False)}


def parse_line(parser: MagicParser, line: str, *, words: int | None = None) -> Line:
    """Take a line apart.

    At most `words` plain words are read, quotes removed; what follows them is WAVE text and stays as it
    was typed. With `words=None` there is no WAVE text. Raises `UsageError` for an unknown option, a
    missing value or an unclosed quote.
    """
    scan = _Scanner(parser, line, words)
    return scan.run()


class _Scanner:
    def __init__(self, parser: MagicParser, line: str, words: int | None) -> None:
        self.parser, self.text, self.limit = parser, line, words
        self.at = 0
        self.arguments: list[str] = []
        self.words: list[str] = []
        self.chunks: list[str] = []

    def run(self) -> Line:
        """Walk the line once."""
        while self._skip_space():
            option = _OPTION.match(self.text, self.at)
            if option:
                self._option(option[0])
            elif self.limit is None or len(self.words) < self.limit:
                self.words.append(self._word())
            else:
                self.chunks.append(self._wave())
        known = self.parser.parse_args(self.arguments)
        return Line(self.words, " ".join(self.chunks), known)

    def _skip_space(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def _option(self, name: str) -> None:
        action = self.parser.options.get(name)
        if action is None:
            raise self.parser.unknown(name)
        self.at += len(name)
        if action.nargs == 0:
            self.arguments.append(name)
            return
        if self.text[self.at : self.at + 1] == "=":
            self.at += 1
        elif not self._skip_space():
            raise UsageError(f"{name} needs a value: {name} {action.metavar or action.dest.upper()}.")
        value = self._value(action)
        self.arguments += [f"{name}={value}"] if name.startswith("--") else [f"{name}{value}"]

    def _value(self, action: argparse.Action) -> str:
        if getattr(action, "expression", False):
            return self._expression()
        return self._wave() if getattr(action, "wave", False) else self._word()

    def _word(self) -> str:
        """Read a shell word: up to white space outside quotes; quotes are taken off."""
        start, quote = self.at, ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if quote:
                if char == "\\" and quote == '"':
                    self.at += 1
                elif char == quote:
                    quote = ""
            elif char in "\"'":
                quote = char
            elif char == "\\":
                self.at += 1
            elif char.isspace():
                break
            self.at += 1
        raw = self.text[start : self.at]
        try:
            return "".join(shlex.split(raw)) if raw else raw
        except ValueError:
            raise UsageError(f"{raw!r} has a quote that is not closed; close it.") from None

    def _expression(self) -> str:
        chunks = [self._wave()]
        while self._skip_space() and not _OPTION.match(self.text, self.at):
            chunks.append(self._wave())
        return " ".join(chunks)

    def _wave(self) -> str:
        """Read up to white space outside brackets and strings, and change nothing."""
        start, depth, quote = self.at, 0, ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if quote:
                if char == "\\":
                    self.at += 1
                elif char == quote:
                    quote = ""
            elif char in "\"'":
                quote = char
            elif char in "([{":
                depth += 1
            elif char in ")]}":
                depth -= 1
            elif char.isspace() and depth <= 0:
                break
            self.at += 1
        return self.text[start : self.at]


def words_only(line: Line, parser: MagicParser, names: Sequence[str], *, optional: int = 0) -> list[str]:
    """Return the plain words of a line, checked against their names; missing optional ones are empty.

    Raises `UsageError` that shows the usage for too few or too many.
    """
    needed = len(names) - optional
    if not needed <= len(line.words) <= len(names):
        shown = " ".join(n if i < needed else f"[{n}]" for i, n in enumerate(names))
        got = f"got {len(line.words)}: {' '.join(line.words)}" if line.words else "got none"
        takes = shown or "no further word here"
        raise UsageError(f"{parser.prog} takes {takes}; {got}. Example and options: {parser.prog}?")
    return line.words + [""] * (len(names) - len(line.words))
