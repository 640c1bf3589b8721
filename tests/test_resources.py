"""Resources: those a guest makes as Python objects, those a `%%host` implementation makes for its guests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from resource_guests import KEEPER, KEEPER_WIT, MAKER, MAKER_WIT

from labkernel import CompileError, ComponentError, GuestTrap, Instance, Lab, UsageError, ValueDoesNotFit
from labkernel._cards import card_of


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with both components."""
    with Lab() as made:
        made.wit(KEEPER_WIT, name="keeper")
        made.wit(MAKER_WIT, name="maker")
        made.build("wat", MAKER, name="maker_c")
        made.build("wat", KEEPER, name="keeper_c")
        yield made


@pytest.fixture
def maker(lab: Lab) -> Instance:
    """A fresh instance that makes counters."""
    return lab.instantiate("maker_c", name="maker_1")


class Tally:
    """An implementation of `tally` that remembers what became of its counters."""

    def __init__(self) -> None:
        tally = self
        self.closed: list[int] = []
        self.given: list[Any] = []

        class Counter:
            """A number that grows."""

            def __init__(self, start: int) -> None:
                self.value = start

            def add(self, n: int) -> int:
                """Grow."""
                self.value += n
                return self.value

            @staticmethod
            def zero() -> Counter:
                """Return a counter at nought."""
                return Counter(0)

            def close(self) -> None:
                """Remember the end."""
                tally.closed.append(self.value)

        self.Counter = Counter

    def names(self) -> dict[str, Any]:
        """Return what `Lab.host` takes."""

        def give(c: Any) -> Any:
            self.given.append(c)
            return c.value

        return {"Counter": self.Counter, "give": give, "peek": lambda c: c.value}


@pytest.fixture
def tally(lab: Lab) -> Tally:
    """An implementation, known to the lab as `tally`."""
    made = Tally()
    lab.host("tally", made.names(), world="keeper")
    return made


@pytest.fixture
def keeper(lab: Lab, tally: Tally) -> Instance:
    """A fresh instance over that implementation."""
    return lab.instantiate("keeper_c", name="keeper_1", host=["tally"])


# --------------------------------------------------------------------------------------- made by the guest


def test_an_object_with_its_methods(maker: Instance) -> None:
    """A constructor gives an object of a class named after the resource; methods are those of the WIT."""
    counter = maker.counter(5)
    assert type(counter).__name__ == "Counter"
    assert [counter.add(3), counter.add(1)] == [8, 9]
    assert "add" in dir(counter)
    assert maker["acme:count/made@0.1.0#[constructor]counter"](7).add(1) == 8
    assert maker.counter.zero().add(2) == 2
    assert maker.Counter(1).add(1) == 2
    assert repr(counter).startswith("counter(")


def test_dropped_exactly_once(maker: Instance) -> None:
    """By `with`, by `close`, and never again."""
    with maker.counter(1) as counter:
        assert maker.dropped() == 0
    assert maker.dropped() == 1
    counter.close()
    del counter
    other = maker.counter(2)
    other.close()
    other.close()
    gc.collect()
    assert maker.dropped() == 2
    assert maker.dropped() == 2


def test_a_forgotten_one_is_dropped_before_the_next_call(lab: Lab, maker: Instance) -> None:
    """What nothing refers to is dropped once, and the answer says so."""
    kept = maker.some(3)
    assert [c.add(10) for c in kept] == [10, 11, 12]
    name = repr(kept.pop())
    gc.collect()
    answer = lab.fire(maker, "dropped")
    assert answer.value == 1
    assert answer.notes == (f"{name} was dropped: nothing referred to it any more.",)
    assert lab.fire(maker, "dropped").notes == ()


def test_the_same_handle_is_the_same_object(lab: Lab, maker: Instance) -> None:
    """An answer looked at twice gives one object, which is dropped once."""
    answer = lab.fire(maker, "[constructor]counter(4)")
    assert answer.value is answer.value
    assert answer.wave == repr(answer.value)
    answer.value.close()
    assert maker.dropped() == 1
    assert answer.wave in card_of(answer).text()


def test_use_after_drop_and_after_giving_away(maker: Instance) -> None:
    """A dropped or given handle is a clear error, and the guest never sees it."""
    counter = maker.counter(5)
    assert maker.take(counter) == 5
    assert maker.dropped() == 1
    for use in (lambda: maker.take(counter), lambda: counter.add(1)):
        with pytest.raises(UsageError, match="was given away"):
            use()
    other = maker.counter(5)
    other.close()
    with pytest.raises(UsageError, match="was dropped"):
        other.add(1)
    counter.close()
    assert maker.dropped() == 2


def test_lent_twice_given_once(maker: Instance) -> None:
    """One object may be lent twice in a call, but not given away and lent."""
    counter = maker.counter(4)
    assert maker.sum(counter, counter) == 8
    with pytest.raises(UsageError, match="used by it once more"):
        maker.both(counter, counter)
    assert counter.add(1) == 5
    assert maker.both(counter, maker.counter(9)) == 9


def test_closing_what_is_lent(lab: Lab) -> None:
    """A resource cannot be dropped while a call has it; the call's end tells, all else goes on."""
    held: dict[str, Any] = {}

    def tell(n: int) -> None:
        held["counter"].close()

    lab.host("teller", {"tell": tell}, world="maker")
    maker = lab.instantiate("maker_c", name="maker_2", host="teller")
    held["counter"] = maker.counter(3)
    with pytest.raises(GuestTrap, match="is lent to a call that has not returned"):
        held["counter"].tell()
    assert maker.counter(1).add(1) == 2


def test_a_handle_of_another_instance(lab: Lab, maker: Instance) -> None:
    """A handle is good only on the instance that made it."""
    other = lab.instantiate("maker_c", name="maker_3")
    counter = maker.counter(1)
    with pytest.raises(UsageError, match="is a handle of maker_1, and this call is to maker_3"):
        other.take(counter)
    assert counter.add(1) == 2


class Handling(RuleBasedStateMachine):
    """Whatever is done with a guest's resources, each is dropped exactly once, and in the guest."""

    lab: Lab

    def __init__(self) -> None:
        super().__init__()
        self.maker = self.lab.instantiate("maker_c", name="machine")
        self.live: list[Any] = []
        self.dropped = 0

    @rule()
    def make(self) -> None:
        """One more."""
        self.live.append(self.maker.counter(len(self.live)))

    @rule(n=st.integers(0, 4))
    def make_some(self, n: int) -> None:
        """Several in a list."""
        self.live += self.maker.some(n)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), how=st.sampled_from(["close", "with", "forget", "give", "twice"]))
    def end(self, data: st.DataObject, how: str) -> None:
        """One less, in any of the ways there are."""
        one = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        self.dropped += 1
        if how in ("close", "twice"):
            one.close()
        if how == "with":
            with one:
                pass
        if how == "give":
            self.maker.take(one)
        if how == "twice":
            one.close()
            with pytest.raises(UsageError):
                one.add(1)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        """Use two, perhaps the same."""
        one, other = (self.live[data.draw(st.integers(0, len(self.live) - 1))] for _ in range(2))
        self.maker.sum(one, other)

    @rule()
    def start_anew(self) -> None:
        """All end with their instance."""
        self.maker.start()
        self.live.clear()
        self.dropped = 0

    @invariant()
    def each_is_dropped_once(self) -> None:
        """The guest has counted."""
        assert self.maker.dropped() == self.dropped


def test_whatever_is_done_with_handles(lab: Lab) -> None:
    """A machine makes, lends, gives, drops and forgets at random."""
    Handling.lab = lab
    run_state_machine_as_test(
        Handling, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
    )  # fmt: skip


def test_handles_end_with_their_instance(lab: Lab, maker: Instance) -> None:
    """After a trap, a restart and a lost process a handle is a clear error, and closing it harmless."""
    counter = maker.counter(1)
    with pytest.raises(GuestTrap):
        maker.counter(666).close()
    assert maker.dropped() == 0
    with pytest.raises(UsageError, match="trapped"):
        counter.add(1)
    counter.close()
    second = maker.counter(1)
    lab.guests.close()
    second.close()
    third = maker.counter(1)
    assert third.add(1) == 2
    maker.drop()
    with pytest.raises(UsageError, match="ended"):
        third.add(1)


def test_a_destructor_that_traps_is_told(maker: Instance) -> None:
    """The trap of a destructor is raised where the resource is dropped."""
    with pytest.raises(GuestTrap), maker.counter(666):
        pass


def test_a_run_that_makes_resources(lab: Lab, maker: Instance) -> None:
    """Nobody holds what many events have made: the run says how long it lives."""
    run = lab.fire(maker, "[constructor]counter", n=3)
    assert "the resources that it made live in the guest until that ends" in run.notes


def test_what_is_no_handle_is_refused(lab: Lab, maker: Instance) -> None:
    """A number is no handle, in Python as in WAVE; a handle is given with `args`."""
    with pytest.raises(ValueDoesNotFit, match="not a counter that a call returned"):
        maker.take(5)
    with pytest.raises(ValueDoesNotFit, match="--args"):
        lab.fire(maker, "take(5)")
    with pytest.raises(UsageError, match="cannot share"):
        lab.fire(maker, "take", args=[maker.counter(1)], n=2)
    answer = lab.fire(maker, "take", args=[maker.counter(77)])
    assert answer.value == 77
    assert "take(counter(" in answer.call


# ---------------------------------------------------------------------------------------- made by the host


def test_a_class_is_a_resource(keeper: Instance, tally: Tally) -> None:
    """A guest constructs, calls and drops an object of the notebook; its end comes once."""
    assert keeper.once(5, 6) == 11
    assert tally.closed == [11]
    keeper.keep(3)
    assert [keeper.again(4), keeper.lend()] == [7, 7]
    keeper.let_go()
    assert tally.closed == [11, 7]
    assert keeper.on_host.held == ()


def test_a_static_function_and_a_gift(keeper: Instance, tally: Tally) -> None:
    """What a static function returns belongs to the guest; what the guest gives away belongs to the notebook."""
    keeper.zero()
    assert keeper.again(4) == 4
    assert keeper.give_away() == 4
    assert [c.value for c in tally.given] == [4]
    assert tally.closed == []
    assert keeper.on_host.held == ()


def test_a_guest_that_drops_twice(keeper: Instance, tally: Tally) -> None:
    """The engine knows which handles a guest holds; a second drop is the guest's trap."""
    keeper.keep(3)
    keeper.let_go()
    with pytest.raises(GuestTrap, match="a handle that it does not hold"):
        keeper.let_go()
    assert tally.closed == [3]


def test_objects_go_through_a_guest(keeper: Instance, tally: Tally) -> None:
    """An object of the notebook can be lent and given to a guest, and comes back as itself."""
    counter = keeper.hand_out(8)
    assert isinstance(counter, tally.Counter)
    assert keeper.look(counter) == 8
    assert tally.closed == []
    assert keeper.look(tally.Counter(9)) == 9
    assert keeper.on_host.held == ()
    assert keeper.swallow(counter) == 8
    assert tally.closed == [8]
    with pytest.raises(ValueDoesNotFit, match="not a Counter"):
        keeper.look("counter")


def test_all_are_dropped_with_their_instance(lab: Lab, keeper: Instance, tally: Tally) -> None:
    """What a guest still holds is dropped when it ends, whether it is ended, restarted or traps."""
    keeper.keep(1)
    keeper.drop()
    assert tally.closed == [1]
    keeper.keep(2)
    keeper.start()
    assert tally.closed == [1, 2]
    keeper.keep(3)
    with pytest.raises(GuestTrap):
        keeper.give_away(), keeper.give_away()
    keeper.keep(4)
    keeper.let_go()
    assert tally.closed == [1, 2, 4]
    assert [c.value for c in tally.given] == [3]


def test_a_trace_of_what_is_passed_on(lab: Lab, tally: Tally) -> None:
    """A component that hands an imported resource through its exports is refused a membrane, in words."""
    with pytest.raises(ComponentError, match=r"passes on 'counter' of acme:count/tally@0\.1\.0"):
        lab.instantiate("keeper_c", name="keeper_1", host=["tally"], trace=True)
    maker = lab.instantiate("maker_c", name="maker_1", trace=True)
    assert maker.counter(3).add(1) == 4


def test_a_destructor_that_raises(lab: Lab) -> None:
    """An exception in `close` ends the guest's call and shows its traceback; at the instance's end it is a note."""
    broken = Tally()

    def close(self: Any) -> None:
        raise ValueError("cannot close")

    broken.Counter.close = close  # type: ignore[method-assign]
    lab.host("broken", broken.names(), world="keeper")
    keeper = lab.instantiate("keeper_c", name="keeper_2", host="broken")
    with pytest.raises(GuestTrap, match="cannot close") as trapped:
        keeper.once(1, 1)
    assert "cannot close" in trapped.value.traceback
    keeper.keep(1)
    keeper.start()
    assert "While a resource was dropped: ValueError: cannot close" in lab.fire(keeper, "keep(1)").notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Counter": None}, "the class Counter of the resource 'counter' is missing"),
        ({"Counter": type("Counter", (), {"__init__": lambda self: None})}, "takes (), expected (start)"),
        ({"give": lambda d, e: 0}, "give takes (d, e), expected (c)"),
    ],
)
def test_a_class_is_checked(lab: Lab, change: dict[str, Any], message: str) -> None:
    """A missing class, method or parameter is told when the implementation is made."""
    with pytest.raises(CompileError) as error:
        lab.host("wrong", Tally().names() | change, world="keeper")
    assert str(error.value).count(message) == 1
    assert "wrong" not in lab.hosts
