"""The toolbox: every function on real input, every refusal with its place and its remedy."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from labkernel._cache import Cache
from labkernel._errors import ComponentError, LabError, ToolchainMissing, UsageError, WitError
from labkernel._host import Supervisor
from labkernel._toolbox import Anatomy, Toolbox, build_toolbox, cargo, find_toolbox, locate
from labkernel._toolbox.declare import declare
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    HandleType,
    Interface,
    ListType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
)

FAAS = """package example-corp:faas-platform@0.0.1;

/// The platform.
world faas {
  use wasi:clocks/wall-clock.{datetime};
  type event-version = string;
  type response-status = u16;
  /// What happened.
  enum event-type { object-added, object-removed, bucket-created }
  record handler-event {
    event-type: event-type,
    event-timestamp: datetime,
    event-version: event-version,
  }
  variant handler-error { unsupported(event-type), internal(string) }
  export handle: func(event: handler-event) -> result<_, handler-error>;
}
"""
FAAS_2023 = FAAS.replace(";", "").replace("world faas", "default world faas")
CARRIED = "0.2.12"

HANDLER = """(module
  (memory (export "memory") 1)
  (func (export "handle") (param i32 i64 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 2048))"""
PREVIEW1 = HANDLER.replace(
    "(memory", '(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))\n  (memory', 1
)
SOCKET = '(component (import "a" (func $f)) (export "b" (func $f)))'
PLUG = """(component
  (core module $m (func (export "a")))
  (core instance $i (instantiate $m))
  (func (export "a") (canon lift (core func $i "a"))))"""


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    """Return a host process."""
    with Supervisor(name="toolbox-tests", mac_key=b"k" * 32) as made:
        yield made


@pytest.fixture(scope="module")
def toolbox(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """Return the toolbox that is there; without one the test is skipped."""
    found = find_toolbox()
    if found is None:
        missing = "the toolbox component is missing (labkernel setup builds it)"
        if os.environ.get("LABKERNEL_REQUIRE") == "all":
            pytest.fail(missing)
        pytest.skip(missing)
    made = Toolbox(supervisor, Cache(tmp_path_factory.mktemp("cache")), wasm=found)
    yield made
    made.close()


@pytest.fixture(scope="module")
def component(toolbox: Toolbox, supervisor: Supervisor) -> bytes:
    """Return a component of the faas world."""
    return toolbox.componentize(supervisor.assemble(HANDLER), toolbox.resolve(FAAS), "faas")


def refusal(act: Callable[[], object]) -> WitError:
    """Return the error that resolving raises."""
    with pytest.raises(WitError) as raised:
        act()
    return raised.value


# -------------------------------------------------------------------------------------------------- resolve


def test_the_faas_world_as_data(toolbox: Toolbox) -> None:
    """A package comes back as records: names, docs, lines, aliases, the function's signature."""
    package = toolbox.resolve(FAAS)
    assert package.name == "example-corp:faas-platform@0.0.1"
    (world,) = package.worlds
    assert world.full_name == "example-corp:faas-platform/faas@0.0.1"
    assert world.docs == "The platform."
    assert world.imported() == (f"wasi:clocks/wall-clock@{CARRIED}",)
    types = {t.name: t for t in world.types}
    assert types["event-version"].alias_of == "string"
    assert types["datetime"].alias_of == f"wasi:clocks/wall-clock.datetime@{CARRIED}"
    assert types["event-type"].docs == "What happened."
    assert types["event-type"].line == 9
    assert types["handler-event"].line == 10
    (handle,) = world.functions()
    assert handle.text == "handle: func(event: handler-event) -> result<_, handler-error>"
    assert not handle.is_async


def test_the_resolved_files_stand_alone(toolbox: Toolbox) -> None:
    """What a package resolves to resolves again without being changed, and needs no note."""
    package = toolbox.resolve(FAAS)
    files = dict(package.files)
    assert next(iter(files)) == "world.wit"
    assert {f"deps/wasi-clocks-{CARRIED}.wit", f"deps/wasi-io-{CARRIED}.wit"} <= set(files)
    deps = [{path: text} for path, text in files.items() if path != "world.wit"]
    again = toolbox.resolve(files["world.wit"], deps=deps)
    assert again.notes == ()
    assert dict(again.files)["world.wit"] == files["world.wit"]
    assert again.worlds == package.worlds


@pytest.mark.parametrize(
    "version", ["", "@0.2.0", "@0.2.1", "@0.2.3", "@0.2.6", "@0.2.8", "@0.2.11", "@0.2.12"]
)
@pytest.mark.parametrize("form", [FAAS, FAAS_2023], ids=["modern", "2023"])
def test_wasi_at_any_compatible_version(toolbox: Toolbox, form: str, version: str) -> None:
    """Any 0.2 version up to the carried one, or none, is the carried one; the notes say so."""
    package = toolbox.resolve(form.replace("wall-clock.", f"wall-clock{version}."))
    assert package.worlds == toolbox.resolve(FAAS).worlds
    note = f"wasi:clocks/wall-clock{version} resolved to wasi:clocks@{CARRIED}"
    assert (note in package.notes) == (version != f"@{CARRIED}")


def test_the_form_of_2023(toolbox: Toolbox) -> None:
    """A text without semicolons keeps its lines and columns, and the notes say what was done."""
    package = toolbox.resolve(FAAS_2023)
    read = dict(package.files)["world.wit"].split("\n")
    for old, new in zip(FAAS_2023.split("\n"), read, strict=True):
        assert new.rstrip(";").replace(f"@{CARRIED}", "").replace(";", "") == old.replace("default", " " * 7)
    assert any("semicolons put in (lines 1, 5, 6, 7, 16)" in note for note in package.notes)
    assert any("`default` left out" in note and "line 4" in note for note in package.notes)


MODERN = f"""// A comment; with a semicolon.
package me:modern@1.0.0-rc.1+build;

/* block /* nested */ ; */
use wasi:io/poll@{CARRIED} as polling;

/// Docs; too.
@since(version = 0.9.0)
interface things {{
  use wasi:io/poll@{CARRIED}.{{pollable as p}};
  use wasi:clocks/wall-clock@{CARRIED}.{{
    datetime,
  }};
  type a = list<tuple<u8, option<string>>>;
  type %type = u8;
  flags permissions {{ read, write }}
  resource file {{
    constructor(name: string);
    read: func(
      n: u32, // how many
    ) -> result<list<u8>, string>;
    @unstable(feature = x)
    open: static func() -> file;
  }}
  resource bare;
  %record: func() -> a;
  run: func(f: borrow<file>, at: datetime) -> p;
}}

world w {{
  include wasi:cli/imports@{CARRIED};
  import inline: interface {{ f: func(); }}
  import log: func(text: string);
  export things;
}}
"""


def test_modern_text_comes_back_byte_for_byte(toolbox: Toolbox) -> None:
    """A text of today's form is not touched, and gets no note."""
    package = toolbox.resolve(MODERN)
    assert dict(package.files)["world.wit"] == MODERN
    assert package.notes == ()


def test_every_semicolon_of_modern_text_may_be_missing(toolbox: Toolbox) -> None:
    """Comments, docs, gates, lists over several lines: the same text without semicolons means the same."""
    code = MODERN.replace("// A comment; with a semicolon.\n", "").replace("/* block /* nested */ ; */\n", "")
    code = code.replace("/// Docs; too.\n", "")
    bare = toolbox.resolve(code.replace(";", ""))
    assert bare.worlds == toolbox.resolve(code).worlds
    assert bare.interfaces == toolbox.resolve(code).interfaces


def test_wasi_without_semicolons_and_versions(toolbox: Toolbox) -> None:
    """WASI's own packages mean the same without any semicolon and any version of a reference."""
    for name, text in toolbox.carried().items():
        package = toolbox.resolve(text)
        assert dict(package.files)["world.wit"] == text
        lines = [line if "///" in line else line.replace(";", "") for line in text.split("\n")]
        bare = toolbox.resolve(
            re.sub(r"(?<=[a-z])@0\.2\.\d+(?=\.\{|\n| )", "", "\n".join(lines[1:])).join(
                [f"package {name}\n", ""]
            )
        )
        assert dict(bare.files)["world.wit"].replace("\n", "") == text.replace("\n", "")
        assert (bare.worlds, bare.interfaces) == (package.worlds, package.interfaces)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("interface i { f: func(a: float32) -> float64 }", "interface i { f: func(a: f32) -> f64; }"),
        ("interface i { type a = list<float64> }", "interface i { type a = list<f64>; }"),
        ("interface i { variant v { x(float32) } }", "interface i { variant v { x(f32) } }"),
        ("interface i { record float64 { float32: u8 } }", "interface i { record float64 { float32: u8 } }"),
        (
            "interface t { type a = u8 }\nworld w { use self.t.{a}\nimport f: func(x: a) }",
            "interface t { type a = u8; }\nworld w { use t.{a};\nimport f: func(x: a); }",
        ),
        (
            "interface t { type a = u8 }\ninterface u { use pkg.t.{a} }",
            "interface t { type a = u8; }\ninterface u { use t.{a}; }",
        ),
    ],
)
def test_other_forms_of_2023(toolbox: Toolbox, old: str, new: str) -> None:
    """Float types, `self.` and `pkg.` mean what they meant, and the notes say so."""
    then, now = (toolbox.resolve(f"package a:b;\n{body}") for body in (old, new))
    assert (then.worlds, then.interfaces) == (now.worlds, now.interfaces)
    assert bool(then.notes) == (old != new)


# --------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message", "hint"),
    [
        ("wall-clock.", "wall-clock@0.3.0.", 5, 7, "WASI 0.3", f"@{CARRIED}"),
        ("wall-clock.", "wall-clock@0.2.99.", 5, 7, "newer", f"@{CARRIED}"),
        ("wall-clock.", "wall-clock@0.2.0-rc-2023-11-10.", 5, 7, "not compatible", f"@{CARRIED}"),
        ("wall-clock.", "wall-clock@2.", 5, 7, "not a version", f"@{CARRIED}"),
        ("wasi:clocks", "wasi:clock", 5, 7, "not one that the toolbox", "Did you mean 'wasi:clocks'?"),
        ("wasi:clocks", "acme:clocks", 5, 7, "`acme:clocks` is not there", "give its WIT as a dependency"),
        ("wall-clock.", "wal-clock.", 5, 19, "'wal-clock' not found", "Did you mean 'wall-clock'?"),
        ("{datetime}", "{datetime, date}", 5, 41, "`date`", ""),
        ("= string", "= strin", 6, 24, "`strin` does not exist", "Did you mean 'string'?"),
        ("event-type: event-type", "event-type: event-typ", 11, 17, "`event-typ`", "mean 'event-type'?"),
        ("record handler-event {", "record handler-event [", 10, 24, "'['", ""),
        ("variant handler-error", "union handler-error", 15, 3, "expected", "`variant`"),
        ("result<_, handler-error>", "expected<unit, handler-error>", 16, 56, "", "`result<t, e>`"),
        ("-> result<_, handler-error>", "-> (a: u8, b: u8)", 16, 48, "", "tuple"),
        ("package example-corp:faas-platform@0.0.1;\n", "", 1, 1, "no `package` line", "package my:package;"),
    ],
)  # fmt: skip
def test_errors_have_place_and_remedy(
    toolbox: Toolbox, old: str, new: str, line: int, column: int, message: str, hint: str
) -> None:
    """What is wrong is said at its line and column of the text as it was given, with the remedy."""
    text = FAAS.replace(old, new, 1)
    found, *_ = refusal(lambda: toolbox.resolve(text, name="cell-7")).diagnostics
    assert (found.file, found.line, found.column) == ("cell-7", line, column)
    assert message in found.message
    assert hint in found.hint
    assert found.text == text.split("\n")[line - 1]
    assert found.end_column > found.column


def test_places_are_those_of_the_text_before_it_was_changed(toolbox: Toolbox) -> None:
    """Semicolons and versions that were put in on the same line do not move the error."""
    text = "package a:b world w { import wasi:io/poll import f: func(x: nope) }"
    (found,) = refusal(lambda: toolbox.resolve(text)).diagnostics
    assert (found.line, found.column, found.end_column) == (1, text.index("nope") + 1, text.index("nope") + 5)
    (found,) = refusal(
        lambda: toolbox.resolve("package a:b // äöü\n/* é */ interface i{f: func(ä: u8)}")
    ).diagnostics
    assert (found.line, found.column) == (2, 29)


def test_several_wrong_references_are_told_at_once(toolbox: Toolbox) -> None:
    """Each unknown package has its own message."""
    text = "package a:b;\nworld w {\n  import wasi:x/y;\n  import wasi:io/poll@0.3.0;\n  import c:d/e;\n}"
    assert [d.line for d in refusal(lambda: toolbox.resolve(text)).diagnostics] == [3, 4, 5]


def test_dependencies_of_the_user(toolbox: Toolbox) -> None:
    """Given packages come first; a version left out is found when there is one, and asked for among two."""
    text = "package a:b;\nworld w { import c:d/e; }"
    one = {"one.wit": "package c:d@1.0.0; interface e { f: func(); }"}
    two = {"two.wit": "package c:d@2.0.0; interface e { f: func(); }"}
    package = toolbox.resolve(text, deps=[one])
    assert package.worlds[0].imported() == ("c:d/e@1.0.0",)
    assert package.notes == ("c:d/e resolved to c:d@1.0.0",)
    (found,) = refusal(lambda: toolbox.resolve(text, deps=[one, two])).diagnostics
    assert found.line == 2
    assert "@1.0.0, @2.0.0" in found.hint
    (found,) = refusal(lambda: toolbox.resolve(text.replace("d/e", "d/e@3.0.0"), deps=[one])).diagnostics
    assert found.hint == "given: c:d@1.0.0"
    (found,) = refusal(
        lambda: toolbox.resolve(text, deps=[{"one.wit": "package c:d; interface e { x }"}])
    ).diagnostics
    assert (found.file, found.line) == ("one.wit", 1)


def test_given_wasi_takes_precedence(toolbox: Toolbox) -> None:
    """A WASI package that the user gives is meant, where its version can stand for what is asked."""
    own = {"clocks.wit": "package wasi:clocks@0.2.3; interface wall-clock { type datetime = u8; }"}
    for version, chosen in (("", "0.2.3"), ("@0.2.1", "0.2.3"), ("@0.2.3", "0.2.3"), ("@0.2.4", CARRIED)):
        package = toolbox.resolve(FAAS.replace("wall-clock.", f"wall-clock{version}."), deps=[own])
        assert any(name.endswith(f"@{chosen}") for name in package.worlds[0].imported()) or chosen == "0.2.3"
        datetime = next(t for t in package.worlds[0].types if t.name == "datetime")
        assert isinstance(datetime.type, Primitive) == (chosen == "0.2.3")


def test_a_package_of_several_files(toolbox: Toolbox) -> None:
    """Files make up one package, keep their names, and an error names its file."""
    files = {"types.wit": "package a:b;\ninterface t { type x = u8; }", "main.wit": "world w { use t.{x}; }"}
    package = toolbox.resolve_files(files)
    assert dict(package.files) == files
    (found,) = refusal(
        lambda: toolbox.resolve_files({**files, "main.wit": "world w {\n use t.{y}; }"})
    ).diagnostics
    assert (found.file, found.line) == ("main.wit", 2)


def test_async_functions_are_marked(toolbox: Toolbox) -> None:
    """An `async` function is told as one, and its streams are shown by their text."""
    package = toolbox.resolve(
        "package a:b;\nworld w { export f: async func(x: stream<u8>) -> future<string>; }"
    )
    (function,) = package.worlds[0].functions()
    assert function.text == "f: async func(x: stream<u8>) -> future<string>"


def test_every_carried_package_resolves(toolbox: Toolbox) -> None:
    """The seven WASI packages are there, and each world of theirs can be included."""
    carried = toolbox.carried()
    assert {name.split("@")[0] for name in carried} == {
        f"wasi:{n}" for n in ("cli", "clocks", "filesystem", "http", "io", "random", "sockets")
    }
    for name in ("cli/command", "cli/imports", "http/proxy", "sockets/imports", "filesystem/imports"):
        assert toolbox.resolve(f"package a:b;\nworld w {{ include wasi:{name}; }}").worlds[0].imports


@pytest.mark.parametrize(
    "text",
    [
        "", "\0", "\ufeff", "(" * 1_000_000, "{" * 100_000, "package a:b;" + "/*" * 100_000, '"' * 10_000,
        "package a:b; interface i { type a = " + "list<" * 10_000 + "u8" + ">" * 10_000 + "; }", "@" * 1000,
        "package a:b {" * 1000, "package", "package a:b; world", "package a:b; world w { use",
        "world w { import a:b/", "package a:b; interface i { f: func(" + "a: u8, " * 10_000, "\u202e" * 100,
        "package a:b; type a = a;", "package a:b; interface i { type a = b; type b = a; }",
        "package a:b; world w { include w; }",
    ],
    ids=range(19),
)  # fmt: skip
def test_hostile_text_is_an_error(toolbox: Toolbox, text: str) -> None:
    """Garbage, huge and deeply nested texts are refused, and the toolbox goes on."""
    assert refusal(lambda: toolbox.resolve(text)).diagnostics
    assert toolbox.resolve("package a:b;").name == "a:b"


# ----------------------------------------------------------------------------------------------- components


def test_c_bindings(toolbox: Toolbox) -> None:
    """A world gives a header, its code and the object file with its type."""
    files = toolbox.bindings_c(toolbox.resolve(FAAS), "faas")
    assert set(files) == {"faas.h", "faas.c", "faas_component_type.o"}
    assert b"bool exports_faas_handle(" in files["faas.h"] or b"faas_handle(" in files["faas.h"]
    assert files["faas_component_type.o"].startswith(b"\0asm")


def test_an_unknown_world(toolbox: Toolbox) -> None:
    """A world that is not there is refused with those that are."""
    error = refusal(lambda: toolbox.bindings_c(toolbox.resolve(FAAS), "fass"))
    assert "faas" in error.diagnostics[0].hint


def test_componentize(toolbox: Toolbox, supervisor: Supervisor, component: bytes) -> None:
    """A core module and a world make a component, in one step or in two, the same one."""
    package = toolbox.resolve(FAAS)
    core = supervisor.assemble(HANDLER)
    toolbox.validate(component)
    assert toolbox.componentize(toolbox.embed(core, package, "faas")) == component
    assert toolbox.componentize(core, package, package.worlds[0].full_name) == component


def test_componentize_with_the_adapter(toolbox: Toolbox, supervisor: Supervisor) -> None:
    """A module that imports preview1 gets the adapter, and only then WASI's imports."""
    made = toolbox.componentize(supervisor.assemble(PREVIEW1), toolbox.resolve(FAAS), "faas")
    toolbox.validate(made)
    assert any(name.startswith("wasi:cli/exit@0.2") for name in toolbox.world_of(made).imported())
    assert any("wasi_snapshot_preview1" in part.name for part in toolbox.anatomy(made).modules)


@pytest.mark.parametrize(
    ("wat", "says"),
    [
        ("(module)", "handle"),
        (HANDLER.replace("i64", "i32"), "handle"),
        (HANDLER.replace("(memory", '(import "env" "x" (func))\n  (memory', 1), "env"),
    ],
    ids=["no-export", "wrong-type", "unknown-import"],
)
def test_a_module_that_does_not_fit_its_world(
    toolbox: Toolbox, supervisor: Supervisor, wat: str, says: str
) -> None:
    """What the world asks for and the module lacks is named."""
    with pytest.raises(ComponentError, match=says):
        toolbox.componentize(supervisor.assemble(wat), toolbox.resolve(FAAS), "faas")


def test_plug(toolbox: Toolbox, supervisor: Supervisor) -> None:
    """An export satisfies an import of its name; without a match the imports are told."""
    socket, plug = supervisor.assemble(SOCKET), supervisor.assemble(PLUG)
    both = toolbox.plug(socket, [plug])
    toolbox.validate(both)
    world = toolbox.world_of(both)
    assert (world.imported(), [f.name for f in world.functions()]) == ((), ["b"])
    with pytest.raises(ComponentError, match="the socket imports: a"):
        toolbox.plug(socket, [socket])
    with pytest.raises(ComponentError, match="core module"):
        toolbox.plug(supervisor.assemble("(module)"), [plug])


def test_the_wit_of_a_component(toolbox: Toolbox, component: bytes) -> None:
    """A component's WIT comes as text and as data, with the names of its types."""
    text = toolbox.wit_of(component)
    assert "export handle: func(event: handler-event) -> result<_, handler-error>;" in text
    world = toolbox.world_of(component)
    assert world.package == ""
    assert world.exports == toolbox.resolve(FAAS).worlds[0].exports
    (handle,) = world.functions()
    assert handle.text == "handle: func(event: handler-event) -> result<_, handler-error>"


@pytest.mark.parametrize(
    ("bytes_or_wat", "says"),
    [
        (b"", "an empty file"),
        (b"hello", "68 65 6c 6c 6f"),
        (b"\x7fELF....", "native program"),
        (b"(component)", "WAT"),
        (b"\0asm\xff\xff\0\0", "unknown version"),
        ("(module)", "core module"),
        ('(module (import "wasi_snapshot_preview1" "x" (func)))', "wasi_snapshot_preview1"),
        ('(component (import "wasi:clocks/x@0.3.0" (instance)))', "WASI 0.3"),
        ('(component (import "wasi:clocks/x@0.3.0-rc-2025-08-15" (instance)))', "WASI 0.3"),
        ('(component (import "f" (func async)))', "async"),
        ("(component (type (stream u8)))", "async"),
        (b"\0asm\x0d\0\x01\0\x01\x7f", "does not validate"),
        (b"\0asm\x0d\0\x01\0" + bytes(range(256)), "does not validate"),
    ],
    ids=range(13),
)
def test_what_is_no_component(
    toolbox: Toolbox, supervisor: Supervisor, bytes_or_wat: bytes | str, says: str
) -> None:
    """Core modules, async WASI 0.3 and garbage are each refused by name."""
    data = bytes_or_wat if isinstance(bytes_or_wat, bytes) else supervisor.assemble(bytes_or_wat)
    with pytest.raises(ComponentError, match=says):
        toolbox.validate(data)


def test_a_damaged_component(toolbox: Toolbox, component: bytes) -> None:
    """A component cut short anywhere is an error in every function, and never a crash."""
    for size in (*range(8), *range(9, 64), *range(64, len(component), 97)):
        cut = component[:size]
        acts: list[Callable[[], object]] = [
            lambda cut=cut: toolbox.validate(cut),  # type: ignore[misc]
            lambda cut=cut: toolbox.wit_of(cut),  # type: ignore[misc]
            lambda cut=cut: toolbox.plug(cut, [cut]),  # type: ignore[misc]
        ]
        for act in acts:
            with contextlib.suppress(ComponentError):  # where a section ends, what is left is whole
                act()
    toolbox.validate(component)


def test_anatomy_adds_up(toolbox: Toolbox, supervisor: Supervisor, component: bytes) -> None:
    """Every part is its preamble and its sections, embedded parts included, and the whole is the file."""
    adapted = toolbox.componentize(supervisor.assemble(PREVIEW1), toolbox.resolve(FAAS), "faas")
    plugged = toolbox.plug(supervisor.assemble(SOCKET), [supervisor.assemble(PLUG)])
    own = find_toolbox()
    assert own is not None
    for data in (component, adapted, plugged, own.read_bytes(), supervisor.assemble("(module)")):
        anatomy = toolbox.anatomy(data)
        assert anatomy.size == len(data)
        for index, part in enumerate(anatomy.parts):
            assert part.size == 8 + sum(s.size for s in part.sections)
            embedding = sum(v for k, v in part.by_name().items() if k in ("core module", "component"))
            assert sum(p.size for p in anatomy.inside(index)) <= max(embedding, 0) or part.kind == "module"
    assert toolbox.anatomy(plugged).parts[1].kind == "component"
    with pytest.raises(ComponentError, match="not WebAssembly"):
        toolbox.anatomy(b"hello")


def test_print_wat(toolbox: Toolbox, component: bytes, supervisor: Supervisor) -> None:
    """WebAssembly prints as text that assembles to the same, and stops at the size asked for."""
    text = toolbox.print_wat(component)
    assert text.startswith("(component")
    assert toolbox.anatomy(supervisor.assemble(text)).modules
    assert toolbox.print_wat(component, max_size=40) == text[:40]
    with pytest.raises(ComponentError):
        toolbox.print_wat(b"hello")


# ----------------------------------------------------------------------------------------------------- WAVE

RECORD = RecordType((Field("a", Primitive("u8")), Field("record", OptionType(Primitive("string")))))
VARIANT = VariantType((Case("none"), Case("x", RECORD)))


@pytest.mark.parametrize(
    ("text", "wit_type", "canonical"),
    [
        ("1", Primitive("u8"), "1"),
        (" [1,2 ,3]", ListType(Primitive("u8")), "[1, 2, 3]"),
        ('"a\\u{e9}\\n"', Primitive("string"), '"aé\\n"'),
        ("-inf", Primitive("f32"), "-inf"),
        ("{a: 1}", RECORD, "{a: 1}"),
        ('{%record: some("x"), a: 1}', RECORD, '{a: 1, record: some("x")}'),
        ("%none", VARIANT, "%none"),
        ("x({a: 3})", VARIANT, "x({a: 3})"),
        ("{b, a}", FlagsType(("a", "b")), "{a, b}"),
        ("(1, true)", TupleType((Primitive("s8"), Primitive("bool"))), "(1, true)"),
        ("ok", ResultType(None, EnumType(("x", "y"))), "ok"),
        ("err(y)", ResultType(None, EnumType(("x", "y"))), "err(y)"),
        ("some(none)", OptionType(OptionType(Primitive("u8"))), "some(none)"),
    ],
)
def test_parse_wave(toolbox: Toolbox, text: str, wit_type: Primitive, canonical: str) -> None:
    """A value of any type is read and spelled as the ecosystem spells it."""
    assert toolbox.parse_wave(text, wit_type) == canonical


def test_parse_wave_call(toolbox: Toolbox) -> None:
    """A call's arguments are read against the function."""
    function = Function("f", (Param("a", Primitive("u8")), Param("b", RECORD)))
    assert toolbox.parse_wave("f(1,{a:2})", function) == "f(1, {a: 2})"
    with pytest.raises(UsageError, match="column 4"):
        toolbox.parse_wave("f(1)", Function("f", (Param("a", Primitive("u8")), Param("b", Primitive("u8")))))


@pytest.mark.parametrize(
    "text", ["300", "-1", "", "[", "1 1", "nope", "[" * 100_000, '"\\', "{a: 1, a: 1}", "\0"]
)
def test_wrong_wave_is_a_usage_error(toolbox: Toolbox, text: str) -> None:
    """What is no value of the type is refused."""
    with pytest.raises(UsageError):
        toolbox.parse_wave(text, Primitive("u8"))


def test_types_without_text() -> None:
    """Handles have no spelling."""
    with pytest.raises(UsageError, match="file"):
        declare(ListType(HandleType("file")))


# ------------------------------------------------------------------------------------------ life and making


def test_the_toolbox_survives_its_host_process(toolbox: Toolbox, supervisor: Supervisor) -> None:
    """After the host process is gone the next call answers as before."""
    before = toolbox.resolve(FAAS)
    supervisor.close()
    assert toolbox.resolve(FAAS) == before


def test_damaged_machine_code_is_made_again(
    toolbox: Toolbox, supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flipped bit in the cache costs a compilation, never an answer."""
    wasm = find_toolbox()
    monkeypatch.setenv("LABKERNEL_CACHE", str(tmp_path))
    cache = Cache(tmp_path)
    first = Toolbox(supervisor, cache, wasm=wasm)
    assert first.resolve("package a:b;").name == "a:b"
    first.close()
    supervisor.close()
    (code,) = tmp_path.rglob("*.cwasm")
    data = bytearray(code.read_bytes())
    data[len(data) // 2] ^= 1
    code.write_bytes(data)
    assert Toolbox(supervisor, cache, wasm=wasm).resolve("package a:b;").name == "a:b"


def test_a_missing_toolbox_says_how(
    supervisor: Supervisor, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a component each call says what builds it, and making the object costs nothing."""
    monkeypatch.delenv("LABKERNEL_TOOLBOX", raising=False)
    monkeypatch.setenv("LABKERNEL_CACHE", str(cache.root / "own"))
    monkeypatch.setattr(locate, "_BUNDLED", Path("nowhere"))
    toolbox = Toolbox(supervisor, cache)
    assert not toolbox.is_there
    with pytest.raises(ToolchainMissing, match="labkernel setup"):
        toolbox.resolve("package a:b;")


def test_where_the_toolbox_is_looked_for(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named file comes first, then the one in the package, then the one built from these sources."""
    monkeypatch.delenv("LABKERNEL_TOOLBOX", raising=False)
    monkeypatch.setenv("LABKERNEL_CACHE", str(cache.root / "own"))
    bundled, named = tmp_path / "toolbox.wasm", tmp_path / "named.wasm"
    monkeypatch.setattr(locate, "_BUNDLED", bundled)
    assert find_toolbox(cache) is None
    crate = locate.crate_folder()
    if crate is not None:
        built = cache.put("toolbox", locate._digest(crate), b"built", ".wasm")
        assert find_toolbox(cache) == built
    bundled.write_bytes(b"bundled")
    assert find_toolbox(cache) == bundled
    monkeypatch.setenv("LABKERNEL_TOOLBOX", str(named))
    with pytest.raises(LabError, match="is no file"):
        find_toolbox(cache)
    named.write_bytes(b"named")
    assert find_toolbox(cache) == named
    assert build_toolbox(lambda _: None, cache=cache) == named


def test_building_without_tools(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sources or without cargo the build says what is missing and how to get it."""
    monkeypatch.delenv("LABKERNEL_TOOLBOX", raising=False)
    monkeypatch.setenv("LABKERNEL_CACHE", str(cache.root / "own"))
    monkeypatch.setattr(locate, "_BUNDLED", Path("nowhere"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainMissing, match=r"cargo is not installed.*rustup"):
        build_toolbox(lambda _: None, cache=cache)
    monkeypatch.setattr(locate, "crate_folder", lambda: None)
    with pytest.raises(ToolchainMissing, match="neither the component nor its sources"):
        build_toolbox(lambda _: None, cache=cache)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a script in the place of cargo and a rustc that has the target."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(script: str) -> None:
        for name, body in (("cargo", script), ("rustc", f"echo {tmp_path}")):
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            path.chmod(0o755)

    return write


def test_a_failing_build_shows_its_end(tool: Callable[[str], None], tmp_path: Path) -> None:
    """What cargo printed last is in the error, without its progress bar."""
    tool(r"printf 'Building [=> ] 3/9: a\r\nerror: no luck\n' >&2; exit 101")
    with pytest.raises(cargo.CargoFailed, match="error: no luck") as raised:
        cargo.build(tmp_path, tmp_path / "target", lambda _: None)
    assert "Building" not in str(raised.value)


def test_an_interrupted_build_ends_all_it_started(tool: Callable[[str], None], tmp_path: Path) -> None:
    """An exception from the progress callback ends cargo and its children at once."""
    tool(f"sleep 300 & echo $! > {tmp_path}/child; printf 'Updating index\\n' >&2; wait")

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cargo.build(tmp_path, tmp_path / "target", interrupt)
    child = psutil.Process(int((tmp_path / "child").read_text()))
    with contextlib.suppress(psutil.NoSuchProcess):
        child.wait(timeout=5)


def test_progress_is_told_now_and_then(
    tool: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count of cargo's bar becomes lines."""
    monkeypatch.setattr(cargo, "_TALK_EVERY_S", 0.0)
    tool(r"printf '    Building [=> ] 3/9: a\r    Building [==>] 4/9: b\r' >&2; exit 101")
    told: list[str] = []
    with pytest.raises(cargo.CargoFailed):
        cargo.build(tmp_path, tmp_path / "target", told.append)
    assert told == ["crate 3 of 9, 0 s", "crate 4 of 9, 0 s"]


def test_records_of_an_interface(toolbox: Toolbox) -> None:
    """Interfaces carry their full id, and their functions' names are those that calls use."""
    package = toolbox.resolve(
        "package a:b@1.0.0;\n/// Docs.\ninterface i { f: func(); }\nworld w { export i; }"
    )
    (interface,) = package.interfaces
    assert (interface.name, interface.docs) == ("a:b/i@1.0.0", "Docs.")
    (export,) = package.worlds[0].exports
    assert isinstance(export, Interface)
    assert [f.full_name for f in export.functions] == ["a:b/i@1.0.0#f"]
    assert isinstance(toolbox.anatomy(b"\0asm\1\0\0\0"), Anatomy)


def test_plug_keeps_what_is_named(toolbox: Toolbox, supervisor: Supervisor) -> None:
    """An export of a plug is exported by the whole when it is named; an unknown one is an error."""
    socket, plug = supervisor.assemble(SOCKET), supervisor.assemble(PLUG)
    kept = next(iter(toolbox.world_of(plug).exports)).name
    whole = toolbox.world_of(toolbox.plug(socket, [plug], keep=[kept]))
    assert kept in {item.name for item in whole.exports}
    with pytest.raises(ComponentError, match="no plug exports nothing-such"):
        toolbox.plug(socket, [plug], keep=["nothing-such"])


def test_a_derived_world_stands_in_front_of_its_component(toolbox: Toolbox, supervisor: Supervisor) -> None:
    """A membrane exports all that it imports; a driver imports what the component exports, and more where asked."""
    package = toolbox.resolve("package a:b; world w { import ask: func() -> u32; export go: func(n: u32); }")
    core = '(module (import "$root" "ask" (func (result i32))) (func (export "go") (param i32)))'
    component = toolbox.componentize(supervisor.assemble(core), package, "w")
    [membrane] = toolbox.derive(component, "membrane").worlds
    assert [item.name for item in membrane.imports] == [item.name for item in membrane.exports] == ["ask"]
    host = {"deps/x-y.wit": "package x:y; interface host { note: func(); }"}
    extra = "import x:y/host; export run: func();"
    [driver] = toolbox.derive(component, "driver", extra=extra, deps=host).worlds
    assert {item.name for item in driver.imports} == {"ask", "go", "x:y/host"}
    assert [item.name for item in driver.exports] == ["run"]
