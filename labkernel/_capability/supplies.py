"""What the lab itself hands an instance, and what stands behind an import, as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Standing", "Supplies"]


@dataclass(frozen=True, slots=True)
class Supplies:
    """What the lab itself hands an instance when it starts, so that a runtime finds the snippet it is to run.

    `env` holds names and values, `dirs` pairs of a folder of the machine and its read-only place in the guest.
    They are part of the build and no grant: no card and no equivalent command line shows them.
    """

    env: tuple[tuple[str, str], ...] = ()
    dirs: tuple[tuple[str, str], ...] = ()

    def to_data(self) -> list[Any]:
        """Return them as plain data."""
        return [[list(pair) for pair in self.env], [list(pair) for pair in self.dirs]]

    @classmethod
    def from_data(cls, data: Any) -> Supplies:
        """Return the supplies that `to_data` gave this data for."""
        env, dirs = data
        return cls(tuple((k, v) for k, v in env), tuple((host, guest) for host, guest in dirs))

    def __bool__(self) -> bool:
        return bool(self.env or self.dirs)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands behind one import: `granted`, `real`, `empty`, `refused`, `types` or `missing`, in words."""

    import_name: str
    state: str
    words: str
    how_to_grant: str = field(default="")
