"""What grants leave standing behind each import of a component, in words.

The states are `granted`, `virtual` (made up, by a grant), `real` (the machine's, though nobody named it), `captured`,
`empty` (there, with nothing in it), `refused` (the call fails or traps) and `types` (nothing can be called).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from labkernel._capability import Clock, Grants, Random, Standing
from labkernel._wit import Function, Interface, World

__all__ = ["standings"]

_NOBODY: Final[Mapping[str, str]] = {}
_HOW_CLOCK: Final = "--clock real|fixed:T|step:D"
_HOW_RANDOM: Final = "--random real|seed:N"
_HOW_NET: Final = "--net HOST:PORT"
_HOW_HTTP: Final = "--http [METHOD:]HOST[:PORT]"


def standings(world: World, grants: Grants, behind: Mapping[str, str] = _NOBODY) -> list[Standing]:
    """Say of each import of a component what stands behind it under these grants.

    `behind` maps imports to the `%%host` implementations that were granted for them.
    """
    return [_standing(item, grants, behind) for item in world.imports]


def _standing(item: Function | Interface, grants: Grants, behind: Mapping[str, str]) -> Standing:
    name = item.name
    if name in behind:
        return Standing(name, "granted", f"granted by the notebook's {behind[name]}")
    if isinstance(item, Interface) and not item.functions:
        return Standing(name, "types", "types only: nothing can be called")
    if not name.startswith("wasi:"):
        return Standing(name, "refused", "traps at the call", "--host NAME, once a %%host cell implements it")
    interface, _, version = name.removeprefix("wasi:").partition("@")
    if version and not version.startswith("0.2."):
        return Standing(name, "refused", f"WASI {version}: this lab runs WASI 0.2")
    state, words, how = _of_wasi(interface, grants)
    return Standing(name, state, words, how)


def _of_wasi(interface: str, grants: Grants) -> tuple[str, str, str]:
    """Return state, words and how to grant for an interface of WASI 0.2."""
    match interface.partition("/")[0]:
        case "cli":
            return _of_cli(interface, grants)
        case "filesystem":
            words = ", ".join(f"{d.guest} ({'rw' if d.writable else 'ro'})" for d in grants.dirs)
            how = "--dir HOST::GUEST[:rw]"
            how += "; --disk SIZE bounds what is written" if any(d.writable for d in grants.dirs) else ""
            return _given(bool(words), words or "no directory", how)
        case "sockets":
            return _of_sockets(grants)
        case "http":
            return _of_http(interface, grants)
        case "clocks":
            return _of_clock(grants.clock)
        case "random":
            return _of_random(grants.random)
        case "io":
            return "real", "what other interfaces read, write and wait with", ""
    return "real", "as the engine has it", ""


def _given(is_given: bool, words: str, how: str) -> tuple[str, str, str]:
    return "granted" if is_given else "empty", words, how


def _of_cli(interface: str, grants: Grants) -> tuple[str, str, str]:
    match interface.partition("/")[2]:
        case "environment":
            words = _count(len(grants.env), "variable") + ", " + _count(len(grants.args), "argument")
            return _given(bool(grants.env or grants.args), words, "--env NAME=VALUE, --arg TEXT")
        case "stdin":
            words = f"{len(grants.stdin)} bytes" if grants.stdin else "at its end"
            return _given(bool(grants.stdin), words, "--stdin TEXT")
        case "stdout" | "stderr":
            return "captured", "shown under the cell, up to the output budget", ""
        case "exit":
            return "real", "ends the guest, and nothing else", ""
        case name if name.startswith("terminal"):
            return "empty", "no terminal", ""
    return "real", "as the engine has it", ""


def _of_sockets(grants: Grants) -> tuple[str, str, str]:
    if not grants.net:
        return "refused", "refused at the call: no network is granted", _HOW_NET
    return "granted", f"{', '.join(e.text for e in grants.net)}; else access-denied", _HOW_NET


def _of_http(interface: str, grants: Grants) -> tuple[str, str, str]:
    if interface != "http/types" and not interface.startswith("http/outgoing"):
        return "refused", "traps at the call: the lab serves no requests", ""
    if not grants.http:
        return "refused", "traps at the call: no host is granted", _HOW_HTTP
    return "granted", f"{', '.join(t.text for t in grants.http)}; else HTTP-request-denied", _HOW_HTTP


def _of_clock(clock: Clock | None) -> tuple[str, str, str]:
    if clock is None:
        return "real", "the machine's, as runtimes need it to start", _HOW_CLOCK
    match clock.mode:
        case "fixed":
            return "virtual", f"always {clock.text.removeprefix('fixed:')}", _HOW_CLOCK
        case "step":
            return "virtual", f"later at each reading ({clock.text})", _HOW_CLOCK
        case "deny":
            return "refused", "traps at the call: --clock deny", _HOW_CLOCK
    return "granted", "the machine's", _HOW_CLOCK


def _of_random(random: Random | None) -> tuple[str, str, str]:
    if random is None:
        return "real", "the machine's, as runtimes need it to start", _HOW_RANDOM
    match random.mode:
        case "seed":
            return "virtual", f"the same bytes each time, from seed {random.seed}", _HOW_RANDOM
        case "deny":
            return "refused", "traps at the call: --random deny", _HOW_RANDOM
    return "granted", "the machine's", _HOW_RANDOM


def _count(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'' if n == 1 else 's'}"
