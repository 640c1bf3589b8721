"""The host can read what a guest keeps in its memory; the guest's neighbours are told apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkernel import UsageError
from labkernel._cards import card_of
from labkernel._lab import Lab

KEEPER = """(component
  (core module $m (memory (export "m") 2)
    (data (i32.const 4096) "SECRET")
    (func (export "f") (param $n i32) (i32.store8 (i32.const 4096) (local.get $n)))
    (func (export "trap") unreachable))
  (core instance $i (instantiate $m))
  (func (export "mark") (param "n" u8) (canon lift (core func $i "f")))
  (func (export "end") (canon lift (core func $i "trap"))))
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Return a lab with a component that keeps a secret."""
    with Lab() as made:
        made.build("wat", KEEPER.replace("SECRET", "-password-is-swordfish"), name="keeper")
        made.build("wat", KEEPER.replace("SECRET", "-nothing-but-cabbage"), name="other")
        yield made


def test_a_secret_is_found(lab: Lab) -> None:
    """A text in a guest's memory is found with its offset, its address and what lies around it, also once changed."""
    first = lab.instantiate("keeper", name="first")
    neighbour = lab.instantiate("other", name="neighbour")
    second = lab.instantiate("keeper", name="second")
    second.mark(ord("!"))
    for instance, mark in ((first, "-"), (second, "!")):
        peek = lab.peek(instance, "swordfish")
        (place,) = peek.places
        ((base, size),) = peek.memories
        assert size == 2 << 16
        assert place.offset == 4096 + len("-password-is-")
        assert place.address == base + place.offset
        assert f"{mark}password-is-swordfish" in place.around
    assert lab.peek(neighbour, "swordfish").places == ()
    assert "cabbage" in lab.peek(neighbour, "cabbage").places[0].around


def test_readable_texts(lab: Lab) -> None:
    """Without a text to look for, what is readable is shown; the card says what the sandbox is for."""
    lab.instantiate("keeper", name="fn")
    peek = lab.peek("fn")
    assert [p.around for p in peek.places] == ["-password-is-swordfish"]
    text = card_of(peek).text()
    assert "protects the host from the guest, not the guest from its host" in text
    assert "0x1000" in text


def test_only_what_runs_can_be_looked_into(lab: Lab) -> None:
    """An instance that has ended says so."""
    fn = lab.instantiate("keeper", name="fn")
    with pytest.raises(Exception, match="trapped"):
        fn.end()
    with pytest.raises(UsageError, match="does not run now"):
        lab.peek(fn)
