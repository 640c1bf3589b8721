"""The errors a user of the lab can meet. This module owns the tree and knows nothing else.

Every message shows the value, then what was expected, then the next step, in one to three sentences::

    LabError                     shown in a notebook without a traceback
      UsageError                 a magic's line or an argument that cannot be understood
      ToolchainMissing           .tool .language .how
      CompileError               .language .diagnostics (line, column, text, hint)
      WitError                   .diagnostics
      ComponentError             bytes that are no component this lab can run
      CapabilityError
        UnknownCapability
        CapabilityDenied         .import_name .how_to_grant
      ValueDoesNotFit            .path .value .wit_type
      BadEvent                   .source: a row of a file, a table or a template that is no event
      GuestError
        GuestTrap                .backtrace .traceback
        GuestExit                .status
        GuestCrashed
        BudgetExceeded           .budget .limit .used
      CacheDamaged
      RegistryError
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "BadEvent",
    "BudgetExceeded",
    "CacheDamaged",
    "CapabilityDenied",
    "CapabilityError",
    "CompileError",
    "ComponentError",
    "Diagnostic",
    "GuestCrashed",
    "GuestError",
    "GuestExit",
    "GuestTrap",
    "LabError",
    "RegistryError",
    "ToolchainMissing",
    "UnknownCapability",
    "UsageError",
    "ValueDoesNotFit",
    "WitError",
    "did_you_mean",
    "render_short",
]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message of a compiler or of the WIT parser, placed in the text the user wrote.

    `line` and `column` count from 1; 0 means the message has no place. `text` is the source line.
    """

    message: str
    severity: str = "error"
    file: str = ""
    line: int = 0
    column: int = 0
    end_column: int = 0
    text: str = ""
    hint: str = ""
    code: str = ""

    def render(self) -> str:
        """Return the message as a compiler prints it: place, text, the line and a caret.

        >>> Diagnostic("put is missing", line=2).render()
        'cell:2: error: put is missing'
        """
        column = f":{self.column}" if self.column else ""
        place = f"{self.file or 'cell'}:{self.line}{column}: " if self.line else ""
        code = f"[{self.code}]" if self.code else ""
        lines = [f"{place}{self.severity}{code}: {self.message}"]
        if self.line and self.text:
            shown = self.text.rstrip("\n")
            lines.append(f"{self.line:>5} | {shown}")
            if self.column:
                lead = "".join(c if c == "\t" else " " for c in shown[: self.column - 1])
                width = max(1, min(self.end_column, len(shown) + 1) - self.column)
                lines.append(f"      | {lead}{'^' * width}")
        if self.hint:
            lines.append(f"      = help: {self.hint}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the diagnostic as plain data."""
        return asdict(self)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the known word nearest to `word`, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def render_short(error: BaseException, message: str) -> None:
    """Let IPython show an error that is not the lab's own as one line, without frames of the lab.

    >>> stopped = KeyboardInterrupt()
    >>> render_short(stopped, "The guest was stopped.")
    >>> stopped._render_traceback_()
    ['KeyboardInterrupt: The guest was stopped.']
    """
    error.__dict__["_render_traceback_"] = lambda: [f"{type(error).__name__}: {message}"]


class LabError(Exception):
    """Base of every error that is the user's, the guest's or the machine's, and not a bug of the lab.

    `output` is what the guest printed before it failed.
    """

    def __init__(self, message: str, *, output: str = "") -> None:
        super().__init__(message)
        self.output = output

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def _render_traceback_(self) -> list[str]:
        """Render short in IPython: the kind and the message, no frames."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(LabError):
    """A magic's line, a name or an argument cannot be understood."""


class ToolchainMissing(LabError):
    """A tool that this step needs is not installed."""

    def __init__(self, tool: str, *, language: str = "", how: str = "", detail: str = "") -> None:
        purpose = f" (needed for {language})" if language else ""
        message = f"{tool} is not installed{purpose}."
        if detail:
            message += f" {detail}"
        if how:
            message += f" Install it with: {how}"
        super().__init__(message)
        self.tool = tool
        self.language = language
        self.how = how


class _WithDiagnostics(LabError):
    def __init__(self, message: str, diagnostics: Iterable[Diagnostic] = (), footnote: str = "") -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        lines = [message, *(d.render() for d in self.diagnostics), *([footnote] if footnote else [])]
        super().__init__("\n".join(lines))
        self.summary = message


class CompileError(_WithDiagnostics):
    """A snippet does not compile.

    `raw` is everything the compiler printed; a `footnote` stands under the diagnostics.
    """

    def __init__(
        self, message: str, *, language: str, diagnostics: Iterable[Diagnostic] = (), raw: str = "",
        footnote: str = "",
    ) -> None:  # fmt: skip
        super().__init__(message, diagnostics, footnote)
        self.language = language
        self.raw = raw


class WitError(_WithDiagnostics):
    """WIT text does not parse or does not resolve."""


class ComponentError(LabError):
    """Bytes that are no component, or one that this lab cannot run."""


class CapabilityError(LabError):
    """A grant or a budget is wrong or missing."""


class UnknownCapability(CapabilityError):
    """A grant has a name that the lab does not know."""


class CapabilityDenied(CapabilityError):
    """A component asked for something that was not granted."""

    def __init__(self, message: str, *, import_name: str = "", how_to_grant: str = "") -> None:
        super().__init__(message)
        self.import_name = import_name
        self.how_to_grant = how_to_grant


class ValueDoesNotFit(LabError):
    """A value is not of the WIT type that was asked for."""

    def __init__(self, path: str, value: object, wit_type: str, *, why: str = "", hint: str = "") -> None:
        message = f"{path}: {_short(value)} does not fit {wit_type}"
        message += f" ({why})." if why else "."
        if hint:
            message += f" {hint}"
        super().__init__(message)
        self.path = path
        self.value = value
        self.wit_type = wit_type


class BadEvent(LabError):
    """A row of a file, a table or a template that is no event of the function; `source` is where it stands."""

    def __init__(self, message: str, *, source: str = "") -> None:
        super().__init__(message)
        self.source = source


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class GuestError(LabError):
    """A guest did not answer. The lab and all other instances are unharmed."""


class GuestTrap(GuestError):
    """A guest trapped. `backtrace` is the engine's list of frames.

    Where a host function of the notebook raised, `traceback` is Python's, from the function on.
    """

    def __init__(self, message: str, *, backtrace: str = "", traceback: str = "", output: str = "") -> None:
        super().__init__(message, output=output)
        self.backtrace = backtrace
        self.traceback = traceback

    def _render_traceback_(self) -> list[str]:
        """Render short in IPython, with the lines of the host function that raised."""
        return [*super()._render_traceback_(), *self.traceback.splitlines()]


class GuestExit(GuestError):
    """A guest called `exit` instead of answering."""

    def __init__(self, status: int, *, output: str = "") -> None:
        # WASI 0.2's stable `exit` takes a result without a payload, so that every failure arrives as 1.
        why = (
            " (WASI 0.2 tells only success from failure: any other code arrives as 1)" if status == 1 else ""
        )
        super().__init__(
            f"The guest exited with status {status}{why} instead of answering. "
            "The next call starts a new instance.",
            output=output,
        )
        self.status = status


class GuestCrashed(GuestError):
    """The host process died under a guest."""


class BudgetExceeded(GuestError):
    """A guest went over one of its limits. `used` says how far it came, as far as anyone can tell."""

    def __init__(self, budget: str, limit: str, *, used: str = "", how: str = "", output: str = "") -> None:
        message = f"{budget} budget exceeded: the limit is {limit}"
        message += f", used {used}." if used else "."
        if how:
            message += f" {how}"
        super().__init__(message, output=output)
        self.budget = budget
        self.limit = limit
        self.used = used


class CacheDamaged(LabError):
    """A file of the cache is not what was written; it has been dropped and will be made again."""


class RegistryError(LabError):
    """A registry did not do what was asked."""
