"""Where a guest may connect, listen and send requests: hosts, ports and methods as frozen records."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from labkernel._errors import CapabilityError

__all__ = ["Endpoint", "HttpTarget", "is_address", "make_endpoints", "make_http", "normal_host"]

_NET_FORMS: Final = (
    "write example.com:443, 127.0.0.1:8080, [::1]:8080, example.com:*, udp:127.0.0.1:53 or listen:127.0.0.1:0"
)
_HTTP_FORMS: Final = "write example.com, GET:example.com, 127.0.0.1:8080 or POST:[::1]:8080"
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_PORT: Final = re.compile(r"\d{1,5}|\*", re.ASCII)
_TARGET: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[^:]*))?")
_METHOD: Final = re.compile(r"([A-Z]+):(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that sockets may reach, or listen at.

    `host` is a name or an address; `port` is `None` for any; `protocol` is `tcp`, `udp` or empty for both.
    Listening takes an address, and port 0 is one that the system picks.
    """

    host: str
    port: int | None
    protocol: str = ""
    listen: bool = False

    @property
    def is_address(self) -> bool:
        """Whether the host is an address and not a name."""
        return is_address(self.host)

    @property
    def text(self) -> str:
        """The grant as `--net` takes it."""
        head = ("listen:" if self.listen else "") + (f"{self.protocol}:" if self.protocol else "")
        return f"{head}{_host_text(self.host)}:{'*' if self.port is None else self.port}"


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """A host that HTTP requests may be sent to.

    `method` is empty for any. `port` is 0 where none was written: the scheme's own, 80 or 443; `None` is any.
    """

    host: str
    port: int | None = 0
    method: str = ""

    @property
    def text(self) -> str:
        """The grant as `--http` takes it."""
        port = ":*" if self.port is None else f":{self.port}" if self.port else ""
        return f"{self.method + ':' if self.method else ''}{_host_text(self.host)}{port}"


def make_endpoints(given: str | Endpoint | Iterable[str | Endpoint]) -> tuple[Endpoint, ...]:
    """Return the endpoints that `--net` texts mean. Raises `CapabilityError`."""
    each = [given] if isinstance(given, str | Endpoint) else given
    return tuple(dict.fromkeys(e if isinstance(e, Endpoint) else _endpoint(e) for e in each))


def make_http(given: str | HttpTarget | Iterable[str | HttpTarget]) -> tuple[HttpTarget, ...]:
    """Return the targets that `--http` texts mean. Raises `CapabilityError`."""
    each = [given] if isinstance(given, str | HttpTarget) else given
    return tuple(dict.fromkeys(e if isinstance(e, HttpTarget) else _http_target(e) for e in each))


def is_address(host: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def normal_host(text: str) -> str:
    """Return a host as grants compare it: lower case, without a last dot, Unicode names as ASCII, addresses short.

    An IPv4 address inside IPv6 is that IPv4 address. Raises `ValueError` for what is no host.

    >>> normal_host("WWW.Example.com."), normal_host("0:0:0:0:0:0:0:1"), normal_host("::ffff:127.0.0.1")
    ('www.example.com', '::1', '127.0.0.1')
    """
    if "%" in text:
        raise ValueError("it has a zone")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _normal_name(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _normal_name(text: str) -> str:
    """A Unicode name is one that stays the same on its way to ASCII and back: the versions of IDNA, of which resolvers
    follow different ones, agree on those. `straße.example` is two names, by who reads it."""
    try:
        ascii_name = text.removesuffix(".").encode("idna")
        is_plain = text.isascii() or ascii_name.decode("idna") == text.removesuffix(".").lower()
        name = ascii_name.decode("ascii").lower()
    except UnicodeError:
        raise ValueError("it is no host name") from None
    if not is_plain:
        raise ValueError(f"it can be read as more than one name; if {name} is meant, write that")
    labels = name.split(".")
    if not name or len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("it is neither a name nor an address")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1], re.ASCII):
        raise ValueError("it looks like an address and is none")
    return name


def _host_text(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _endpoint(text: object) -> Endpoint:
    try:
        if not isinstance(text, str):
            raise ValueError("it is no text")
        rest, listen = (text[7:], True) if text.startswith("listen:") else (text, False)
        protocol = next((p for p in ("tcp", "udp") if rest.startswith(p + ":")), "")
        host, port = _host_port(rest[len(protocol) + 1 :] if protocol else rest)
        if port is None:
            raise ValueError("it has no port")
        number = None if port == "*" else int(port)
        if listen and not is_address(host):
            raise ValueError("listening takes an address, not a name")
        if number == 0 and not listen:
            raise ValueError("nobody answers at port 0")
    except ValueError as error:
        raise CapabilityError(f"--net {text!r} cannot be granted: {error}; {_NET_FORMS}.") from None
    return Endpoint(host, number, protocol, listen)


def _http_target(text: object) -> HttpTarget:
    try:
        if not isinstance(text, str):
            raise ValueError("it is no text")
        if "/" in text:
            raise ValueError("it is an address of a page, and only host and port are looked at")
        match = _METHOD.fullmatch(text)
        method, rest = (match[1], match[2]) if match else ("", text)
        host, port = _host_port(rest)
        if port == "0":
            raise ValueError("nobody answers at port 0")
    except ValueError as error:
        raise CapabilityError(f"--http {text!r} cannot be granted: {error}; {_HTTP_FORMS}.") from None
    return HttpTarget(host, None if port == "*" else int(port or 0), method)


def _host_port(text: str) -> tuple[str, str | None]:
    """Return host and port (digits, `*` or None). Raises `ValueError`."""
    match = _TARGET.fullmatch(text)
    if match is None or not match["host"]:
        raise ValueError("an IPv6 address goes in brackets" if text.count(":") > 1 else "it has no host")
    host, port = match["host"], match["port"]
    if port is not None and not (_PORT.fullmatch(port) and (port == "*" or int(port) < 1 << 16)):
        raise ValueError(f"{port!r} is no port from 1 to 65535, nor *")
    if host.startswith("["):
        inner = normal_host(host[1:-1])
        if not is_address(inner):
            raise ValueError("only an IPv6 address goes in brackets")
        return inner, port
    return normal_host(host), port
