"""What was fired at, and what one event leaves behind: frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labkernel._values import from_normal, wave
from labkernel._wit import Function

__all__ = ["Answer", "Target", "call_of"]


@dataclass(frozen=True, slots=True)
class Target:
    """What was fired at: facts without which a figure means nothing."""

    name: str
    digest: str
    language: str = ""
    form: str = ""
    compiler: str = "cranelift"
    policy: str = "warm"
    path: str = "host call"

    def to_json(self) -> dict[str, str]:
        """Return the facts as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Answer:
    """One event and what came of it. `ns` is the call's time in the host process, lifting included.

    `output` is what the guest printed, stdout and stderr in order; `notes` are the lab's own lines. `made` is
    the Python value of a result with handles, whose objects are the instance's. `fuel_used` and `disk_bytes`, what
    was written to writable directories, are `None` where nobody counts.
    """

    target: Target
    function: Function
    call: str
    normal: Any
    ns: int
    index: int = 0
    output: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fuel_used: int | None = None
    disk_bytes: int | None = None
    made: Any = None

    @property
    def value(self) -> Any:
        """The result as a Python value; `None` for a function without one."""
        if self.made is not None:
            return self.made
        return None if self.function.result is None else from_normal(self.normal, self.function.result)

    @property
    def wave(self) -> str:
        """The result as WAVE text; empty for a function without one."""
        return "" if self.function.result is None else wave(self.normal, self.function.result)

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "target": self.target.to_json(),
            "function": self.function.full_name,
            "call": self.call,
            "result": self.wave,
            "ns": self.ns,
            "output": self.output,
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return f"Answer({self.wave or 'done'})"


def call_of(function: Function, args: list[Any]) -> str:
    """Return a call as `%fire` takes it."""
    inner = ", ".join(wave(value, param.type) for value, param in zip(args, function.params, strict=True))
    return f"{function.full_name}({inner})"
