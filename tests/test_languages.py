"""Languages of other packages: found by their entry point, built, fired, and harmless where they are broken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from labkernel import CompileError, Lab, LabError, UsageError, language
from labkernel import _toolchains as toolchains
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import registry
from labkernel._toolchains.rust import tools

Require = Callable[[str, object], None]

THIRD_PARTY = Path(__file__).parent / "third_party"
WORLD = "package test:numbers;\nworld numbers { export of: func(n: s64) -> s64; }\n"


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """Let no test see what another one found."""
    toolchains.forget()
    yield
    toolchains.forget()
    for name in ("labkernel_forth", "labkernel_broken"):
        sys.modules.pop(name, None)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the example: a module and its dist-info on the path, as pip leaves them."""
    monkeypatch.syspath_prepend(str(THIRD_PARTY))


def package(folder: Path, name: str, lines: str, source: str) -> None:
    """Write an installed package with entry points."""
    (folder / f"{name}-1.dist-info").mkdir()
    (folder / f"{name}-1.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    )
    (folder / f"{name}-1.dist-info" / "entry_points.txt").write_text(f"[labkernel.languages]\n{lines}\n")
    (folder / f"{name}.py").write_text(source)


def test_a_cell_of_another_packages_language_is_built_and_fired(installed: None, require: Require) -> None:
    """It is a language like the nine: known, completed, with a starter, a cached build, errors on its lines."""
    require("the toolbox (labkernel setup)", find_toolbox())
    assert "forth" in toolchains.languages()
    assert toolchains.language_of_file("square.fth") == "forth"
    with Lab() as lab:
        lab.wit(WORLD, name="numbers")
        build = lab.build("forth", "dup *\n1 +", name="square")
        assert build.language == "forth"
        assert lab.instantiate("square").of(7) == 50
        lab.build("Forth", lab.starter("forth", "other").partition("\n")[2], name="other")
        assert lab.instantiate("other").of(-7) == 49
        with pytest.raises(CompileError) as caught:
            lab.build("forth", "1 +\n  2 plus", name="wrong")
        (found,) = caught.value.diagnostics
        assert (found.line, found.column, found.text) == (2, 5, "  2 plus")
        for text in ("drop", "drop +"):
            with pytest.raises(CompileError, match="too few"):
                lab.build("forth", text, name="wrong")


def test_the_example_is_the_one_that_is_documented() -> None:
    """CONTRIBUTING.md shows the very file, in under 60 lines."""
    source = (THIRD_PARTY / "labkernel_forth.py").read_text(encoding="utf-8")
    page = (THIRD_PARTY.parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"```python\n{source}```" in page
    assert len(source.splitlines()) < 65


def test_only_the_language_asked_for_is_loaded(
    installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that fails to load says why when it is asked for, and is left out of the list."""
    package(
        tmp_path,
        "labkernel_broken",
        "broken = labkernel_broken:It\nodd = sys:path",
        "import nothing_of_that_name\n",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert toolchains.get("forth").title == "Forth"
    assert "labkernel_broken" not in sys.modules
    assert "broken" not in toolchains.languages()
    with pytest.raises(
        LabError, match=r"'broken' of the package labkernel_broken does not load: ModuleNotFound"
    ):
        toolchains.get("broken")
    with pytest.raises(LabError, match="'odd' of the package"):
        toolchains.get("odd")
    with pytest.raises(UsageError, match="Did you mean 'forth'"):
        toolchains.get("fort")


def test_a_built_in_language_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by its name nor by an alias."""
    source = (THIRD_PARTY / "labkernel_forth.py").read_text().replace('"forth", "Forth"', '"rust", "Forth"')
    package(
        tmp_path, "labkernel_broken", "rust = labkernel_broken:Forth\nrs = labkernel_broken:Forth", source
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("rust", "rs", "RS"):
        assert toolchains.get(name).title == "Rust"
    assert toolchains.toolchains()["rust"].title == "Rust"


def entry(value: str) -> metadata.EntryPoint:
    """Return an entry point for WAT."""
    return metadata.EntryPoint("wat", value, registry.GROUP)


@pytest.mark.parametrize(
    "entries",
    [[], [entry("labkernel._toolchains.wat:Wat")], [entry("labkernel._toolchains.elsewhere:Wat")], None],
)
def test_wat_comes_by_an_entry_point_and_without_one_too(
    entries: list[metadata.EntryPoint] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As installed, as an older installation knew it, and from a source tree."""

    class Own:
        entry_points = entries

    def distribution(name: str) -> type[Own]:
        assert name == "labkernel"
        if entries is None:
            raise metadata.PackageNotFoundError(name)
        return Own

    monkeypatch.setattr(registry.metadata, "distribution", distribution)
    assert toolchains.get("wat").title == "WebAssembly text"


def test_the_package_declares_it() -> None:
    """The entry point is in the metadata that a wheel gets, and what it names is there."""
    text = (THIRD_PARTY.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition('[project.entry-points."labkernel.languages"]')[2].partition("\n[")[0]
    name, _, value = section.strip().replace('"', "").partition(" = ")
    assert metadata.EntryPoint(name, value, registry.GROUP).load()().language == "wat"


def test_the_common_languages_need_no_look_through_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A built-in language is found without reading the metadata of all that is installed."""
    monkeypatch.setattr(
        registry.metadata, "entry_points", lambda **_: pytest.fail("looked through the packages")
    )
    started = time.perf_counter()
    for name in ("wat", "wat", "rust", "rs"):
        toolchains.get(name)
    assert time.perf_counter() - started < 5


def test_explanations(require: Require) -> None:
    """A code is explained by the language that has it, however it was copied."""
    require("rustc", tools.find_rustc)
    for code in ("E0308", "e0308", "[E0308]"):
        title, text = toolchains.explain(code)
        assert title == "Rust"
        assert "Expected type did not match" in text
    for code in ("dead_code", "E9999", "--help", ""):
        with pytest.raises(UsageError, match="like E0308"):
            toolchains.explain(code)


def test_the_public_module_is_whole() -> None:
    """Every name it promises is there."""
    assert all(hasattr(language, name) for name in language.__all__)
    assert language.__all__ == sorted(language.__all__)
