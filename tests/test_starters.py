"""A starter cell builds as it stands, in every language, for worlds of every kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds import FAAS

from labkernel import Lab
from labkernel import _toolchains as toolchains
from labkernel._errors import ToolchainMissing, UsageError

INTERFACES = """package test:shapes@1.0.0;
interface shapes {
    record point { x: f64, y: f64 }
    variant shape { dot(point), circle(tuple<point, f64>), none }
    flags style { filled, dashed }
    area: func(of: shape, style: style) -> result<f64, string>;
    all: func() -> list<option<point>>;
}
world drawing { import log: func(line: string); export shapes; export reset: func(); }
"""

#: A resource imported by one world, used in the signature of another's function, and exported by a third.
BANK = """package test:bank@1.0.0;
interface store {
    record entry { key: string, value: list<u8> }
    variant fault { missing, full(u32) }
    resource bucket {
        constructor(name: string);
        /// Look a key up.
        get: func(key: string) -> result<entry, fault>;
        put: func(entry: entry);
        same: func(other: borrow<bucket>) -> bool;
        open: static func(name: string) -> option<bucket>;
    }
    names: func() -> list<string>;
    describe: func(e: entry) -> string;
}
world user { import store; export run: func(name: string) -> result<u32, string>; }
world taker { use store.{bucket, entry}; export take: func(b: borrow<bucket>, e: entry) -> option<bucket>; }
world keeper { export store; export run: func(name: string) -> string; }
"""


@pytest.mark.parametrize("language", toolchains.languages())
@pytest.mark.parametrize(("wit", "name"), [(FAAS, "faas"), (INTERFACES, "drawing")], ids=["faas", "drawing"])
def test_starter_builds(language: str, wit: str, name: str, require: Callable[[str, object], None]) -> None:
    """`%wasm new` inserts a cell that builds, and what it builds exports what the world asks for."""
    with Lab() as lab:
        try:
            lab.wit(wit, name=name)
            first, _, body = lab.starter(language, "started", world=name).partition("\n")
            assert first == f"%%wasm {language} started --world {name}"
            build = lab.build(language, body, name="started", world=name)
        except ToolchainMissing as error:
            require(str(error), False)
            return
        assert {f.full_name for f in build.functions} == {
            f.full_name for f in lab.worlds.find(name)[1].functions()
        }


@pytest.mark.parametrize(
    ("language", "world"),
    [
        (language, world)
        for language in toolchains.languages()
        for world in ("user", "taker", "keeper")
        # A runtime for each world takes long, and TypeScript's is JavaScript's.
        if language != "ts" and (world != "taker" or language not in ("js", "python"))
    ],
)
def test_starter_of_a_world_with_a_resource_builds(
    language: str, world: str, require: Callable[[str, object], None]
) -> None:
    """Worlds that import, take or export a resource."""
    with Lab() as lab:
        try:
            lab.wit(BANK, name="bank")
            body = lab.starter(language, "started", world=world).partition("\n")[2]
            build = lab.build(language, body, name="started", world=world)
        except ToolchainMissing as error:
            require(str(error), False)
            return
        assert {f.full_name for f in build.functions} == {
            f.full_name for f in lab.worlds.find(world)[1].functions()
        }
        takes = "test:bank/store@1.0.0" in build.imports
        assert takes == (world == "taker") or world == "user"


@pytest.mark.parametrize(
    ("language", "name"),
    [(each, "memory") for each in ("rust", "c", "cpp", "zig", "go")],
)
def test_a_name_that_the_module_has_itself_is_refused(
    language: str, name: str, require: Callable[[str, object], None]
) -> None:
    """Before anything is compiled, with what to do; an interface may have a function of that name."""
    wit = """package test:names;
interface i { NAME: func(); }
world plain { export NAME: func(); }
world inner { export i; }
"""
    with Lab() as lab:
        try:
            lab.wit(wit.replace("NAME", name), name="names")
            plain = lab.starter(language, "x", world="plain").partition("\n")[2]
            with pytest.raises(UsageError, match=f"exports '{name}', a name .* export it from an interface"):
                lab.build(language, plain, name="x", world="plain")
            inner = lab.starter(language, "x", world="inner").partition("\n")[2]
            assert lab.build(language, inner, name="x", world="inner").functions
        except ToolchainMissing as error:
            require(str(error), False)


@pytest.mark.parametrize("language", ["rust", "c", "cpp", "zig", "go"])
def test_a_world_may_have_the_c_library_s_names(
    language: str, require: Callable[[str, object], None]
) -> None:
    """`send`, `write` or `malloc` are names like any other: the cell's function answers, and printing still works."""
    names = ("send", "read", "write", "malloc", "free", "main", "exit", "abort", "log", "memcpy")
    wit = "package test:names; world plain {" + "".join(
        f"export {name}: func(n: u32) -> u32;" for name in names
    )
    with Lab() as lab:
        try:
            lab.wit(f"{wit} }}", name="names")
            body = lab.starter(language, "x", world="plain").partition("\n")[2]
            instance = lab.instantiate(lab.build(language, body, name="x", world="plain"))
        except ToolchainMissing as error:
            require(str(error), False)
            return
        for name in names:
            assert instance.call_text(f"{name}(1)").wave == "0"
