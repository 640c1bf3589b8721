"""Versions, `deps.toml` and `deps.lock`: every form, and everything that is none."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkernel import Lab, UsageError
from labkernel._cache import Cache
from labkernel._errors import RegistryError
from labkernel._registry import deps_of, find_root
from labkernel._registry.folder import digest_of
from labkernel._registry.lock import lock_text, parse_lock
from labkernel._registry.manifest import parse_manifest
from labkernel._registry.records import Locked, PathSource, RegistrySource, UrlSource
from labkernel._registry.versions import Requirement, Version, is_compatible, try_version
from labkernel._toolbox import find_toolbox
from labkernel._wit import PackageId

Require = Callable[[str, object], None]
MINE = "package me:mine@0.1.0;\ninterface t { type n = u32; }\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with a cache of its own."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("lab"))) as made:
        yield made


@pytest.fixture
def tools(lab: Lab, require: Require) -> Lab:
    """Return the lab, where there is a toolbox."""
    require("the toolbox component", find_toolbox())
    return lab


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder for a `deps.toml`, beside a package of one's own."""
    folder = tmp_path / "wit"
    folder.mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "t.wit").write_text(MINE)
    return folder


def ask(root: Path, text: str) -> None:
    """Write a folder's `deps.toml`."""
    (root / "deps.toml").write_text(text)


# -------------------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("requirement", "yes", "no"),
    [
        ("1.2.3", "1.2.3 1.2.4 1.9.0", "1.2.2 2.0.0 1.3.0-rc.1"),
        ("1.2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("0.2.6", "0.2.6 0.2.12", "0.2.5 0.3.0"),
        ("0.2", "0.2.0 0.2.12", "0.1.9 0.3.0"),
        ("^0", "0.0.1 0.9.0", "1.0.0"),
        ("0.0.3", "0.0.3", "0.0.4 0.0.2"),
        ("0.0", "0.0.0 0.0.9", "0.1.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("~1.2", "1.2.0 1.2.9", "1.3.0"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("=1.2.3", "1.2.3 1.2.3+build", "1.2.4"),
        ("=1.2", "1.2.0 1.2.9", "1.3.0"),
        (">=1.2, <2", "1.2.0 1.9.0", "2.0.0 1.1.0"),
        (">1.2.3", "1.2.4 2.0.0", "1.2.3"),
        (">1.2", "1.3.0", "1.2.9"),
        ("<=1.2", "1.2.9 0.1.0", "1.3.0"),
        ("<=1.2.3", "1.2.3", "1.2.4"),
        ("<1.2.3", "1.2.2", "1.2.3 1.2.3-rc.1"),
        ("*", "0.0.1 9.0.0", "1.0.0-rc.1"),
        ("1.*", "1.0.0 1.9.0", "2.0.0"),
        ("1.2.*", "1.2.0 1.2.9", "1.3.0"),
        ("=2.0.0-rc.1", "2.0.0-rc.1", "2.0.0-rc.2 2.0.0"),
        (">=2.0.0-rc.1", "2.0.0-rc.1 2.0.0-rc.2 2.0.0", "2.1.0-rc.1 2.0.0-alpha"),
        ("0.2.0-draft", "0.2.0-draft 0.2.0 0.2.4", "0.2.1-draft"),
    ],
)
def test_requirements(requirement: str, yes: str, no: str) -> None:
    """Requirements mean what Cargo's mean."""
    asked = Requirement.from_text(requirement)
    assert all(asked.accepts(found) for text in yes.split() if (found := try_version(text)))
    assert not any(asked.accepts(found) for text in no.split() if (found := try_version(text)))


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3.4", "01.2", "==1", "1,", "latest", "1 2", "-1", "1.*.*x", "9" * 30]
)
def test_wrong_requirements(text: str) -> None:
    """What is no requirement is told with an example."""
    with pytest.raises(UsageError, match="no version requirement"):
        Requirement.from_text(text)


def test_order_of_versions() -> None:
    """Versions are ordered as Semantic Versioning says."""
    order = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0"
    )
    versions = [v for text in order.split() if (v := try_version(text))]
    assert sorted(versions, reverse=True) == versions[::-1]
    assert Requirement.from_text("1.0.0-alpha").best(versions) == versions[-1]
    assert try_version("1.0") is None
    assert try_version("١.0.0") is None


cores = st.tuples(*[st.integers(0, 4)] * 3)


@given(cores, cores)
def test_compatible_is_the_caret(asked: tuple[int, int, int], there: tuple[int, int, int]) -> None:
    """What can stand in for a version is what its caret requirement accepts."""
    wanted, found = Version(asked), Version(there)
    assert is_compatible(str(wanted), str(found)) == Requirement.from_text(str(wanted)).accepts(found)


# ------------------------------------------------------------------------------------------------- deps.toml


def test_every_form_of_an_entry() -> None:
    """The forms of wit-deps, and versions from a registry."""
    manifest = parse_manifest(
        tomllib.loads(
            f"""
            a = "https://example.com/a.tar.gz"
            b = "./b"
            c = {{ url = "https://example.com/c.tar.gz", sha256 = "{"A" * 64}", subdir = "wit-0.3/x" }}
            d = {{ path = "/abs/d" }}
            "wasi:clocks" = "0.2.6"
            "acme:types" = {{ version = "^1", registry = "127.0.0.1:5000", namespace_prefix = "wit/" }}
            old-types = {{ package = "acme:types", version = "=1.0.0", registry = "registry.example.org" }}
            "me:here" = "./here"
            [namespace_registries]
            acme = "registry.example.org"
            [namespace_registries.wasi]
            registry = "wasi.dev"
            metadata = {{ oci = {{ registry = "registry.example.org", namespacePrefix = "w/" }} }}
            """
        )
    )
    assert {each.folder: each.source for each in manifest.wanted} == {
        "a": UrlSource("https://example.com/a.tar.gz"),
        "b": PathSource("./b"),
        "c": UrlSource("https://example.com/c.tar.gz", "a" * 64, "", "wit-0.3/x"),
        "d": PathSource("/abs/d"),
        "wasi-clocks": RegistrySource("wasi:clocks", "0.2.6"),
        "acme-types": RegistrySource("acme:types", "^1", "127.0.0.1:5000", "wit/"),
        "old-types": RegistrySource("acme:types", "=1.0.0", "registry.example.org"),
        "me-here": PathSource("./here"),
    }
    assert manifest.namespaces == {
        "acme": ("registry.example.org", None),
        "wasi": ("registry.example.org", "w/"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1", "1 is no source"),
        ("a = []", "no source"),
        ("a = {}", "got none"),
        ('a = { url = "https://e.com/x", path = "x" }', "got url and path"),
        ('a = { path = "x", sha256 = "00" }', "'sha256' does not go with 'path'"),
        ('a = { ulr = "https://e.com" }', "Did you mean 'url'"),
        ("a = { path = 3 }", "has to be text"),
        ('a = { url = "https://e.com/x", sha256 = "zz" }', "64 hexadecimal"),
        ('a = { url = "https://e.com/x", sha512 = "00" }', "128 hexadecimal"),
        ('a = { url = "https://e.com/x", subdir = "../x" }', "no folder within"),
        ('a = { url = "https://e.com/x", subdir = "" }', "no folder within"),
        ('a = "http://example.com/x.tar.gz"', "not https"),
        ('a = "file:///etc/passwd"', "no URL"),
        ('a = "ftp://example.com/x"', "not https"),
        ('a = "https://user:pw@example.com/x"', "no URL"),
        ('a = "https://example.com:port/x"', "no URL"),
        ('a = "https://exa mple.com/x"', "no URL"),
        ('a = ""', "no path"),
        ('a = { version = "1" }', "no package name"),
        ('"a:b" = "one"', "no version requirement"),
        ('"A:b" = "1"', "no package name"),
        ('"a:b:c" = "1"', "no package name"),
        ('"a:b" = { version = "1", registry = "http://x" }', "no host"),
        ('"a:b" = { version = "1", registry = "x/../y" }', "no host"),
        ('"a:b" = { version = "1", namespace_prefix = "x/" }', "give both"),
        ('"a:b" = { version = "1", registry = "x.y", namespace_prefix = "../" }', "namespace_prefix"),
        ('".." = "./x"', "cannot name a dependency"),
        ('"a/b" = "./x"', "cannot name a dependency"),
        ('".git" = "./x"', "cannot name a dependency"),
        ('"" = "./x"', "cannot name a dependency"),
        ('"a:b" = "1"\na-b = "./x"', "both go to deps/a-b"),
        ("namespace_registries = 1", "is a table"),
        ("[namespace_registries]\na = 1", "is no registry"),
        ('[namespace_registries]\na = ""', "no host"),
        ('[namespace_registries]\na = { registry = "x.y", namespace_prefix = 1 }', "are text"),
        ("a = ", "is no TOML"),
        ("a = '\xff'", "is no TOML"),
        ("a = " + "[" * 5000, "is no TOML"),
    ],
)
def test_wrong_entries(root: Path, lab: Lab, text: str, message: str) -> None:
    """What is wrong is told with the entry, what was expected, and an example."""
    (root / "deps.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=message):
        lab.wit_deps(root)
    assert sorted(p.name for p in root.iterdir()) == ["deps.toml"]


def test_where_deps_toml_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    """Without a folder it is `wit`, or the working folder; a folder without one says what to write."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"holds no deps\.toml"):
        lab.wit_deps()
    with pytest.raises(UsageError, match="no folder"):
        lab.wit_deps("nowhere")
    (tmp_path / "deps.toml").touch()
    assert find_root(None) == Path()
    (tmp_path / "wit").mkdir()
    (tmp_path / "wit" / "deps.toml").touch()
    assert find_root(None) == Path("wit")
    assert find_root("wit/deps.toml") == Path("wit")


# -------------------------------------------------------------------------------------------------- the lock


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
locks = st.builds(
    Locked,
    folder=st.from_regex(r"[a-z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True),
    package=st.builds(PackageId, st.just("a:b"), st.sampled_from(["", "1.0.0", "0.2.0-rc.1+b"])),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    source=texts.filter(bool),
    request=texts,
    digest=texts,
    by=st.lists(texts, max_size=3).map(lambda names: tuple(sorted(names))),
)


@given(st.lists(locks, max_size=5, unique_by=lambda each: each.folder))
def test_a_lock_reads_as_it_was_written(packages: list[Locked]) -> None:
    """Every text survives TOML, and the order in which packages come changes nothing."""
    text = lock_text(packages)
    assert parse_lock(tomllib.loads(text)) == tuple(sorted(packages, key=lambda each: each.folder))
    assert lock_text(reversed(packages)) == text


@pytest.mark.parametrize(
    "text",
    [
        "version = 2",
        "version = 1\npackage = 3",
        "version = 1\n[[package]]\nfolder = 1",
        'version = 1\n[[package]]\nfolder = "../x"\nsource = "bundled"\nsha256 = "' + "0" * 64 + '"',
        'version = 1\n[[package]]\nfolder = "x"\nsource = "bundled"\nsha256 = "00"',
        'version = 1\n[[package]]\nfolder = "x"\nsha256 = "' + "0" * 64 + '"',
        'version = 1\n[[package]]\nfolder = "x"\nby = 1\nsource = "bundled"\nsha256 = "' + "0" * 64 + '"',
        "version = ",
        "\x00",
        '[clocks]\nsha256 = "00"\nurl = "https://example.com"',
    ],
)
def test_a_damaged_lock(root: Path, tools: Lab, text: str) -> None:
    """A lock that cannot be read is an error that names the remedy, and the remedy works."""
    ask(root, 'mine = "../mine"')
    (root / "deps.lock").write_text(text)
    with pytest.raises(RegistryError, match="--update"):
        tools.wit_deps(root)
    with pytest.raises(RegistryError, match="--update"):
        deps_of(root)
    tools.wit_deps(root, update=True)
    assert deps_of(root) == [{"deps/mine/t.wit": MINE}]


def test_the_digest_can_be_checked_by_hand(tmp_path: Path) -> None:
    """The digest is the sha256 of what `sha256sum *.wit` prints."""
    files = {"b.wit": "b", "a.wit": "ä\r\n"}
    printed = "".join(f"{hashlib.sha256(files[n].encode()).hexdigest()}  {n}\n" for n in ("a.wit", "b.wit"))
    assert digest_of(files) == hashlib.sha256(printed.encode()).hexdigest()
