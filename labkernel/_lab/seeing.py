"""What can be seen of a guest: its host calls, its memory, and its recorded runs played again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from labkernel._capability import make_budgets
from labkernel._lab.cost import tracing_cost_ns
from labkernel._lab.instance import Instance
from labkernel._lab.peeking import Peek, peek
from labkernel._lab.records import Build
from labkernel._lab.replaying import Replayed, play, write_recording
from labkernel._sandbox.tracing import Trace

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Seeing"]


class Seeing:
    """The part of the lab's front that looks at guests; only a `Lab` is one."""

    @property
    def _self(self) -> Lab:
        return cast("Lab", self)

    def trace(self, target: str | Instance) -> Trace:
        """Return every host call of an instance that was started with `trace` or `record`.

        Raises `UsageError` where none is kept.
        """
        instance = target if isinstance(target, Instance) else self._self.target(target)
        trace = instance.trace
        if instance.tracing.recording is not None:
            return trace
        if instance.tracing not in self._self.watching_costs:
            self._self.watching_costs[instance.tracing] = tracing_cost_ns(self._self, instance.tracing)
        return replace(trace, cost_ns=self._self.watching_costs[instance.tracing])

    def save_recording(self, target: str | Instance, path: str | Path) -> Path:
        """Write what an instance started with `record` has done since its start, and return the path.

        Raises `UsageError` for an instance that was not recorded.
        """
        return write_recording(target if isinstance(target, Instance) else self._self.target(target), path)

    def replay(
        self, target: str | Instance | Build, path: str | Path, *, call: str | None = None
    ) -> Replayed:
        """Play a recording: the component starts without any grant, and every host call is answered from the file.

        The recorded events are fired, or `call` (WAVE) in their place. Raises `UsageError` for a recording of another
        component, and `GuestTrap` at the first host call that is not the recorded one.
        """
        lab = self._self
        instance = target if isinstance(target, Instance) else None
        if isinstance(target, str):
            instance = lab.instances.get(target)
        if instance is None:
            assert not isinstance(target, Instance)
            build, budgets = lab.component(target), make_budgets({})
        else:
            newest = None if instance.pin else lab.builds.get(instance.build.name)
            build, budgets = newest or instance.build, instance.budgets
        return play(lab, build, path, call=call, name=f"{build.name}-replay", budgets=budgets)

    def peek(self, target: str | Instance, wanted: str = "") -> Peek:
        """Look for a text in a guest's memory, as its host can. Raises `UsageError` for one that does not run."""
        return peek(target if isinstance(target, Instance) else self._self.target(target), wanted)
