"""The lessons are tested by nbval; where a toolchain that they use is missing, they are skipped, which CI forbids."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkernel import _toolchains as toolchains


def _missing() -> list[str]:
    there = {"rustc": shutil.which("rustc"), "zig": toolchains.zig_binary()}
    return [tool for tool, path in there.items() if not path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compare no HTML, and skip the lessons where a compiler is missing, unless everything is asked for.

    The HTML of a card is its look, which the cards' own tests are about.
    """
    here = Path(__file__).parent
    lessons = [item for item in items if here in item.path.parents]
    for lesson in {id(item.parent): item.parent for item in lessons}.values():
        if "text/html" not in getattr(lesson, "skip_compare", ("text/html",)):
            lesson.skip_compare = (*lesson.skip_compare, "text/html")  # type: ignore[union-attr]
    missing = _missing()
    if missing and os.environ.get("LABKERNEL_REQUIRE") != "all":
        for item in lessons:
            item.add_marker(pytest.mark.skip(reason=f"the lessons need {' and '.join(missing)}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Start a lesson's kernel without lines of progress: a slow machine shows more of them, and nbval compares them."""
    os.environ["LABKERNEL_PROGRESS_AFTER_S"] = "3600"
    try:
        return (yield)
    finally:
        del os.environ["LABKERNEL_PROGRESS_AFTER_S"]
