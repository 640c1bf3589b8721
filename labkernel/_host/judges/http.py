"""Which requests may be sent where: decided when a request is handed over, from what was set on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from labkernel._capability import HttpTarget, normal_host
from labkernel._host.judges.verdict import ASKED, TOLD, Answer, name_of
from labkernel._wit import Function

__all__ = ["HttpJudge", "host_and_port"]

_REFUSED: Final = Answer(["err", ["HTTP-request-denied", None]])
_REQUEST: Final = "wasi:http/types#[method]outgoing-request."
_HANDLE: Final = "wasi:http/outgoing-handler#handle"
_PORTS: Final = {"HTTP": 80, "HTTPS": 443}


@dataclass(slots=True)
class _Request:
    """What was set on a request. Without a scheme the engine takes HTTPS."""

    method: str = "GET"
    scheme: str = "HTTPS"
    authority: str = ""


class HttpJudge:
    """Lets requests to `targets` through, and answers all others with `HTTP-request-denied`.

    Nothing follows a redirect but the guest, whose next request is looked at like any other. The host of a target
    is compared as it is written: an address does not stand for a name, nor a name for its address.
    """

    def __init__(self, targets: Iterable[HttpTarget]) -> None:
        self._targets = tuple(targets)
        self._requests: dict[int, _Request] = {}
        self._after: dict[str, Callable[[list[Any], Any], None]] = {
            "wasi:http/types#[constructor]outgoing-request": self._made,
            _REQUEST + "set-method": self._method,
            _REQUEST + "set-scheme": self._scheme,
            _REQUEST + "set-authority": self._authority,
            "wasi:http/types#[resource-drop]outgoing-request": self._dropped,
        }

    def wants(self, function: Function) -> frozenset[str]:
        """Return when it wants to hear of a function."""
        name = name_of(function)
        return frozenset([ASKED] if name == _HANDLE else [TOLD] if name in self._after else [])

    def before(self, function: Function, args: list[Any]) -> Answer | None:
        """Refuse a request that was not granted."""
        if name_of(function) != _HANDLE:
            return None
        request = self._requests.pop(args[0], None)
        return None if request is not None and self._allows(request) else _REFUSED

    def after(self, function: Function, args: list[Any], result: Any) -> None:
        """Note what is set on a request."""
        note = self._after.get(name_of(function))
        if note is not None and (not isinstance(result, list) or result[0] == "ok"):
            note(args, result)

    def _allows(self, request: _Request) -> bool:
        own = _PORTS.get(request.scheme)
        place = host_and_port(request.authority)
        if own is None or place is None:
            return False
        host, port = place[0], place[1] or own
        return any(
            (target.host, target.method or request.method) == (host, request.method)
            and (own if target.port == 0 else target.port) in (None, port)
            for target in self._targets
        )

    def _made(self, args: list[Any], result: Any) -> None:
        self._requests[result] = _Request()

    def _method(self, args: list[Any], result: Any) -> None:
        case, other = args[1]
        self._of(args).method = other if case == "other" else case.upper()

    def _scheme(self, args: list[Any], result: Any) -> None:
        self._of(args).scheme = "HTTPS" if args[1] is None else args[1][0][0]

    def _authority(self, args: list[Any], result: Any) -> None:
        self._of(args).authority = "" if args[1] is None else args[1][0]

    def _of(self, args: list[Any]) -> _Request:
        return self._requests.setdefault(args[0], _Request())

    def _dropped(self, args: list[Any], result: Any) -> None:
        self._requests.pop(args[0], None)


def host_and_port(authority: str) -> tuple[str, int] | None:
    """Return host and port (0 where none is written), or None for what names no host plainly."""
    try:
        parts = urlsplit(f"//{authority}")
        if parts.netloc != authority or "@" in authority or parts.hostname is None:
            return None
        return normal_host(parts.hostname), parts.port or 0
    except ValueError:
        return None
