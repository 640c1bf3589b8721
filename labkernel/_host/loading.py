"""The kernel's side of a load: made ready in a host process, fired from a given moment on, heard in chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labkernel._errors import LabError
from labkernel._host import protocol
from labkernel._host.order import Chunk, Order
from labkernel._host.process import OnHost
from labkernel._host.settings import Loaded, Start, Started
from labkernel._host.supervisor import Supervisor
from labkernel._values import events_to_data

__all__ = ["Ready", "clock_ns", "go", "make_ready"]

_SHORT_S: Final = 5.0


def clock_ns() -> int:
    """Return the machine's monotonic clock, which the host processes read too."""
    return time.perf_counter_ns()


@dataclass(frozen=True, slots=True)
class Ready:
    """A load that is ready in a host process of that generation."""

    supervisor: Supervisor
    number: int
    generation: int
    start: Start

    def forget(self) -> None:
        """End a load that will not go; one whose process is gone has ended."""
        if self.supervisor.pid is not None and self.supervisor.generation == self.generation:
            self.supervisor.stream(
                "load-forget", [self.number], patience_s=_SHORT_S, generation=self.generation
            )


def make_ready(
    supervisor: Supervisor, loaded: Loaded, start: Start, function: str, events: Sequence[list[Any]],
    order: Order,
    *, own: Started | None = None, on_host: OnHost | None = None,
) -> Ready:  # fmt: skip
    """Make the instances that a policy wants beforehand; `own` is one that is there and counts as the first.

    Raises what starting an instance raises, and `ValueDoesNotFit` for events that no frame carries.
    """
    here = loaded
    if supervisor.pid is None or loaded.generation != supervisor.generation:
        here = supervisor.load(Path(loaded.path), settings=loaded.settings)
    number = supervisor.stream(
        "load-ready",
        [
            here.id,
            start.to_data(),
            own.id if own else None,
            function,
            events_to_data(events),
            order.to_data(),
        ],
        patience_s=_SHORT_S + start.timeout_s * (1 + order.instances),
        generation=own.generation if own else here.generation,
        on_host=on_host,
    )
    return Ready(supervisor, number, supervisor.generation, start)


def go(
    ready: Ready, start_ns: int, on_chunk: Callable[[Chunk], None], on_output: Callable[[str, str], None],
    *, on_host: OnHost | None = None,
) -> LabError | None:  # fmt: skip
    """Fire from a moment of `clock_ns` on; return the guest's error that ended it, if one did.

    Raises `GuestCrashed` when the process is lost and `KeyboardInterrupt` when it is stopped: what came
    until then has been handed to `on_chunk`, in the thread that called.
    """

    def hear(data: list[Any]) -> None:
        try:
            chunk = Chunk.from_data(data)
        except (ValueError, TypeError) as problem:
            raise protocol.ProtocolError(f"not a chunk: {problem}") from None
        on_chunk(chunk)

    error = ready.supervisor.stream(
        "load-go",
        [ready.number, start_ns],
        patience_s=_SHORT_S + 2 * ready.start.timeout_s,
        generation=ready.generation,
        on_chunk=hear,
        on_output=on_output,
        on_host=on_host,
    )
    return None if error is None else protocol.decode_error(error)
