"""Budgets below zero, of zero, beyond all bounds, and of the wrong kind."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from typing import Any

import pytest
from hostile_kit import Arena

from labkernel._errors import CapabilityError


@pytest.mark.parametrize("given", [
    {"fuel": -1}, {"fuel": 0}, {"fuel": 1 << 64}, {"memory": 0}, {"memory": "1EiB"}, {"memory": 1 << 60}, {"timeout": 0},
    {"timeout": -1.0}, {"timeout": float("inf")}, {"timeout": float("nan")}, {"timeout": "1y"}, {"output": -1},
    {"output": "2TiB"}, {"disk": -1}, {"disk": "1000TiB"}, {"table_elements": 0}, {"instances": 0}, {"fuel": True},
    {"instances": 10**9},
])  # fmt: skip
def test_no_such_budget(arena: Arena, given: dict[str, Any]) -> None:
    """Refused with the allowed range."""
    error = arena.fails(CapabilityError, lambda: arena.start("wasi", **given), within_s=0.5)
    assert any(word in str(error) for word in ("allowed", "no size", "no duration", "no whole number"))
