"""WAVE against the ecosystem's own reader and writer, which the toolbox carries."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from test_wave import SYNTAX
from wit_strategies import same, typed_values

from labkernel._cache import Cache
from labkernel._host import Supervisor
from labkernel._toolbox import Toolbox, find_toolbox
from labkernel._toolbox.declare import declare
from labkernel._values import parse_wave, wave
from labkernel._wit import Type


@pytest.fixture(scope="module")
def ecosystem(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, Type], str]]:
    """Return what wasm-wave makes of a text: the same value in its own spelling."""
    found = find_toolbox()
    if found is None:
        missing = "the toolbox component is missing (labkernel setup builds it)"
        if os.environ.get("LABKERNEL_REQUIRE") == "all":
            pytest.fail(missing)
        pytest.skip(missing)
    with Supervisor(name="wave-tests", mac_key=b"k" * 32) as supervisor:
        toolbox = Toolbox(supervisor, Cache(tmp_path_factory.mktemp("cache")), wasm=found)
        yield toolbox.parse_wave
        toolbox.close()


@given(typed=typed_values)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_we_print_is_what_the_ecosystem_prints(
    ecosystem: Callable[[str, Type], str], typed: tuple[Type, Any]
) -> None:
    """Any value's text is read by wasm-wave, printed by it alike, and read back by us."""
    wit_type, normal = typed
    assume("_>" not in "".join(declare(wit_type)))  # WIT writes `result<t>`, never `result<t, _>`
    ours = wave(normal, wit_type)
    theirs = ecosystem(ours, wit_type)
    assert same(parse_wave(theirs, wit_type), normal)
    if not any(unicodedata.category(c) == "Cn" for c in theirs):  # younger than this Python's Unicode
        assert theirs == ours


@pytest.mark.parametrize(("text", "wit_type", "normal"), SYNTAX)
def test_what_we_read_is_what_the_ecosystem_reads(
    ecosystem: Callable[[str, Type], str], text: str, wit_type: Type, normal: Any
) -> None:
    """Every form of the syntax means the same value to wasm-wave."""
    assert same(parse_wave(ecosystem(text, wit_type), wit_type), normal)
