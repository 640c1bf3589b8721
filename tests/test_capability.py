"""Grants and budgets are checked before anything starts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from labkernel import CapabilityError, UnknownCapability
from labkernel._capability import (
    Budgets,
    Clock,
    Directory,
    Endpoint,
    Grants,
    HttpTarget,
    make_budgets,
    make_grants,
    parse_duration,
    parse_size,
)


def test_nothing_by_default() -> None:
    """Without options nothing is granted, and the budgets are DESIGN's."""
    assert make_grants({}) == Grants()
    budgets = make_budgets({})
    assert (budgets.timeout_s, budgets.memory_bytes, budgets.output_bytes, budgets.fuel) == (
        5,
        256 << 20,
        1 << 20,
        None,
    )


def test_grants(tmp_path: Path) -> None:
    """Each way of writing a grant ends in the same record, and can be pasted again."""
    text = f"{tmp_path}::/data:rw"
    grants = make_grants({"env": ["A=1=2", "B="], "args": ["x"], "stdin": "ü", "dirs": [text]})
    assert grants.env == (("A", "1=2"), ("B", ""))
    assert grants.stdin == "ü".encode()
    assert grants.dirs == (Directory(str(tmp_path), "/data", True),)
    assert grants == make_grants(
        {"env": {"A": "1=2", "B": ""}, "args": ["x"], "stdin": "ü", "dirs": list(grants.dirs)}
    )
    assert f"--dir {text}" in grants.options()


def test_a_directory_is_read_only_unless_rw(tmp_path: Path) -> None:
    """A directory is read-only unless it says `:rw`, and gets its own name when none is given."""
    (tmp_path / "data").mkdir()
    (granted,) = make_grants({"dirs": [str(tmp_path / "data")]}).dirs
    assert (granted.guest, granted.writable) == ("/data", False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"env": ["A"]}, "write --env A=VALUE"),
        ({"env": {"A=B": "x"}}, "no usable name"),
        ({"env": {"": "x"}}, "no usable name"),
        ({"env": {"A\0": "x"}}, "NUL character"),
        ({"env": {"A": "x\0y"}}, "NUL character"),
        ({"env": {"A": "\ud800"}}, "not valid Unicode"),
        ({"args": ["a\0b"]}, "NUL character"),
        ({"args": [1]}, "no text"),
        ({"dirs": ["/nowhere/at/all::/x"]}, "there is no folder"),
        ({"dirs": ["::/x"]}, "lacks a side"),
        ({"dirs": ["/tmp::"]}, "lacks a side"),
        ({"dirs": ["/tmp::/a\0"]}, "NUL character"),
        ({"clock": "slow"}, "write real, fixed:2026-01-01T00:00:00Z, step:1ms"),
        ({"clock": "real:1"}, "is no clock"),
        ({"clock": "fixed:2026-01-01"}, "no RFC 3339 time with a zone"),
        ({"clock": "fixed:2026-02-30T00:00:00Z"}, "day"),
        ({"clock": "fixed:1969-12-31T23:59:59Z"}, "outside 1970 to 2554"),
        ({"clock": "fixed:2026-01-01T00:00:00"}, "no RFC 3339"),
        ({"clock": "step:0ms"}, "no usable step"),
        ({"clock": "step:fast"}, "write step:1ms"),
        ({"clock": "step:1ms@noon"}, "no usable moment"),
        ({"random": "dice"}, "write real, seed:7 or deny"),
        ({"random": "seed:-1"}, "whole number"),
        ({"random": "seed:18446744073709551616"}, "2\\*\\*64"),
        ({"random": "seed:٣"}, "whole number"),
        ({"net": ["example.com"]}, "no port.*write example.com:443"),
        ({"net": [":80"]}, "no host"),
        ({"net": ["::1:80"]}, "brackets"),
        ({"net": ["[::1:80"]}, "brackets|no host"),
        ({"net": ["[example.com]:80"]}, "neither a name nor an address|brackets"),
        ({"net": ["127.1:80"]}, "looks like an address"),
        ({"net": ["0x7f000001:80"]}, "looks like an address"),
        ({"net": ["a b:80"]}, "neither a name"),
        ({"net": ["[fe80::1%eth0]:80"]}, "zone"),
        ({"net": ["example.com:65536"]}, "no port"),
        ({"net": ["example.com:http"]}, "no port"),
        ({"net": ["example.com:0"]}, "port 0"),
        ({"net": ["*:80"]}, "neither a name"),
        ({"net": ["listen:localhost:80"]}, "takes an address"),
        ({"net": [80]}, "no text"),
        ({"http": ["https://example.com/"]}, "host and port"),
        ({"http": ["GET:"]}, "no host"),
        ({"http": ["user@example.com"]}, "neither a name"),
        ({"http": ["example.com:0"]}, "port 0"),
        ({"http": ["get:example.com:80"]}, "brackets|no port"),
    ],
)
def test_bad_grants(given: dict[str, Any], message: str) -> None:
    """A grant that cannot be given is refused with the value and the way out."""
    with pytest.raises(CapabilityError, match=message):
        make_grants(given)


@pytest.mark.parametrize(
    ("option", "text", "canonical"),
    [
        ("clock", "real", "real"),
        ("clock", "deny", "deny"),
        ("clock", "fixed:2026-01-01T01:00:00.5+01:00", "fixed:2026-01-01T00:00:00.5Z"),
        ("clock", "fixed:2554-07-21T00:00:00Z", "fixed:2554-07-21T00:00:00Z"),
        ("clock", "step:1000us", "step:1ms"),
        ("clock", "step:1.5s@1999-12-31T23:59:59Z", "step:1500ms@1999-12-31T23:59:59Z"),
        ("random", "seed:18446744073709551615", "seed:18446744073709551615"),
        ("net", "Example.COM.:443", "example.com:443"),
        ("net", "127.0.0.1:*", "127.0.0.1:*"),
        ("net", "udp:[0:0::1]:53", "udp:[::1]:53"),
        ("net", "tcp:bücher.example:80", "tcp:xn--bcher-kva.example:80"),
        ("net", "[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
        ("net", "listen:127.0.0.1:0", "listen:127.0.0.1:0"),
        ("net", "listen:udp:[::]:*", "listen:udp:[::]:*"),
        ("http", "example.com", "example.com"),
        ("http", "GET:example.com:8080", "GET:example.com:8080"),
        ("http", "POST:[::1]:*", "POST:[::1]:*"),
        ("http", "localhost:8080", "localhost:8080"),
    ],
)
def test_forms(option: str, text: str, canonical: str) -> None:
    """Each form of a grant has one way of being written, which means the same again."""
    given = [text] if option in ("net", "http") else text
    grants = make_grants({option: given})
    assert grants.options() == shlex.join([f"--{option}", canonical])
    again = shlex.split(grants.options())[1]
    assert make_grants({option: [again] if isinstance(given, list) else again}) == grants
    assert make_grants({option: getattr(grants, option)}) == grants


def test_a_moment_is_exact() -> None:
    """A moment keeps its nanoseconds, and a step without a start begins at a fixed day."""
    fixed = make_grants({"clock": "fixed:1970-01-01T00:00:01.000000001Z"}).clock
    assert fixed == Clock("fixed", 1_000_000_001)
    step = make_grants({"clock": "step:1ns"}).clock
    assert step == Clock("step", 1_767_225_600_000_000_000, 1)


def test_http_ports() -> None:
    """Without a port the scheme's own is meant, and `*` is any."""
    targets = make_grants({"http": ["a.example", "a.example:*", "GET:a.example:81"]}).http
    assert targets == (
        HttpTarget("a.example", 0),
        HttpTarget("a.example", None),
        HttpTarget("a.example", 81, "GET"),
    )


def test_net_protocols() -> None:
    """An endpoint is for both protocols unless it names one; a single text is one grant."""
    assert make_grants({"net": "a.example:1"}).net == (Endpoint("a.example", 1),)
    assert make_grants({"net": ["tcp:1.2.3.4:1"]}).net == (Endpoint("1.2.3.4", 1, "tcp"),)
    assert make_grants({"net": ["listen:tcp:1.2.3.4:1"]}).net == (Endpoint("1.2.3.4", 1, "tcp", True),)


def test_unknown_names() -> None:
    """An unknown capability or budget names the known ones and the nearest."""
    with pytest.raises(
        UnknownCapability, match=r"Unknown capability 'clok'; known: .*Did you mean 'clock'\?"
    ):
        make_grants({"clok": "real"})
    with pytest.raises(UnknownCapability, match="Did you mean 'memory'"):
        make_budgets({"memry": 1})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeout": "0s"}, "timeout 0 s is out of range; allowed: 0.001 s to 86400 s"),
        ({"timeout": "-1"}, "no duration"),
        ({"timeout": "5 parsecs"}, "no duration"),
        ({"timeout": "999h"}, "out of range"),
        ({"memory": 0}, "memory 0 bytes is out of range; allowed: 65536 bytes"),
        ({"memory": "9999GiB"}, "out of range"),
        ({"memory": "lots"}, "no size"),
        ({"fuel": "-1"}, "fuel -1 is out of range; allowed: 1 to"),
        ({"fuel": "1.5"}, "no whole number"),
        ({"fuel": True}, "no whole number"),
        ({"output": "-5"}, "no size"),
    ],
)
def test_bad_budgets(given: dict[str, Any], message: str) -> None:
    """A budget outside its range is refused with the range."""
    with pytest.raises(CapabilityError, match=message):
        make_budgets(given)


def test_units() -> None:
    """Sizes and durations take the usual units."""
    assert [parse_size(t) for t in ("1KiB", "1KB", "2 MiB", "7", 9)] == [1024, 1000, 2 << 20, 7, 9]
    assert [parse_duration(t) for t in ("1s", "250ms", "2m", "0.5", 3)] == [1, 0.25, 120, 0.5, 3]
    assert make_budgets({"fuel": "1_000"}, base=Budgets(timeout_s=1)) == Budgets(timeout_s=1, fuel=1000)
