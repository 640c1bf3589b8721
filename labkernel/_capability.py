"""Grants and budgets: what an instance is given and where it is stopped, as frozen records.

Every way of writing them (a magic's options, Python keywords) ends here, and here they are checked, so
that nothing starts with a wrong one. How an engine is told is the business of `_sandbox`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from labkernel._errors import CapabilityError, UnknownCapability, did_you_mean

__all__ = [
    "Budgets",
    "Directory",
    "Grants",
    "Supplies",
    "make_budgets",
    "make_grants",
    "parse_duration",
    "parse_size",
]

_SIZE_UNITS: Final = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30,
    "K": 1 << 10, "M": 1 << 20, "G": 1 << 30,
}  # fmt: skip
_DURATION_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder of the machine seen by a guest under another name; read-only unless `writable`."""

    host: str
    guest: str
    writable: bool = False

    @property
    def text(self) -> str:
        """The grant as `--dir` takes it."""
        return f"{self.host}::{self.guest}{':rw' if self.writable else ''}"


@dataclass(frozen=True, slots=True)
class Grants:
    """Everything an instance is given. The default gives nothing.

    `clock` and `random` are empty where they were not granted by name: real ones all the same, since
    runtimes need them to start, unless `strict`. `host` names `%%host` implementations.
    """

    env: tuple[tuple[str, str], ...] = ()
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    dirs: tuple[Directory, ...] = ()
    clock: str = ""
    random: str = ""
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
        for folder in self.dirs:
            words += ["--dir", folder.text]
        for option, value in (("--clock", self.clock), ("--random", self.random)):
            words += [option, value] if value else []
        for name in self.host:
            words += ["--host", name]
        words += ["--strict"] if self.strict else []
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Budgets:
    """Where an instance is stopped. `timeout_s` and `output_bytes` are per call, the rest per instance."""

    timeout_s: float = 5.0
    memory_bytes: int = 256 << 20
    output_bytes: int = 1 << 20
    fuel: int | None = None
    table_elements: int = 1_000_000
    instances: int = 1_000


@dataclass(frozen=True, slots=True)
class Supplies:
    """What the lab itself hands an instance when it starts, so that a runtime finds the snippet it is to run.

    `env` holds names and values, `dirs` pairs of a folder of the machine and its read-only place in the guest.
    They are part of the build and no grant: no card and no equivalent command line shows them.
    """

    env: tuple[tuple[str, str], ...] = ()
    dirs: tuple[tuple[str, str], ...] = ()

    def to_data(self) -> list[Any]:
        """Return them as plain data."""
        return [[list(pair) for pair in self.env], [list(pair) for pair in self.dirs]]

    @classmethod
    def from_data(cls, data: Any) -> Supplies:
        """Return the supplies that `to_data` gave this data for."""
        env, dirs = data
        return cls(tuple((k, v) for k, v in env), tuple((host, guest) for host, guest in dirs))

    def __bool__(self) -> bool:
        return bool(self.env or self.dirs)


_LIMITS: Final[dict[str, tuple[str, float, float]]] = {
    "timeout_s": ("timeout", 0.001, 86_400),
    "memory_bytes": ("memory", 1 << 16, 4 << 30),
    "output_bytes": ("output", 0, 1 << 30),
    "fuel": ("fuel", 1, (1 << 63) - 1),
    "table_elements": ("table elements", 1, 10_000_000),
    "instances": ("instances", 1, 100_000),
}
_REFUSED_YET: Final = {
    "net": "Sockets are refused at the call; a list of allowed hosts is not in this version.",
    "http": "Outgoing HTTP is refused at the call; a list of allowed hosts is not in this version.",
}


def parse_size(text: str | int, *, what: str = "size") -> int:
    """Return a number of bytes from `256MiB`, `1GB`, `4096`.

    >>> parse_size("1MiB")
    1048576
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    unit = _SIZE_UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise CapabilityError(
            f"{what} {text!r} is no size; write a number with a unit, as in 256MiB or 64KiB."
        )
    return int(float(match[1]) * unit)


def parse_duration(text: str | float, *, what: str = "timeout") -> float:
    """Return seconds from `5s`, `250ms`, `1m`, `0.5`.

    >>> parse_duration("250ms")
    0.25
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*", str(text))
    unit = _DURATION_UNITS.get(match[2] or "s") if match else None
    if match is None or unit is None:
        raise CapabilityError(
            f"{what} {text!r} is no duration; write a number with a unit, as in 250ms, 5s or 1m."
        )
    return float(match[1]) * unit


def make_budgets(given: Mapping[str, Any], *, base: Budgets | None = None) -> Budgets:
    """Return budgets from `timeout`, `memory`, `output`, `fuel`, each text or number; absent ones keep `base`.

    Raises `CapabilityError` with the allowed range for a value outside it.
    """
    known = {
        "timeout": ("timeout_s", parse_duration),
        "memory": ("memory_bytes", parse_size),
        "output": ("output_bytes", parse_size),
        "fuel": ("fuel", _parse_count),
        "table_elements": ("table_elements", _parse_count),
        "instances": ("instances", _parse_count),
    }
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise UnknownCapability(
                f"Unknown budget {name!r}; known: {', '.join(known)}.{did_you_mean(name, known)}"
            )
        if value is not None:
            target, parse = known[name]
            changes[target] = parse(value, what=name)
    budgets = replace(base or Budgets(), **changes)
    for each in fields(budgets):
        _check_range(each.name, getattr(budgets, each.name))
    return budgets


def _check_range(name: str, value: float | None) -> None:
    what, low, high = _LIMITS[name]
    if value is not None and not low <= value <= high:
        raise CapabilityError(f"{what} {_with_unit(name, value)} is out of range; allowed: "
                              f"{_with_unit(name, low)} to {_with_unit(name, high)}.")  # fmt: skip


def _with_unit(name: str, value: float) -> str:
    if name.endswith("_s"):
        return f"{value:g} s"
    return f"{int(value)} bytes" if name.endswith("_bytes") else f"{int(value)}"


def _parse_count(value: object, *, what: str = "count") -> int:
    text = str(value).replace("_", "")
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", text):
        raise CapabilityError(f"{what} {value!r} is no whole number; write one such as 1000000.")
    return int(text)


def make_grants(given: Mapping[str, Any]) -> Grants:
    """Return grants from the names of `%instantiate`'s options (or Python keywords).

    `env` is a mapping, or `K=V` texts; `args` a list; `stdin` text or bytes; `dirs` a list of
    `HOST::GUEST[:rw]` texts or `Directory`; `host` a list of implementations or their names; `clock` and
    `random` are `"real"` in this version.

    Raises `UnknownCapability` for another name and `CapabilityError` for a value that cannot be granted.
    """
    known = {f.name for f in fields(Grants)} | set(_REFUSED_YET)
    for name, value in given.items():
        if name not in known:
            raise UnknownCapability(
                f"Unknown capability {name!r}; known: {', '.join(sorted(known))}.{did_you_mean(name, known)}"
            )
        if name in _REFUSED_YET and value:
            asked = value if isinstance(value, str) else ", ".join(map(str, value))
            raise CapabilityError(f"--{name} {asked!r} cannot be granted. {_REFUSED_YET[name]}")
    stdin = given.get("stdin") or b""
    return Grants(
        env=_environment(given.get("env") or ()),
        args=tuple(_no_nul("argument", a) for a in given.get("args") or ()),
        stdin=stdin.encode() if isinstance(stdin, str) else bytes(stdin),
        dirs=tuple(_directory(d) for d in given.get("dirs") or ()),
        clock=_only_real("clock", given.get("clock")),
        random=_only_real("random", given.get("random")),
        host=_names(given.get("host") or ()),
        strict=bool(given.get("strict")),
    )


def _names(given: Any) -> tuple[str, ...]:
    """Return the names of implementations, which may also be given as objects with a name."""
    each = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    return tuple(dict.fromkeys(e if isinstance(e, str) else str(getattr(e, "name", e)) for e in each))


def _only_real(name: str, value: object) -> str:
    if value in (None, "", "real"):
        return str(value or "")
    raise CapabilityError(f"--{name} {value!r} cannot be granted; this version knows --{name} real.")


def _no_nul(what: str, text: object) -> str:
    if not isinstance(text, str):
        raise CapabilityError(f"{what} {text!r} is no text; write it as a string.")
    if "\0" in text:
        raise CapabilityError(
            f"{what} {text!r} holds a NUL character, which no program can be given; leave it out."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CapabilityError(f"{what} {text!r} is not valid Unicode ({error.reason}).") from None
    return text


def _environment(
    given: Mapping[str, str] | Iterable[str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    pairs = given.items() if isinstance(given, Mapping) else [_pair(each) for each in given]
    env: dict[str, str] = {}
    for key, value in pairs:
        key, value = _no_nul("environment variable", key), _no_nul(f"value of {key!r}", value)
        if not key or "=" in key:
            raise CapabilityError(f"environment variable {key!r} has no usable name; write --env NAME=VALUE.")
        env[key] = value
    return tuple(env.items())


def _pair(each: str | tuple[str, str]) -> tuple[str, str]:
    if isinstance(each, tuple):
        return each
    key, equals, value = each.partition("=")
    if not equals:
        raise CapabilityError(f"--env {each!r} has no value; write --env {each}=VALUE.")
    return key, value


def _directory(given: str | Directory) -> Directory:
    if isinstance(given, str):
        text, writable = (given[:-3], True) if given.endswith(":rw") else (given, False)
        host, separator, guest = text.partition("::")
        if not separator:
            guest = "/" + Path(host).name if host not in (".", "") else "/"
        given = Directory(host, guest, writable)
    host = os.path.abspath(os.path.expanduser(_no_nul("directory", given.host)))
    guest = _no_nul("guest directory", given.guest)
    if not given.host or not guest:
        raise CapabilityError(
            f"--dir {given.text!r} lacks a side; write --dir ./data::/data or --dir ./data::/data:rw."
        )
    if not os.path.isdir(host):
        raise CapabilityError(
            f"--dir {given.text!r}: there is no folder {given.host!r}; make it, or grant another one."
        )
    return Directory(host, guest, given.writable)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands behind one import: `granted`, `real`, `empty`, `refused`, `types` or `missing`, in words."""

    import_name: str
    state: str
    words: str
    how_to_grant: str = field(default="")
