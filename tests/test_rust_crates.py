"""Crates of Rust cells, from a registry of the tests' own: kept, locked, walled in, and refused in plain words."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from toolchain_kit import Kit

from labkernel._cache import Cache
from labkernel._errors import CompileError, LabError, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Artifact, Options, Snippet
from labkernel._toolchains.confine import is_available
from labkernel._toolchains.rust import Rust, crates, prebuilt, tools, workspace

Require = Callable[[str, object], None]

WIT = "package test:text;\nworld text { export run: func(v: string) -> string; }\n"
ECHO = "fn run(v: String) -> String { v }\n"

#: A crate's folder, its manifest beyond name and version, and its files.
CRATES: dict[str, tuple[str, dict[str, str]]] = {
    "plain-words-1.2.0": (
        "[features]\ndefault = ['quiet']\nquiet = []\nloud = []\n",
        {"src/lib.rs": 'pub fn say(v: &str) -> String { format!("{v} {} {}", cfg!(feature = "loud"), '
         'cfg!(feature = "quiet")) }'},
    ),
    "plain-words-1.1.0": ("", {"src/lib.rs": ""}),
    "mark-derive-0.3.1": (
        "[lib]\nproc-macro = true\n",
        {"src/lib.rs": """use proc_macro::{TokenStream, TokenTree};
#[proc_macro_derive(Mark)]
pub fn mark(input: TokenStream) -> TokenStream {
    let mut words = input.into_iter().filter_map(|t| match t { TokenTree::Ident(i) => Some(i.to_string()), _ => None });
    let name = words.find(|w| w == "struct").and_then(|_| words.next()).unwrap();
    format!("impl {name} {{ fn mark() -> &'static str {{ \\"{name}!\\" }} }}").parse().unwrap()
}
"""},
    ),
    "spy-glass-0.1.0": (
        "",
        {"src/lib.rs": 'pub fn seen() -> &\'static str { env!("SEEN") }', "build.rs": """fn main() {
    let config = std::fs::read_to_string(std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/target.txt").unwrap();
    let (secret, port) = config.trim().split_once(' ').unwrap();
    let read = std::fs::read(secret).is_ok();
    let wrote = std::fs::write(format!("{secret}.new"), "x").is_ok();
    let called = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok();
    let own = std::fs::write(std::env::var("OUT_DIR").unwrap() + "/x", "x").is_ok();
    let token = std::env::var("TOKEN_OF_MINE").is_ok();
    println!("cargo:rustc-env=SEEN={read} {wrote} {called} {token} {own}");
}
"""},
    ),
    "not-here-0.1.0": ("", {"src/lib.rs": '#[cfg(target_arch = "wasm32")]\ncompile_error!("no threads there");'}),
    "only-program-2.0.0": ("", {"src/main.rs": "fn main() {}"}),
    "sleepy-script-0.1.0": ("", {"src/lib.rs": "", "build.rs": "fn main() { loop {} }"}),
    "hungry-script-0.1.0": (
        "", {"src/lib.rs": "", "build.rs": "fn main() { let all = vec![1u8; 6 << 30];\n"
             "println!(\"{}\", all.iter().map(|b| *b as u64).sum::<u64>()) }"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("crates"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Return a cache of the tests' own that has the prepared wit-bindgen."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    found = prebuilt.find_prebuilt(tools.find_rustc(), Cache())
    if found is not None:
        cache.path("toolchain", found.folder.name).symlink_to(found.folder)
    return cache


@pytest.fixture
def cell(kit: Kit, own_cache: Cache, registry: Path, require: Require) -> Callable[..., Artifact]:
    """Return a function that builds a cell with crates of the tests' registry."""
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in Rust().check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)
    package, world = kit.world(WIT)

    def build(text: str, *deps: str, name: str = "cell", **options: object) -> Artifact:
        context = replace(kit.context, cache=own_cache)
        snippet = Snippet("rust", text, (), name)
        return Rust().build(snippet, package, world, Options(deps=deps, **options), context)  # type: ignore[arg-type]

    return build


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a registry of a few crates in the place of the public one, and return its folder."""
    home = tmp_path / "cargo"
    folder = home / "registry" / "vendored"
    for name, (more, files) in CRATES.items():
        stem, _, version = name.rpartition("-")
        (folder / name / "src").mkdir(parents=True)
        head = f'[package]\nname = "{stem}"\nversion = "{version}"\nedition = "2021"\n{more}'
        for file, text in {**files, "Cargo.toml": head, ".cargo-checksum.json": '{"files": {}}'}.items():
            (folder / name / file).write_text(text)
    (home / "config.toml").write_text(
        f'[source.crates-io]\nreplace-with = "own"\n[source.own]\ndirectory = {json.dumps(str(folder))}\n'
    )
    monkeypatch.setenv("CARGO_HOME", str(home))
    return folder


def test_a_cell_with_a_crate(kit: Kit, cell: Callable[..., Artifact], own_cache: Cache) -> None:
    """The newest that fits is built, told with its version, and found again without cargo, for other cells too."""
    text = "fn run(v: String) -> String { plain_words::say(&v) }\n"
    kit.progress.clear()
    made = cell(text, "plain-words@1")
    assert made.tool_versions["plain-words"] == "1.2.0"
    assert kit.start(made.wasm)("run", "é") == "é false true"
    assert any("plain-words" in line and "fetching" in line for line in kit.progress)
    assert any("compiling plain-words (1 of 1)" in line for line in kit.progress)
    kit.progress.clear()
    again = cell(text.replace("&v", "&v[1..]"), "plain-words@1", offline=True, release=True)
    assert kit.start(again.wasm)("run", "ab") == "b false true"
    assert kit.progress == []
    (command,) = again.commands
    assert command.count("--extern plain_words=") == 1
    (entry,) = own_cache.root.glob("crates/??/*/Cargo.lock")
    assert 'name = "plain-words"\nversion = "1.2.0"' in entry.read_text()


def test_features_and_versions(kit: Kit, cell: Callable[..., Artifact]) -> None:
    """Features are named in brackets; the default ones can be left out; an exact version is taken."""
    text = "fn run(v: String) -> String { plain_words::say(&v) }\n"
    made = cell(text, "plain-words@1[loud,-default]")
    assert kit.start(made.wasm)("run", "x") == "x true false"
    assert cell(ECHO, "plain-words@=1.1.0").tool_versions["plain-words"] == "1.1.0"


def test_the_lock_holds_when_the_libraries_are_gone(
    cell: Callable[..., Artifact], own_cache: Cache, registry: Path
) -> None:
    """What is trimmed from the cache is built again from the same versions, not from newer ones."""
    assert cell(ECHO, "plain-words").tool_versions["plain-words"] == "1.2.0"
    newer = registry / "plain-words-1.3.0"
    newer.mkdir()
    (newer / "src").mkdir()
    for file in ("Cargo.toml", ".cargo-checksum.json", "src/lib.rs"):
        text = (registry / "plain-words-1.2.0" / file).read_text()
        (newer / file).write_text(text.replace("1.2.0", "1.3.0"))
    own_cache.empty()
    assert not list(own_cache.root.glob("crates/??/*"))
    assert cell(ECHO, "plain-words").tool_versions["plain-words"] == "1.2.0"


def test_a_macro_crate(kit: Kit, cell: Callable[..., Artifact]) -> None:
    """A crate of macros runs in the compiler; several crates go together, and an error is still the cell's."""
    text = "#[derive(mark_derive::Mark)] struct Ink;\n"
    text += "fn run(v: String) -> String { plain_words::say(&v) + Ink::mark() }\n"
    made = cell(text, "mark-derive@0.3", "plain-words@1")
    assert kit.start(made.wasm)("run", "x") == "x false trueInk!"
    assert made.diagnostics == ()
    with pytest.raises(CompileError) as caught:
        cell(text.replace("&v", "v"), "plain-words@1", "mark-derive@0.3", name="wrong")
    assert (caught.value.diagnostics[0].file, caught.value.diagnostics[0].line) == ("wrong.rs", 2)


def test_a_build_script_is_walled_in(
    kit: Kit, cell: Callable[..., Artifact], registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    require: Require,
) -> None:  # fmt: skip
    """It reads nothing of the user's, reaches no network, sees a clean environment, and writes its own folder."""
    require("Landlock", is_available())
    monkeypatch.setenv("TOKEN_OF_MINE", "s3cret")
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        (registry / "spy-glass-0.1.0" / "target.txt").write_text(f"{secret} {server.getsockname()[1]}")
        made = cell("fn run(_: String) -> String { spy_glass::seen().into() }\n", "spy-glass")
    assert kit.start(made.wasm)("run", "") == "false false false false true"


def test_a_build_script_that_does_not_end_is_stopped(
    cell: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, with the remedy."""
    monkeypatch.setattr(workspace, "_LEAST_S", 4.0)
    started = time.monotonic()
    with pytest.raises(CompileError, match=r"not ready within 4 s\. A longer limit: --timeout"):
        cell(ECHO, "sleepy-script", timeout_s=1)
    assert time.monotonic() - started < 20


def test_a_build_script_may_not_take_all_memory(cell: Callable[..., Artifact]) -> None:
    """The error names the crate, and what it said is there."""
    with pytest.raises(
        CompileError, match=r"The build script of the crate hungry-script v0\.1\.0 fails"
    ) as caught:
        cell(ECHO, "hungry-script")
    assert "memory allocation" in caught.value.raw


def test_what_does_not_build_for_wasm_is_told(cell: Callable[..., Artifact]) -> None:
    """By the crate's name and the compiler's first words."""
    with pytest.raises(
        CompileError, match=r"The crate not-here does not build for wasm32-wasip2\. no threads there"
    ):
        cell(ECHO, "not-here")
    with pytest.raises(UsageError, match=r"only-program: the crate is a program"):
        cell(ECHO, "only-program")


def test_what_there_is_not_is_told(cell: Callable[..., Artifact]) -> None:
    """An unknown crate, version or feature is the line's fault; what cannot be fetched is the machine's."""
    with pytest.raises(
        UsageError, match=r"--dep no-such-crate: the registry of crates has none of that name"
    ):
        cell(ECHO, "no-such-crate@1")
    with pytest.raises(UsageError, match=r"--dep plain-words@7: there is no such version\. It has 1\.2\.0"):
        cell(ECHO, "plain-words@7")
    with pytest.raises(UsageError, match=r"plain-words: it has no feature 'shrill'; .* lists them"):
        cell(ECHO, "plain-words@1[shrill]")
    with pytest.raises(ToolchainMissing, match=r"The crate no-such-crate .* fetching is off \(--offline\)"):
        cell(ECHO, "no-such-crate@1", offline=True)


def test_a_crate_that_was_not_asked_for_is_named(cell: Callable[..., Artifact]) -> None:
    """The hint is the option, not a command of cargo's."""
    with pytest.raises(CompileError) as caught:
        cell("fn run(v: String) -> String { rand::random::<u8>().to_string() + &v }\n")
    assert "--dep rand" in caught.value.diagnostics[0].hint


def test_an_unreachable_registry_is_told(
    cell: Callable[..., Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network the message names the crate and what to do."""
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ToolchainMissing, match=r"The crate smawk .* the registry cannot be reached"):
        cell(ECHO, "smawk")


@pytest.mark.parametrize("spec", [
    "", "@1", "a b", "serde@", "serde@1[a", "serde[a]@1[b]", "serde@1[a b]", "serde@1[x/y]", "../x", "-Zx",
    "serde@git+https://x", 'serde@1"', "serde@1\n[dependencies]", "std", "wit-bindgen@0.40", "wit_bindgen", "é",
    "x" * 80, "serde@1+derive", "serde@1[\"]",
])  # fmt: skip
def test_what_is_no_crate_is_refused(spec: str) -> None:
    """Nothing but a name, a version and features reaches a manifest."""
    with pytest.raises(UsageError, match=r"--dep"):
        crates.parse(spec)


def test_the_same_set_is_the_same_manifest() -> None:
    """Order and repetition do not matter; two ways to ask for one crate do."""
    one = crates.manifest(crates.requests(["b@1", "a@2[y,x]", "b@1"]))
    assert one == crates.manifest(crates.requests(["a[x,y]@2", "b@1"]))
    assert 'a = { version = "2", features = ["x", "y"] }\nb = { version = "1" }' in one
    with pytest.raises(UsageError, match=r"asked for twice"):
        crates.requests(["a-b@1", "a_b@2"])


def test_real_crates_with_a_derive(kit: Kit, require: Require) -> None:
    """serde and serde_json, as a handler uses them: an error in the middle of a derive is on the cell's line."""
    require("the toolbox (labkernel setup)", find_toolbox())
    text = """use serde::{Deserialize, Serialize};
#[derive(Serialize, Deserialize)]
struct Point { x: i32, name: String }
fn run(v: String) -> String {
    let mut point: Point = serde_json::from_str(&v).unwrap();
    point.x += 1;
    serde_json::to_string(&point).unwrap()
}
"""
    deps = ("serde@1[derive]", "serde_json@1")
    try:
        made = kit.build(Rust(), text, WIT, deps=deps)
    except ToolchainMissing as error:
        require(str(error), False)
        return
    assert kit.start(made.wasm)("run", '{"name": "é", "x": 1}') == '{"x":2,"name":"é"}'
    assert {"serde", "serde_json"} < set(made.tool_versions)
    with pytest.raises(CompileError) as caught:
        kit.build(Rust(), text.replace("name: String", "name: Vec<std::rc::Weak<u8>>"), WIT, deps=deps)
    assert {d.file for d in caught.value.diagnostics} == {"resize.rs"}


def test_a_toolchain_of_rustups_beside_another(kit: Kit, require: Require) -> None:
    """`--engine` takes an installed toolchain by its name or its version, and says how to install another."""
    rustc = tools.find_rustc()
    toolchains = tools._rustup_home() / "toolchains"
    require("rustup", toolchains.is_dir())
    require("the toolbox (labkernel setup)", find_toolbox())
    installed = [
        f.name for f in toolchains.iterdir() if f.name[0].isdigit() and tools.find_rustc(f.name).has_target
    ]
    require("a Rust toolchain by version, with the target", installed)
    short = ".".join(installed[0].split("-")[0].split(".")[:2])
    made = kit.build(Rust(), ECHO, WIT, engine=short)
    assert made.tool_versions["rustc"].startswith(short)
    assert f"/{tools.find_rustc(short).sysroot.name}/" in made.commands[0]
    assert (
        Rust().identity(Options(engine=short)) != Rust().identity(Options())
        or tools.find_rustc(short) == rustc
    )


def test_the_native_program_has_the_same_crates(
    kit: Kit, own_cache: Cache, cell: Callable[..., Artifact], require: Require
) -> None:
    """The process that a component is compared with links the crates of its cell, in the same versions."""
    require("a C linker", shutil.which("cc"))
    text = """#[derive(mark_derive::Mark)] struct It;
fn run(v: String) -> String { format!("{} {}", It::mark(), plain_words::say(&v)) }
"""
    deps = ("plain-words@1[loud]", "mark-derive")
    said = kit.start(cell(text, *deps).wasm)("run", "a")
    package, world = kit.world(WIT)
    context = replace(kit.context, cache=own_cache)
    made = Rust().native(
        Snippet("rust", text), package, world, next(world.functions()), ["a"], Options(deps=deps), context
    )
    assert made is not None
    assert "plain-words 1.2.0" in made.what
    done = subprocess.run([made.program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == json.dumps(said)


def test_a_toolchain_that_is_not_there_is_told(kit: Kit, require: Require) -> None:
    """With the line that installs it, the target included; a name that is none is refused."""
    require("the toolbox (labkernel setup)", find_toolbox())
    with pytest.raises(ToolchainMissing, match=r"rustup toolchain install 1\.11 --target wasm32-wasip2"):
        kit.build(Rust(), ECHO, WIT, engine="1.11")
    assert Rust().identity(Options(engine="1.11")) == ""
    for name in ("../x", "-v", "1.90;ls", "a b"):
        with pytest.raises(LabError, match=r"is no Rust toolchain"):
            kit.build(Rust(), ECHO, WIT, engine=name)


def test_a_version_means_its_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`1.9` is not 1.90, `1.90` is 1.90.10 rather than 1.90.9, and a name is itself."""
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    for name in (
        "1.90.9-x86",
        "1.90.10-x86",
        "1.9.0-x86",
        "nightly-x86",
        "nightly-2026-01-02-x86",
        "1.91.0-x86",
    ):
        (tmp_path / "toolchains" / name / "bin").mkdir(parents=True)
        (tmp_path / "toolchains" / name / "bin" / "rustc").write_text("")
    names = {
        wanted: tools.find_rustc(wanted).sysroot.name
        for wanted in ("1.9", "1.90", "1.90.9", "nightly", "1.91.0-x86")
    }
    assert names == {
        "1.9": "1.9.0-x86", "1.90": "1.90.10-x86", "1.90.9": "1.90.9-x86", "nightly": "nightly-x86",
        "1.91.0-x86": "1.91.0-x86",
    }  # fmt: skip
