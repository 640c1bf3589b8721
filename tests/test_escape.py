"""The sandbox is as good as what is imported: a careless host function hands over what no grant did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host_callbacks import STORE

from labkernel import Lab, WitErr

WIT = """package acme:store@1.0.0;
interface kv {
    get: func(key: string) -> result<string, string>;
    add: func(a: u32, b: u32) -> u32;
    log: func(text: string);
}
world shop { import kv; export count: func() -> u32; }
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Return a lab with a guest that asks for values by key."""
    with Lab() as made:
        made.wit(WIT, name="store")
        made.build("wat", STORE, name="shop")
        yield made


def implementation(get: Any) -> dict[str, Any]:
    """Return an implementation of the store with this `get`."""
    return {"get": get, "add": lambda a, b: a + b, "log": lambda text: None}


def test_a_careless_host_function_is_a_hole(lab: Lab, tmp_path: Path) -> None:
    """A guest without any folder reads a file that only its host may read, since the host reads it on its behalf."""
    store, secret = tmp_path / "store", tmp_path / "secret.txt"
    store.mkdir()
    (store / "greeting").write_text("hello")
    secret.write_text("swordfish")
    lab.host("careless", implementation(lambda key: (store / key).read_text()))
    fn = lab.instantiate("shop", name="fn", host=["careless"], trace=True)
    assert fn.get("greeting").payload == "hello"
    assert fn.grants.dirs == ()
    assert fn.get("../secret.txt").payload == "swordfish"
    assert fn.get(str(secret)).payload == "swordfish"
    escaped = [call.arguments for call in fn.trace.calls if call.name == "acme:store/kv#get"]
    assert '"../secret.txt"' in escaped[1]
    assert fn.trace.least == "--host careless"


def test_a_careful_one_is_none(lab: Lab, tmp_path: Path) -> None:
    """The same function that looks at what it is asked for gives what it means to give, and an error for the rest."""
    store, secret = tmp_path / "store", tmp_path / "secret.txt"
    store.mkdir()
    (store / "greeting").write_text("hello")
    secret.write_text("swordfish")

    def get(key: str) -> str:
        path = (store / key).resolve()
        if not path.is_relative_to(store.resolve()) or not path.is_file():
            raise WitErr("no such key")
        return path.read_text()

    lab.host("careful", implementation(get))
    fn = lab.instantiate("shop", name="fn", host=["careful"], trace=True)
    assert fn.get("greeting").payload == "hello"
    for key in ("../secret.txt", str(secret), "../store/../secret.txt"):
        answer = fn.get(key)
        assert (answer.is_ok, answer.payload) == (False, "no such key")


def test_host_functions_are_recorded_too(lab: Lab, tmp_path: Path) -> None:
    """A recording answers what the notebook's functions answered, without them."""
    values = iter(["one", "two"])
    lab.host("once", implementation(lambda key: next(values)))
    fn = lab.instantiate("shop", name="fn", host=["once"], record=True)
    asked = [fn.get("a"), fn.get("a"), fn.add(1, 2)]
    replayed = lab.replay("shop", lab.save_recording(fn, tmp_path / "run.jsonl"))
    assert replayed.is_same
    assert [answer.value for answer in replayed.answers] == asked
