"""Every variable and argument there is."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

import pytest
from hostile_kit import Arena


def test_only_what_was_granted_is_seen(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the notebook's environment, of the host process's or of its command line."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    bare = arena.start("wasi")
    assert (bare.env(), bare.args()) == ([], [])
    given = arena.start("wasi", env={"MODE": "test"}, args=["one"])
    assert (given.env(), given.args()) == ([("MODE", "test")], ["one"])


def test_environ_in_c(c_arena: Arena) -> None:
    """C's own way of looking finds nothing either."""
    c_arena.build(
        "c",
        "#include <unistd.h>\nextern char **environ;\nuint32_t run(uint32_t n) { uint32_t k = 0; for (char **e = environ; e && *e; e++) k++; return k; }",
    )
    assert c_arena.start("attack")["run"](0) == 0
