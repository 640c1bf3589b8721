"""Doctor and setup: rows for everything, no failure for what is missing, names that are not known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labkernel import _setup as setup
from labkernel import _toolchains as toolchains
from labkernel._cache import Cache
from labkernel._errors import ToolchainMissing, UsageError
from labkernel._timing import format_bytes
from labkernel._toolchains import Artifact, Context, Toolchain, ToolStatus

Require = Callable[[str, object], None]


@dataclass
class Lab:
    """A lab as setup sees one."""

    cache: Cache

    @property
    def builder(self) -> Lab:
        """Stand for the builder too."""
        return self

    def context(self) -> Context:
        """Return a context without a toolbox."""
        return Context(self.cache, self.cache.root / "tmp")

    def warm_toolbox(self) -> None:
        """Have none."""


class Broken(Toolchain):
    """A third party's toolchain that fails at everything."""

    language = "broken"
    title = "Broken"

    def versions(self) -> str:
        """Fail."""
        return ""

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Fail."""
        raise RuntimeError("no idea")

    def setup(self, context: Context) -> None:
        """Say so."""
        context.progress("warming")

    def build(self, *args: Any, **kwargs: Any) -> Artifact:
        """Fail."""
        raise NotImplementedError

    def starter(self, package: Any, world: Any, context: Context | None = None) -> str:
        """Return nothing."""
        return ""


def test_the_doctor_has_a_row_for_everything() -> None:
    """Python packages, the toolbox, each language's tools, with purpose and what installs it."""
    found = setup.doctor()
    tools = [row.tool for row in found]
    for tool in (
        "wasmtime",
        "jupyterlab",
        "toolbox",
        "rustc",
        "rust target wasm32-wasip2",
        "wit-bindgen for Rust",
        "zig",
    ):
        assert tool in tools
    for row in found:
        assert row.purpose
        assert row.install
        assert row.minutes > 0 or row.tool.startswith(("wall of", "cache"))
    assert next(row for row in found if row.tool == "wasmtime").version
    assert {row.to_json()["tool"] for row in found} == set(tools)


def test_the_doctor_tells_what_the_cache_takes(cache: Cache) -> None:
    """How much of how much, where, of which kinds, and what changes it."""
    cache.put("code", "ab" * 32, bytes(3 << 20), ".cwasm")
    (row,) = [row for row in setup.doctor(cache) if row.tool == "cache"]
    assert (row.version or "").endswith(f" of {format_bytes(cache.max_size)}")
    assert f"{format_bytes(3 << 20)} code" in row.purpose
    assert str(cache.root) in row.purpose
    assert "LABKERNEL_CACHE_SIZE" in row.install


def test_the_doctor_of_one_language() -> None:
    """Only its own tools and the toolbox."""
    assert {row.language for row in setup.doctor(languages=["rs"])} == {"", "rust"}
    with pytest.raises(UsageError, match="Did you mean 'rust'"):
        setup.doctor(languages=["rsut"])


def test_the_doctor_never_raises_for_what_is_missing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An empty machine gets a table of what to install, and a broken toolchain a row."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(toolchains.toolchains(), "broken", Broken())
    found = setup.doctor(cache)
    missing = {row.tool for row in found.missing}
    assert {"rustc", "wit-bindgen for Rust", "broken"} <= missing
    assert "no idea" in next(row.note for row in found if row.tool == "broken")
    assert "missing: " in repr(found)


def test_names_that_setup_does_not_know(cache: Cache) -> None:
    """The refusal lists what is known."""
    with pytest.raises(UsageError, match=r"known: toolbox, rust, c, .*wat"):
        setup.prepare(["ruby"], Lab(cache), progress=lambda line: None)


def test_setup_prepares_what_is_named(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toolchain's own setup runs, with progress and the time it took."""
    monkeypatch.setitem(toolchains.toolchains(), "broken", Broken())
    told: list[str] = []
    setup.prepare(["broken"], Lab(cache), progress=told.append)
    assert told[-2:] == ["warming", "broken is ready (0 s)"]


def test_setup_of_a_missing_tool_raises_and_the_demo_goes_on(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By name it is an error with the line that installs; the demo tells it and goes on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainMissing, match="rustup"):
        setup.prepare(["rust"], Lab(cache), progress=lambda line: None)
    monkeypatch.setattr(setup, "DEMO", ("rust", "wat"))
    told: list[str] = []
    setup.prepare_for_demo(Lab(cache), progress=told.append)
    assert any(line.startswith("rust cannot be prepared: ") for line in told)
    assert told[-1] == "wat is ready (0 s)"


def test_setup_of_what_is_ready_is_quick(require: Require) -> None:
    """A second setup finds everything there."""
    cache = Cache()
    names = ["rust", "c", "wat"]
    for row in setup.doctor(cache, names):
        require(f"{row.tool} ({row.install})", row.version)
    assert setup.estimate(names, cache) == 0
    started = time.monotonic()
    setup.prepare(names, Lab(cache), progress=lambda line: None)
    assert time.monotonic() - started < 2


def test_unknown_language() -> None:
    """The refusal shows the word, what is known and the nearest."""
    with pytest.raises(
        UsageError, match=r"Unknown language 'rsut'; known: c, .*rust, .*wat.*\. Did you mean 'rust'"
    ):
        toolchains.get("rsut")
    assert toolchains.get("RS").language == "rust"
    assert toolchains.language_of_file("a.wat") == "wat"
    assert toolchains.language_of_file("a.txt") is None


@dataclass
class Making(Lab):
    """A lab that notes what is built."""

    builds: dict[str, Any]
    made: list[tuple[str, ...]]

    def starter(self, language: str, name: str, *, world: str | None = None) -> str:
        """Return a cell of two lines."""
        return f"%%wasm {language} {name} --world {world}\nbody"

    def build(
        self, language: str, text: str, *, name: str, world: str | None = None, engine: str = ""
    ) -> None:
        """Note what is asked for, and keep it under its name."""
        self.builds[name] = text
        self.made.append((language, text, str(world), engine))


def test_a_world_is_made_ready_by_its_starters(cache: Cache) -> None:
    """Each language's starter is built, by the version that is named, and no build is left behind."""
    lab = Making(cache, {"mine": 1}, [])
    told: list[str] = []
    assert setup.warm(["toolbox", "c", "golang@1.26"], "faas", lab, progress=told.append) == ["c", "go@1.26"]
    assert lab.made == [("c", "body", "faas", ""), ("go", "body", "faas", "1.26")]
    assert lab.builds == {"mine": 1}
    assert [line.partition(" is warm")[0] for line in told] == ["c", "go@1.26"]
