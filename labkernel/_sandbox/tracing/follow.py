"""Handles followed through a trace: which file a stream writes to, which address a socket talks to."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Final

from labkernel._host.judges import place_text
from labkernel._sandbox.tracing.seen import Seen

__all__ = ["Names", "learners"]

_FILE: Final = "wasi:filesystem/types#[method]descriptor."
_TCP: Final = "wasi:sockets/tcp#[method]tcp-socket."
_UDP: Final = "wasi:sockets/udp#[method]udp-socket."
_REQUEST: Final = "wasi:http/types#[method]outgoing-request."


class Names:
    """What each handle stands for, learnt from the calls in their order.

    A membrane's handles of all resources are numbered together, and a number is used again once it was dropped.
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def of(self, handle: int) -> str:
        """Return what a handle stands for, empty where nothing was learnt."""
        return self._names.get(handle, "")

    def about(self, call: Seen) -> str:
        """Return what the first handle of a call's arguments stands for, and learn from the call."""
        about = self.of(call.first)
        self._learn(call, about)
        return about

    def _learn(self, call: Seen, owner: str) -> None:
        if call.is_drop:
            self._names.pop(call.first, None)
            return
        if not call.has_worked:
            return
        for made in call.entry.made:
            self._names[made.number] = owner or _own_name(call, made.resource)
        learn = _LEARNERS.get(call.name)
        if learn is not None and call.is_whole:
            learn(self, call)

    def _set(self, handle: int, name: str) -> None:
        self._names[handle] = name

    def _directories(self, call: Seen) -> None:
        for handle, path in call.value or []:
            self._set(handle, path)

    def _opened(self, call: Seen) -> None:
        args = call.args or []
        self._set(call.ok, posixpath.normpath(posixpath.join(self.of(args[0]) or "?", str(args[2]))))

    def _connecting(self, call: Seen) -> None:
        args = call.args or []
        kind = "udp" if "udp" in call.name else "tcp"
        if args[-1] is not None:
            self._set(args[0], f"{kind} {place_text(args[-1][0] if kind == 'udp' else args[-1])}")

    def _bound(self, call: Seen) -> None:
        args = call.args or []
        self._set(args[0], f"{'udp' if 'udp' in call.name else 'tcp'} at {place_text(args[2])}")

    def _streaming(self, call: Seen) -> None:
        args = call.args or []
        if args[1] is not None:
            self._connecting(call)
        for handle in call.ok:
            self._set(handle, self.of(args[0]) or "udp")

    def _looked_up(self, call: Seen) -> None:
        self._set(call.ok, f"look-up of {(call.args or ['', ''])[1]}")

    def _authority(self, call: Seen) -> None:
        args = call.args or []
        self._set(args[0], f"request to {args[1][0] if args[1] else 'nobody'}")


def _own_name(call: Seen, resource: str) -> str:
    match call.name:
        case name if name.startswith("wasi:cli/std"):
            return name.partition("#get-")[2]
        case (
            "wasi:clocks/monotonic-clock#subscribe-duration" | "wasi:clocks/monotonic-clock#subscribe-instant"
        ):
            return "timer"
    return resource


_LEARNERS: Final[dict[str, Callable[[Names, Seen], None]]] = {
    "wasi:filesystem/preopens#get-directories": Names._directories,
    _FILE + "open-at": Names._opened,
    _TCP + "start-connect": Names._connecting,
    _TCP + "start-bind": Names._bound,
    _UDP + "start-bind": Names._bound,
    _UDP + "stream": Names._streaming,
    "wasi:sockets/ip-name-lookup#resolve-addresses": Names._looked_up,
    _REQUEST + "set-authority": Names._authority,
}


def learners() -> frozenset[str]:
    """Return the functions whose arguments have to be known whole, by name without version."""
    return frozenset(_LEARNERS)
