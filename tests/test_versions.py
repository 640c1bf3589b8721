"""Versions of one language side by side: kept by setup, named by --engine, part of the key, shown on the card."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds import EVENT, FAAS

from labkernel import Lab, ToolchainMissing, UsageError
from labkernel import _setup as setup
from labkernel import _toolchains as toolchains
from labkernel._cache import Cache
from labkernel._toolchains import Options
from labkernel._toolchains.versions import Origin

Require = Callable[[str, object], None]

ORIGIN = Origin("Abc", "abc-bin", "abc", "bin/abc", "pip install abc-bin", "0.9")
WHERE = "package lab:where; world where { export version: func() -> string; }"
GO = 'import "runtime"\n\nfunc Version() string { return runtime.Version() }\n'
PYTHON = "import sys\n\n\ndef version():\n    return sys.version\n"


def install(folder: Path, version: str) -> Path:
    """Make a folder look as pip leaves it after installing the package."""
    program = folder / "abc" / "bin" / "abc"
    program.parent.mkdir(parents=True)
    program.write_text(version, encoding="ascii")
    (folder / f"abc_bin-{version}.dist-info").mkdir()
    return program


def test_a_version_is_the_newest_that_begins_so(cache: Cache) -> None:
    """Whole parts count: 1.2 is not 1.25; numbers are compared as numbers."""
    for version in ("1.25.9", "1.25.10", "1.2.1", "1.26.0"):
        install(cache.root / "toolchain" / "ab" / f"abc-bin-{version}", version)
    found = {asked: ORIGIN.find("abc", asked, cache).version for asked in ("1.25", "1.2", "1", "1.25.9")}
    assert found == {"1.25": "1.25.10", "1.2": "1.2.1", "1": "1.26.0", "1.25.9": "1.25.9"}
    assert [row.tool for row in ORIGIN.rows("abc", cache)][:2] == ["Abc 1.26.0", "Abc 1.25.10"]


def test_a_kept_version_is_removed_by_name(cache: Cache) -> None:
    """One release or all of a version; another stays, and what is not kept is told with what is."""
    for version in ("1.25.9", "1.26.0", "1.26.1"):
        install(cache.root / "toolchain" / "ab" / f"abc-bin-{version}", version)
    with pytest.raises(
        UsageError, match=r"abc@1\.2 is not kept .* kept are: abc@1\.26\.1, abc@1\.26\.0, abc@1\.25\.9"
    ):
        ORIGIN.forget("abc", "1.2", cache)
    assert ORIGIN.forget("abc", "1.26", cache) == "Abc 1.26.1, 1.26.0"
    assert [tool.version for tool in ORIGIN.kept(cache)] == ["1.25.9"]
    assert ORIGIN.forget("abc", "1.25.9", cache) == "Abc 1.25.9"
    assert ORIGIN.kept(cache) == []


def test_what_is_to_be_removed_is_named_with_its_version(cache: Cache) -> None:
    """A language alone, a language without versions and an engine that is not there are refused."""
    for name, why in (
        ("go", "names no version"),
        ("c@1", "kept"),
        ("rust@1.2", "no version of Rust is kept"),
    ):
        with pytest.raises(UsageError, match=why):
            setup.forget([name], cache)
    with pytest.raises(UsageError, match="js@starlingmonkey is not in the lab's cache"):
        setup.forget(["js@starlingmonkey"], cache)


def test_a_folder_names_a_version_too(cache: Cache, tmp_path: Path) -> None:
    """The folder that pip installed into, the package's own in it, or the program."""
    program = install(tmp_path / "there", "3.1.4")
    for path in (tmp_path / "there", tmp_path / "there" / "abc", program):
        tool = ORIGIN.find("abc", str(path), cache)
        assert (tool.program, tool.version) == (program, "3.1.4")
    with pytest.raises(ToolchainMissing, match="No abc-bin is installed there"):
        ORIGIN.find("abc", str(tmp_path / "elsewhere"), cache)


def test_what_is_not_there_is_told_with_the_line_to_run(cache: Cache) -> None:
    """The error names what is here; a word that is no version is refused by name."""
    install(cache.root / "toolchain" / "ab" / "abc-bin-1.2.3", "1.2.3")
    with pytest.raises(ToolchainMissing, match=r"Here are: 1\.2\.3.*labkernel setup abc@9\.9"):
        ORIGIN.find("abc", "9.9", cache)
    with pytest.raises(UsageError, match="'newest' is no version of Abc"):
        ORIGIN.find("abc", "newest", cache)
    with pytest.raises(UsageError, match=r"'1\.2; rm' is no version"):
        ORIGIN.keep("abc", "1.2; rm", cache, print)
    for ask in (lambda: ORIGIN.find("abc", "0.8.1", cache), lambda: ORIGIN.keep("abc", "0.8", cache, print)):
        with pytest.raises(
            UsageError, match=r"Abc 0\.8\S* is too old for this lab: cells need 0\.9 or newer"
        ):
            ask()
    with pytest.raises(ToolchainMissing, match="pip install abc-bin"):
        ORIGIN.find("abc", "", cache)


def test_a_version_that_is_here_is_not_fetched(cache: Cache) -> None:
    """Setting one up twice is at once: nothing is told, nothing is started."""
    install(cache.root / "toolchain" / "ab" / "abc-bin-1.2.3", "1.2.3")
    told: list[str] = []
    for version in ("1.2.3", "1.2"):
        assert ORIGIN.keep("abc", version, cache, told.append).version == "1.2.3"
    assert not told


@pytest.mark.parametrize("language", ["go", "c", "cpp", "zig", "python"])
def test_the_version_is_part_of_the_key(language: str, cache: Cache, require: Require) -> None:
    """Naming the installed version changes nothing in the identity of the tools; one that is missing has none."""
    chain = toolchains.get(language)
    require(language, chain.versions())
    installed = chain.engines(cache)[0]
    assert chain.identity(Options(engine=installed), cache) == chain.versions()
    assert chain.identity(Options(engine="99.1"), cache) == ""


def test_a_language_of_one_version_refuses(cache: Cache) -> None:
    """WAT has no other engine, and JavaScript's engines have names."""
    with Lab(cache=cache) as lab:
        with pytest.raises(UsageError, match="takes no --engine"):
            lab.build("wat", "(component)", name="x", engine="1.0")
        context = lab.builder.context()
        with pytest.raises(UsageError, match="WebAssembly text has no other versions"):
            toolchains.get("wat").setup_version("1.0", context)
        with pytest.raises(UsageError, match="Unknown engine 'quickj'; known: quickjs, starlingmonkey"):
            toolchains.get("js").setup_version("quickj", context)


@pytest.mark.parametrize(("language", "text"), [("go", GO), ("python", PYTHON)])
def test_two_versions_in_one_lab(language: str, text: str, require: Require) -> None:
    """The same cell by two versions: two components, each of which tells the version it is made by."""
    with Lab() as lab:
        versions = toolchains.get(language).engines(lab.cache)
        require(f"a second version of {language} (labkernel setup {language}@VERSION)", len(versions) > 1)
        try:
            lab.wit(WHERE, name="where")
            builds = [
                lab.build(language, text, name=f"v{n}", world="where", engine=version)
                for n, version in enumerate(versions)
            ]
        except ToolchainMissing as error:
            require(str(error), False)
            return
        answers = [str(lab.fire(build, "version()").value) for build in builds]
        for build, version, answer in zip(builds, versions, answers, strict=True):
            assert f" {version}" in build.tools
            assert answer.removeprefix("go").partition(".0 ")[0] in build.tools
        assert len({build.digest for build in builds}) == len(versions)
        assert len(set(answers)) > 1, "the oldest and the newest differ in what they tell"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["c", "cpp", "zig"])
def test_every_kept_zig_builds(language: str, require: Require) -> None:
    """C, C++ and Zig cells by each zig that is here answer alike."""
    from test_nine import HANDLERS

    with Lab() as lab:
        versions = toolchains.get(language).engines(lab.cache)
        require("a second zig (labkernel setup zig@0.16)", len(versions) > 1)
        lab.wit(FAAS, name="faas")
        builds = [
            lab.build(language, HANDLERS[language], name=f"v{n}", engine=version)
            for n, version in enumerate(versions)
        ]
        assert {lab.fire(build, EVENT).wave for build in builds} == {"ok"}
        for one, other in itertools.combinations(builds, 2):
            assert one.tools != other.tools
