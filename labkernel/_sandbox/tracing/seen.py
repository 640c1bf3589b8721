"""One host call as it was seen: its entry in the ledger, and its values where they were kept whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from labkernel._sandbox.ledger import Entry
from labkernel._wit import Function, ResultType

__all__ = ["DROP", "Seen", "plain_name"]

DROP: Final = "[resource-drop]"
#: Errors by which WASI's interfaces refuse what was not granted.
_REFUSAL: Final = re.compile(r"err\((access-denied|access|not-permitted|read-only|HTTP-request-denied)\)")


def plain_name(function: Function) -> str:
    """Return interface and function without the version."""
    return f"{function.interface.partition('@')[0]}#{function.name}" if function.interface else function.name


@dataclass(frozen=True, slots=True)
class Seen:
    """One call. `args` and `value` are in normal form, `None` where only the entry was kept."""

    entry: Entry
    event: int = -1
    args: list[Any] | None = None
    value: Any = None

    @property
    def name(self) -> str:
        """Interface and function without the version."""
        return plain_name(self.entry.function)

    @property
    def is_drop(self) -> bool:
        """Whether it lets go of a resource."""
        return self.entry.function.name.startswith(DROP)

    @property
    def first(self) -> int:
        """The first handle in the arguments, -1 where there is none."""
        return self.entry.given[0].number if self.entry.given else -1

    @property
    def has_worked(self) -> bool:
        """Whether it returned, and no error."""
        return self.entry.ending != "never" and not self.entry.result.startswith("err")

    @property
    def is_whole(self) -> bool:
        """Whether its arguments and its result were kept whole."""
        return self.args is not None

    @property
    def ok(self) -> Any:
        """The payload of a result that is no error, or the result itself; only of a call kept whole."""
        return self.value[1] if isinstance(self.entry.function.result, ResultType) else self.value

    @property
    def verdict(self) -> str:
        """What became of it, as `HostCall` says."""
        match self.entry.ending:
            case "never":
                return "trapped"
            case "virtual":
                return "virtual"
        return "refused" if _REFUSAL.fullmatch(self.entry.result) else "allowed"
