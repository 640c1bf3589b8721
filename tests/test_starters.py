"""A starter cell builds as it stands, in every language, for worlds of every kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds import FAAS

from labkernel import Lab
from labkernel import _toolchains as toolchains
from labkernel._errors import ToolchainMissing

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
