"""Grants and budgets are checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labkernel import CapabilityError, UnknownCapability
from labkernel._capability import (
    Budgets,
    Directory,
    Grants,
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
        ({"clock": "fixed:2026-01-01"}, "--clock real"),
        ({"net": ["example.com:80"]}, "not in this version"),
    ],
)
def test_bad_grants(given: dict[str, Any], message: str) -> None:
    """A grant that cannot be given is refused with the value and the way out."""
    with pytest.raises(CapabilityError, match=message):
        make_grants(given)


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
