"""The lessons are tested by nbval; where a toolchain that they use is missing, they are skipped, which CI forbids."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkernel import _toolchains as toolchains
from labkernel._cache import Cache

#: What a lesson needs beyond Rust and C: languages, and versions of them that `labkernel setup` was asked for.
NEEDS = {"02-nine-languages": ("python", "ts", "go", "go@1.26", "zig")}


def _missing(lesson: str) -> list[str]:
    there: dict[str, object] = {"rustc": shutil.which("rustc"), "zig": toolchains.zig_binary()}
    for need in NEEDS.get(lesson, ()):
        language, _, version = need.partition("@")
        there[need] = toolchains.get(language).identity(toolchains.Options(engine=version), Cache())
    return [tool for tool, found in there.items() if not found]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compare no HTML, and skip the lessons where a compiler is missing, unless everything is asked for.

    The HTML of a card is its look, which the cards' own tests are about.
    """
    here = Path(__file__).parent
    lessons = [item for item in items if here in item.path.parents]
    for lesson in {id(item.parent): item.parent for item in lessons}.values():
        if "text/html" not in getattr(lesson, "skip_compare", ("text/html",)):
            lesson.skip_compare = (*lesson.skip_compare, "text/html")  # type: ignore[union-attr]
    if os.environ.get("LABKERNEL_REQUIRE") == "all":
        return
    for item in lessons:
        missing = _missing(item.path.stem)
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"the lesson needs {' and '.join(missing)}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Start a lesson's kernel without lines of progress: a slow machine shows more of them, and nbval compares them."""
    os.environ["LABKERNEL_PROGRESS_AFTER_S"] = "3600"
    try:
        return (yield)
    finally:
        del os.environ["LABKERNEL_PROGRESS_AFTER_S"]
