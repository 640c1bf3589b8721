"""The toolbox for each language: generated code, worlds rewritten, modules of megabytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from wit_strategies import typed_values

from labkernel._cache import Cache
from labkernel._errors import UsageError, WitError
from labkernel._host import Supervisor
from labkernel._toolbox import Toolbox, find_toolbox
from labkernel._toolbox.declare import declare
from labkernel._wit import ListType, Package, Primitive, Type, World

FAAS = """package example-corp:faas-platform@0.0.1;

world faas {
  use wasi:clocks/wall-clock.{datetime};
  type event-version = string;
  enum event-type { object-added, object-removed }
  /// What happened.
  record handler-event { event-type: event-type, event-timestamp: datetime, event-version: event-version }
  variant handler-error { unsupported(event-type), internal(string) }
  export handle: func(event: handler-event) -> result<_, handler-error>;
}
"""
RESOURCES = """package a:b@1.2.3;
interface types { type x = u8; }
world w {
  use types.{x as y};
  resource r { constructor(); m: func() -> h; }
  record h { r: own<r>, y: y, e: e }
  record k { y: y, l: list<tuple<y, option<e>>> }
  enum e { a, b }
  import f: func(h: h, k: k) -> r;
  export g: func(k: k) -> result<list<k>, e>;
  export inline: interface { use types.{x}; go: func(x: x); }
}
"""
KEYWORDS = """package a:b;
world %world {
  record %record { %type: u8, class: u8, int: string, %func: bool, return: u8, def: u8, template: u8 }
  variant v { %enum, %list(%record) }
  export %export: func(%func: %record, default: v) -> %record;
}
"""
_LARGE = (("c{}(string)", 100), ("fl{}", 32), ("x{}: f", 60), ("p{}: v", 20))
LARGE = """package a:b;
world w {{ variant v {{ {} }} flags f {{ {} }} record r {{ {} }} export g: func({}) -> r; }}
""".format(*(", ".join(form.format(i) for i in range(n)) for form, n in _LARGE))
WORLDS = {
    "faas": FAAS,
    "resources": RESOURCES,
    "keywords": KEYWORDS,
    "large": LARGE,
    "command": "package a:b; world w { include wasi:cli/command; }",
    "proxy": "package a:b; world w { include wasi:http/proxy; record r { a: u8 } export f: func(r: r); }",
    "used-resource": "package a:b; world w { use wasi:io/poll.{pollable}; record r { p: pollable } "
    "export f: func(r: r) -> own<pollable>; }",
    "nested": "package a:b; world w { import c:d/e; record r { x: u8 } export f: func(r: r); } "
    "package c:d { interface e { f: func(); } }",
    "included": "package a:b; world a { record r { x: u8 } export f: func(r: r); } "
    "world w { include a; variant s { x(string) } export g: func(s: s); } interface types {} world w-types {}",
    "since": "package a:b@1.0.0; world w { @since(version = 1.0.0) record r { x: u8 } "
    "@since(version = 1.0.0) export f: func(r: r); }",
    "empty": "package a:b; world w {}",
}
GENERATORS = ("bindings_c", "bindings_cpp", "bindings_go", "bindings_rust")


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


def main_world(package: Package) -> World:
    """Return the world that the texts of this module are about."""
    return next(world for world in package.worlds if world.name in ("faas", "w", "world"))


def resolved(toolbox: Toolbox, files: tuple[tuple[str, str], ...]) -> Package:
    """Return the package of rewritten files, which need no carried package and no change."""
    deps = [{path: text} for path, text in files if path != "world.wit"]
    package = toolbox.resolve(dict(files)["world.wit"], deps=deps)
    assert package.notes == ()
    assert len(package.files) == len(files)
    return package


# ------------------------------------------------------------------------------------------- generated code


def test_cpp_bindings(toolbox: Toolbox) -> None:
    """A world gives a header, its code, the types they stand on, and the object file with its type."""
    files = toolbox.bindings_cpp(toolbox.resolve(FAAS), "faas")
    assert set(files) == {"faas_cpp.h", "faas.cpp", "wit.h", "faas_component_type.o"}
    assert (
        b"std::expected<void, ::faas::HandlerError> Handle(::faas::HandlerEvent event);"
        in files["faas_cpp.h"]
    )
    assert files["faas_component_type.o"].startswith(b"\0asm")


def test_go_bindings_and_the_package_they_import(toolbox: Toolbox) -> None:
    """A world gives a Go module; whatever it imports is in itself, in the carried module or in Go."""
    files = toolbox.bindings_go(toolbox.resolve(FAAS), "faas")
    assert {"go.mod", "wit_exports.go", "wit_world/wit_bindings.go"} <= set(files)
    assert b"type HandlerEvent struct" in files["wit_world/wit_bindings.go"]
    carried = toolbox.go_package()
    assert carried["go.mod"].startswith("module go.bytecodealliance.org/pkg\n")
    assert "LICENSE" in carried
    folders = {f"go.bytecodealliance.org/pkg/{path.rpartition('/')[0]}" for path in carried}
    folders |= {f"wit_component/{path.rpartition('/')[0]}" for path in files} | {
        "wit_component/export_wit_world"
    }
    sources = [text.decode() for path, text in files.items() if path.endswith(".go")]
    sources += [text for path, text in carried.items() if path.endswith(".go")]
    imported = {
        path for text in sources for path in re.findall(r'^\s*(?:import )?(?:\w+ )?"([^"]+)"$', text, re.M)
    }
    assert {
        path for path in imported if "/" in path and path.split("/")[0] not in ("internal", "sync")
    } <= folders
    assert "go.bytecodealliance.org/pkg/wit/types" in imported


def test_rust_bindings_are_readable(toolbox: Toolbox) -> None:
    """A world gives one file of Rust, formatted, with the types' documentation."""
    ((name, text),) = toolbox.bindings_rust(toolbox.resolve(FAAS), "faas").items()
    assert name == "faas.rs"
    assert b"\npub trait Guest {\n" in text
    assert b"\n    fn handle(" in text
    assert b"\npub struct HandlerEvent {\n    pub event_type: EventType,\n" in text
    assert b"/// What happened.\n" in text


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_every_generator_takes_every_world(toolbox: Toolbox, generator: str, name: str) -> None:
    """Other people's worlds, keywords as names and large types give files of text and object code."""
    package = toolbox.resolve(WORLDS[name])
    files = getattr(toolbox, generator)(package, main_world(package).name)
    assert files
    for path, content in files.items():
        assert path.endswith(".o") or content.decode()
    assert files == getattr(toolbox, generator)(package, main_world(package).full_name)


@pytest.mark.parametrize("generator", ["bindings_c", "bindings_go"])
def test_a_generator_that_gives_up_says_why(toolbox: Toolbox, generator: str) -> None:
    """What a generator has yet to learn is an error with its reason, and the toolbox goes on."""
    package = toolbox.resolve("package a:b; world w { record r { x: list<u8, 4> } export f: func(r: r); }")
    with pytest.raises(WitError, match=r"a:b gives no \w+ bindings: its generator gave up \(not yet impl"):
        getattr(toolbox, generator)(package, "w")
    assert toolbox.bindings_rust(package, "w")


# -------------------------------------------------------------------------------------------- worlds for JS


def test_types_move_into_an_interface(toolbox: Toolbox) -> None:
    """The types that a world declares are those of an interface then; the rest of the world is as it was."""
    package = toolbox.resolve(FAAS)
    rewritten = resolved(toolbox, toolbox.for_js(package, "faas"))
    (before,), (after,) = package.worlds, rewritten.worlds
    assert [f.text for f in after.functions()] == [f.text for f in before.functions()]
    assert set(after.imported()) - set(before.imported()) == {"example-corp:faas-platform/types@0.0.1"}
    types = {t.name: t for t in after.types}
    assert types["handler-event"].alias_of == "example-corp:faas-platform/types.handler-event@0.0.1"
    assert types["handler-event"].docs == "What happened."
    assert types["datetime"].alias_of == "wasi:clocks/wall-clock.datetime@0.2.12"
    (interface,) = rewritten.interfaces
    assert {t.name for t in interface.types} == {t.name for t in before.types}


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_keeps_its_signatures(toolbox: Toolbox, name: str) -> None:
    """Whatever the world, its functions read as before, and what is left in it are uses and resources."""
    package = toolbox.resolve(WORLDS[name])
    world = main_world(package)
    files = toolbox.for_js(package, world.name)
    again = package if files == package.files else resolved(toolbox, files)
    after = next(w for w in again.worlds if w.name == world.name)
    assert [f.text for f in after.functions()] == [f.text for f in world.functions()]
    left = {t.name for t in after.types if not t.alias_of}
    assert left == ({"r", "h"} if name == "resources" else set())
    rewritten = replace(package, files=files)
    assert toolbox.for_js(rewritten, world.name) == (
        files if not left else toolbox.for_js(rewritten, world.name)
    )


def test_a_resource_stays_with_what_holds_it(toolbox: Toolbox) -> None:
    """A world's resource keeps the names of its functions; types without it move, in an interface of a free name."""
    files = toolbox.for_js(toolbox.resolve(RESOURCES), "w")
    package = resolved(toolbox, files)
    moved = next(i for i in package.interfaces if i.name == "a:b/w-types@1.2.3")
    assert {t.name for t in moved.types} == {"y", "k", "e"}
    assert "use types.{x as y};" in dict(files)["world.wit"]
    functions = {f.name for f in package.worlds[0].imports if not hasattr(f, "functions")}
    assert {"[constructor]r", "[method]r.m", "f"} <= functions


@pytest.mark.parametrize("name", ["command", "empty"])
def test_a_world_without_types_comes_back(toolbox: Toolbox, name: str) -> None:
    """Where there is nothing to move the files are those that were given."""
    package = toolbox.resolve(WORLDS[name])
    assert toolbox.for_js(package, "w") == package.files


@given(typed=typed_values)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_type_moves(toolbox: Toolbox, typed: tuple[Type, object]) -> None:
    """A function over any type has the same signature after its types have moved."""
    declarations, wit_type = declare(ListType(typed[0]))
    assume("_>" not in declarations + wit_type)  # WIT writes `result<t>`, never `result<t, _>`
    package = toolbox.resolve(
        f"package lab:any; world w {{ {declarations}\nexport f: func(x: {wit_type}); }}"
    )
    files = toolbox.for_js(package, "w")
    after = resolved(toolbox, files).worlds[0] if files != package.files else package.worlds[0]
    assert [f.text for f in after.functions()] == [f.text for f in package.worlds[0].functions()]


# ------------------------------------------------------------------------------------------ worlds with more


@pytest.mark.parametrize("name", WORLDS)
def test_imports_are_added(toolbox: Toolbox, name: str) -> None:
    """A world gets the interfaces named, and those they need, at the versions that are carried."""
    package = toolbox.resolve(WORLDS[name])
    world = main_world(package)
    added = ["wasi:cli/stdout", "wasi:cli/environment@0.2.1", "wasi:random/random", "wasi:cli/stdout@0.2.12"]
    again = resolved(toolbox, toolbox.extend_world(package, world.name, added))
    after = next(w for w in again.worlds if w.name == world.name)
    assert {w.name for w in again.worlds} == {w.name for w in package.worlds}
    assert set(after.imported()) == set(world.imported()) | {
        f"wasi:{name}@0.2.12"
        for name in ("cli/stdout", "cli/environment", "random/random", "io/streams", "io/poll", "io/error")
    }
    assert [e.name for e in after.exports] == [e.name for e in world.exports]
    assert [f.text for f in after.functions()] == [f.text for f in world.functions()]


def test_a_world_for_js_with_a_console(toolbox: Toolbox) -> None:
    """Both rewrites together: first the types, then the imports."""
    package = toolbox.resolve(FAAS)
    moved = replace(package, files=toolbox.for_js(package, "faas"))
    (world,) = resolved(toolbox, toolbox.extend_world(moved, "faas", ["wasi:cli/stdout"])).worlds
    assert {"wasi:cli/stdout@0.2.12", "example-corp:faas-platform/types@0.0.1"} <= set(world.imported())


def test_an_interface_of_ones_own_is_added(toolbox: Toolbox) -> None:
    """A package's own interfaces, and those of its dependencies, go by the names that its text would use."""
    text = "package a:b; interface log { say: func(text: string); } world w { import c:d/e; }"
    package = toolbox.resolve(text, deps=[{"e.wit": "package c:d@1.0.0; interface e {} interface f {}"}])
    (world,) = resolved(toolbox, toolbox.extend_world(package, "", ["log", "c:d/f"])).worlds
    assert world.imported() == ("c:d/e@1.0.0", "a:b/log", "c:d/f@1.0.0")


@pytest.mark.parametrize(
    ("added", "message", "hint"),
    [
        ("wasi:cli/stdot", "import wasi:cli/stdot: interface 'stdot' not found", "stdout"),
        ("wasi:cli/stdout@0.3.0", "WASI 0.3", "@0.2.12"),
        ("acme:x/y", "import acme:x/y: package `acme:x` is not there", "dependency"),
        ("nope", "import nope: ", ""),
        ("", "`` is not the name of an interface", "wasi:cli/stdout"),
        ("wasi:cli/stdout; export x: func()", "is not the name of an interface", "wasi:cli/stdout"),
    ],
)
def test_what_cannot_be_imported(toolbox: Toolbox, added: str, message: str, hint: str) -> None:
    """A wrong name is told, with the import it was in and the remedy."""
    with pytest.raises(WitError) as raised:
        toolbox.extend_world(toolbox.resolve(FAAS), "faas", ["wasi:cli/stdin", added])
    (found,) = raised.value.diagnostics
    assert message in found.message
    assert hint in found.hint


# ------------------------------------------------------------------------------------------- modules, values


def test_a_module_of_megabytes(toolbox: Toolbox, supervisor: Supervisor) -> None:
    """A module as large as Go's gets the adapter; that its world is embedded already changes nothing."""
    package = toolbox.resolve(FAAS)
    data = "".join(f"\\{byte:02x}" for byte in range(256)) * (3 << 12)
    core = supervisor.assemble(f"""(module
      (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 64)
      (data (i32.const 0) "{data}")
      (func (export "_initialize"))
      (func (export "handle") (param i32 i64 i32 i32 i32) (result i32) i32.const 1024)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 2048))""")
    assert len(core) > 3 << 20
    made = toolbox.componentize(core, package, "faas")
    toolbox.validate(made)
    assert "wasi:io/streams@0.2.12" in toolbox.world_of(made).imported()
    embedded = toolbox.embed(core, package, "faas")
    assert toolbox.componentize(embedded) == toolbox.componentize(embedded, package, "faas") == made


@pytest.mark.parametrize(
    ("text", "value"), [("1//", "1"), ("[1]//", "[1]"), ("[1 //\n]", "[1]"), ("//\n[]//x", "[]")]
)
def test_a_comment_ends_a_wave_text(toolbox: Toolbox, text: str, value: str) -> None:
    """A comment may be empty, and the end of the text ends it."""
    wit_type: Type = ListType(Primitive("u8")) if "[" in text else Primitive("u8")
    assert toolbox.parse_wave(text, wit_type) == value
    with pytest.raises(UsageError):
        toolbox.parse_wave("//", wit_type)
