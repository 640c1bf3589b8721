"""Two components that pass a resource to and fro in every shape: who makes it, and who uses it."""

from __future__ import annotations

from typing import Final

_WIDE: Final = ", ".join(f"p{n}: u64" for n in range(16))
_THINGS: Final = f"""package t:things@1.0.0;
interface things {{
  resource thing {{
    constructor(start: u32);
    value: func() -> u32;
    merge: static func(a: thing, b: borrow<thing>) -> thing;
  }}
  record pair {{ c: thing, n: u32 }}
  variant either {{ none, one(thing), two(tuple<u64, thing>) }}
  total: func(all: list<borrow<thing>>) -> u32;
  wrap: func(c: thing) -> pair;
  unwrap: func(p: pair) -> option<thing>;
  maybe: func(c: option<thing>) -> result<thing, string>;
  split: func(all: list<thing>) -> list<tuple<string, thing>>;
  any: func(e: either) -> either;
  wide: func({_WIDE}, c: thing, deep: list<option<thing>>) -> thing;
  live: func() -> u32;
}}
"""
PROVIDER: Final = _THINGS + "world provider { export things; }\n"
USER: Final = _THINGS + "world user { import things; export run: func() -> list<u32>; }\n"

PROVIDE: Final = """use std::cell::Cell;
use exports::t::things::things::{Either, Guest, GuestThing, Pair, Thing, ThingBorrow};

thread_local! { static LIVE: Cell<u32> = const { Cell::new(0) }; }
struct One(u32);
impl One {
    fn made(n: u32) -> Thing { LIVE.set(LIVE.get() + 1); Thing::new(One(n)) }
}
impl Drop for One { fn drop(&mut self) { LIVE.set(LIVE.get() - 1); } }
impl GuestThing for One {
    fn new(start: u32) -> Self { LIVE.set(LIVE.get() + 1); One(start) }
    fn value(&self) -> u32 { self.0 }
    fn merge(a: Thing, b: ThingBorrow<'_>) -> Thing { One::made(a.get::<One>().0 + b.get::<One>().0) }
}
struct Component;
impl Guest for Component {
    type Thing = One;
    fn total(all: Vec<ThingBorrow<'_>>) -> u32 { all.iter().map(|t| t.get::<One>().0).sum() }
    fn wrap(c: Thing) -> Pair { let n = c.get::<One>().0; Pair { c, n } }
    fn unwrap(p: Pair) -> Option<Thing> { if p.n == 0 { None } else { Some(p.c) } }
    fn maybe(c: Option<Thing>) -> Result<Thing, String> { c.ok_or("nothing".to_string()) }
    fn split(all: Vec<Thing>) -> Vec<(String, Thing)> {
        all.into_iter().map(|t| (t.get::<One>().0.to_string(), t)).collect()
    }
    fn any(e: Either) -> Either {
        match e { Either::None => Either::One(One::made(5)), Either::One(t) => Either::Two((9, t)), other => other }
    }
    fn wide(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64,
            _: u64, _: u64, last: u64, c: Thing, deep: Vec<Option<Thing>>) -> Thing {
        let more: u32 = deep.iter().flatten().map(|t| t.get::<One>().0).sum();
        One::made(c.get::<One>().0 + more + last as u32)
    }
    fn live() -> u32 { LIVE.get() }
}
export!(Component);
"""

USE: Final = """use t::things::things::{self, Either, Pair, Thing};

fn run() -> Vec<u32> {
    let (a, b) = (Thing::new(1), Thing::new(10));
    let mut seen = vec![things::total(&[&a, &b, &a])];
    let c = Thing::merge(a, &b);
    seen.push(c.value());
    let Pair { c, n } = things::wrap(c);
    seen.push(n);
    let c = things::unwrap(Pair { c, n }).unwrap();
    seen.push(things::unwrap(Pair { c: Thing::new(0), n: 0 }).is_none() as u32);
    let c = things::maybe(Some(c)).unwrap();
    seen.push(things::maybe(None).is_err() as u32);
    for (text, t) in things::split(vec![c, b]) {
        seen.push(text.parse::<u32>().unwrap() + t.value());
    }
    let one = things::any(Either::None);
    let Either::Two((nine, t)) = things::any(one) else { panic!() };
    seen.push(nine as u32 + t.value());
    let Either::Two((_, t)) = things::any(Either::Two((1, t))) else { panic!() };
    let deep = vec![Some(Thing::new(100)), None, Some(Thing::new(1000))];
    let wide = things::wide(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, t, deep);
    seen.push(wide.value());
    seen.push(things::live());
    drop(wide);
    seen.push(things::live());
    seen
}
"""
SEEN: Final = [12, 11, 11, 1, 1, 22, 20, 14, 1112, 1, 0]
