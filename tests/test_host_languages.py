"""`%%host` and resources with guests in real languages, built and fired through the lab."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from test_toolchain_resources import PROVIDER, USER

from labkernel import Lab, err, ok
from labkernel import _toolchains as toolchains

Require = Callable[[str, object], None]

USERS: Final = {
    "rust": """fn test() -> Vec<u32> {
    let a = counters::Counter::new(1);
    let b = counters::Counter::new(10);
    let mut found = vec![a.add(2), counters::total(&[&a, &b])];
    let a = counters::Counter::merge(a, &b);
    drop(b);
    found.push(a.add(0));
    let pair = counters::wrap(a);
    found.push(pair.n);
    found.push(counters::unwrap(pair).unwrap().add(100));
    found
}
""",
    "c": """#include <stdlib.h>

void test(list_u32_t *ret) {
    t_res_counters_own_counter_t a = t_res_counters_constructor_counter(1);
    t_res_counters_own_counter_t b = t_res_counters_constructor_counter(10);
    uint32_t *found = malloc(5 * sizeof *found);
    found[0] = t_res_counters_method_counter_add(t_res_counters_borrow_counter(a), 2);
    t_res_counters_borrow_counter_t both[2] = {t_res_counters_borrow_counter(a), t_res_counters_borrow_counter(b)};
    t_res_counters_list_borrow_counter_t all = {both, 2};
    found[1] = t_res_counters_total(&all);
    a = t_res_counters_static_counter_merge(a, t_res_counters_borrow_counter(b));
    t_res_counters_counter_drop_own(b);
    found[2] = t_res_counters_method_counter_add(t_res_counters_borrow_counter(a), 0);
    t_res_counters_pair_t pair;
    t_res_counters_wrap(a, &pair);
    found[3] = pair.n;
    t_res_counters_own_counter_t c;
    t_res_counters_unwrap(&pair, &c);
    found[4] = t_res_counters_method_counter_add(t_res_counters_borrow_counter(c), 100);
    t_res_counters_counter_drop_own(c);
    ret->ptr = found;
    ret->len = 5;
}
""",
}

RUST_PROVIDER: Final = """use std::cell::Cell;
struct Counter(Cell<u32>);
impl Drop for Counter {
    fn drop(&mut self) { println!("end {}", self.0.get()); }
}
impl counters::GuestCounter for Counter {
    fn new(start: u32) -> Self { Counter(Cell::new(start)) }
    fn add(&self, by: u32) -> u32 { self.0.set(self.0.get() + by); self.0.get() }
    fn merge(a: counters::Counter, b: counters::CounterBorrow<'_>) -> counters::Counter {
        let (a, b) = (a.get::<Counter>().0.get(), b.get::<Counter>().0.get());
        counters::Counter::new(Counter(Cell::new(a + b)))
    }
}
struct Component;
impl counters::Guest for Component {
    type Counter = Counter;
    fn total(all: Vec<counters::CounterBorrow<'_>>) -> u32 { all.iter().map(|c| c.get::<Counter>().0.get()).sum() }
    fn wrap(c: counters::Counter) -> counters::Pair { let n = c.get::<Counter>().0.get(); counters::Pair { c, n } }
    fn unwrap(p: counters::Pair) -> Option<counters::Counter> { Some(p.c) }
}
"""

TILL: Final = """package acme:shop@0.1.0;
interface store {
    record item { name: string, price: u32 }
    variant problem { unknown(string), closed }
    find: func(name: string) -> result<item, problem>;
    note: func(lines: list<tuple<string, option<u32>>>);
}
world till { import store; export buy: func(names: list<string>) -> result<u32, string>; }
"""
TILL_RUST: Final = """fn buy(names: Vec<String>) -> Result<u32, String> {
    let mut sum = 0;
    let mut lines = Vec::new();
    println!("buying {}", names.len());
    for name in names {
        match store::find(&name) {
            Ok(item) => { sum += item.price; lines.push((item.name, Some(item.price))); }
            Err(store::Problem::Unknown(what)) => lines.push((what, None)),
            Err(store::Problem::Closed) => return Err("closed".into()),
        }
    }
    store::note(&lines);
    Ok(sum)
}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with the worlds."""
    with Lab() as made:
        made.wit(USER, name="user")
        made.wit(TILL, name="till")
        yield made


def ready(language: str, require: Require) -> None:
    """Skip without the language's tools."""
    found = toolchains.zig_binary() if language == "c" else shutil.which("rustc")
    require({"c": "zig", "rust": "rustc"}[language], found)


def counters(ended: list[int]) -> dict[str, Any]:
    """Return an implementation of the counters that tells which have ended."""

    class Counter:
        """A number that grows."""

        def __init__(self, start: int) -> None:
            self.n = start

        def add(self, by: int) -> int:
            """Grow."""
            self.n += by
            return self.n

        @staticmethod
        def merge(a: Counter, b: Counter) -> Counter:
            """Return one of both."""
            return Counter(a.n + b.n)

        def close(self) -> None:
            """End."""
            ended.append(self.n)

    return {
        "Counter": Counter,
        "total": lambda all: sum(c.n for c in all),
        "wrap": lambda c: {"c": c, "n": c.n},
        "unwrap": lambda p: p.c,
    }


@pytest.mark.parametrize("language", USERS)
def test_a_class_of_the_notebook(lab: Lab, require: Require, language: str) -> None:
    """Resources of the notebook go through lists, records and options, and end once each."""
    ready(language, require)
    lab.build(language, USERS[language], name=f"user_{language}", world="user")
    ended: list[int] = []
    lab.host("counters", counters(ended), world="user")
    fn = lab.instantiate(f"user_{language}", name="fn", host=["counters"])
    assert fn.test() == [3, 13, 13, 13, 113]
    assert sorted(ended) == [10, 113]
    assert fn.on_host.held == ()


def test_the_trace_of_a_class(lab: Lab, require: Require) -> None:
    """A trace sees calls of the notebook's functions with their resources, and counts the implementation as needed."""
    ready("rust", require)
    lab.build("rust", USERS["rust"], name="user_rust", world="user")
    ended: list[int] = []
    lab.host("counters", counters(ended), world="user")
    fn = lab.instantiate("user_rust", name="fn", host=["counters"], trace=True)
    assert fn.test() == [3, 13, 13, 13, 113]
    assert sorted(ended) == [10, 113]
    assert [call.function for call in fn.trace.calls].count("[method]counter.add") == 3
    assert fn.trace.least == "--host counters"


def test_resources_of_a_rust_guest(lab: Lab, require: Require) -> None:
    """Objects of a Rust guest go through lists, records and options, and are dropped once each."""
    ready("rust", require)
    printed: list[str] = []
    lab.wit(PROVIDER.replace("t:res", "t:made"), name="provider")
    lab.build("rust", RUST_PROVIDER, name="provider_c", world="provider")
    lab.on_output = lambda _, text: printed.append(text)
    fn = lab.instantiate("provider_c", name="fn")
    a, b = fn.counter(1), fn.counter(10)
    assert a.add(2) == 3
    assert fn.total([a, b, b]) == 23
    merged = fn.counter.merge(a, b)
    pair = fn.wrap(merged)
    assert (pair.n, pair.c.add(1)) == (13, 14)
    with fn.unwrap(pair) as last:
        assert last.add(0) == 14
    b.close()
    assert "".join(printed) == "end 3\nend 14\nend 10\n"
    lab.on_output = None


def test_records_variants_and_lists(lab: Lab, require: Require) -> None:
    """A Rust guest gets records and errors of the notebook; what it prints comes before what the notebook prints."""
    ready("rust", require)
    heard: list[Any] = []
    lab.on_output = lambda _, text: heard.append(text)
    open_ = {"tea": 3, "milk": 1}

    def find(name: str) -> Any:
        heard.append(name)
        if not open_:
            return err("closed")
        return {"name": name, "price": open_[name]} if name in open_ else err({"unknown": name})

    lab.host("store", {"find": find, "note": heard.append}, world="till")
    lab.build("rust", TILL_RUST, name="till_c", world="till")
    fn = lab.instantiate("till_c", name="fn", host=["store"])
    assert fn.buy(["tea", "ale", "milk"]) == ok(4)
    assert heard == ["buying 3\n", "tea", "ale", "milk", [("tea", 3), ("ale", None), ("milk", 1)]]
    open_.clear()
    assert fn.buy(["tea"]) == err("closed")
    lab.on_output = None
