"""Cells that refer to each other: `use`, `include`, versions, several packages in a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkernel import Lab, WitError
from labkernel._cache import Cache
from labkernel._registry import deps_of
from labkernel._toolbox import find_toolbox

Require = Callable[[str, object], None]


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


def test_cells_refer_to_each_other(tools: Lab) -> None:
    """A world includes another cell's world and uses its types, through as many cells as it takes."""
    tools.wit("package z:types@1.0.0; interface t { record r { a: u32 } }", name="z_types")
    tools.wit("package z:base; world base { import log: func(m: string); }", name="z_base")
    middle = "package z:mid; interface m { use z:types/t@1.0.0.{r}; f: func(x: r); } world mid { export m; }"
    tools.wit(middle, name="z_mid")
    package = tools.wit(
        "package z:top;\nworld top { include z:base/base; include z:mid/mid;\n"
        "use z:types/t.{r}; export g: func() -> r; }",
        name="z_top",
    )
    assert [f.full_name for f in package.worlds[0].functions()] == ["g", "z:mid/m#f"]
    assert "log" in package.worlds[0].imported()
    assert tools.worlds.find("z_top")[1].name == "top"


def test_two_versions_of_one_package_in_cells(tools: Lab) -> None:
    """Two versions live side by side; each reference gets its own, and one without a version is told of both."""
    for name, version, kind in (("y_one", "1.0.0", "u8"), ("y_two", "2.0.0", "string")):
        tools.wit(f"package y:v@{version}; interface t {{ type x = {kind}; }}", name=name)
    both = "package y:both; world w { use y:v/t@1.0.0.{x}; use y:v/t@2.0.0.{x as x2}; export f: func(a: x) -> x2; }"
    assert [f.text for f in tools.wit(both, name="y_both").worlds[0].functions()] == [
        "f: func(a: u8) -> string"
    ]
    user = "package y:user; interface i { use y:v/t@1.0.0.{x}; type z = x; }"
    tools.wit(user, name="y_user")
    with pytest.raises(WitError, match=r"in several versions(.|\n)*@1\.0\.0, @2\.0\.0"):
        tools.wit("package y:w; world w { use y:v/t.{x}; }", name="y_w")
    with pytest.raises(WitError, match=r"y:v@3\.0\.0(.|\n)*given: y:v@1\.0\.0, y:v@2\.0\.0"):
        tools.wit("package y:w; world w { use y:v/t@3.0.0.{x}; }", name="y_w")
    assert tools.wit("package y:w; world w { use y:user/i.{z}; export f: func(a: z); }", name="y_w").worlds


def test_several_packages_in_one_cell(tools: Lab) -> None:
    """Further packages of a cell stand in braces; other cells may refer to any of them."""
    tools.wit(
        "package x:main; world w { import x:inner/i@1.0.0; }\npackage x:inner@1.0.0 { interface i { type t = u8; } }",
        name="x_main",
    )
    user = "package x:user; world w { use x:inner/i@1.0.0.{t}; export f: func() -> t; }"
    assert tools.wit(user, name="x_user").worlds
    assert tools.worlds.needed("package x:z; world w { import x:inner/i; }", name="x_z") != []


def test_a_cell_again_under_another_name(tools: Lab) -> None:
    """A package given twice, or again after others refer to it, is no clash with itself."""
    text = "package w:same@1.0.0; interface i { type t = u8; } world s { import i; }"
    tools.wit(text, name="w_one")
    tools.wit("package w:user; world w { import w:same/i@1.0.0; }", name="w_user")
    tools.wit(text, name="w_two")
    tools.wit(text.replace("u8", "u16"), name="w_one")
    assert tools.wit("package w:user; world w { import w:same/i@1.0.0; }", name="w_user").worlds


def test_a_cells_packages_come_along(tools: Lab, tmp_path: Path) -> None:
    """What one cell was given by --deps is there for the cells that refer to that cell."""
    (tmp_path / "d.wit").write_text("package v:given@0.1.0; interface i { type t = u8; }")
    first = "package v:first; interface f { use v:given/i@0.1.0.{t}; type u = t; }"
    tools.wit(first, name="v_first", deps=deps_of(tmp_path))
    second = "package v:second; world w { use v:first/f.{u}; export g: func() -> u; }"
    assert tools.wit(second, name="v_second").worlds
    assert tools.worlds.needed("package q:q; world w { import wasi:io/poll@0.2.0; }", name="q") == []
