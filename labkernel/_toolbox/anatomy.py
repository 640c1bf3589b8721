"""What a component is made of, in bytes. It knows nothing of how that was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Anatomy", "Part", "Section"]


@dataclass(frozen=True, slots=True)
class Section:
    """One section by the specification's name, or `custom "name"`; `size` counts its header."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """A component or core module: `kind` is `"component"` or `"module"`.

    `parent` is an index into `Anatomy.parts`; `size` is eight bytes of preamble and all sections.
    """

    kind: str
    name: str
    parent: int | None
    size: int
    sections: tuple[Section, ...]

    def by_name(self) -> dict[str, int]:
        """Return bytes by section name, largest first, sections of one name added up."""
        sizes: dict[str, int] = {}
        for section in self.sections:
            sizes[section.name] = sizes.get(section.name, 0) + section.size
        return dict(sorted(sizes.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The parts of a file, the whole first. A section that embeds a part counts that part's bytes too."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self.parts[0].size

    @property
    def modules(self) -> tuple[Part, ...]:
        """Every core module, in the order of the file."""
        return tuple(part for part in self.parts if part.kind == "module")

    def inside(self, index: int) -> Iterator[Part]:
        """Yield the parts that lie directly in the part of that index."""
        return (part for part in self.parts if part.parent == index)

    @classmethod
    def from_normal(cls, parts: Any) -> Anatomy:
        """Return the anatomy that the toolbox's list of parts describes."""
        return cls(tuple(_part(*part) for part in parts))


def _part(kind: str, name: str, parent: list[int] | None, size: int, sections: list[list[Any]]) -> Part:
    return Part(kind, name, parent[0] if parent else None, size, tuple(Section(*s) for s in sections))
