"""What a judge says of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from labkernel._wit import Function

__all__ = ["ASKED", "TOLD", "Answer", "Judge", "name_of"]

ASKED: Final = "asked"
TOLD: Final = "told"
"""When a judge wants to hear of a function: before its calls, or after them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call (normal form) that is not made: a refusal by the interface's own error, or made up."""

    value: Any
    is_refusal: bool = True


class Judge(Protocol):
    """Decides on calls. What it raises ends the guest: `CapabilityDenied` names the import."""

    def wants(self, function: Function) -> frozenset[str]:
        """Return when it wants to hear of a function: `ASKED`, `TOLD`, both or neither."""

    def before(self, function: Function, args: list[Any]) -> Answer | None:
        """Return an answer in the host's place, or `None` to let the call through."""

    def after(self, function: Function, args: list[Any], result: Any) -> list[int] | None:
        """Take note of a call that was made.

        Of a list in the result return the positions that the guest may see, `None` for all.
        """


def name_of(function: Function) -> str:
    """Return interface and function without the version: `wasi:sockets/tcp#[method]tcp-socket.start-bind`."""
    return f"{function.interface.partition('@')[0]}#{function.name}"
