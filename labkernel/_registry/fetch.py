"""One GET over HTTP, bounded in size and time: https everywhere, http on this machine only.

The standard library does it: all that is needed is GET, with the limits kept while reading and every redirect held
to the same rule, which a registry client that reads whole answers into memory would not give.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from labkernel._errors import RegistryError, UsageError

__all__ = ["Answer", "check_url", "get", "is_loopback"]

STALL_S: Final = 20.0
TOTAL_S: Final = 300.0
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: its status, headers by lower-case name, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_loopback(host: str) -> bool:
    """Return whether a host name means this machine.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("example.com")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> None:
    """Raise `UsageError` unless the URL is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if not url.isascii() or not url.isprintable() or " " in url or not host or "@" in parts.netloc:
        raise UsageError(
            f'{url[:200]!r} is no URL that can be fetched; give one such as "https://host/file.tar.gz".'
        )
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return
    raise UsageError(
        f"{url[:200]!r} is not https; plain http is for this machine (127.0.0.1, localhost). "
        "A local folder goes by its path, without file://."
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects that keep the rule, and never from another machine to this one."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        try:
            check_url(newurl)
        except UsageError as error:
            fp.close()
            raise RegistryError(f"{req.full_url} redirects to what is not fetched: {error}") from None
        if is_loopback(urlsplit(newurl).hostname or "") and not is_loopback(
            urlsplit(req.full_url).hostname or ""
        ):
            fp.close()
            raise RegistryError(
                f"{req.full_url} redirects to this machine ({newurl[:200]}), which is refused."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def get(url: str, *, max_size: int, headers: Mapping[str, str] | None = None, token: str = "") -> Answer:
    """Return what a server answers, error statuses included; raises `RegistryError`.

    A `token` goes to the URL's own host and is not passed on by a redirect.
    """
    check_url(url)
    request = urllib.request.Request(url, headers={"User-Agent": "labkernel", **(headers or {})})
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(request, timeout=STALL_S) as response:
            return _read(response, url, max_size)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error, url, 1 << 16, cut=True)
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        raise RegistryError(f"{url} cannot be fetched: {_reason(error)}. {_NEXT}") from None


_NEXT: Final = "Check the address and the network; what is locked and cached works with --offline."


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError | socket.timeout):
        return f"no answer within {STALL_S:g} s"
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def _read(response: Any, url: str, max_size: int, *, cut: bool = False) -> Answer:
    """Return the answer with its body; one over `max_size` is cut, or an error."""
    body, until = bytearray(), time.monotonic() + TOTAL_S
    while chunk := response.read(min(_CHUNK, max_size + 1 - len(body))):
        body += chunk
        if len(body) > max_size:
            if cut:
                break
            raise RegistryError(
                f"{url} is larger than the {max_size >> 10} KiB that are taken; nothing was kept."
            )
        if time.monotonic() > until:
            raise RegistryError(f"{url} was not read within {TOTAL_S:g} s. {_NEXT}")
    expected = response.headers.get("Content-Length", "")
    if expected.isdigit() and len(body) < int(expected) and not cut:
        raise RegistryError(f"{url} ended after {len(body)} of {expected} bytes. Try again.")
    return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, bytes(body))
