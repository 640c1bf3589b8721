"""When instances are made and ended while events come: the policies, with real instances.

`Kept` holds a number of them, `Cold` makes one per event, `KeepAlive` lets one live on while it is used. It
knows no clock but the one it is handed times of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from labkernel._host.engine import Bound, Instance

__all__ = ["Cold", "KeepAlive", "Kept", "Pool", "Slot"]


class Slot:
    """One instance of a pool, its function, and whether it was made for the event at hand."""

    __slots__ = ("bound", "instance", "is_fresh", "number", "used_at")

    def __init__(self, number: int, instance: Instance, bound: Bound) -> None:
        self.number, self.instance, self.bound = number, instance, bound
        self.is_fresh = True
        self.used_at = 0


class Pool:
    """Makes instances by `make` and counts them; what is subclassed says when."""

    def __init__(self, make: Callable[[], tuple[Instance, Bound]]) -> None:
        self._make = make
        self.started = self.evicted = 0
        self.idle: deque[Slot] = deque()

    @property
    def live(self) -> int:
        """How many instances wait for an event."""
        return len(self.idle)

    def fresh(self) -> Slot:
        """Return a new instance. Raises the guest's error."""
        instance, bound = self._make()
        self.started += 1
        return Slot(self.started, instance, bound)

    def take(self) -> Slot:
        """Return an instance for the next event. Raises the guest's error where one is made and does not start."""
        raise NotImplementedError

    def give(self, slot: Slot, now: int) -> None:
        """Take an instance back that has answered."""
        slot.is_fresh = False
        slot.used_at = now
        self.idle.append(slot)

    def lose(self, slot: Slot) -> None:
        """Let go of an instance that has failed; another takes its place when it is needed."""
        slot.instance.close()

    def due(self) -> float:
        """Return when the next idle instance is to end."""
        return inf

    def evict(self, now: int) -> None:
        """End what has been idle for too long."""

    def close(self) -> None:
        """End every instance."""
        while self.idle:
            self.idle.popleft().instance.close()


class Kept(Pool):
    """A number of instances, made before the first event, which take turns."""

    def __init__(self, make: Callable[[], tuple[Instance, Bound]], count: int, own: Slot | None) -> None:
        super().__init__(make)
        self.own = own
        if own is not None:
            own.is_fresh = False
            self.idle.append(own)
        while len(self.idle) < count:
            slot = self.fresh()
            slot.is_fresh = False
            self.idle.append(slot)

    def take(self) -> Slot:
        """Return the instance that has waited longest; a lost one is replaced now."""
        return self.idle.popleft() if self.idle else self.fresh()

    def close(self) -> None:
        """End every instance but the one that was there before."""
        if self.own in self.idle:
            self.idle.remove(self.own)  # type: ignore[arg-type]
        super().close()


class Cold(Pool):
    """An instance for every event, ended after it.

    What Python holds of an instance is used again by the next one, whose store and memories are its own: `again`
    starts it. That saves a tenth of a cold start.
    """

    def __init__(
        self, make: Callable[[], tuple[Instance, Bound]], again: Callable[[Instance, Bound], None]
    ) -> None:
        super().__init__(make)
        self._again = again
        self._spare: Slot | None = None

    @property
    def live(self) -> int:
        """No instance waits for an event."""
        return 0

    def take(self) -> Slot:
        """Return a new instance."""
        slot, self._spare = self._spare, None
        if slot is None:
            return self.fresh()
        self._again(slot.instance, slot.bound)
        self.started += 1
        slot.number = self.started
        return slot

    def give(self, slot: Slot, now: int) -> None:
        """End the instance."""
        slot.instance.close()
        self._spare = slot


_SECOND: Final = 1_000_000_000


class KeepAlive(Pool):
    """Instances that live on for `idle_s` after their last event: none at first, none after a long pause."""

    def __init__(self, make: Callable[[], tuple[Instance, Bound]], idle_s: float) -> None:
        super().__init__(make)
        self._idle_ns = int(idle_s * _SECOND)

    def take(self) -> Slot:
        """Return the instance used last, or a new one."""
        return self.idle.pop() if self.idle else self.fresh()

    def due(self) -> float:
        """Return when the instance that has been idle for longest is to end."""
        return self.idle[0].used_at + self._idle_ns if self.idle else inf

    def evict(self, now: int) -> None:
        """End what has been idle for longer than it may."""
        while self.idle and self.idle[0].used_at + self._idle_ns <= now:
            self.idle.popleft().instance.close()
            self.evicted += 1
