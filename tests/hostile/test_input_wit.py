"""WIT that is deep, long or grows without bounds."""

from __future__ import annotations

import pytest
from hostile_kit import Arena

from labkernel._errors import WitError


def doubling(n: int) -> str:
    """Return records of which each holds the one before twice."""
    records = " ".join(
        f"record r{i} {{ a: {f'r{i - 1}' if i else 'u8'}, b: {f'r{i - 1}' if i else 'u8'} }}"
        for i in range(n)
    )
    return f"package a:b; interface i {{ {records} f: func(x: r{n - 1}); }} world w {{ export i; }}"


BOMBS = {
    "records that double": doubling(40),
    "deep lists": "package a:b; interface i { type t = " + "list<" * 3000 + "u8" + ">" * 3000 + "; }",
    "brackets": "(" * 100_000,
    "comments": "/*" * 100_000,
    "not text": "package a:b; world w { export \ud800: func(); }",
    "NUL": "package a:b;\0 world w {}",
    "turned around": "package a:b; /* \u202e } \u2066 */ world w { export f: func(); }",
    "megabytes": "package a:b;" + "//x\n" * 3_000_000,
    "itself": "package a:b; interface i { use i.{t}; }",
    "a circle": "package a:b; interface i { record a { b: b } record b { a: a } }",
    "worlds in a circle": "package a:b; world w { include v; } world v { include w; }",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(c_arena: Arena, name: str) -> None:
    """One error, soon; the notebook's memory stays as it is."""
    c_arena.fails(WitError, lambda: c_arena.lab.wit(BOMBS[name], name="bomb"), within_s=3.0)
    assert "bomb" not in c_arena.lab.worlds.packages


def test_a_world_of_five_thousand_functions(c_arena: Arena) -> None:
    """Large and harmless: it resolves."""
    text = "".join(f"export do-{'x' * (i % 7 + 1)}{i}: func(x: string) -> string; " for i in range(5000))
    package = c_arena.lab.wit(f"package a:b; world w {{ {text} }}", name="large")
    assert len(package.worlds[0].exports) == 5000
    del c_arena.lab.worlds.packages["large"]
