"""Text cells: whole components, core modules for a world, errors on the cell's lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from test_toolchain_rust import ADDED, AWKWARD_CALLS, EVENT
from toolchain_kit import AWKWARD, SHOP, STORE, Kit
from worlds import FAAS

from labkernel._cache import Cache
from labkernel._errors import CompileError, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Context, Options, Snippet
from labkernel._toolchains.wat import Wat, head_of

Require = Callable[[str, object], None]

COMPONENT = """;; doubles
(component
  (core module $m (func (export "twice") (param i32) (result i32) (i32.add (local.get 0) (local.get 0))))
  (core instance $i (instantiate $m))
  (func (export "twice") (param "x" u32) (result u32) (canon lift (core func $i "twice"))))
"""
MODULE = """(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 2048)
  (func (export "handle") (param $kind i32) (param i64 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.ne (local.get $kind) (i32.const 0)))
    (i32.store8 (i32.const 1026) (i32.const 0))
    (i32.store8 (i32.const 1028) (local.get $kind))
    (i32.const 1024))
)
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the user's cache."""
    kit = Kit.open(tmp_path_factory.mktemp("wat"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def wat() -> Wat:
    """Return the toolchain."""
    return Wat()


@pytest.fixture
def toolbox(require: Require) -> None:
    """Skip where the toolbox is missing."""
    require("the toolbox (labkernel setup)", find_toolbox())


def test_a_component_needs_no_world_and_no_toolbox(kit: Kit, wat: Wat) -> None:
    """Text of a component is assembled by the engine alone."""
    assert not wat.needs_world(COMPONENT)
    context = type(kit.context)(kit.cache, kit.scratch, None, kit.tools)
    made = wat.build(Snippet("wat", COMPONENT), None, None, Options(), context)
    assert set(made.phases) == {"compile"}
    assert kit.start(made.wasm)("twice", 21) == 42


@pytest.mark.usefixtures("toolbox")
def test_a_core_module_becomes_a_component_of_the_world(kit: Kit, wat: Wat) -> None:
    """The same job as in the other languages."""
    assert wat.needs_world(MODULE)
    made = kit.build(wat, MODULE, FAAS)
    assert set(made.phases) == {"compile", "componentize"}
    call = kit.start(made.wasm)
    assert call("handle", ADDED) == ["ok", None]
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]


def test_a_module_without_a_world_is_refused(kit: Kit, wat: Wat) -> None:
    """The refusal names both ways out."""
    with pytest.raises(UsageError, match=r"--world.*\(component"):
        wat.build(Snippet("wat", MODULE), None, None, Options(), kit.context)


def test_syntax_errors_are_on_the_cells_line(kit: Kit, wat: Wat) -> None:
    """Line, column and text are the cell's own."""
    text = COMPONENT.replace("i32.add", "i32.ad")
    with pytest.raises(CompileError) as caught:
        wat.build(Snippet("wat", text, (), "twice"), None, None, Options(), kit.context)
    (found,) = caught.value.diagnostics
    column = text.split("\n")[2].index("i32.ad") + 1
    assert (found.file, found.line, found.column) == ("twice.wat", 3, column)
    assert found.text.strip().startswith("(core module $m")
    assert "i32.ad" in f"{found.text}{found.message}"


@pytest.mark.usefixtures("toolbox")
def test_invalid_code_is_refused(kit: Kit, wat: Wat) -> None:
    """A type error is told when the component is made."""
    with pytest.raises(CompileError, match="type mismatch"):
        kit.build(wat, MODULE.replace("(i32.const 1024))\n)", "(i64.const 1024))\n)"), FAAS)


@pytest.mark.usefixtures("toolbox")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"handle"', '"handel"', "handle"),
        ("(param i64 i32 i32 i32)", "(param i64 i32 i32)", "handle"),
        ('(memory (export "memory") 1)', "(memory 1)", "memory"),
    ],
)
def test_a_module_that_does_not_fit_is_told_what_the_world_wants(
    kit: Kit, wat: Wat, old: str, new: str, expected: str
) -> None:
    """The core signature of each export is the hint."""
    with pytest.raises(CompileError) as caught:
        kit.build(wat, MODULE.replace(old, new), FAAS)
    (found,) = caught.value.diagnostics
    assert expected in found.message
    assert '(func (export "handle") (param i32 i64 i32 i32 i32) (result i32))' in found.hint


@pytest.mark.usefixtures("toolbox")
@pytest.mark.parametrize("wit", [FAAS, AWKWARD, SHOP, STORE], ids=["faas", "awkward", "shop", "store"])
def test_the_starter_builds_as_it_stands(kit: Kit, wat: Wat, wit: str) -> None:
    """A starter module fits any world and answers zeros."""
    call = kit.start(kit.build(wat, wat.starter(*kit.world(wit)), wit).wasm)
    if wit is AWKWARD:
        for function, args, _ in AWKWARD_CALLS:
            call(function, *args)
    if wit is FAAS:
        assert call("handle", EVENT) == ["ok", None]


def test_options_that_text_does_not_take(kit: Kit, wat: Wat) -> None:
    """Flags, dependencies and files are refused by name."""
    for options, name in ((Options(flags=("-x",)), "--flag"), (Options(deps=("x",)), "--dep")):
        with pytest.raises(UsageError, match=name):
            wat.build(Snippet("wat", COMPONENT), None, None, options, kit.context)
    with pytest.raises(UsageError, match="--file"):
        wat.build(Snippet("wat", COMPONENT, (("a", ""),)), None, None, Options(), kit.context)


def test_a_missing_host_is_told(wat: Wat, cache: Cache) -> None:
    """Without wasmtime there is one clear error."""
    with pytest.raises(ToolchainMissing, match="pip install wasmtime"):
        wat.build(Snippet("wat", COMPONENT), None, None, Options(), Context(cache, cache.root))


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("(component)", "component"),
        (";; (module)\n(; (module) ;) ( component $c)", "component"),
        ("\ufeff(component)", "component"),
        ("(module)", "module"),
        ('(func (export "component"))', "module"),
        ("", "module"),
    ],
)
def test_what_a_text_is(text: str, head: str) -> None:
    """Comments and blanks before the first word do not matter."""
    assert head_of(text) == head


def test_the_identity_is_the_engines(wat: Wat, cache: Cache) -> None:
    """Text needs no tool but the engine, and the doctor lists nothing for it."""
    assert wat.versions().startswith("wasmtime ")
    assert wat.check(cache) == []


@pytest.mark.usefixtures("toolbox")
def test_a_warm_build_takes_milliseconds(kit: Kit, wat: Wat) -> None:
    """A changed text is a component again well within a second."""
    kit.build(wat, MODULE, FAAS)
    started = time.perf_counter()
    kit.build(wat, MODULE.replace("2048", "4096"), FAAS)
    assert time.perf_counter() - started < 1
