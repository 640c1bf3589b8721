"""The engine's errors in the lab's words: what ended a guest, why, what to do next. It knows no engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from labkernel._errors import (
    BudgetExceeded,
    CapabilityDenied,
    ComponentError,
    GuestExit,
    GuestTrap,
    LabError,
)
from labkernel._host.settings import Start

__all__ = [
    "NEXT", "REFUSED", "Ending", "byte_text", "compile_error", "denied", "disk_error", "output_error", "seconds_text",
    "timeout_error",
]  # fmt: skip

REFUSED: Final = "labkernel refused the import "
NEXT: Final = "This instance is finished; the next call starts a new one."

_REASONS: Final = (
    (r"call stack exhausted", "stack overflow: it recursed deeper than the stack allows"),
    (r"wasm `unreachable` instruction executed", "it ran into `unreachable`, as an abort or a panic does"),
    (r"out of bounds memory access", "it read or wrote outside its memory"),
    (r"undefined element: out of bounds table access", "it called through a table index that does not exist"),
    (r"uninitialized element", "it called through an empty table entry"),
    (r"indirect call type mismatch", "it called a function pointer of another type"),
    (r"integer divide by zero", "it divided by zero"),
    (r"integer overflow", "an integer division overflowed"),
    (r"invalid conversion to integer", "it converted a float that no integer holds"),
    (r"cannot enter component instance", "its instance trapped before and cannot be entered again"),
    (r"invalid utf-8|incomplete utf-8|utf-16|malformed", "it returned a string that is not valid text"),
    (r"string pointer/length out of bounds", "it returned a string that lies outside its memory"),
    (r"list pointer/length out of bounds", "it returned a list that lies outside its memory"),
    (r"pointer out of bounds|realloc return: beyond end of memory", "it returned a pointer outside memory"),
    (r"pointer not aligned|not aligned", "it returned a pointer that is not aligned"),
    (r"out of range for `char`|invalid char", "it returned a char that is no Unicode scalar"),
    (r"cannot remove owned resource while borrowed", "it gave away or dropped a resource that is still lent"),
    (r"unknown handle index", "it used a handle that it does not hold, or no longer"),
    (r"borrow handles still remain", "it kept a borrowed handle after the call it was lent to"),
    (r"discriminant|unexpected variant|invalid expected", "it returned a case that its type does not have"),
)  # fmt: skip
_FRAME: Final = re.compile(r"^\s*(\d+):\s+(?:0x([0-9a-f]+) - )?(.+)$")
_ALLOCATION: Final = re.compile(
    r"memory allocation of \d+ bytes failed|out of ?memory|bad_alloc|MemoryError|cannot allocate memory",
    re.IGNORECASE,
)


def byte_text(size: int) -> str:
    """Return a size as the budgets write it: `256 MiB`, `1.5 KiB`, `12 B`."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} B"


def split_message(text: str) -> tuple[str, str]:
    """Return the engine's last word and its list of frames."""
    head, _, cause = text.partition("Caused by:")
    lines = [line for line in (cause or head).splitlines() if line.strip()]
    reason = re.sub(r"^\s*(\d+: )?(wasm trap: )?", "", lines[-1]).strip() if lines else "no reason given"
    frames = [line.rstrip() for line in head.splitlines() if _FRAME.match(line)]
    return reason, "\n".join(frames)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a guest ended: the engine's text, an exit's status, what it printed last, the memory it held."""

    text: str
    exit_status: int | None
    start: Start
    printed: str = ""
    held_bytes: int = 0

    @property
    def is_stop(self) -> bool:
        """Whether it was stopped by a tick of the epoch."""
        return "wasm trap: interrupt" in self.text

    def error(self) -> LabError:
        """Return the error of a call."""
        text, start = self.text, self.start
        if self.exit_status is not None:
            return self._starved(f"exit status {self.exit_status}") or GuestExit(self.exit_status)
        if REFUSED in text:
            return denied(text[text.index(REFUSED) + len(REFUSED) :].split("\n")[0].strip(), start.hints)
        if "all fuel consumed" in text:
            return BudgetExceeded(
                "fuel",
                f"{start.fuel}",
                used="all of it",
                how=f"Raise it with --fuel N, or drop the budget. {NEXT}",
            )
        if "fuel allocated for hostcalls" in text:
            how = f"Pass less at a time, or large blobs in pieces. {NEXT}"
            return BudgetExceeded("value size", "128 MiB of values", used="more", how=how)
        return self._starved("unreachable") or self._trap()

    def host_error(self, name: str, raised: BaseException) -> LabError:
        """Return the error of a call that a host function ended: its own, if that is one of the lab's."""
        error = raised
        if not isinstance(error, LabError):
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            error = GuestTrap(f"The host function {name} failed ({what}). {NEXT}")
        if isinstance(error, GuestTrap) and not error.backtrace:
            error.backtrace = split_message(self.text)[1]
        return error

    def _trap(self) -> GuestTrap:
        reason, frames = split_message(self.text)
        words = next((words for pattern, words in _REASONS if re.search(pattern, self.text)), "")
        said = f"{words} ({reason})" if words else reason
        return GuestTrap(f"The guest trapped: {said}. {NEXT}", backtrace=frames)

    def _starved(self, how: str) -> BudgetExceeded | None:
        """Return the memory error if the guest gave up right below its limit, or said that memory ran out."""
        if self.exit_status == 0 or (self.exit_status is None and "`unreachable`" not in self.text):
            return None
        limit = self.start.memory_bytes
        told = bool(_ALLOCATION.search(self.printed)) and self.held_bytes >= limit // 8
        if not told and self.held_bytes < limit * 3 // 4:
            return None
        return memory_error(self.start, used=byte_text(self.held_bytes), trap=how)

    def link_error(self) -> LabError:
        """Return the error of an instantiation."""
        text, start = self.text, self.start
        if self.exit_status is not None or "wasm backtrace" in text:
            return self.error()
        if match := re.search(r"memory minimum size of (\d+) pages exceeds memory limits", text):
            return memory_error(start, used=byte_text(int(match[1]) << 16), why="at its start")
        if "exceeds table limits" in text:
            wanted = re.search(r"table minimum size of (\d+) elements", text)
            how, used = "The component needs more at its start.", wanted[1] if wanted else "more"
            return BudgetExceeded("table", f"{start.table_elements} elements", used=used, how=how)
        if "resource limit exceeded" in text:
            found = re.search(r"(instance|memory|table) count too high at (\d+)", text)
            used = f"{found[2]} ({found[1]} count)" if found else "more"
            what = f"{start.instances} core instances, memories or tables"
            return BudgetExceeded("instances", what, used=used, how="The component has more parts than that.")
        if "component imports" in text or "matching implementation" in text:
            reason, _ = split_message(text)
            first = text.splitlines()[0].strip()
            return ComponentError(
                f"The component cannot be linked: {first} ({reason}). Check its imports' version."
            )
        return self.error()


def denied(name: str, hints: Iterable[tuple[str, str]]) -> CapabilityDenied:
    """Return the error for a call of an import that nothing was granted for; `hints` are those of a `Start`."""
    how = next((how for prefix, how in hints if name.startswith(prefix)), "")
    advice = how or "No option grants it: build the component for a world without this import."
    return CapabilityDenied(
        f"The guest called {name}, which was not granted. {advice}", import_name=name, how_to_grant=how
    )


def memory_error(start: Start, *, used: str, why: str = "", trap: str = "") -> BudgetExceeded:
    """Return the error for a guest that wanted more memory than its budget."""
    told = f"The guest asked for more{' ' + why if why else ''}"
    told += f" and gave up: {trap}." if trap else "."
    return BudgetExceeded(
        "memory", byte_text(start.memory_bytes), used=used, how=f"{told} Raise it with --memory SIZE. {NEXT}"
    )


def seconds_text(seconds: float) -> str:
    """Return a duration as the budgets write it: `5 s`, `200 ms`."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def timeout_error(
    timeout_s: float, *, used_s: float | None = None, blocked: bool = False, waits_for: str = ""
) -> BudgetExceeded:
    """Return the error for a guest that ran, or waited in a host call, longer than its budget."""
    doubled = seconds_text(timeout_s * 2).replace(" ", "")
    waited = "It was waiting in a host call (a poll, a sleep or a read). " if blocked else ""
    waited = f"It was waiting for the host function {waits_for}. " if waits_for else waited
    return BudgetExceeded(
        "timeout", seconds_text(timeout_s), used="" if used_s is None else seconds_text(round(used_s, 3)),
        how=f"{waited}Raise it with --timeout {doubled}. {NEXT}",
    )  # fmt: skip


def output_error(start: Start, used: int | None = None) -> BudgetExceeded:
    """Return the error for a guest that printed more than its budget."""
    doubled = byte_text(start.output_bytes * 2).replace(" ", "")
    return BudgetExceeded(
        "output", byte_text(start.output_bytes), used="more" if used is None else byte_text(used),
        how=f"Raise it with --output {doubled}. {NEXT}",
    )  # fmt: skip


def disk_error(start: Start, used: int) -> BudgetExceeded:
    """Return the error for a guest that wrote more to its directories than its budget."""
    doubled = byte_text(max(1, start.disk_bytes) * 2).replace(" ", "")
    return BudgetExceeded(
        "disk", byte_text(start.disk_bytes), used=byte_text(used),
        how=f"What it wrote before is there. Raise it with --disk {doubled}. {NEXT}",
    )  # fmt: skip


def compile_error(what: str, limit: str, size: int) -> BudgetExceeded:
    """Return the error for a component whose machine code takes more time or memory to make than there is."""
    how = f"The component has {byte_text(size)}; make it smaller, or compile it with --compiler winch."
    return BudgetExceeded(f"compile {what}", limit, used="more", how=how)
