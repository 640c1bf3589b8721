"""NUL and `=` in what is granted."""

from __future__ import annotations

from typing import Any

import pytest
from hostile_kit import Arena

from labkernel._errors import CapabilityError


@pytest.mark.parametrize("given", [
    {"env": {"A\0": "1"}}, {"env": {"A": "1\0"}}, {"env": {"A=B": "1"}}, {"env": {"": "1"}}, {"args": ["a\0"]},
    {"dirs": ["/tmp\0::/data"]}, {"dirs": ["/tmp::/da\0ta"]}, {"args": ["\ud800"]}, {"env": ["NOVALUE"]},
])  # fmt: skip
def test_no_such_grant(arena: Arena, given: dict[str, Any]) -> None:
    """Refused before anything starts, by name."""
    arena.fails(CapabilityError, lambda: arena.start("wasi", **given), within_s=0.5)
