"""Grants: everything an instance is given, checked when they are written down."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from labkernel._capability.chance import Clock, Random, make_clock, make_random
from labkernel._capability.network import Endpoint, HttpTarget, make_endpoints, make_http
from labkernel._capability.texts import Directory, make_directory, make_environment, plain_text
from labkernel._errors import UnknownCapability, did_you_mean

__all__ = ["Grants", "make_grants"]


@dataclass(frozen=True, slots=True)
class Grants:
    """Everything an instance is given. The default gives nothing.

    `clock` and `random` are `None` where they were not granted by name: real ones all the same, since
    runtimes need them to start, unless `strict`. `host` names `%%host` implementations.
    """

    env: tuple[tuple[str, str], ...] = ()
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    dirs: tuple[Directory, ...] = ()
    clock: Clock | None = None
    random: Random | None = None
    net: tuple[Endpoint, ...] = ()
    http: tuple[HttpTarget, ...] = ()
    host: tuple[str, ...] = ()
    strict: bool = False

    def options(self) -> str:
        """Return the grants as `%instantiate` takes them, ready to paste."""
        words: list[str] = []
        for key, value in self.env:
            words += ["--env", f"{key}={value}"]
        for argument in self.args:
            words += ["--arg", argument]
        if self.stdin:
            words += ["--stdin", self.stdin.decode("utf-8", "backslashreplace")]
        for option, given in (
            ("--dir", self.dirs), ("--clock", (self.clock,)), ("--random", (self.random,)), ("--net", self.net),
            ("--http", self.http),
        ):  # fmt: skip
            for each in given:
                words += [option, each.text] if each is not None else []
        for name in self.host:
            words += ["--host", name]
        words += ["--strict"] if self.strict else []
        return shlex.join(words)


def make_grants(given: Mapping[str, Any]) -> Grants:
    """Return grants from the names of `%instantiate`'s options (or Python keywords).

    `env` is a mapping, or `K=V` texts; `args` a list; `stdin` text or bytes; `dirs` a list of
    `HOST::GUEST[:rw]` texts or `Directory`; `clock` is `real`, `fixed:T`, `step:D` or `deny`; `random` is `real`,
    `seed:N` or `deny`; `net` is one or more `[tcp:|udp:]HOST:PORT` or `listen:[tcp:|udp:]ADDRESS:PORT`; `http` one or
    more `[METHOD:]HOST[:PORT]`; `host` a list of `%%host` implementations or their names.

    Raises `UnknownCapability` for another name and `CapabilityError` for a value that cannot be granted.
    """
    known = {f.name for f in fields(Grants)}
    for name in given:
        if name not in known:
            raise UnknownCapability(
                f"Unknown capability {name!r}; known: {', '.join(sorted(known))}.{did_you_mean(name, known)}"
            )
    stdin = given.get("stdin") or b""
    return Grants(
        env=make_environment(given.get("env") or ()),
        args=tuple(plain_text("argument", a) for a in given.get("args") or ()),
        stdin=stdin.encode() if isinstance(stdin, str) else bytes(stdin),
        dirs=tuple(make_directory(d) for d in given.get("dirs") or ()),
        clock=make_clock(given.get("clock")),
        random=make_random(given.get("random")),
        net=make_endpoints(given.get("net") or ()),
        http=make_http(given.get("http") or ()),
        host=_names(given.get("host") or ()),
        strict=bool(given.get("strict")),
    )


def _names(given: Any) -> tuple[str, ...]:
    """Return the names of implementations, which may also be given as objects with a name."""
    each = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    return tuple(dict.fromkeys(e if isinstance(e, str) else str(getattr(e, "name", e)) for e in each))
