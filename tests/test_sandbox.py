"""What stands behind each import, and the equivalent command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labkernel import CapabilityDenied
from labkernel._capability import Budgets, make_grants
from labkernel._sandbox import refuse_ungranted, standings, start_of, wasmtime_line
from labkernel._wit import Function, Interface, World


def world(*names: str) -> World:
    """Return a world that imports interfaces of these names, each with a function."""
    return World("w", imports=tuple(Interface(name, (Function("f", interface=name),)) for name in names))


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("wasi:cli/environment@0.2.6", "empty"),
        ("wasi:cli/stdin@0.2.6", "empty"),
        ("wasi:cli/stdout@0.2.6", "captured"),
        ("wasi:filesystem/preopens@0.2.6", "empty"),
        ("wasi:sockets/tcp@0.2.6", "refused"),
        ("wasi:http/outgoing-handler@0.2.6", "refused"),
        ("wasi:clocks/monotonic-clock@0.2.6", "real"),
        ("wasi:random/random@0.2.6", "real"),
        ("wasi:io/streams@0.2.6", "real"),
        ("wasi:clocks/monotonic-clock@0.3.0", "refused"),
        ("acme:store/kv", "refused"),
    ],
)
def test_defaults(name: str, state: str) -> None:
    """Without a grant nothing is reached, and what runtimes need is there."""
    (standing,) = standings(world(name), make_grants({}))
    assert standing.state == state
    assert standing.words


def test_granted(tmp_path: Path) -> None:
    """A grant shows on the import it stands behind."""
    grants = make_grants({"env": ["A=1"], "dirs": [f"{tmp_path}::/data"], "clock": "real"})
    names = ("wasi:cli/environment@0.2.6", "wasi:filesystem/types@0.2.6", "wasi:clocks/wall-clock@0.2.6")
    found = {s.import_name: s for s in standings(world(*names), grants)}
    assert {s.state for s in found.values()} == {"granted"}
    assert found[names[1]].words == "/data (ro)"


@pytest.mark.parametrize(
    ("given", "name", "state", "words"),
    [
        (
            {"clock": "fixed:2026-01-01T00:00:00Z"},
            "wasi:clocks/wall-clock@0.2.6",
            "virtual",
            "always 2026-01-01",
        ),
        ({"clock": "step:1ms"}, "wasi:clocks/monotonic-clock@0.2.6", "virtual", "step:1ms"),
        ({"clock": "deny"}, "wasi:clocks/wall-clock@0.2.6", "refused", "--clock deny"),
        ({"random": "seed:7"}, "wasi:random/insecure-seed@0.2.6", "virtual", "seed 7"),
        ({"random": "deny"}, "wasi:random/random@0.2.6", "refused", "--random deny"),
        ({"net": ["a.example:80"]}, "wasi:sockets/udp@0.2.6", "granted", "a.example:80; else access-denied"),
        ({"http": ["GET:a.example"]}, "wasi:http/outgoing-handler@0.2.6", "granted", "GET:a.example"),
        ({"http": ["a.example"]}, "wasi:http/types@0.2.6", "granted", "a.example"),
        ({"http": ["a.example"]}, "wasi:http/incoming-handler@0.2.6", "refused", "serves no requests"),
        ({"http": ["a.example"]}, "wasi:sockets/tcp@0.2.6", "refused", "no network"),
        ({"stdin": "abc"}, "wasi:cli/stdin@0.2.6", "granted", "3 bytes"),
    ],
)
def test_each_grant_shows(given: dict[str, Any], name: str, state: str, words: str) -> None:
    """The standing of an import tells granted, made up and refused apart, in words."""
    (standing,) = standings(world(name), make_grants(given))
    assert standing.state == state
    assert words in standing.words


def test_types_need_no_grant() -> None:
    """An interface that is imported for its types gives no access."""
    only_types = World("w", imports=(Interface("wasi:clocks/wall-clock@0.2.6"),))
    assert standings(only_types, make_grants({}))[0].state == "types"
    refuse_ungranted(only_types, make_grants({"strict": True}))


def test_strict_lists_everything() -> None:
    """`--strict` names each ungranted import with the option that grants it."""
    asks = world(
        "wasi:cli/environment@0.2.6",
        "wasi:random/random@0.2.6",
        "wasi:cli/stdout@0.2.6",
        "wasi:io/poll@0.2.6",
    )
    refuse_ungranted(asks, make_grants({}))
    with pytest.raises(CapabilityDenied, match="refuses 2 imports") as caught:
        refuse_ungranted(asks, make_grants({"strict": True}))
    assert "wasi:cli/environment@0.2.6: --env NAME=VALUE" in str(caught.value)
    assert "--random real|seed:N" in str(caught.value)
    refuse_ungranted(asks, make_grants({"strict": True, "env": ["A=1"], "random": "real"}))


def test_command_line(tmp_path: Path) -> None:
    """The equivalent `wasmtime run` line quotes what must be, and says where it differs."""
    grants = make_grants({"env": ["A=b c"], "dirs": [f"{tmp_path}::/data"], "args": ["x"], "stdin": "hi"})
    line, notes = wasmtime_line(grants, Budgets(fuel=9), component="a.wasm", call='f("x y")')
    assert line.startswith("printf %s hi | wasmtime run --env 'A=b c' --dir")
    assert "--invoke 'f(\"x y\")' a.wasm x" in line
    assert "fuel=9" in line
    assert notes == ["wasmtime run makes /data writable; here it is read-only"]
    grants = make_grants({"net": "a.example:80", "http": "b.example", "clock": "step:1s", "random": "seed:1"})
    line, notes = wasmtime_line(grants, Budgets(), component="a.wasm", call="f()")
    assert "-S inherit-network -S allow-ip-name-lookup -S http" in line
    assert [note.split("; here ")[1] for note in notes] == [
        "only what was granted", "only to those granted", "--clock step:1s", "--random seed:1",
    ]  # fmt: skip


def test_start_carries_everything(tmp_path: Path) -> None:
    """Grants and budgets reach the host process whole."""
    grants = make_grants({"env": ["A=1"], "dirs": [f"{tmp_path}::/d:rw"], "stdin": b"x", "args": ["y"]})
    start = start_of(grants, Budgets(timeout_s=1, memory_bytes=1 << 20, fuel=5))
    assert (start.env, start.args, start.stdin) == ((("A", "1"),), ("y",), b"x")
    assert start.dirs == ((str(tmp_path), "/d", True),)
    assert (start.timeout_s, start.memory_bytes, start.fuel) == (1, 1 << 20, 5)
