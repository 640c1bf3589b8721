"""Resources between components: made in one language, used in another, ended when nobody has them any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from toolchain_kit import Kit

from labkernel._cache import Cache
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Toolchain
from labkernel._toolchains.cpp import Cpp
from labkernel._toolchains.go import Go
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

LANGUAGES: Final[dict[str, Toolchain]] = {"zig": Zig(), "go": Go(), "cpp": Cpp()}

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
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchains."""
    kit = Kit.open(tmp_path_factory.mktemp("resources"))
    yield kit
    kit.close()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_resources_between_components(kit: Kit, require: Require, provider: str, user: str) -> None:
    """Constructors, methods, static functions, own and borrowed handles, in records, lists and options."""
    require("the toolbox (labkernel setup)", find_toolbox())
    for language in (provider, user):
        for row in LANGUAGES[language].check(Cache()):
            require(f"{row.tool} ({row.install})", row.version)
    made = kit.build(LANGUAGES[provider], PROVIDERS[provider], PROVIDER)
    using = kit.build(LANGUAGES[user], USERS[user], USER)
    call = kit.start(kit.toolbox.plug(using.wasm, [made.wasm]))
    for _ in range(3):
        assert call("test") == [3, 13, 13, 13, 113]
    ends = "".join(text for stream, text in call.output if stream == "stderr").split("\n")
    assert ends.count("end 113") == 3
    assert ends.count("end 10") == 3
