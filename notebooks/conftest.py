"""The lessons are tested by nbval; where a toolchain that they use is missing, they are skipped, which CI forbids."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from labkernel import _toolchains as toolchains


def _missing() -> list[str]:
    there = {"rustc": shutil.which("rustc"), "zig": toolchains.zig_binary()}
    return [tool for tool, path in there.items() if not path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the lessons where a compiler is missing, unless everything is asked for."""
    missing = _missing()
    if not missing or os.environ.get("LABKERNEL_REQUIRE") == "all":
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"the lessons need {' and '.join(missing)}"))
