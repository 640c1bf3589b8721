"""Which sockets may talk to whom: names at the look-up, addresses at connect, bind and listen, and per datagram."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from labkernel._capability import Endpoint, normal_host
from labkernel._host.judges.verdict import ASKED, TOLD, Answer, name_of
from labkernel._wit import Function

__all__ = ["NetworkJudge", "place_of", "place_text"]

Place: TypeAlias = tuple[str, int]
_REFUSED: Final = Answer(["err", "access-denied"])
_LOOKUP: Final = "wasi:sockets/ip-name-lookup#"
_TCP: Final = "wasi:sockets/tcp#[method]tcp-socket."
_UDP: Final = "wasi:sockets/udp#[method]udp-socket."
_PEERS: Final = 4096
"""Senders that a listening UDP socket remembers, to be allowed to answer them."""
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(slots=True)
class _Socket:
    """What is known of one socket. `listens` once it was bound under a grant to listen; `peers` wrote to it."""

    listens: bool = False
    peers: set[Place] = field(default_factory=set)


class NetworkJudge:
    """Lets through what `endpoints` grant, and answers everything else with `access-denied`.

    A granted name may be looked up, and then stands for the addresses it was found to have, in this instance and
    for its own ports. A socket that is bound to port 0 without a grant to listen may only be used to send, and to
    receive from where it may send to: other datagrams are taken out of what it receives.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        given = tuple(endpoints)
        self._out = tuple(e for e in given if not e.listen)
        self._in = tuple(e for e in given if e.listen)
        self._hosts = {e.host for e in self._out}
        self._found: dict[str, set[str]] = {}
        self._lookups: dict[int, str] = {}
        self._sockets: dict[int, _Socket] = {}
        self._streams: dict[int, _Socket] = {}
        self._before: dict[str, Callable[[list[Any]], bool]] = {
            _LOOKUP + "resolve-addresses": self._may_look_up,
            _TCP + "start-connect": lambda args: self._may_reach("tcp", place_of(args[2])),
            _TCP + "start-bind": lambda args: self._may_bind("tcp", args[0], place_of(args[2])),
            _TCP + "start-listen": lambda args: self._socket(args[0]).listens,
            _UDP + "start-bind": lambda args: self._may_bind("udp", args[0], place_of(args[2])),
            _UDP + "stream": self._may_stream,
            "wasi:sockets/udp#[method]outgoing-datagram-stream.send": self._may_send,
        }
        self._after: dict[str, Callable[[list[Any], Any], list[int] | None]] = {
            _LOOKUP + "resolve-addresses": self._looking_up,
            _LOOKUP + "[method]resolve-address-stream.resolve-next-address": self._looked_up,
            _UDP + "stream": self._streaming,
            "wasi:sockets/udp#[method]incoming-datagram-stream.receive": self._received,
            "wasi:sockets/tcp#[resource-drop]tcp-socket": self._dropped,
            "wasi:sockets/udp#[resource-drop]udp-socket": self._dropped,
            "wasi:sockets/udp#[resource-drop]incoming-datagram-stream": self._dropped,
            "wasi:sockets/udp#[resource-drop]outgoing-datagram-stream": self._dropped,
            _LOOKUP + "[resource-drop]resolve-address-stream": self._dropped,
        }

    def wants(self, function: Function) -> frozenset[str]:
        """Return when it wants to hear of a function."""
        name = name_of(function)
        return frozenset(
            when for when, names in ((ASKED, self._before), (TOLD, self._after)) if name in names
        )

    def before(self, function: Function, args: list[Any]) -> Answer | None:
        """Refuse what was not granted."""
        allows = self._before.get(name_of(function))
        return None if allows is None or allows(args) else _REFUSED

    def after(self, function: Function, args: list[Any], result: Any) -> list[int] | None:
        """Note addresses of granted names, and what became of sockets; return which datagrams may be seen."""
        note = self._after.get(name_of(function))
        return None if note is None else note(args, result)

    # ----------------------------------------------------------------------------------------- decisions

    def _may_look_up(self, args: list[Any]) -> bool:
        try:
            return normal_host(args[1]) in self._hosts
        except ValueError:
            return False

    def _may_reach(self, protocol: str, place: Place) -> bool:
        return any(self._is_for(e, protocol, place[1]) and self._is_at(e, place[0]) for e in self._out)

    def _may_bind(self, protocol: str, handle: int, place: Place) -> bool:
        """A grant to listen covers the place, or it is port 0 of a socket that may be used to send."""
        host, port = place
        listens = any(self._is_for(e, protocol, port) and e.host == host for e in self._in)
        self._socket(handle).listens = listens
        return listens or (port == 0 and any(e.protocol in ("", protocol) for e in self._out))

    def _may_stream(self, args: list[Any]) -> bool:
        return args[1] is None or self._may_reach("udp", place_of(args[1][0]))

    def _may_send(self, args: list[Any]) -> bool:
        socket = self._streams.get(args[0])
        peers = socket.peers if socket else set()
        places = [place_of(remote[0]) for _, remote in args[1] if remote is not None]
        return all(place in peers or self._may_reach("udp", place) for place in places)

    @staticmethod
    def _is_for(endpoint: Endpoint, protocol: str, port: int) -> bool:
        return endpoint.protocol in ("", protocol) and endpoint.port in (None, port)

    def _is_at(self, endpoint: Endpoint, address: str) -> bool:
        return endpoint.host == address or address in self._found.get(endpoint.host, ())

    # --------------------------------------------------------------------------------------------- notes

    def _socket(self, handle: int) -> _Socket:
        return self._sockets.setdefault(handle, _Socket())

    def _looking_up(self, args: list[Any], result: Any) -> None:
        if result[0] == "ok":
            self._lookups[result[1]] = normal_host(args[1])

    def _looked_up(self, args: list[Any], result: Any) -> None:
        if result[0] == "ok" and result[1] is not None and args[0] in self._lookups:
            kind, numbers = result[1][0]
            self._found.setdefault(self._lookups[args[0]], set()).add(_address(kind, numbers))

    def _streaming(self, args: list[Any], result: Any) -> None:
        if result[0] == "ok":
            for stream in result[1]:
                self._streams[stream] = self._socket(args[0])

    def _received(self, args: list[Any], result: Any) -> list[int] | None:
        """Remember who wrote to a socket that listens; to any other only those may write whom it may write to."""
        if result[0] != "ok":
            return None
        socket = self._streams.get(args[0])
        senders = [place_of(remote) for _, remote in result[1]]
        if socket is not None and socket.listens:
            for sender in senders:
                if len(socket.peers) < _PEERS:
                    socket.peers.add(sender)
            return None
        return [at for at, sender in enumerate(senders) if self._may_reach("udp", sender)]

    def _dropped(self, args: list[Any], result: Any) -> None:
        for known in (self._lookups, self._sockets, self._streams):
            known.pop(args[0], None)


def place_of(address: list[Any]) -> Place:
    """Return host and port of an `ip-socket-address` in normal form.

    >>> place_of(["ipv4", [80, [127, 0, 0, 1]]])
    ('127.0.0.1', 80)
    """
    kind, fields = address
    return _address(kind, fields[1] if kind == "ipv4" else fields[2]), fields[0]


def place_text(address: list[Any]) -> str:
    """Return an `ip-socket-address` in normal form as grants write it: `127.0.0.1:80`, `[::1]:80`."""
    host, port = place_of(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _address(kind: str, numbers: list[int]) -> str:
    if kind == "ipv4":
        return ".".join(map(str, numbers))
    return normal_host(str(ipaddress.IPv6Address(b"".join(n.to_bytes(2, "big") for n in numbers))))
