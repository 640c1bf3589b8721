"""The implementations of imports that were written in cells, by name."""

from __future__ import annotations

from typing import Any

from labkernel._errors import UnknownCapability, did_you_mean
from labkernel._lab.worlds import Worlds
from labkernel._sandbox import HostImplementation, import_of

__all__ = ["Hosts"]


class Hosts(dict[str, HostImplementation]):
    """A lab's implementations; `worlds` are where their imports are looked for."""

    def __init__(self, worlds: Worlds) -> None:
        super().__init__()
        self._worlds = worlds

    def define(
        self, name: str, implementation: Any, *, world: str | None = None, interface: str | None = None,
        source: str = "",
    ) -> HostImplementation:  # fmt: skip
        """Take Python functions as the implementation of an import of a world, granted by `host=[name]`.

        `implementation` is a module, a class, a dict or any object with a function for each of the WIT's: hyphens
        become underscores, a resource is a class named in CamelCase. `source` is its text, for the lines in errors.
        Without `interface` it is the functions that the world itself imports, or its only interface.
        Raises `CompileError` where functions are missing, superfluous or take other parameters, and `UsageError`.
        """
        _, chosen = self._worlds.find(world)
        made = HostImplementation(
            name, implementation, world=chosen, interface=import_of(chosen, interface), source=source
        )
        self[name] = made
        return made

    def named(self, name: str) -> HostImplementation:
        """Return the implementation of that name. Raises `UnknownCapability`."""
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self) or "none yet"
            raise UnknownCapability(
                f"--host {name!r} is not known; known: {known}.{did_you_mean(name, self)} "
                f"Write it in a cell that begins %%host {name}."
            ) from None
