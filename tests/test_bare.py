"""A machine without Rust and without a toolbox: what still works, and what says what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds import BASICS, FAAS, RUST

SCRIPT = f"""
from labkernel import Lab, LabError
from labkernel import _setup as setup

def told(action):
    try:
        action()
    except LabError as error:
        return f"{{type(error).__name__}}: {{error}}"
    return "done"

with Lab() as lab:
    print(told(lambda: lab.wit({FAAS!r}, name="faas")))
    lab.build("wat", {BASICS!r}, name="basics")
    path = lab.save("basics", "basics.wasm")
    lab.load(path, name="loaded")
    print(lab.instantiate("loaded", env={{"A": "1"}}).double(21))
    print(lab.fire("loaded", "double(4)").wave, len(lab.fire("loaded", "double", n=20, seed=1)))
    print(lab.timings(["loaded"], kind="startup", call="double(2)", samples=3).startups[0].total.n)
    missing = {{row.tool for row in setup.doctor(lab.cache).missing}}
    print({{"toolbox", "rustc"}} <= missing)
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what the script prints where there are no tools and no cache."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "bin").mkdir()
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder), "LABKERNEL_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_missing_toolbox_is_named(lines: list[str]) -> None:
    """WIT says that it needs the toolbox, and what builds it."""
    assert lines[0].startswith("ToolchainMissing: ")
    assert "cargo" in lines[0]
    assert "rustup" in lines[0]


def test_the_rest_works(lines: list[str]) -> None:
    """Text, loading, starting, firing, timings and the doctor need neither Rust nor toolbox."""
    assert lines[1:] == ["42", "8 20", "3", "True"]


def test_a_lesson_built_before_still_works(tmp_path: Path, require: Callable[[str, object], None]) -> None:
    """What was built where the tools were is found by its source where they are not, and says so."""
    from labkernel import Lab
    from labkernel._cache import Cache
    from labkernel._errors import ToolchainMissing

    with Lab() as lab:
        try:
            lab.wit(FAAS, name="faas")
            built = lab.build("rust", RUST, name="resize")
        except ToolchainMissing as error:
            require(str(error), False)
            return
        cache = Cache(tmp_path / "cache")
        exported = lab.builder.export(tmp_path / "prebuilt")
    assert exported >= 3
    script = f"""
from pathlib import Path
from labkernel._lab import prebuilt
prebuilt.FOLDER = Path({str(tmp_path / "prebuilt")!r})
from labkernel import Lab
with Lab() as lab:
    package = lab.wit({FAAS!r}, name="faas")
    build = lab.build("rust", {RUST!r}, name="resize")
    print(build.digest, package.notes[-1], build.notes[-1], sep="|")
    print(lab.fire("resize").wave)
"""
    environment = {"PATH": "", "HOME": str(tmp_path), "LABKERNEL_CACHE": str(cache.root)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{built.digest}|resolved before")
    assert "built before with rustc" in first
    assert second == "ok"
