"""Variables, arguments, standard input and directories: what a program is given as text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkernel._errors import CapabilityError

__all__ = ["Directory", "make_directory", "make_environment", "plain_text"]


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


def plain_text(what: str, text: object) -> str:
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


def make_environment(
    given: Mapping[str, str] | Iterable[str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    pairs = given.items() if isinstance(given, Mapping) else [_pair(each) for each in given]
    env: dict[str, str] = {}
    for key, value in pairs:
        key, value = plain_text("environment variable", key), plain_text(f"value of {key!r}", value)
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


def make_directory(given: str | Directory) -> Directory:
    if isinstance(given, str):
        text, writable = (given[:-3], True) if given.endswith(":rw") else (given, False)
        host, separator, guest = text.partition("::")
        if not separator:
            guest = "/" + Path(host).name if host not in (".", "") else "/"
        given = Directory(host, guest, writable)
    host = os.path.abspath(os.path.expanduser(plain_text("directory", given.host)))
    guest = plain_text("guest directory", given.guest)
    if not given.host or not guest:
        raise CapabilityError(
            f"--dir {given.text!r} lacks a side; write --dir ./data::/data or --dir ./data::/data:rw."
        )
    if not os.path.isdir(host):
        raise CapabilityError(
            f"--dir {given.text!r}: there is no folder {given.host!r}; make it, or grant another one."
        )
    return Directory(host, guest, given.writable)
