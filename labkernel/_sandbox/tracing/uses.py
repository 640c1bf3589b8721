"""What a traced run used of what it was granted, gathered call by call.

Calls that failed or were refused used nothing: the run went on without them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from labkernel._capability import Grants
from labkernel._host.judges import host_and_port, place_of
from labkernel._sandbox.tracing.seen import Seen

__all__ = ["USES", "Folder", "Uses"]

_FILE: Final = "wasi:filesystem/types#[method]descriptor."
_TCP: Final = "wasi:sockets/tcp#[method]tcp-socket."
_UDP: Final = "wasi:sockets/udp#[method]udp-socket."
_TYPES: Final = "wasi:http/types#"
#: Functions of a directory that take a path in it, by how many arguments precede it; those that change something.
_PATHS: Final = {
    "stat-at": 2, "metadata-hash-at": 2, "readlink-at": 1, "set-times-at": 2, "create-directory-at": 1,
    "remove-directory-at": 1, "unlink-file-at": 1, "symlink-at": 2, "link-at": 2, "rename-at": 1,
}  # fmt: skip
_CHANGING: Final = frozenset(_PATHS) - {"stat-at", "metadata-hash-at", "readlink-at"}


@dataclass(slots=True)
class Folder:
    """What was used of one granted directory: paths in it, each with whether it is a folder; written or not."""

    used: list[tuple[str, bool]] = field(default_factory=list)
    written: bool = False


class Uses:
    """What a run used, gathered call by call in their order."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self.environment = self.arguments = self.stdin = self.clock = self.random = False
        self.called: set[str] = set()
        self.folders: dict[str, Folder] = {}
        self.out: dict[tuple[str, str, int], None] = {}
        self.listening: dict[tuple[str, str, int], None] = {}
        self.requests: dict[tuple[str, str, int], None] = {}
        self._looked_up: dict[str, bool] = {}
        self._lookups: dict[int, str] = {}
        self._names: dict[str, str] = {}
        self._paths: dict[int, tuple[str, str]] = {}
        self._stdin_handles: set[int] = set()
        self._http: dict[int, list[str]] = {}
        self._listen_places: dict[int, tuple[str, str, int]] = {}

    def add(self, call: Seen) -> None:
        """Take a call in."""
        if call.is_drop:
            for known in (self._lookups, self._paths, self._http, self._listen_places):
                known.pop(call.first, None)
            self._stdin_handles.discard(call.first)
            return
        self.called.add(call.entry.function.interface or call.entry.function.name)
        self.clock |= call.name.startswith("wasi:clocks/")
        self.random |= call.name.startswith("wasi:random/")
        if call.name == "wasi:cli/stdin#get-stdin":
            self._stdin_handles |= {made.number for made in call.entry.made}
        elif call.name.startswith("wasi:io/streams#[method]input-stream."):
            self.stdin |= call.first in self._stdin_handles
        use = USES.get(call.name)
        if use is not None and call.has_worked and call.is_whole:
            use(self, call)

    # --------------------------------------------------------------------------------------------- texts

    def _environment(self, call: Seen) -> None:
        self.environment = True

    def _arguments(self, call: Seen) -> None:
        self.arguments = True

    # ------------------------------------------------------------------------------------------- folders

    def _directories(self, call: Seen) -> None:
        for handle, path in call.value:
            self._paths[handle] = (path, "")

    def _open(self, call: Seen) -> None:
        handle, _, path, how, flags = call.args or []
        root, at = self._paths.get(handle, ("", ""))
        full = posixpath.normpath(posixpath.join(at, path))
        self._paths[call.ok] = (root, full)
        is_folder = "directory" in how
        written = bool({"create", "truncate"} & set(how)) or bool({"write", "mutate-directory"} & set(flags))
        self._use(root, full, is_folder=is_folder, written=written)

    def _path(self, call: Seen) -> None:
        args = call.args or []
        name = call.entry.function.name.rpartition(".")[2]
        root, at = self._paths.get(args[0], ("", ""))
        full = posixpath.normpath(posixpath.join(at, args[_PATHS[name]]))
        self._use(root, full, is_folder=full == ".", written=name in _CHANGING)
        if name in ("rename-at", "link-at"):
            root, at = self._paths.get(args[-2], ("", ""))
            self._use(root, posixpath.normpath(posixpath.join(at, args[-1])), is_folder=False, written=True)

    def _list(self, call: Seen) -> None:
        root, at = self._paths.get((call.args or [-1])[0], ("", ""))
        self._use(root, at or ".", is_folder=True, written=False)

    def _use(self, root: str, path: str, *, is_folder: bool, written: bool) -> None:
        folder = self.folders.setdefault(root, Folder())
        folder.used.append((path, is_folder))
        folder.written |= written

    # ------------------------------------------------------------------------------------------- network

    def _look_up(self, call: Seen) -> None:
        name = (call.args or ["", ""])[1]
        self._lookups[call.ok] = name
        self._looked_up.setdefault(name, False)

    def _address(self, call: Seen) -> None:
        name = self._lookups.get((call.args or [-1])[0])
        if name is not None and call.ok is not None:
            kind, numbers = call.ok[0]
            place = [0, numbers] if kind == "ipv4" else [0, 0, numbers, 0]
            self._names[place_of([kind, place])[0]] = name

    def _connect(self, call: Seen) -> None:
        self._reach("tcp", (call.args or [])[2])

    def _stream(self, call: Seen) -> None:
        remote = (call.args or [None, None])[1]
        if remote is not None:
            self._reach("udp", remote[0])

    def _send(self, call: Seen) -> None:
        for _, remote in (call.args or [0, []])[1]:
            if remote is not None:
                self._reach("udp", remote[0])

    def _reach(self, protocol: str, address: Any) -> None:
        host, port = place_of(address)
        name = self._names.get(host)
        granted = [e for e in self._grants.net if not e.listen and e.protocol in ("", protocol)]
        granted = [e for e in granted if e.port in (None, port)]
        if name is not None and not any(e.host == host for e in granted):
            self._looked_up[name] = True
            host = name
        if any(e.host == host for e in granted):
            self.out[protocol, host, port] = None

    def _bind(self, call: Seen) -> None:
        args = call.args or []
        protocol = "udp" if call.name.startswith(_UDP) else "tcp"
        host, port = place_of(args[2])
        if any(e.listen and e.host == host for e in self._grants.net):
            place = (protocol, host, port)
            self._listen_places[args[0]] = place
            if protocol == "udp":
                self.listening[place] = None

    def _listen(self, call: Seen) -> None:
        place = self._listen_places.get((call.args or [-1])[0])
        if place is not None:
            self.listening[place] = None

    def unreached(self) -> list[str]:
        """Return the names that were looked up and never connected to."""
        return [name for name, reached in self._looked_up.items() if not reached]

    # ------------------------------------------------------------------------------------------ requests

    def _request(self, call: Seen) -> None:
        self._http[call.value] = ["GET", "HTTPS", ""]

    def _set(self, call: Seen) -> None:
        handle, value = call.args or [0, None]
        request = self._http.setdefault(handle, ["GET", "HTTPS", ""])
        match call.entry.function.name.rpartition("-")[2]:
            case "method":
                request[0] = value[1] if value[0] == "other" else value[0].upper()
            case "scheme":
                request[1] = value[0][0] if value else "HTTPS"
            case "authority":
                request[2] = value[0] if value else ""

    def _handle(self, call: Seen) -> None:
        method, scheme, authority = self._http.pop((call.args or [-1])[0], ["GET", "HTTPS", ""])
        found = host_and_port(authority)
        if found is not None:
            self.requests[method, found[0], found[1] or (80 if scheme == "HTTP" else 443)] = None


USES: Final[dict[str, Callable[[Uses, Seen], None]]] = {
    "wasi:cli/environment#get-environment": Uses._environment,
    "wasi:cli/environment#get-arguments": Uses._arguments,
    "wasi:filesystem/preopens#get-directories": Uses._directories,
    _FILE + "open-at": Uses._open,
    _FILE + "read-directory": Uses._list,
    **{_FILE + name: Uses._path for name in _PATHS},
    "wasi:sockets/ip-name-lookup#resolve-addresses": Uses._look_up,
    "wasi:sockets/ip-name-lookup#[method]resolve-address-stream.resolve-next-address": Uses._address,
    _TCP + "start-connect": Uses._connect,
    _TCP + "start-bind": Uses._bind,
    _TCP + "start-listen": Uses._listen,
    _UDP + "start-bind": Uses._bind,
    _UDP + "stream": Uses._stream,
    "wasi:sockets/udp#[method]outgoing-datagram-stream.send": Uses._send,
    _TYPES + "[constructor]outgoing-request": Uses._request,
    _TYPES + "[method]outgoing-request.set-method": Uses._set,
    _TYPES + "[method]outgoing-request.set-scheme": Uses._set,
    _TYPES + "[method]outgoing-request.set-authority": Uses._set,
    "wasi:http/outgoing-handler#handle": Uses._handle,
}
"""What calls of these functions say of a run's uses; their arguments have to be known whole."""
