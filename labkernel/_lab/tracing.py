"""How an instance is watched: what its membrane is told, and what it has told since the instance was started."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from labkernel._capability import Grants
from labkernel._errors import LabError, UsageError
from labkernel._host import Policy, Start, Started
from labkernel._sandbox import KEPT, needs_membrane, policy_of, replay_policy
from labkernel._sandbox.tracing import Event, Gathering, Played, Trace
from labkernel._timing import format_bytes

if TYPE_CHECKING:
    from labkernel._lab.instance import Instance
    from labkernel._lab.lab import Lab
    from labkernel._lab.records import Build

__all__ = ["UNWATCHED", "Tracing", "Watched"]


@dataclass(frozen=True, slots=True)
class Tracing:
    """How much is kept of host calls: an entry each, or all of them whole; or a recording that answers them."""

    is_traced: bool = False
    is_recorded: bool = False
    recording: tuple[list[object], ...] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether there will be a trace."""
        return self.is_traced or self.is_recorded or self.recording is not None


UNWATCHED: Final = Tracing()
_INCOMPLETE: Final = "the smallest set of grants covers only the calls that were kept"


class Watched:
    """One start of one instance: behind a membrane where its grants or a trace need one, as it is where not."""

    def __init__(
        self, lab: Lab, build: Build, grants: Grants, tracing: Tracing, *, compiler: str | None = None
    ) -> None:
        self._lab, self._grants, self.tracing = lab, grants, tracing
        needed = tracing.is_kept or needs_membrane(grants)
        self.build = lab.membranes.behind(build, compiler=compiler) if needed else build
        self._gathering = Gathering(self.build.wrapped, most=KEPT)
        self._event = -1
        self.played: list[Played] = []

    def start(self, start: Start) -> Start:
        """Return the start with what the membrane is told; only behind one is anything of the network opened."""
        if not self.build.wrapped:
            return start
        policy = self._policy()
        grants = self._grants if self.tracing.recording is None else Grants()
        return replace(
            start,
            membrane=tuple(policy.to_data()),
            network=bool(grants.net),
            http=bool(grants.http),
            denied=(),
        )

    def _policy(self) -> Policy:
        tracing = self.tracing
        if tracing.recording is not None:
            return replay_policy(self.build.wrapped, list(tracing.recording))
        return policy_of(
            self.build.wrapped, self._grants, is_traced=tracing.is_traced, is_recorded=tracing.is_recorded
        )

    def hear(self, started: Started | None, event: Event | None = None, fired: Sequence[Played] = ()) -> None:
        """Take in what the membrane has told until now.

        `event` is what has just ended, `None` for the start itself; `fired` is the same for a recording. Of many
        events fired at once the first has all the host calls: their order is what counts.
        """
        if not self.tracing.is_kept:
            return
        calls, memory, before = 0, 0, len(self._gathering.recorded)
        with contextlib.suppress(LabError):
            if not self.build.wrapped:
                raise UsageError("There is no membrane that could tell.")
            ledger = self._lab.guests.ledger(started)
            if self.tracing.recording is not None:
                ledger = replace(ledger, guard=None)
            memory = ledger.memory_bytes
            calls = self._gathering.add(ledger, -1 if event is None else event.number)
        if event is not None:
            self._gathering.end(replace(event, calls=calls, memory_bytes=memory or None))
        if self.tracing.is_recorded:
            first, *rest = fired or [Played("", [], ())]
            self.played += [replace(first, calls=tuple(self._gathering.recorded[before:])), *rest]

    def counts(self) -> dict[str, int]:
        """Return how often each host function was called in the last event, as far as the membrane tells."""
        last = self.events[-1]
        found = self._gathering.counts(last.number)
        if beyond := last.calls - sum(found.values()):
            found["of any, beyond those kept"] = beyond
        return found

    def next_event(self) -> int:
        """Return the number of the event that begins now."""
        self._event += 1
        return self._event

    @property
    def lost(self) -> int:
        """How many calls were not kept."""
        return self._gathering.lost

    @property
    def events(self) -> list[Event]:
        """The events so far."""
        return self._gathering.events

    @property
    def _writes(self) -> bool:
        return any(folder.writable for folder in self._grants.dirs)

    def least(self, behind: Mapping[str, str]) -> Grants:
        """Return the smallest set of grants with which the run would have worked.

        `behind` maps imports to the `%%host` implementations that stand behind them.
        """
        return self._gathering.least(self._grants, self.build.component, behind)

    def trace(self, instance: Instance) -> Trace:
        """Return the trace. Raises `UsageError` for an instance that keeps none."""
        if not self.tracing.is_kept:
            how = f"%instantiate {instance.build.name} --as {instance.name} {self._grants.options()} --trace"
            raise UsageError(f"{instance.name} keeps no trace; start it with one: {' '.join(how.split())}.")
        budgets = instance.budgets
        facts = Trace(
            target=instance.name,
            component=self.build.digest,
            calls=(),
            least=self.least(instance.on_host.behind).options() if self.tracing.recording is None else "",
            notes=(_INCOMPLETE,) if self.lost else (),
            budgets={
                "time": f"{budgets.timeout_s:g} s",
                "memory": format_bytes(budgets.memory_bytes),
                "output": format_bytes(budgets.output_bytes),
                "written to disk": format_bytes(budgets.disk_bytes) if self._writes else "",
                "fuel": f"{budgets.fuel}" if budgets.fuel else "",
            },
        )
        return self._gathering.trace(facts)
