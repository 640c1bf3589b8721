"""Resources between components: made in one language, used in another, ended when nobody has them any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from toolchain_kit import Kit

from labkernel._cache import Cache
from labkernel._errors import CompileError, UsageError
from labkernel._lab import Build, Lab
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Toolchain, close_kept
from labkernel._toolchains.c import C
from labkernel._toolchains.cpp import Cpp
from labkernel._toolchains.go import Go
from labkernel._toolchains.js import Js
from labkernel._toolchains.python import Python
from labkernel._toolchains.rust import Rust
from labkernel._toolchains.zig_lang import Zig

Require = Callable[[str, object], None]

_COUNTERS: Final = """package t:res@1.0.0;
interface counters {
  resource counter {
    constructor(start: u32);
    add: func(by: u32) -> u32;
    merge: static func(a: counter, b: borrow<counter>) -> counter;
  }
  record pair { c: counter, n: u32 }
  total: func(all: list<borrow<counter>>) -> u32;
  wrap: func(c: counter) -> pair;
  unwrap: func(p: pair) -> option<counter>;
}
"""
PROVIDER: Final = _COUNTERS + "world provider { export counters; }\n"
USER: Final = _COUNTERS + "world user { import counters; export test: func() -> list<u32>; }\n"

LANGUAGES: Final[dict[str, Toolchain]] = {
    "zig": Zig(), "go": Go(), "cpp": Cpp(), "rust": Rust(), "c": C(), "js": Js(), "python": Python(),
}  # fmt: skip

PROVIDERS: Final = {
    "zig": """const std = @import("std");
const Counter = struct {
    n: u32,
    fn init(start: u32) Counter { return .{ .n = start }; }
    fn add(self: *Counter, by: u32) u32 { self.n += by; return self.n; }
    fn merge(a: Counter, b: *Counter) Counter { return .{ .n = a.n + b.n }; }
    fn deinit(self: *Counter) void { std.debug.print("end {d}\\n", .{self.n}); }
};
fn total(all: []const *Counter) u32 { var t: u32 = 0; for (all) |c| t += c.n; return t; }
fn wrap(c: Counter) Pair { return .{ .c = c, .n = c.n }; }
fn unwrap(p: Pair) ?Counter { return p.c; }
""",
    "go": """
import "os"
import "fmt"

type Counter struct {
	Resource
	n uint32
}
func MakeCounter(start uint32) *Counter { return &Counter{n: start} }
func (self *Counter) Add(by uint32) uint32 { self.n += by; return self.n }
func CounterMerge(a *Counter, b *Counter) *Counter {
	defer a.Drop()
	return &Counter{n: a.n + b.n}
}
func (self *Counter) OnDrop() { fmt.Fprintln(os.Stderr, "end", self.n) }
func Total(all []*Counter) (t uint32) {
	for _, c := range all {
		t += c.n
	}
	return
}
func Wrap(c *Counter) Pair { return Pair{c, c.n} }
func Unwrap(p Pair) Option[*Counter] { return Some(p.C) }
""",
    "cpp": """
struct Counter::State {
    uint32_t n;
    ~State() { fprintf(stderr, "end %u\\n", n); }
};
Counter::Counter(uint32_t start) : state(new State{start}) {}
uint32_t Counter::Add(uint32_t by) { return state->n += by; }
Counter::Owned Counter::Merge(Counter::Owned a, std::reference_wrapper<const Counter> b) {
    return Counter::New(a->state->n + b.get().state->n);
}
uint32_t Total(wit::vector<std::reference_wrapper<const Counter>> all) {
    uint32_t sum = 0;
    for (const Counter &c : all.get_view()) sum += c.state->n;
    return sum;
}
Pair Wrap(Counter::Owned c) {
    uint32_t n = c->state->n;
    return Pair{std::move(c), n};
}
std::optional<Counter::Owned> Unwrap(Pair p) { return std::move(p.c); }
""",
    "rust": """
use exports::t::res::counters::CounterBorrow;
use std::cell::Cell;
struct Component;
impl exports::t::res::counters::Guest for Component {
    type Counter = MyCounter;
    fn total(all: Vec<CounterBorrow<'_>>) -> u32 { all.iter().map(|c| c.get::<MyCounter>().0.get()).sum() }
    fn wrap(c: Counter) -> Pair { let n = c.get::<MyCounter>().0.get(); Pair { c, n } }
    fn unwrap(p: Pair) -> Option<Counter> { Some(p.c) }
}
struct MyCounter(Cell<u32>);
impl exports::t::res::counters::GuestCounter for MyCounter {
    fn new(start: u32) -> Self { MyCounter(Cell::new(start)) }
    fn add(&self, by: u32) -> u32 { self.0.set(self.0.get() + by); self.0.get() }
    fn merge(a: Counter, b: CounterBorrow<'_>) -> Counter {
        Counter::new(MyCounter(Cell::new(a.get::<MyCounter>().0.get() + b.get::<MyCounter>().0.get())))
    }
}
impl Drop for MyCounter { fn drop(&mut self) { eprintln!("end {}", self.0.get()); } }
""",
    "c": """
#include <stdio.h>
#include <stdlib.h>
struct exports_t_res_counters_counter_t { uint32_t n; };
own_counter_t constructor_counter(uint32_t start) {
    counter_t *made = malloc(sizeof *made);
    made->n = start;
    return counter_new(made);
}
uint32_t method_counter_add(borrow_counter_t self, uint32_t by) { return self->n += by; }
own_counter_t static_counter_merge(own_counter_t a, borrow_counter_t b) {
    uint32_t n = counter_rep(a)->n + b->n;
    counter_drop_own(a);
    return constructor_counter(n);
}
void counter_destructor(counter_t *rep) { fprintf(stderr, "end %u\\n", rep->n); free(rep); }
uint32_t total(list_borrow_counter_t *all) {
    uint32_t sum = 0;
    for (size_t i = 0; i < all->len; i++) sum += all->ptr[i]->n;
    return sum;
}
void wrap(own_counter_t c, pair_t *ret) { ret->n = counter_rep(c)->n; ret->c = c; }
bool unwrap(pair_t *p, own_counter_t *ret) { *ret = p->c; return true; }
""",
    "python": """
class Counter:
    def __init__(self, start):
        self.n = start

    def add(self, by):
        self.n += by
        return self.n

    @classmethod
    def merge(cls, a, b):
        return cls(a.n + b.n)


def total(all):
    return sum(c.n for c in all)


def wrap(c):
    return Pair(c, c.n)


def unwrap(p):
    return p.c
""",
}
USERS: Final = {
    "zig": """fn @"test"() ![]const u32 {
    var found = try allocator.alloc(u32, 5);
    var a = Counter.init(1);
    const b = Counter.init(10);
    found[0] = a.add(2);
    found[1] = counters.total(&.{ a, b });
    a = Counter.merge(a, b);
    b.deinit();
    found[2] = a.add(0);
    const p = counters.wrap(a);
    found[3] = p.n;
    const c = counters.unwrap(p).?;
    found[4] = c.add(100);
    c.deinit();
    return found;
}
""",
    "go": """func Test() []uint32 {
	a, b := counters.MakeCounter(1), counters.MakeCounter(10)
	found := []uint32{a.Add(2), counters.Total([]*Counter{a, b})}
	a = counters.CounterMerge(a, b)
	b.Drop()
	found = append(found, a.Add(0))
	p := counters.Wrap(a)
	found = append(found, p.N)
	c := counters.Unwrap(p).Some()
	found = append(found, c.Add(100))
	c.Drop()
	return found
}
""",
    "cpp": """wit::vector<uint32_t> Test() {
    std::vector<uint32_t> found;
    Counter a(1), b(10);
    found.push_back(a.Add(2));
    std::array<std::reference_wrapper<const Counter>, 2> both{a, b};
    found.push_back(counters::Total(both));
    Counter m = Counter::Merge(std::move(a), b);
    found.push_back(m.Add(0));
    auto p = counters::Wrap(std::move(m));
    found.push_back(p.n);
    auto c = counters::Unwrap(std::move(p));
    found.push_back(c->Add(100));
    return wit::vector<uint32_t>::from_view(std::span(found));
}
""",
    "rust": """use t::res::counters::{self, Counter};
fn test() -> Vec<u32> {
    let (a, b) = (Counter::new(1), Counter::new(10));
    let mut found = vec![a.add(2), counters::total(&[&a, &b])];
    let m = Counter::merge(a, &b);
    drop(b);
    found.push(m.add(0));
    let p = counters::wrap(m);
    found.push(p.n);
    found.push(counters::unwrap(p).unwrap().add(100));
    found
}
""",
    "c": """#include <stdlib.h>
void test(list_u32_t *ret) {
    own_counter_t a = constructor_counter(1), b = constructor_counter(10);
    ret->len = 5;
    ret->ptr = malloc(5 * sizeof(uint32_t));
    ret->ptr[0] = method_counter_add(borrow_counter(a), 2);
    borrow_counter_t both[] = {borrow_counter(a), borrow_counter(b)};
    list_borrow_counter_t all = {both, 2};
    ret->ptr[1] = total(&all);
    a = static_counter_merge(a, borrow_counter(b));
    counter_drop_own(b);
    ret->ptr[2] = method_counter_add(borrow_counter(a), 0);
    pair_t p;
    wrap(a, &p);
    ret->ptr[3] = p.n;
    unwrap(&p, &a);
    ret->ptr[4] = method_counter_add(borrow_counter(a), 100);
    counter_drop_own(a);
}
""",
    "js": """import { Counter, total, wrap, unwrap } from 't:res/counters@1.0.0';
export function test() {
  const a = new Counter(1), b = new Counter(10);
  const found = [a.add(2), total([a, b])];
  const m = Counter.merge(a, b);
  found.push(m.add(0));
  const p = wrap(m);
  found.push(p.n);
  found.push(unwrap(p).add(100));
  return found;
}
""",
    "python": """from wit_world.imports import counters
from wit_world.imports.counters import Counter


def test():
    a, b = Counter(1), Counter(10)
    found = [a.add(2), counters.total([a, b])]
    m = Counter.merge(a, b)
    b.__exit__(None, None, None)
    found.append(m.add(0))
    p = counters.wrap(m)
    found.append(p.n)
    c = counters.unwrap(p)
    found.append(c.add(100))
    c.__exit__(None, None, None)
    return found
""",
}
#: Each provider with each user of the languages whose handles are this package's own, and with one of the others.
PAIRS: Final = [
    (provider, user)
    for provider in PROVIDERS
    for user in USERS
    if {provider, user} <= {"zig", "go", "cpp"} or "zig" in (provider, user)
]
#: Languages whose development form is a runtime, which is no component to compose.
BAKED: Final = frozenset({"js", "python"})
#: Languages that let go of a resource when their memory is collected, which may be after the program's end.
COLLECTED: Final = frozenset({"js"})
#: Languages that keep what they provide as long as their instance lives; the card says so.
KEPT: Final = frozenset({"python"})


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchains."""
    kit = Kit.open(tmp_path_factory.mktemp("resources"))
    yield kit
    close_kept()
    kit.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return a lab."""
    with Lab() as opened:
        yield opened
    close_kept()


def needs(require: Require, *languages: str) -> None:
    """Skip where the toolbox or a language's tools are missing."""
    require("the toolbox (labkernel setup)", find_toolbox())
    for language in languages:
        for row in LANGUAGES[language].check(Cache()):
            require(f"{row.tool} ({row.install})", row.version)


@pytest.mark.parametrize(("provider", "user"), PAIRS)
def test_resources_between_components(kit: Kit, require: Require, provider: str, user: str) -> None:
    """Constructors, methods, static functions, own and borrowed handles, in records, lists and options."""
    needs(require, provider, user)
    made = kit.build(LANGUAGES[provider], PROVIDERS[provider], PROVIDER, release=provider in BAKED)
    using = kit.build(LANGUAGES[user], USERS[user], USER, release=user in BAKED)
    call = kit.start(kit.toolbox.plug(using.wasm, [made.wasm]))
    for _ in range(3):
        assert call("test") == [3, 13, 13, 13, 113]
    if COLLECTED & {provider, user} or provider in KEPT:
        return
    ends = "".join(text for stream, text in call.output if stream == "stderr").split("\n")
    assert ends.count("end 113") == 3
    assert ends.count("end 10") == 3


TRAY: Final = """package t:tray;
interface tray {
  resource cup {
    constructor(size: u32);
    fill: func(by: u32) -> result<u32, string>;
    size: func() -> u32;
    like: static func(cup: borrow<cup>) -> cup;
    larger: func(than: borrow<cup>) -> bool;
  }
  sizes: func(cups: list<borrow<cup>>) -> list<u32>;
}
world tray-world { export tray; }
"""
TRAYS: Final = {
    "js": """class Cup {
  constructor(size) { this.n = size; }
  fill(by) { if (by > 9) throw 'full'; this.n += by; return this.n; }
  size() { return this.n; }
  static like(cup) { return new Cup(cup.n); }
  larger(than) { return this.n > than.n; }
}
export const tray = { Cup, sizes(cups) { return cups.map((cup) => cup.n); } };
""",
    "ts": """class Cup {
  private n: number;
  constructor(size: number) { this.n = size; }
  fill(by: number): number { if (by > 9) throw 'full'; this.n += by; return this.n; }
  size(): number { return this.n; }
  static like(cup: Cup): Cup { return new Cup(cup.n); }
  larger(than: Cup): boolean { return this.n > than.n; }
}
export const tray = { Cup, sizes(cups: Cup[]): number[] { return cups.map((cup) => cup.size()); } };
""",
    "python": """from dataclasses import dataclass


@dataclass
class Cup:
    n: int

    def fill(self, by):
        if by > 9:
            raise Err("full")
        self.n += by
        return self.size()

    def size(self):
        return self.n

    @staticmethod
    def like(cup):
        return Cup(cup.n)

    def larger(self, than):
        return self.size() > than.size()


def sizes(cups):
    return [cup.size() for cup in cups]
""",
}


@pytest.mark.parametrize("form", ["development", "release"])
@pytest.mark.parametrize("language", TRAYS)
def test_a_notebook_uses_the_objects_of_a_cell(lab: Lab, require: Require, language: str, form: str) -> None:
    """Any of several objects is the right one: as `self`, as a borrowed argument, in a list; errors are the WIT's."""
    needs(require, "js" if language == "ts" else language)
    lab.wit(TRAY, name="tray")
    check_tray(
        lab, lab.build(language, TRAYS[language], name="tray", world="tray-world", release=form == "release")
    )


@pytest.mark.slow
def test_the_other_engine_s_objects(lab: Lab, require: Require) -> None:
    """StarlingMonkey asks whether an object is one of the class that it was shown, which a stand-in answers."""
    needs(require, "js")
    require(
        "StarlingMonkey (labkernel setup js@starlingmonkey)",
        "starlingmonkey" in LANGUAGES["js"].kept(Cache()),
    )
    lab.wit(TRAY, name="tray")
    check_tray(lab, lab.build("js", TRAYS["js"], name="tray", world="tray-world", engine="starlingmonkey"))


def check_tray(lab: Lab, build: Build) -> None:
    """Call what a tray has."""
    tray: Any = lab.instantiate(build)
    cups = [tray.Cup(size) for size in (10, 20, 30, 40)]
    assert [cup.size() for cup in cups] == [10, 20, 30, 40]
    assert tray.sizes([cups[3], cups[0]]) == [40, 10]
    assert (cups[1].larger(cups[3]), cups[3].larger(cups[1])) == (False, True)
    twin = tray.Cup.like(cups[2])
    assert str(twin.fill(1)) == "ok(31)"
    assert str(twin.fill(10)) == "err('full')"
    assert cups[2].size() == 30


def test_javascript_is_not_given_its_own_objects(lab: Lab, require: Require) -> None:
    """Refused before anything is built, since the engines would find another object."""
    needs(require)
    lab.wit(PROVIDER, name="res")
    with pytest.raises(UsageError, match=r"hands .*merge a counter .* Let it take borrow<counter>"):
        lab.build("js", "", name="x", world="provider")


WRONG: Final = """class Cup:
    def fill(self):
        return 1

    def siz(self):
        return 1


def sizes(cups):
    return []
"""


def test_a_class_that_does_not_fit_is_told_on_its_lines(lab: Lab, require: Require) -> None:
    """A Python cell's class is checked before anything is built: what it leaves out, what it takes."""
    needs(require)
    lab.wit(TRAY, name="tray")
    with pytest.raises(CompileError) as caught:
        lab.build("python", WRONG, name="x", world="tray-world")
    told = [(d.line, d.message, d.hint) for d in caught.value.diagnostics]
    assert (2, "`fill` takes no arguments.", told[1][2]) == told[1]
    assert [line for line, _, _ in told] == [1, 2, 1, 1, 1]
    assert told[3][2].endswith("`@staticmethod` and `def like(cup: Cup) -> Cup:`")
