"""`%wit deps`: folders, bundled packages and a real registry, under the lock, with and without the network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from registry_kit import OciRegistry, encode, oci_registry

from labkernel import Lab, LabError, UsageError, WitError
from labkernel._cache import Cache
from labkernel._cards import card_of
from labkernel._errors import RegistryError
from labkernel._magics.show import Screen
from labkernel._magics.wit import WitMagics
from labkernel._registry import DepsRecord, deps_of
from labkernel._registry.lock import read_lock
from labkernel._toolbox import find_toolbox
from labkernel._wit import declared, referenced

Require = Callable[[str, object], None]
BASE = "package acme:base@{v};\ninterface ids {{ type id = {t}; }}\nworld all {{ import ids; }}\n"
TYPES = """package acme:types@{v};
/// What happened.
interface events {{
  use acme:base/ids@{base}.{{id}};
  use wasi:clocks/wall-clock@0.2.3.{{datetime}};
  record event {{ id: id, at: datetime }}
}}
world all {{ import events; }}
"""
CLOCKS_3 = """package wasi:clocks@0.2.3;
interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } }
"""
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


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OciRegistry | None]:
    """Return a registry, where Debian's is installed."""
    if shutil.which("docker-registry") is None:
        yield None
        return
    with oci_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def registry(running: OciRegistry | None, tools: Lab, require: Require) -> OciRegistry:
    """Return a registry that holds `acme:base` 1.0.0 and 2.0.0 and `acme:types` 1.0.0, 1.2.0, 1.10.0, 2.0.0-rc.1."""
    require("docker-registry (apt-get install docker-registry)", running)
    assert running is not None
    if running.request("GET", "/v2/acme/base/tags/list").status == 404:
        for version, kind in (("1.0.0", "u32"), ("2.0.0", "string")):
            running.push("acme/base", version, encode(tools, BASE.format(v=version, t=kind)))
        for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"):
            running.push("acme/types", version, types_of(tools, version))
        running.push("acme/types", "latest", types_of(tools, "1.2.0"))
    return running


def types_of(lab: Lab, version: str, base: str = "1.0.0") -> bytes:
    """Return `acme:types` of a version in binary form."""
    deps = [{"b.wit": BASE.format(v=base, t="u32")}, {"c.wit": CLOCKS_3}]
    return encode(lab, TYPES.format(v=version, base=base), deps=deps)


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


def states(record: DepsRecord) -> dict[str, str]:
    """Return what was done, by package."""
    return {str(state.locked.package): state.what for state in record.packages}


def snapshot(root: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


# ------------------------------------------------------------------------------------------ folders, bundled


def test_folders_and_bundled_packages(root: Path, tools: Lab) -> None:
    """What is asked for and what that needs lies in `deps/`, is locked, and is left alone by the next run."""
    ask(root, 'mine = "../mine"\n"wasi:http" = "0.2"\n')
    record = tools.wit_deps(root)
    done = states(record)
    assert done["me:mine@0.1.0"] == "copied"
    assert {name.partition("@")[0] for name, what in done.items() if what == "bundled"} == {
        f"wasi:{name}" for name in ("cli", "clocks", "filesystem", "http", "io", "random", "sockets")
    }
    assert (root / "deps" / "mine" / "t.wit").read_text() == MINE
    assert "package wasi:http@0.2." in (root / "deps" / "wasi-http" / "package.wit").read_text()
    before = snapshot(root)
    times = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    again = tools.wit_deps(root, offline=True)
    assert set(states(again).values()) == {"as locked"}
    assert snapshot(root) == before
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == times
    assert tools.wit_deps(root, update=True).packages
    assert snapshot(root) == before


def test_the_card(root: Path, tools: Lab) -> None:
    """The card says of each package where it lies, why, and what was done; then what to type next."""
    ask(root, 'mine = "../mine"')
    text = card_of(tools.wit_deps(root)).text()
    assert "me:mine@0.1.0" in text
    assert "deps/mine" in text
    assert "copied" in text
    assert f"%%wit NAME --deps {root}" in text


def test_the_magics(root: Path, tools: Lab) -> None:
    """`%wit deps` shows what it did and `%%wit --deps` uses it, until the source is edited."""
    shell = InteractiveShell.instance()
    magics = WitMagics(shell, tools, Screen(shell))
    cell = "package my:app; world w { use me:mine/t.{n}; export f: func() -> n; }"
    ask(root, 'mine = "../mine"\n"wasi:random" = "0.2"\n')
    try:
        with capture_output() as captured:
            assert magics.wit_line(f"deps {root}").packages[0].what == "copied"
            assert (
                magics.wit_cell(f"uses_mine --deps {root}", cell).worlds[0].exports[0].text.endswith("-> u32")
            )
            (root.parent / "mine" / "t.wit").write_text(MINE.replace("u32", "u64"))
            with pytest.raises(RegistryError, match="edited since"):
                magics.wit_cell(f"uses_mine --deps {root}", cell)
            magics.wit_line(f"deps {root} --offline")
            assert (
                magics.wit_cell(f"uses_mine --deps {root}", cell).worlds[0].exports[0].text.endswith("-> u64")
            )
        shown = [output.data["text/plain"] for output in captured.outputs]
        assert "me:mine@0.1.0" in shown[0]
        assert any("changed" in text for text in shown)
        with pytest.raises(UsageError, match="list, show, deps"):
            magics.wit_line("dep")
    finally:
        InteractiveShell.clear_instance()


def test_a_folder_that_is_edited(root: Path, tools: Lab) -> None:
    """An edit of a local source is taken over by the next run, and never answered from the old copy."""
    ask(root, 'mine = "../mine"')
    tools.wit_deps(root)
    (root.parent / "mine" / "t.wit").write_text(MINE.replace("u32", "u64"))
    with pytest.raises(RegistryError, match=r"has been edited .* %wit deps"):
        deps_of(root)
    assert states(tools.wit_deps(root)) == {"me:mine@0.1.0": "changed"}
    assert "u64" in deps_of(root)[0]["deps/mine/t.wit"]


def test_what_is_tampered_with_is_restored(root: Path, tools: Lab) -> None:
    """A file changed, added or gone under `deps/` is an error where it is used, and restored by the next run."""
    ask(root, '"wasi:random" = "0.2"')
    tools.wit_deps(root)
    before = snapshot(root)
    file = root / "deps" / "wasi-random" / "package.wit"
    for spoil in (
        lambda: file.write_text("package wasi:random@0.2.0;"),
        lambda: file.with_name("more.wit").write_text("interface x {}"),
        lambda: file.unlink(),
        lambda: shutil.rmtree(root / "deps"),
    ):
        spoil()
        with pytest.raises(RegistryError, match=r"(not what was locked|is missing).*%wit deps"):
            deps_of(root)
        assert "restored" in states(tools.wit_deps(root, offline=True)).values()
        assert snapshot(root) == before


def test_deps_toml_and_lock_apart(root: Path, tools: Lab) -> None:
    """A `deps.toml` that asks for something else than the lock holds is an error where it is used."""
    ask(root, '"wasi:random" = "0.2"')
    tools.wit_deps(root)
    ask(root, '"wasi:random" = "0.2.1"\nmine = "../mine"')
    with pytest.raises(RegistryError, match="asks for something else"):
        deps_of(root)
    assert states(tools.wit_deps(root))["me:mine@0.1.0"] == "copied"
    ask(root, 'mine = "../mine"')
    tools.wit_deps(root)
    assert [p.name for p in (root / "deps").iterdir()] == ["mine"]


def test_what_lies_there_is_left_alone(root: Path, tools: Lab) -> None:
    """A folder that no lock put there is neither overwritten nor removed nor used."""
    own = root / "deps" / "own"
    own.mkdir(parents=True)
    (own / "x.wit").write_text("package own:x;")
    ask(root, 'mine = "../mine"')
    record = tools.wit_deps(root)
    assert "own" in record.notes[0]
    assert (own / "x.wit").exists()
    assert len(deps_of(root)) == 1
    ask(root, 'own = "../mine"')
    before = snapshot(root)
    with pytest.raises(UsageError, match="move it away"):
        tools.wit_deps(root)
    assert snapshot(root) == before


def test_a_link_in_the_way(root: Path, tools: Lab, tmp_path: Path) -> None:
    """A link put where a package was is replaced, and what it leads to is untouched."""
    ask(root, 'mine = "../mine"')
    tools.wit_deps(root)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    shutil.rmtree(root / "deps" / "mine")
    (root / "deps" / "mine").symlink_to(precious)
    tools.wit_deps(root)
    assert not (root / "deps" / "mine").is_symlink()
    assert (precious / "file").read_text() == "x"


def test_many_at_once(root: Path, tools: Lab) -> None:
    """Several kernels that bring one folder in line at once leave it whole."""
    ask(root, 'mine = "../mine"\n"wasi:random" = "0.2"')
    expected: dict[str, bytes] = {}
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: tools.wit_deps(root), range(4)))
        assert {len(record.packages) for record in done} == {2}
        expected = expected or snapshot(root)
        assert snapshot(root) == expected
        shutil.rmtree(root / "deps")


def test_packages_within_a_folder(root: Path, tools: Lab) -> None:
    """A folder's own `deps/` come along, as with wit-deps; `deps.toml` goes before them; two that differ are told."""
    for name, kind in (("one", "u8"), ("two", "u8"), ("three", "u16")):
        folder = root.parent / name
        (folder / "deps" / "base").mkdir(parents=True)
        text = f"package x:{name}; interface i {{ use x:base/b.{{t}}; type u = t; }}"
        (folder / "i.wit").write_text(text)
        (folder / "deps" / "base" / "b.wit").write_text(f"package x:base; interface b {{ type t = {kind}; }}")
    ask(root, 'one = "../one"\ntwo = "../two"')
    assert states(tools.wit_deps(root)) == {"x:one": "copied", "x:two": "copied", "x:base": "with one"}
    locked = {each.folder: each for each in read_lock(root)}
    assert locked["base"].source == "within+one,two"
    assert locked["base"].by == ("one", "two")
    ask(root, 'one = "../one"\nthree = "../three"')
    with pytest.raises(RegistryError, match="each bring another package 'base'"):
        tools.wit_deps(root)
    ask(root, 'one = "../one"\nthree = "../three"\nbase = "../three/deps/base"')
    assert states(tools.wit_deps(root))["x:base"] == "copied"


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, UsageError, "holds no .wit file"),
        ({"a.wit": "interface x {}"}, UsageError, "declares none"),
        ({"a.wit": "package a:b;", "b.wit": "package c:d;"}, UsageError, "declares a:b, c:d"),
        ({"a.wit": "package a:b; interface x { f: fun(); }"}, WitError, "deps/bad/a.wit:1"),
        (
            {"a.wit": "package a:b; interface x { use no:where/y.{z}; }"},
            RegistryError,
            r"no:where \(for bad\)",
        ),
        (
            {"a.wit": "package a:b; interface x { use wasi:nope/y@0.1.0.{z}; }"},
            RegistryError,
            "wasi:nope@0.1.0",
        ),
        ({"a.wit": b"\xff"}, UsageError, "cannot be read as text"),
    ],
)
def test_folders_that_are_no_package(
    root: Path, tools: Lab, files: dict[str, str | bytes], error: type[LabError], message: str
) -> None:
    """What is wrong with a local package is told, and nothing is written."""
    bad = root.parent / "bad"
    bad.mkdir()
    for name, text in files.items():
        (bad / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    ask(root, 'bad = "../bad"')
    with pytest.raises(error, match=message):
        tools.wit_deps(root)
    assert sorted(p.name for p in root.iterdir()) == ["deps.toml"]


def test_a_version_that_is_not_bundled(root: Path, tools: Lab) -> None:
    """A WASI version that the lab has not is told with the one it has, and with how to name a registry."""
    ask(root, '"wasi:io" = "=0.2.6"')
    with pytest.raises(RegistryError, match=r"the lab bundles wasi:io@0\.2\.\d+\. Give its registry"):
        tools.wit_deps(root)
    ask(root, '"acme:io" = "1"')
    with pytest.raises(RegistryError, match="from no known place"):
        tools.wit_deps(root)


def test_plain_folders_need_no_lock(root: Path) -> None:
    """Without `deps.toml` each file is a package and each folder one of several files, as before."""
    plain = root.parent / "plain"
    (plain / "two").mkdir(parents=True)
    (plain / "one.wit").write_text("package a:b;")
    for name in ("x", "y"):
        (plain / "two" / f"{name}.wit").write_text("package c:d;")
    assert [sorted(files) for files in deps_of(plain)] == [["one.wit"], ["x.wit", "y.wit"]]
    with pytest.raises(UsageError, match="no such folder"):
        deps_of(root / "none")
    with pytest.raises(UsageError, match=r"holds no \.wit file"):
        deps_of(root)


# ---------------------------------------------------------------------------------------------- the registry


def want(registry: OciRegistry, version: str, *, package: str = "acme:types", more: str = "") -> str:
    """Return an entry of `deps.toml`."""
    return f'"{package}" = {{ version = "{version}", registry = "{registry.host}"{more} }}\n'


def test_a_package_from_a_registry(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """The highest compatible version comes with what it refers to, readable by any tool as it lies there."""
    ask(root, want(registry, "^1.0"))
    record = tools.wit_deps(root)
    done = states(record)
    assert done["acme:types@1.10.0"] == "fetched"
    assert done["acme:base@1.0.0"] == "fetched"
    assert [name for name in done if name.startswith("wasi:clocks@0.2.")] != []
    assert record.notes == ()
    texts = [path.read_text() for path in (root / "deps").glob("*/*.wit")]
    there = {name for text in texts for name in declared(text)}
    assert {
        name for text in texts for name in referenced(text)
    } <= there  # as tools that ask for exact versions do
    text = (root / "deps" / "acme-types" / "package.wit").read_text()
    assert "package acme:types@1.10.0;" in text
    assert "wasi:clocks@0.2.3" not in text  # it refers to the version that lies beside it
    locked = {each.folder: each for each in read_lock(root)}
    assert locked["acme-types"].source == f"oci+{registry.host}/acme/types"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", locked["acme-types"].digest)
    assert locked["acme-base-1.0.0"].by == ("acme-types",)
    user = "package my:app; world app { use acme:types/events@1.10.0.{event}; export f: func(e: event); }"
    package = tools.wit(user, name="app", deps=deps_of(root))
    assert package.worlds[0].functions


def test_two_versions_side_by_side(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """Two versions of one package lie beside each other, each under its entry's name."""
    old = f'old = {{ package = "acme:types", version = "=1.0.0", registry = "{registry.host}" }}\n'
    ask(root, want(registry, "2.0.0-rc.1") + old)
    assert {"acme:types@1.0.0", "acme:types@2.0.0-rc.1"} <= set(states(tools.wit_deps(root)))
    user = """package my:both; world both {
      use acme:types/events@1.0.0.{event}; use acme:types/events@2.0.0-rc.1.{event as new};
      export f: func(e: event) -> new; }"""
    assert tools.wit(user, name="both", deps=deps_of(root)).worlds


def test_offline_from_the_lock(root: Path, tools: Lab, registry: OciRegistry, tmp_path: Path) -> None:
    """What is locked is there without the network: from `deps/`, or from the cache; otherwise that is told."""
    ask(root, want(registry, "1"))
    tools.wit_deps(root)
    before = snapshot(root)
    asked = len(list(registry.root.rglob("*")))
    assert set(states(tools.wit_deps(root, offline=True)).values()) == {"as locked"}
    shutil.rmtree(root / "deps")
    assert set(states(tools.wit_deps(root, offline=True)).values()) == {"restored"}
    assert snapshot(root) == before
    assert asked == len(list(registry.root.rglob("*")))
    shutil.rmtree(root / "deps")
    with Lab(cache=Cache(tmp_path / "other")) as other:
        with pytest.raises(RegistryError, match="--offline fetches nothing"):
            other.wit_deps(root, offline=True)
        assert "fetched" in states(other.wit_deps(root)).values()
    assert snapshot(root) == before


def test_the_lock_holds_and_update_moves(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """A newer version, or a tag that moved, changes nothing until it is asked for."""
    for version in ("1.0.0", "1.1.0"):
        text = f"package acme:moving@{version}; interface i {{ type t = u8; }} world all {{ import i; }}"
        if version == "1.1.0":
            ask(root, want(registry, "1", package="acme:moving"))
            tools.wit_deps(root)
            before = snapshot(root)
        registry.push("acme/moving", version, encode(tools, text))
    moved = "package acme:moving@1.0.0; interface i { type t = u16; } world all { import i; }"
    registry.push("acme/moving", "1.0.0", encode(tools, moved))
    assert states(tools.wit_deps(root)) == {"acme:moving@1.0.0": "as locked"}
    shutil.rmtree(root / "deps")
    tools.cache.drop("deps", read_lock(root)[0].sha256, ".json")
    assert states(tools.wit_deps(root)) == {"acme:moving@1.0.0": "fetched"}
    assert snapshot(root) == before
    assert states(tools.wit_deps(root, update=True)) == {"acme:moving@1.1.0": "fetched, was 1.0.0"}


def test_prefix_and_namespace(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """A namespace has a registry, and a registry a prefix, for what is asked for and for what that needs."""
    registry.push("some/wit/far/a", "1.0.0", encode(tools, "package far:a@1.0.0; interface i { type t = u8; } "
                                                    "world all { import i; }"))  # fmt: skip
    user = "package far:b@1.0.0; interface j { use far:a/i@1.0.0.{t}; type u = t; } world all { import j; }"
    dep = {"a.wit": "package far:a@1.0.0; interface i { type t = u8; }"}
    registry.push("some/wit/far/b", "1.0.0", encode(tools, user, deps=[dep]))
    ask(root, want(registry, "1", package="far:b", more=', namespace_prefix = "some/wit/"'))
    assert set(states(tools.wit_deps(root))) == {"far:a@1.0.0", "far:b@1.0.0"}
    place = f'{{ registry = "{registry.host}", namespace_prefix = "some/wit/" }}'
    ask(root, f'"far:b" = "1"\n[namespace_registries]\nfar = {place}\n')
    assert set(states(tools.wit_deps(root))) == {"far:a@1.0.0", "far:b@1.0.0"}
    (root.parent / "mine" / "t.wit").write_text(
        "package me:mine; interface i { use far:a/i.{t}; type u = t; }"
    )
    ask(root, f'mine = "../mine"\n[namespace_registries]\nfar = {place}\n')
    assert set(states(tools.wit_deps(root))) == {"me:mine", "far:a@1.0.0"}


def test_what_no_registry_has_is_in_the_package(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """A dependency that is published nowhere is taken from within the package that uses it, and locked with it."""
    user = "package acme:alone@1.0.0; interface j { use hid:den/i@1.0.0.{t}; type u = t; } world all { import j; }"
    dep = {"a.wit": "package hid:den@1.0.0; interface i { type t = u8; }"}
    registry.push("acme/alone", "1.0.0", encode(tools, user, deps=[dep]))
    ask(root, want(registry, "*", package="acme:alone"))
    record = tools.wit_deps(root)
    assert states(record)["hid:den@1.0.0"] == "with acme-alone"
    assert "in no registry" in record.notes[0]
    before = snapshot(root)
    shutil.rmtree(root / "deps")
    for locked in read_lock(root):
        tools.cache.drop("deps", locked.sha256, ".json")
    tools.wit_deps(root)
    assert snapshot(root) == before


def test_what_is_no_wit_package(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """Components, other packages, other layers and damaged bytes are refused by name, and nothing is written."""
    good = encode(tools, "package acme:good@1.0.0; interface i {} world all { import i; }")
    registry.push("acme/component", "1.0.0", tools.tools.assemble("(component)"))
    registry.push("acme/other", "1.0.0", good)
    registry.push("acme/layer", "1.0.0", good, layer="application/vnd.oci.image.layer.v1.tar")
    registry.push("acme/garbage", "1.0.0", b"\0asm\x0d\0\1\0 garbage")
    for name, message in (
        ("component", "is a component, not the WIT package acme:component@1.0.0"),
        ("other", "is acme:good@1.0.0, not"),
        ("layer", "it holds application/vnd.oci.image.layer.v1.tar; expected"),
        ("garbage", "no WIT package that can be read"),
        ("missing", "has no version of acme:missing that answers '1'; there: none"),
    ):
        ask(root, want(registry, "1", package=f"acme:{name}"))
        with pytest.raises(RegistryError, match=message):
            tools.wit_deps(root)
    ask(root, want(registry, "^3"))
    with pytest.raises(RegistryError, match=r"there: 1\.0\.0, 1\.2\.0, 1\.10\.0, 2\.0\.0-rc\.1\. Change"):
        tools.wit_deps(root)
    assert sorted(p.name for p in root.iterdir()) == ["deps.toml"]


def test_bytes_that_changed_in_the_registry(root: Path, tools: Lab, registry: OciRegistry) -> None:
    """A blob whose bytes are not those of its digest is refused."""
    good = encode(tools, "package acme:spoilt@1.0.0; interface i {} world all { import i; }")
    digest = registry.push("acme/spoilt", "1.0.0", good)
    file = registry.blob_file(digest)
    file.write_bytes(file.read_bytes().replace(b"spoilt", b"SPOILT"))
    ask(root, want(registry, "1", package="acme:spoilt"))
    with pytest.raises(RegistryError, match=r"gave sha256:.* refused"):
        tools.wit_deps(root)


def test_a_registry_that_is_not_there(root: Path, tools: Lab) -> None:
    """A registry that does not answer is told with its address; what needs it not works."""
    ask(root, '"acme:types" = { version = "1", registry = "127.0.0.1:9" }')
    with pytest.raises(
        RegistryError, match=r"http://127\.0\.0\.1:9/.* cannot be fetched: Connection refused"
    ):
        tools.wit_deps(root)
