"""Rust cells: every form, every WIT type in and out, errors on the cell's lines, hostile input, the tools."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from toolchain_kit import AWKWARD, SHOP, STORE, Kit
from worlds import FAAS

from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, LabError, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Options, Snippet
from labkernel._toolchains import rust as rust_module
from labkernel._toolchains.confine import is_available
from labkernel._toolchains.rust import Rust, tools
from labkernel._toolchains.rust.names import camel, ident
from labkernel._toolchains.rust.source import Cell, mask

Require = Callable[[str, object], None]

IMPL = """struct Component;

impl Guest for Component {
    fn handle(event: HandlerEvent) -> Result<(), HandlerError> {
        match event.event_type {
            EventType::ObjectAdded => Ok(()),
            _ => Err(HandlerError::Unsupported(event.event_type)),
        }
    }
}
"""
BARE = """fn handle(event: HandlerEvent) -> Result<(), HandlerError> {
    match event.event_type {
        EventType::ObjectAdded => Ok(()),
        _ => Err(HandlerError::Unsupported(event.event_type)),
    }
}
"""
EVENT = ["object-removed", [1, 0], "2.1"]
ADDED = ["object-added", [1, 0], "2.1"]
WANTED = "`fn handle(event: HandlerEvent) -> Result<(), HandlerError>`"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("rust"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def rust() -> Rust:
    """Return the toolchain."""
    return Rust()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require, rust: Rust) -> None:
    """Skip what needs tools that are missing."""
    if "kit" not in request.fixturenames:
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in rust.check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)


FORMS = {
    "impl Guest": IMPL,
    "impl under the package's name": IMPL.replace("Guest", "ExampleCorpFaasPlatform"),
    "impl under the world's name": IMPL.replace("Guest", "Faas"),
    "impl without a struct": IMPL.replace("struct Component;", ""),
    "impl for another type": IMPL.replace("Component", "Resizer"),
    "impl for an enum": IMPL.replace("struct Component;", "enum Component {}"),
    "bare function": BARE,
    "public function": "pub " + BARE,
    "own generate with options of 2023": 'wit_bindgen::generate!({ world: "faas", path: "../wit", exports: { world: '
    "Component } });\n" + IMPL + "export!(Component);\n",
    "own generate by name": 'wit_bindgen::generate!("faas");\n' + IMPL + "export!(Component);\n",
    "own generate in a folder": 'wit_bindgen::generate!("faas" in "../wit");\n'
    + IMPL
    + "export!(Component);\n",
    "own generate with further options": 'wit_bindgen::generate!({ world: "faas", path: "/nowhere", generate_all, '
    "additional_derives: [PartialEq] });\nconst _: fn(EventType) -> bool = |e| e == EventType::ObjectAdded;\n"
    + IMPL
    + "export!(Component);\n",
    "export of 2023": IMPL.replace("Guest", "ExampleCorpFaasPlatform")
    + "export_example_corp_faas_platform!(Component);",
    "export by the world's name": IMPL + "export_faas!(Component);\n",
    "whole tutorial of 2023": 'wit_bindgen::generate!("faas");\n'
    + IMPL.replace("Guest", "ExampleCorpFaasPlatform")
    + "export_example_corp_faas_platform!(Component);\n",
    "bindings as a module": "#[allow(warnings)]\nmod bindings;\n"
    "use bindings::{EventType, Guest, HandlerError, HandlerEvent};\n"
    + IMPL
    + "bindings::export!(Component with_types_in bindings);\n",
    "bindings in a module of its own": 'mod b { wit_bindgen::generate!({ world: "faas", '
    'generate_all, pub_export_macro: true, default_bindings_module: "crate::b" }); }\nuse b::*;\n'
    + IMPL
    + "b::export!(Component);\n",
    "inner attributes and docs": "//! What it is.\n#![allow(unused_variables)]\n#![allow(\n  dead_code\n)]\n"
    + BARE,
    "Windows line ends": BARE.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + BARE,
    "generate in a comment": "// wit_bindgen::generate!({}) and export!(X)\n" + BARE,
    "export in a string": 'const _S: &str = "export!(X) impl Guest for Y {";\n' + BARE,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cell_does_the_same_job(kit: Kit, rust: Rust, name: str) -> None:
    """Each way to write the handler builds without warnings and answers the same."""
    made = kit.build(rust, FORMS[name], FAAS)
    assert made.diagnostics == ()
    call = kit.start(made.wasm)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    assert call("handle", ADDED) == ["ok", None]


AWKWARD_CELL = """
fn nested(v: Option<Option<String>>) -> Option<Option<String>> { v }
fn shapes(v: Shape) -> Shape { v }
fn perm(v: Perms) -> Perms { v | Perms::EXEC }
fn bytes(v: Vec<u8>) -> Vec<u8> { v.into_iter().rev().collect() }
fn pair(v: (u8, String)) -> (String, u8) { (v.1, v.0) }
fn points(v: Vec<Point>) -> Vec<Point> { v.into_iter().map(|p| Point { x: p.y, y: p.x }).collect() }
fn word(v: Words) -> Words { Words { type_: v.type_ + 1, ..v } }
fn kinds(v: Kind) -> Kind { match v { Kind::Type => Kind::Struct, other => other } }
fn r#match(type_: u32, r#fn: u32) -> u32 { type_ + r#fn }
fn default(int: i32) -> i32 { -int }
fn answer(v: Result<u32, String>) -> Result<u32, String> { v.map(|n| n + 1) }
fn both(v: Result<(), ()>) -> Result<(), ()> { v }
fn nothing() {}
"""
AWKWARD_CALLS = [
    ("nested", [None], None),
    ("nested", [[None]], [None]),
    ("nested", [[["é"]]], [["é"]]),
    ("shapes", [["dot", None]], ["dot", None]),
    ("shapes", [["round", [[1, -2], 0.5]]], ["round", [[1, -2], 0.5]]),
    ("shapes", [["pair", [7, "x"]]], ["pair", [7, "x"]]),
    ("perm", [["read"]], ["read", "exec"]),
    ("bytes", [b"abc"], b"cba"),
    ("bytes", [b""], b""),
    ("pair", [[3, "three"]], ["three", 3]),
    ("points", [[[1, 2], [3, 4]]], [[2, 1], [4, 3]]),
    ("word", [[1, "r", [5], b"\x00\xff", -9, "ß"]], [2, "r", [5], b"\x00\xff", -9, "ß"]),
    ("kinds", ["type"], "struct"),
    ("match", [2, 3], 5),
    ("default", [4], -4),
    ("answer", [["ok", 1]], ["ok", 2]),
    ("answer", [["err", "no"]], ["err", "no"]),
    ("both", [["err", None]], ["err", None]),
    ("nothing", [], None),
]


def test_keywords_and_awkward_types(kit: Kit, rust: Rust) -> None:
    """Names that are keywords have an underscore or `r#`; values of every shape come and go."""
    call = kit.start(kit.build(rust, AWKWARD_CELL, AWKWARD).wasm)
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function


def test_functions_of_one_exported_interface_may_be_bare(kit: Kit, rust: Rust) -> None:
    """The types of an exported interface are in scope and its functions are found."""
    cell = """
    use std::{cell::RefCell, collections::BTreeMap};
    thread_local! { static ALL: RefCell<BTreeMap<String, Vec<u8>>> = RefCell::default(); }
    fn put(entry: Entry) -> Result<(), Fault> {
        if entry.key.is_empty() { return Err(Fault::Broken("no key".into())); }
        ALL.with_borrow_mut(|all| all.insert(entry.key, entry.value));
        Ok(())
    }
    fn get(key: String) -> Result<Entry, Fault> {
        ALL.with_borrow(|all| all.get(&key).map(|v| Entry { key: key.clone(), value: v.clone() })).ok_or(Fault::Missing)
    }
    fn size() -> u64 { ALL.with_borrow(|all| all.len() as u64) }
    """
    name = "test:store/store@1.0.0#{}"
    call = kit.start(kit.build(rust, cell, STORE).wasm)
    assert call(name.format("put"), ["", b""]) == ["err", ["broken", "no key"]]
    assert call(name.format("put"), ["k", b"\x01"]) == ["ok", None]
    assert call(name.format("get"), "k") == ["ok", ["k", b"\x01"]]
    assert call(name.format("get"), "q") == ["err", ["missing", None]]
    assert call(name.format("size")) == 1


SHOP_BODIES = """
    fn put(_item: stock::Item) { log("put"); }
    fn get(name: String) -> Option<stock::Item> { (name == "x").then(|| stock::Item { name, count: 2 }) }
    fn names() -> Vec<String> { vec![random::get_random_bytes(3).len().to_string()] }
"""
SHOP_FORMS = {
    "one type for all": "struct C;\nimpl stock::Guest for C {" + SHOP_BODIES + "}\nimpl prices::Guest for C "
    "{ fn get(item: stock::Item) -> Result<u32, String> { Err(item.name) } }\nimpl Guest for C { fn version() -> "
    'String { "1".into() } }',
    "a type for each": "struct A;\nimpl exports::test::shop::stock::Guest for A {"
    + SHOP_BODIES
    + "}\nstruct B;\n"
    "impl crate::exports::test::shop::prices::Guest for B "
    '{ fn get(item: stock::Item) -> Result<u32, String> { Err(item.name) } }\nfn version() -> String { "1".into() }',
    "traits by use": "use exports::test::shop::stock::{self, Guest as StockGuest};\nuse exports::test::shop::prices::"
    "Guest as PricesGuest;\nstruct C;\nimpl StockGuest for C {"
    + SHOP_BODIES.replace("random::", "wasi::random::random::")
    + "}\nimpl PricesGuest for C { fn get(item: stock::Item) -> Result<u32, String> { Err(item.name) } }\n"
    'fn version() -> String { "1".into() }\nexport!(C);',
    "traits under the interfaces' names": "struct C;\nimpl Stock for C {"
    + SHOP_BODIES
    + "}\nimpl Prices for C "
    "{ fn get(item: stock::Item) -> Result<u32, String> { Err(item.name) } }\nimpl Shop for C { fn version() -> "
    'String { "1".into() } }',
}


@pytest.mark.parametrize("name", SHOP_FORMS)
def test_several_interfaces_and_imports(kit: Kit, rust: Rust, name: str) -> None:
    """Traits of several interfaces, one or several types, imports by short module names."""
    made = kit.build(rust, SHOP_FORMS[name], SHOP)
    assert made.diagnostics == ()
    call = kit.start(made.wasm)
    assert call("version") == "1"
    assert call("test:shop/stock@1.0.0#get", "x") == ["x", 2] or call("test:shop/stock@1.0.0#get", "x") == [
        ["x", 2]
    ]
    assert call("test:shop/stock@1.0.0#names") == ["3"]
    assert call("test:shop/prices@1.0.0#get", ["p", 1]) == ["err", "p"]


@pytest.mark.parametrize("wit", [FAAS, AWKWARD, SHOP, STORE], ids=["faas", "awkward", "shop", "store"])
def test_the_starter_builds_as_it_stands(kit: Kit, rust: Rust, wit: str) -> None:
    """A starter cell compiles without a warning for any world."""
    made = kit.build(rust, rust.starter(*kit.world(wit)), wit)
    assert made.diagnostics == ()
    assert set(made.tool_versions) == {"rustc", "wit-bindgen"}


def failure(kit: Kit, rust: Rust, cell: str, wit: str = FAAS, **options: object) -> CompileError:
    """Return the error that a cell gives."""
    with pytest.raises(CompileError) as caught:
        kit.build(rust, cell, wit, **options)
    assert caught.value.language == "rust"
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the one diagnostic of an error."""
    (found,) = error.diagnostics
    return found


def test_an_error_is_on_the_cells_line(kit: Kit, rust: Rust) -> None:
    """Line, column, text, code and message are the cell's own."""
    found = only(failure(kit, rust, BARE.replace("Ok(())", "Ok(5)")))
    assert (found.file, found.line, found.column, found.end_column, found.code) == (
        "resize.rs",
        3,
        38,
        39,
        "E0308",
    )
    assert found.text == "        EventType::ObjectAdded => Ok(5),"
    assert found.message == "mismatched types: expected `()`, found integer"


def test_the_compilers_explanation_is_named_once(kit: Kit, rust: Rust) -> None:
    """The last line says how to read it; what the lab tells in words of its own has none, nor has a lint."""
    error = failure(kit, rust, BARE.replace("Ok(())", "Ok(5)") + 'fn _g() -> u8 { "" }\n')
    assert len(error.diagnostics) == 2
    assert str(error).splitlines()[-1] == "%wasm explain E0308 tells more."
    assert str(error).count("explain") == 1
    assert "Expected type did not match" in str(rust.explain("E0308"))
    assert rust.explain("E9999") is rust.explain("dead_code") is rust.explain("--version") is None
    for cell in ("", BARE.replace("handle", "handel"), "#![deny(warnings)]\nfn _x() { let y = 1; }\n" + BARE):
        assert "explain" not in str(failure(kit, rust, cell))


def test_the_compilers_advice_is_the_hint(kit: Kit, rust: Rust) -> None:
    """What rustc would write instead is told."""
    found = only(failure(kit, rust, BARE.replace("Unsupported", "Unsuported")))
    assert (found.line, found.code) == (4, "E0599")
    assert "`Unsupported`" in found.hint
    assert "resize.rs:4:32: error[E0599]" in found.render()


def test_positions_hold_with_tabs_letters_and_line_ends(kit: Kit, rust: Rust) -> None:
    """Columns count characters; tabs are one; Windows line ends do not shift lines."""
    cell = f'// é\r\nfn f() {{\r\n\tlet größe: u32 = "ß"; let _ = größe;\r\n}}\r\n{BARE}'
    found = next(d for d in failure(kit, rust, cell).diagnostics if d.code == "E0308")
    assert (found.line, found.column, found.end_column) == (3, 19, 22)
    assert found.text == '\tlet größe: u32 = "ß"; let _ = größe;'


def test_an_error_in_a_macro_of_the_library_is_on_the_cells_line(kit: Kit, rust: Rust) -> None:
    """The place is where the cell calls the macro."""
    found = only(failure(kit, rust, 'fn _f() { println!("{}"); }\n' + BARE))
    assert (found.file, found.line) == ("resize.rs", 1)


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, rust: Rust) -> None:
    """An empty cell gets the signature, a misspelt one is put right."""
    found = only(failure(kit, rust, ""))
    assert found.message == f"missing function handle: the world asks for {WANTED}"
    found = only(failure(kit, rust, BARE.replace("handle", "handel")))
    assert (found.line, found.column, found.hint) == (1, 4, "rename handel to handle, if that is what it is")
    assert WANTED in found.message


def test_every_missing_function_is_told(kit: Kit, rust: Rust) -> None:
    """Of an interface too, with its name."""
    error = failure(kit, rust, "fn size() -> u64 { 0 }\n", STORE)
    assert [d.message.partition(":")[0] for d in error.diagnostics] == [
        "missing function put of the exported interface test",
        "missing function get of the exported interface test",
    ]
    assert "`fn get(key: String) -> Result<Entry, Fault>`" in error.diagnostics[1].message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-> Result<(), HandlerError>", "-> Result<u8, HandlerError>"),
        ("event: HandlerEvent", "event: &HandlerEvent"),
        ("event: HandlerEvent", "event: HandlerEvent, _n: u32"),
        ("fn handle", "async fn handle"),
    ],
)
def test_a_wrong_signature_is_told_where_the_function_is(kit: Kit, rust: Rust, old: str, new: str) -> None:
    """The place is the cell's function, the message what the world asks for."""
    error = failure(kit, rust, BARE.replace("Ok(())", "Ok(Default::default())").replace(old, new))
    found = next(d for d in error.diagnostics if "signature" in d.message)
    assert found.message == f"wrong signature of function handle: the world asks for {WANTED}"
    assert found.line == 1


def test_an_incomplete_or_wrong_impl(kit: Kit, rust: Rust) -> None:
    """rustc's own words serve where the impl is the cell's."""
    found = only(failure(kit, rust, "struct Component;\nimpl Guest for Component {}\n"))
    assert (found.line, found.code) == (2, "E0046")
    assert "fn handle(_: HandlerEvent) -> Result<(), HandlerError>" in found.hint
    wrong = IMPL.replace("event: HandlerEvent", "_e: u32").replace(
        "event.event_type", "EventType::ObjectAdded"
    )
    assert only(failure(kit, rust, wrong)).code == "E0053"


def test_a_cell_that_defines_what_the_bindings_define(kit: Kit, rust: Rust) -> None:
    """The clash is told on the cell's line."""
    found = only(failure(kit, rust, "struct HandlerEvent;\n" + BARE))
    assert (found.line, found.code) == (1, "E0428")


def test_inner_attributes_keep_their_lines(kit: Kit, rust: Rust) -> None:
    """An error in a `#![..]`, which is moved to the crate's root, is on the cell's line."""
    found = only(failure(kit, rust, "// first\n#![feature(never_type)]\n" + BARE))
    assert (found.file, found.line, found.code) == ("resize.rs", 2, "E0554")


def test_warnings_come_with_success(kit: Kit, rust: Rust) -> None:
    """A warning is a diagnostic of the artifact; there is none about the code around the cell."""
    made = kit.build(rust, "fn unused() {}\n" + BARE, FAAS)
    assert [(d.severity, d.line, d.column, d.code) for d in made.diagnostics] == [
        ("warning", 1, 4, "dead_code")
    ]
    assert "function `unused` is never used" in made.raw


def test_further_files(kit: Kit, rust: Rust) -> None:
    """A module and a text of the build's own are found; an error there names that file."""
    cell = 'mod util;\nconst TEXT: &str = include_str!("note.txt");\n' + BARE.replace(
        "Ok(())", "util::check(TEXT)"
    )
    files = [
        (
            "util.rs",
            "use crate::*;\npub fn check(t: &str) -> Result<(), HandlerError> {\n"
            '    assert!(t == "hi");\n    Ok(())\n}\n',
        ),
        ("note.txt", "hi"),
    ]
    call = kit.start(kit.build(rust, cell, FAAS, files=files).wasm)
    assert call("handle", ADDED) == ["ok", None]
    found = only(
        failure(kit, rust, cell, files=[("util.rs", files[0][1].replace("Ok(())", "Ok(1)")), files[1]])
    )
    assert (found.file, found.line) == ("util.rs", 4)
    for name in ("../x.rs", "/x.rs", "labkernel_root.rs", "a//b", "-x"):
        with pytest.raises(UsageError, match="file name"):
            kit.build(rust, BARE, FAAS, files=[(name, "")])


SECRET_READS = {
    "include_str": 'const X: &str = include_str!("{}");\n',
    "include_bytes": 'const X: &[u8] = include_bytes!("{}");\n',
    "include": 'include!("{}");\n',
    "raw": 'const X: &str = include_str!(r#"{}"#);\n',
    "concat": 'const X: &str = include_str!(concat!("{}", ""));\n',
    "by a macro": 'macro_rules! m {{ ($m:ident) => {{ $m!("{}") }} }}\nconst X: &str = m!(include_str);\n',
    "renamed": 'use std::include_str as read;\nconst X: &str = read!("{}");\n',
    "path": '#[path = "{}"]\nmod x;\n',
    "path by a macro": 'macro_rules! m {{ ($a:ident) => {{ #[$a = "{}"] mod x; }} }}\nm!(path);\n',
    "bindings": 'wit_bindgen::generate!({{ path: "{}", additional_derives: [PartialEq] }});\n',
    "bindings by a macro": "macro_rules! m {{ ($p:literal) => {{ wit_bindgen::generate!({{ path: $p }}); }} }}\n"
    'm!("{}");\n',
    "constant": 'const _: () = panic!("{{}}", include_str!("{}"));\n',
    "compile_error": 'compile_error!(include_str!("{}"));\n',
}


@pytest.mark.parametrize("name", SECRET_READS)
def test_the_compiler_reads_no_file_of_the_machine(
    kit: Kit, rust: Rust, tmp_path: Path, require: Require, name: str
) -> None:
    """A file outside the build is refused or kept out by the wall; its contents are neither shown nor built in."""
    if name == "path by a macro":
        require("Landlock", is_available())
    secret = tmp_path / "secret.txt"
    secret.write_text("w0rd-of-honour 17 }", encoding="ascii")
    try:
        shown = kit.build(rust, SECRET_READS[name].format(secret) + BARE, FAAS).wasm
    except CompileError as error:
        shown = f"{error}{error.raw}{error.diagnostics}".encode()
    assert b"w0rd-of-honour" not in shown


def test_a_refused_read_is_told_on_its_line(kit: Kit, rust: Rust) -> None:
    """The remedy is named."""
    found = only(failure(kit, rust, "\n" + 'const X: &str = include_str!("/etc/passwd");\n' + BARE))
    assert (found.file, found.line, found.column) == ("resize.rs", 2, 17)
    assert "--file" in found.hint


def test_the_environment_is_clean(kit: Kit, rust: Rust, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell sees neither the user's variables nor the home folder."""
    monkeypatch.setenv("TOKEN_OF_MINE", "s3cret")
    cell = (
        'const A: Option<&str> = option_env!("TOKEN_OF_MINE");\nconst B: &str = env!("HOME");\n'
        + BARE.replace(
            "Ok(())",
            "Err(HandlerError::Rejected((A.is_some() as u16) * 2 + B.contains(HOME_OF_USER) as u16))",
        )
    )
    cell = f"const HOME_OF_USER: &str = {str(Path.home())!r};\n".replace("'", '"') + cell
    call = kit.start(kit.build(rust, cell, FAAS).wasm)
    assert call("handle", ADDED) == ["err", ["rejected", 0]]


@pytest.mark.parametrize(
    "flag", ["-o", "-o/tmp/x", "@args", "-Clinker=/bin/sh", "-Clink-arg=-v", "--emit=asm=/tmp/x", "-Zunpretty=expanded",
             "--extern=x=/y", "-L/x", "-Cplugin=x", "--sysroot=/", "-Copt-level=3;ls", "--cfg=a -o x"],
)  # fmt: skip
def test_flags_that_name_files_or_programs_are_refused(kit: Kit, rust: Rust, flag: str) -> None:
    """The refusal shows the flag and some that are taken."""
    with pytest.raises(UsageError, match="is not among those"):
        kit.build(rust, BARE, FAAS, flags=(flag,))


def test_options_change_the_code(kit: Kit, rust: Rust) -> None:
    """Levels, flags and the release form reach rustc, and `--verbose` keeps what the command needs."""
    cell = BARE.replace(
        "Ok(())", "Err(HandlerError::Rejected(cfg!(loud) as u16 + cfg!(debug_assertions) as u16 * 2))"
    )
    call = kit.start(kit.build(rust, cell, FAAS, flags=("--cfg=loud", "-Aunexpected_cfgs")).wasm)
    assert call("handle", ADDED) == ["err", ["rejected", 1]]
    call = kit.start(kit.build(rust, cell, FAAS, opt="0", flags=("-Aunexpected_cfgs",)).wasm)
    assert call("handle", ADDED) == ["err", ["rejected", 2]]
    release = kit.build(rust, BARE, FAAS, release=True)
    assert release.form == "release"
    assert "-Clto=fat" in release.commands[0]
    assert len(release.wasm) <= len(kit.build(rust, BARE, FAAS).wasm)
    (command,) = kit.build(rust, BARE, FAAS, verbose=True).commands
    assert os.system(f"({command}) > /dev/null 2>&1") == 0


def test_output_of_the_guest_is_whole(kit: Kit, rust: Rust) -> None:
    """`println!` reaches standard output, a panic says the cell's line and traps."""
    cell = BARE.replace("Ok(())", '{ println!("héllo"); panic!("oh") }')
    call = kit.start(kit.build(rust, cell, FAAS).wasm)
    with pytest.raises(LabError) as caught:
        call("handle", ADDED)
    text = "".join(t for _, t in call.output) + caught.value.output
    assert "héllo" in text
    assert "resize.rs:3:" in text
    assert str(Path.home()) not in text


def test_a_build_that_takes_too_long_is_stopped(kit: Kit, rust: Rust) -> None:
    """The limit holds, the error says so, no process is left."""
    bomb = 'macro_rules! b { ($($t:tt)*) => { b!($($t)* x); } }\n#![recursion_limit = "100000000"]\nb!();\n'
    started = time.monotonic()
    error = failure(
        kit, rust, '#![recursion_limit = "100000000"]\n' + bomb.replace("#![", "// ") + BARE, timeout_s=2
    )
    assert time.monotonic() - started < 4
    assert "time limit" in str(error) or "out of memory" in str(error)
    assert not [p for p in psutil.Process().children(recursive=True) if "rustc" in p.name()]


def test_a_build_that_takes_too_much_memory_is_stopped(kit: Kit, rust: Rust) -> None:
    """A macro that doubles ends by the memory limit or the time limit."""
    error = failure(
        kit, rust, "macro_rules! b { ($($t:tt)*) => { b!($($t)* $($t)*); } }\nb!(a);\n" + BARE, timeout_s=60
    )
    assert "memory" in str(error) or "time limit" in str(error) or "recursion" in str(error)


def test_an_interrupt_ends_the_build_at_once(kit: Kit, rust: Rust) -> None:
    """KeyboardInterrupt comes through in under a second and takes rustc along."""
    slow = "const X: u64 = { let mut i = 0u64; while i < 1 << 40 { i += 1; } i };\nfn _f() -> u64 { X }\n"
    slow = "#![allow(long_running_const_eval)]\n" + slow
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        kit.build(rust, slow + BARE, FAAS, timeout_s=30)
    assert time.monotonic() - started < 2
    assert not [p for p in psutil.Process().children(recursive=True) if "rustc" in p.name()]


def test_what_cannot_be_built_is_refused(kit: Kit, rust: Rust) -> None:
    """No world, a dependency, an async function: one clear error each."""
    snippet = Snippet("rust", BARE)
    with pytest.raises(UsageError, match="--world"):
        rust.build(snippet, None, None, Options(), kit.context)
    with pytest.raises(UsageError, match="--dep 'serde@1"):
        kit.build(rust, BARE, FAAS, deps=("serde@1[",))
    with pytest.raises(UsageError, match=r"0\.3"):
        kit.build(rust, "", "package a:b;\nworld w { export f: async func(); }\n")


def test_a_world_without_exports(kit: Kit, rust: Rust) -> None:
    """An empty cell is a component of such a world."""
    assert kit.build(rust, "", "package a:b;\nworld w { import f: func(); }\n").wasm


def test_versions_change_with_the_compiler_only(rust: Rust, require: Require) -> None:
    """The identity is found without starting anything, in under a millisecond."""
    require("rustc", rust.versions())
    started = time.perf_counter()
    assert rust.versions() == rust.versions()
    assert time.perf_counter() - started < 0.02


def test_a_missing_rustc_is_told(
    rust: Rust, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The doctor has rows without versions, a build raises with the line that installs it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rust.versions() == ""
    assert [row.version for row in rust.check(cache)] == [None, None, None]
    with pytest.raises(ToolchainMissing, match="rustup"):
        tools.find_rustc()


def test_a_missing_target_and_an_old_compiler_are_told(
    rust: Rust, cache: Cache, monkeypatch: pytest.MonkeyPatch, require: Require
) -> None:
    """Each names the command that mends it."""
    require("rustc", rust.versions())
    monkeypatch.setattr(tools, "TARGET", "wasm32-elsewhere")
    assert rust.check(cache)[1].version is None
    with pytest.raises(ToolchainMissing, match="labkernel setup rust"):
        rust_module.Rust()._tools(Options(), _context(cache))
    monkeypatch.setattr(tools, "MINIMUM", (99, 0))
    with pytest.raises(ToolchainMissing, match="rustup update"):
        tools.check_minimum(tools.find_rustc(), cache)


def _context(cache: Cache) -> rust_module.Context:
    return rust_module.Context(cache, cache.root / "tmp")


def test_names() -> None:
    """Names are those that wit-bindgen gives."""
    assert [ident(n) for n in ("event-type", "type", "HTTP-get", "self")] == [
        "event_type",
        "type_",
        "http_get",
        "self_",
    ]
    assert [camel(n) for n in ("event-type", "HTTP-get", "guest", "a1-b")] == [
        "EventType",
        "HttpGet",
        "Guest_",
        "A1B",
    ]


def test_the_scan_sees_through_comments_and_strings() -> None:
    """Nested comments, raw strings, lifetimes and characters do not confuse it."""
    text = "/* a /* b */ fn x() {} */ fn y<'a>(c: &'a str) -> char { '\"' } const S: &str = r#\"fn z() {\"#; fn w() {}"
    cell = Cell(text)
    assert len(mask(text)) == len(text)
    assert list(cell.functions) == ["y", "w"]


@pytest.mark.parametrize(("function", "args", "printed"), [
    ("nested", [[["é\"\n"]]], 'Some(Some("é\\"\\n"))'),
    ("shapes", [["round", [[1, -2], 0.5]]], "Shape::Round(Circle { center: Point { x: 1, y: -2 }, radius: 0.5 })"),
    ("perm", [["read"]], "Perms(READ | EXEC)"),
    ("bytes", [b"abc"], "[99, 98, 97]"),
    ("match", [2, 3], "5"),
    ("answer", [["ok", 1]], "Ok(2)"),
    ("nothing", [], "()"),
])  # fmt: skip
def test_the_same_cell_as_a_native_program(
    kit: Kit, rust: Rust, require: Require, function: str, args: list[object], printed: str
) -> None:
    """The program calls the function with the values and prints the answer."""
    require("a C linker", shutil.which("cc"))
    package, world = kit.world(AWKWARD)
    wanted = next(f for f in world.functions() if f.name == function)
    made = rust.native(Snippet("rust", AWKWARD_CELL), package, world, wanted, args, Options(), kit.context)
    assert made is not None
    done = subprocess.run([made.program], capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout == printed + "\n"


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_a_native_program_but_one(kit: Kit, rust: Rust, require: Require, name: str) -> None:
    """A cell that keeps its bindings in a module of its own has none."""
    require("a C linker", shutil.which("cc"))
    package, world = kit.world(FAAS)
    made = rust.native(
        Snippet("rust", FORMS[name]), package, world, next(world.functions()), [EVENT], Options(), kit.context
    )
    assert (made is None) == (name == "bindings in a module of its own")
    if made is not None:
        done = subprocess.run([made.program], capture_output=True, text=True, check=True, timeout=10)
        assert done.stdout == "Err(HandlerError::Unsupported(EventType::ObjectRemoved))\n"


def test_the_names_of_the_build_itself_are_no_trouble(kit: Kit, rust: Rust) -> None:
    """A build may be called as the crate's own files are."""
    package, world = kit.world(FAAS)
    for name in ("labkernel_root", "bindings", "wit", "cell", "größe", "a-b c"):
        made = rust.build(Snippet("rust", BARE, (), name), package, world, Options(), kit.context)
        assert made.diagnostics == ()


def test_text_that_looks_like_docs_stays(kit: Kit, rust: Rust) -> None:
    """Only inner docs at the cell's start are turned into comments."""
    cell = '/*! what */\n//! and\nconst T: &str = "\n//! x";\n' + BARE.replace(
        "Ok(())", 'if T == "\\n//! x" { Ok(()) } else { Err(HandlerError::Unknown) }'
    )
    assert kit.start(kit.build(rust, cell, FAAS).wasm)("handle", ADDED) == ["ok", None]
