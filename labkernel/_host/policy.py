"""What a membrane is told to do, and what it saw: plain records that travel to the host process. It knows no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from labkernel._wit import Function

__all__ = ["Ledger", "Policy"]

START_NS: Final = 1_000_000_000
"""Where the virtual monotonic clock starts: some runtimes take 0 for a clock that does not work."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a membrane does with each call, as data.

    `modes` is a byte for each wrapped function, in the order of the membrane's table: the bits `RECORD`, `ASK`,
    `TELL` and `SPECIAL` of `membrane_layout`. `wall_ns` (since 1970), `monotonic_ns` and `step_ns` are the virtual
    clock's, `random_state` that of the seeded random numbers. The ledger keeps the first `keep` entries. Calls with
    `ASK` or `TELL` go to the guard of that name, which is made of `guard_data`; their functions have to be in `table`.
    """

    modes: bytes
    wall_ns: int = 0
    step_ns: int = 0
    monotonic_ns: int = START_NS
    random_state: int = 0
    keep: int = 20_000
    table: tuple[Function, ...] = ()
    guard: str = ""
    guard_data: Any = None

    def to_data(self) -> list[Any]:
        """Return the policy as plain data."""
        data = [getattr(self, name) for name in self.__dataclass_fields__]
        return [[f.to_data() for f in value] if value is self.table else value for value in data]

    @classmethod
    def from_data(cls, data: list[Any]) -> Policy:
        """Return the policy that `to_data` gave this data for."""
        given = dict(zip(cls.__dataclass_fields__, data, strict=True))
        return cls(**given | {"table": tuple(map(Function.from_data, given["table"]))})


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a membrane has seen: entries as `membrane_layout` lays them out, how many more there were, and what
    the guard has to tell. `memory_bytes` is the guest's linear memory now, 0 where it has ended."""

    entries: bytes
    lost: int = 0
    guard: Any = None
    memory_bytes: int = 0
