"""The host's side of membranes: hands over the policy, asks guards, takes the ledger.

It reads and writes a membrane's linear memory by its address in this process, which it finds in the process's memory
map by the mark that the membrane chose: no value is lifted on the way, and the ledger can still be read when the guest
has trapped and nothing in it can be called any more. Where the map cannot be read (other systems than Linux) a
membrane is refused.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from labkernel._errors import ComponentError, GuestTrap
from labkernel._host import membrane_layout as at
from labkernel._host.callbacks import HostFunction
from labkernel._host.memory import linear_memories
from labkernel._host.policy import Policy
from labkernel._values.flat import lift, lift_arguments
from labkernel._values.image import Image, read
from labkernel._values.layout import MAX_FLAT_RESULTS, flatten, payload_offset, size
from labkernel._wit import ListType, ResultType, Type

if TYPE_CHECKING:
    from labkernel._host.engine import Instance

__all__ = ["GUARDS", "IMPORTS", "Guard", "Ledgers", "Passage", "Recorder", "provide"]

_HEADER: Final = struct.Struct("<IIII")
_LIST: Final = struct.Struct("<II")
_FRAME: Final = struct.Struct(f"<{at.ARGUMENTS + 1}Q")
_CLOCK: Final = struct.Struct("<QQQQQ")
_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_ENDED: Final = 16
"""Ended instances whose ledgers are kept."""
_PIECE: Final = 1 << 15
"""Bytes that a guard lets the instance print at once."""


class Guard(Protocol):
    """Who decides on calls that a policy asks about, for one instance. Values are in normal form, handles numbers."""

    def ask(self, number: int, arguments: list[Any]) -> list[Any] | None:
        """Return `None` to pass a call on, `[result]` to answer it; raise a `LabError` to end it."""

    def tell(self, number: int, arguments: list[Any], result: Any) -> list[int] | None:
        """Hear of a call that has returned, by its answer or the host's.

        Of a result that is a list, or `ok` with one, return the positions of those that the guest is to get, in
        their order; `None` for all.
        """

    def take(self) -> Any:
        """Return what there is to tell the notebook, as plain data, once."""


class Recorder:
    """A guard that passes everything on and keeps every call whole: number, arguments, result."""

    def __init__(self, policy: Policy) -> None:
        self._calls: list[list[Any]] = []

    def ask(self, number: int, arguments: list[Any]) -> list[Any] | None:
        """Note that the call began, with `None` for a result that may never come."""
        self._calls.append([number, arguments, None])
        return None

    def tell(self, number: int, arguments: list[Any], result: Any) -> None:
        """Note the result, of the last call that began so."""
        self._calls[-1][2] = [result]

    def take(self) -> list[list[Any]]:
        """Return the calls since the last time."""
        calls, self._calls = self._calls, []
        return calls


def _court(policy: Policy) -> Guard:
    from labkernel._host.judges import Court

    return Court(policy)


def _replay(policy: Policy) -> Guard:
    from labkernel._host.judges import Replay

    return Replay(policy)


GUARDS: Final[dict[str, Callable[[Policy], Guard]]] = {
    "record": Recorder, "court": _court, "replay": _replay,
}  # fmt: skip
"""Makers of guards, by the name that policies give; a process that needs none imports none."""


class Passage:
    """One instance's membrane: where its memory lies, its policy, and what the host has taken from its ledger."""

    def __init__(self, base: int, policy: Policy) -> None:
        self.base, self.policy = base, policy
        self.kept = bytearray()
        self.lost = 0
        self._answer: Image | None = None
        self._asked: tuple[int, list[Any]] | None = None
        self._open = threading.Lock()
        self._is_closed = False
        self.guard: Guard | None = GUARDS[policy.guard](policy) if policy.guard else None
        self._modes, count, self._ledger, _ = _HEADER.unpack(self.read(at.HEADER, _HEADER.size))
        if count != len(policy.modes):
            raise ComponentError(
                f"The policy has {len(policy.modes)} bytes, expected {count}: it is another membrane's."
            )
        clock = (policy.wall_ns, 0, policy.step_ns, policy.monotonic_ns, policy.random_state)
        self.write(at.CLOCK, _CLOCK.pack(*(n & _MASK for n in clock)))
        self.write(self._modes, policy.modes)

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the membrane's memory."""
        return ctypes.string_at(self.base + offset, count)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes into the membrane's memory."""
        ctypes.memmove(self.base + offset, data, len(data))

    def collect(self) -> None:
        """Take the entries that are in the ledger now, and empty it."""
        with self._open:
            if not self._is_closed:
                self._collect()

    def close(self) -> None:
        """Take what is in the ledger; the memory goes away now. An abandoned thread may do so at any time."""
        with self._open:
            if not self._is_closed:
                self._collect()
            self._is_closed = True

    def _collect(self) -> None:
        count = int.from_bytes(self.read(at.COUNT, 4), "little")
        wanted = min(count, self.policy.keep - len(self.kept) // at.ENTRY)
        self.kept += self.read(self._ledger, wanted * at.ENTRY)
        self.lost += count - wanted
        self.write(at.COUNT, bytes(4))

    def take(self) -> list[Any]:
        """Return entries, how many were lost, and what the guard tells; what was returned once is gone."""
        taken = [bytes(self.kept), self.lost, self.guard and self.guard.take()]
        self.kept.clear()
        self.lost = 0
        return taken

    def ask(self, number: int, frame: int, space: int, capacity: int) -> int:
        """Answer the membrane's question as `host.wit` says."""
        if self._answer is None:
            arguments = self._arguments(number, frame)
            answer = self._guarded().ask(number, arguments)
            self._asked = number, arguments
            if answer is None:
                return -1
            self._answer = Image()
            result = self.policy.table[number].result
            if result is not None:
                self._answer.place(answer[0], result)
        if len(self._answer.data) > capacity:
            return len(self._answer.data)
        image, self._answer = self._answer.moved(space), None
        self.write(space, bytes(image.data))
        return len(image.data)

    def tell(self, number: int, frame: int) -> None:
        """Tell the guard of a call that has returned."""
        result = self.policy.table[number].result
        value = _FRAME.unpack(self.read(frame, _FRAME.size))[at.ARGUMENTS]
        if result is None:
            told = None
        elif len(flatten(result)) <= MAX_FLAT_RESULTS:
            told = lift(self.read, [value], result)
        else:
            told = read(self.read, value, result)
        asked, self._asked = self._asked, None
        arguments = asked[1] if asked and asked[0] == number else self._arguments(number, frame)
        keep = self._guarded().tell(number, arguments, told)
        if keep is not None and result is not None:
            self._thin(value, result, keep)

    def _thin(self, address: int, result: Type, keep: list[int]) -> None:
        """Leave of the list in a result only some elements: what is taken away stays in the membrane."""
        if isinstance(result, ResultType):
            address, result = address + payload_offset(result), result.ok or result
        assert isinstance(result, ListType)
        start, _ = _LIST.unpack(self.read(address, _LIST.size))
        width = size(result.element)
        self.write(start, b"".join(self.read(start + width * at, width) for at in keep))
        self.write(address, _LIST.pack(start, len(keep)))

    def _arguments(self, number: int, frame: int) -> list[Any]:
        flat = _FRAME.unpack(self.read(frame, _FRAME.size))
        return lift_arguments(self.read, flat, self.policy.table[number])

    def _guarded(self) -> Guard:
        if self.guard is None:
            raise GuestTrap("The membrane asks about a call, and its policy names no guard.")
        return self.guard


class Ledgers:
    """The ledgers of instances, those of the last ended ones included."""

    def __init__(self) -> None:
        self._ended: dict[int, Passage] = {}

    def keep(self, number: int, instance: Instance | None) -> None:
        """Keep an ending instance's ledger for a while."""
        if instance is not None and instance.passage is not None:
            self._ended.pop(number, None)
            self._ended[number] = instance.passage
            while len(self._ended) > _ENDED:
                self._ended.pop(next(iter(self._ended)))

    def take(self, number: int, instance: Instance | None) -> list[Any]:
        """Return what there is new in a ledger, as the fields of `Ledger`."""
        passage = self._ended.get(number) if instance is None else instance.passage
        if passage is None:
            return [b"", 0, None]
        passage.collect()
        return passage.take()


IMPORTS: Final = (at.IMPORT, at.CLOCK_IMPORT)
"""What membranes import of the lab. The clock is passed on from WASI where guest and membrane are composed as bytes."""


def provide(name: str) -> HostFunction:
    """Return the implementation of a function of these imports, by its name."""
    return _FUNCTIONS[name]


def _policy(instance: Instance, arguments: list[Any]) -> None:
    if instance.start.membrane is None:
        raise ComponentError("The component is behind a membrane, and its start brings no policy for it.")
    instance.passage = Passage(_claim(arguments[0]), Policy.from_data(list(instance.start.membrane)))


def _claim(mark: int) -> int:
    """Return the address of the membrane's memory that shows a mark, and mark it as found."""
    wanted, shown = at.MAGIC + mark.to_bytes(4, "little"), []
    for base, count in linear_memories().items():
        if count < at.HEADER:
            continue
        found = ctypes.string_at(base + at.MARK, at.COUNT - at.MARK)
        if found.startswith(wanted) and not any(found[at.CLAIMED - at.MARK :]):
            shown.append(base)
    if len(shown) > 1:
        raise ComponentError(
            "Another memory shows the mark of this membrane: a guest forged it. Start it again."
        )
    if shown:
        ctypes.memmove(shown[0] + at.CLAIMED, b"\1", 1)
        return shown[0]
    raise ComponentError(
        "The membrane's memory is not found in the process's memory map, which only Linux shows. "
        "Leave out the grants and the trace that need a membrane."
    )


def _passage(instance: Instance) -> Passage:
    if instance.passage is None:
        raise GuestTrap("The membrane called before it had its policy.")
    return instance.passage


def _ask(instance: Instance, arguments: list[Any]) -> int:
    passage = _passage(instance)
    took = passage.ask(*arguments)
    written = getattr(passage.guard, "written", None)
    while written:
        stream, data = written.pop(0)
        for begin in range(0, len(data), _PIECE):
            os.write(instance.streams[stream], data[begin : begin + _PIECE])
    return took


_FUNCTIONS: Final[dict[str, HostFunction]] = {
    "now": lambda *_: time.monotonic_ns(),
    "policy": _policy,
    "ask": _ask,
    "tell": lambda instance, arguments: _passage(instance).tell(*arguments),
    "drain": lambda instance, _: _passage(instance).collect(),
}
