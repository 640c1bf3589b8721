"""What is denied outright: calls of these interfaces end the guest.

Behind a membrane a judge says so, and not the linker: the membrane itself reads the machine's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labkernel._host.judges.verdict import ASKED, Answer
from labkernel._host.traps import denied
from labkernel._wit import Function

__all__ = ["DenialJudge"]


class DenialJudge:
    """Raises `CapabilityDenied` at each call of an interface whose name begins as one of `denied`.

    `hints` say how to grant it, as in `Start`.
    """

    def __init__(self, denied: Iterable[str], hints: Iterable[tuple[str, str]]) -> None:
        self._denied, self._hints = tuple(denied), tuple(hints)

    def wants(self, function: Function) -> frozenset[str]:
        """Return when it wants to hear of a function."""
        return frozenset([ASKED] if function.interface.startswith(self._denied) else [])

    def before(self, function: Function, args: list[Any]) -> Answer | None:
        """Raise the refusal."""
        raise denied(function.full_name, self._hints)

    def after(self, function: Function, args: list[Any], result: Any) -> None:
        """Take no note."""
