"""Guests with resources as WebAssembly text, and the WIT that they are of."""

from __future__ import annotations

from typing import Final

#: A world that imports a resource which its host makes, and keeps or drops it as it is told.
KEEPER_WIT: Final = """package acme:count@0.1.0;
interface tally {
    resource counter {
        constructor(start: u32);
        add: func(n: u32) -> u32;
        zero: static func() -> counter;
    }
    give: func(c: counter) -> u32;
    peek: func(c: borrow<counter>) -> u32;
}
world keeper {
    import tally;
    use tally.{counter};
    export once: func(start: u32, n: u32) -> u32;
    export keep: func(start: u32);
    export zero: func();
    export again: func(n: u32) -> u32;
    export give-away: func() -> u32;
    export lend: func() -> u32;
    export let-go: func();
    export look: func(c: borrow<counter>) -> u32;
    export swallow: func(c: counter) -> u32;
    export hand-out: func(start: u32) -> counter;
}
"""

KEEPER: Final = """(component
  (import "acme:count/tally@0.1.0" (instance $tally
    (export "counter" (type $c (sub resource)))
    (export "[constructor]counter" (func (param "start" u32) (result (own $c))))
    (export "[method]counter.add" (func (param "self" (borrow $c)) (param "n" u32) (result u32)))
    (export "[static]counter.zero" (func (result (own $c))))
    (export "give" (func (param "c" (own $c)) (result u32)))
    (export "peek" (func (param "c" (borrow $c)) (result u32)))))
  (alias export $tally "counter" (type $counter))
  (core func $new (canon lower (func $tally "[constructor]counter")))
  (core func $add (canon lower (func $tally "[method]counter.add")))
  (core func $zero (canon lower (func $tally "[static]counter.zero")))
  (core func $give (canon lower (func $tally "give")))
  (core func $peek (canon lower (func $tally "peek")))
  (core func $drop (canon resource.drop $counter))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "add" (func $add (param i32 i32) (result i32)))
    (import "" "zero" (func $zero (result i32)))
    (import "" "give" (func $give (param i32) (result i32)))
    (import "" "peek" (func $peek (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (global $kept (mut i32) (i32.const 0))
    (func (export "once") (param i32 i32) (result i32) (local $c i32) (local $sum i32)
      (local.set $c (call $new (local.get 0)))
      (local.set $sum (call $add (local.get $c) (local.get 1)))
      (call $drop (local.get $c)) (local.get $sum))
    (func (export "keep") (param i32) (global.set $kept (call $new (local.get 0))))
    (func (export "zero") (global.set $kept (call $zero)))
    (func (export "again") (param i32) (result i32) (call $add (global.get $kept) (local.get 0)))
    (func (export "give-away") (result i32) (call $give (global.get $kept)))
    (func (export "lend") (result i32) (call $peek (global.get $kept)))
    (func (export "let-go") (call $drop (global.get $kept)))
    (func (export "look") (param i32) (result i32) (local $seen i32)
      (local.set $seen (call $peek (local.get 0))) (call $drop (local.get 0)) (local.get $seen))
    (func (export "swallow") (param i32) (result i32) (local $seen i32)
      (local.set $seen (call $peek (local.get 0))) (call $drop (local.get 0)) (local.get $seen))
    (func (export "hand-out") (param i32) (result i32) (call $new (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "add" (func $add)) (export "zero" (func $zero))
    (export "give" (func $give)) (export "peek" (func $peek)) (export "drop" (func $drop))))))
  (func (export "once") (param "start" u32) (param "n" u32) (result u32) (canon lift (core func $i "once")))
  (func (export "keep") (param "start" u32) (canon lift (core func $i "keep")))
  (func (export "zero") (canon lift (core func $i "zero")))
  (func (export "again") (param "n" u32) (result u32) (canon lift (core func $i "again")))
  (func (export "give-away") (result u32) (canon lift (core func $i "give-away")))
  (func (export "lend") (result u32) (canon lift (core func $i "lend")))
  (func (export "let-go") (canon lift (core func $i "let-go")))
  (func (export "look") (param "c" (borrow $counter)) (result u32) (canon lift (core func $i "look")))
  (func (export "swallow") (param "c" (own $counter)) (result u32) (canon lift (core func $i "swallow")))
  (func (export "hand-out") (param "start" u32) (result (own $counter)) (canon lift (core func $i "hand-out"))))
"""

MAKER_WIT: Final = """package acme:count@0.1.0;
interface made {
    resource counter {
        constructor(start: u32);
        add: func(n: u32) -> u32;
        spin: func();
        tell: func();
        zero: static func() -> counter;
    }
    take: func(c: counter) -> u32;
    sum: func(a: borrow<counter>, b: borrow<counter>) -> u32;
    both: func(given: counter, lent: borrow<counter>) -> u32;
    some: func(n: u32) -> list<counter>;
    dropped: func() -> u32;
}
world maker { import tell: func(n: u32); export made; }
"""

#: A component that makes counters itself and tells how many of them were dropped.
MAKER: Final = """(component
  (import "tell" (func $tell (param "n" u32)))
  (core func $tell (canon lower (func $tell)))
  (core module $a
    (global $dropped (mut i32) (i32.const 0))
    (func (export "dtor") (param i32)
      (if (i32.eq (local.get 0) (i32.const 13)) (then unreachable))
      (global.set $dropped (i32.add (global.get $dropped) (i32.const 1))))
    (func (export "dropped") (result i32) (global.get $dropped)))
  (core instance $a (instantiate $a))
  (alias core export $a "dtor" (core func $dtor))
  (type $counter (resource (rep i32) (dtor (core func $dtor))))
  (core func $new (canon resource.new $counter))
  (core func $rep (canon resource.rep $counter))
  (core func $drop (canon resource.drop $counter))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "tell" (func $tell (param i32)))
    (memory (export "m") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512))
    (func $make (export "make") (param $start i32) (result i32) (local $rep i32)
      (local.set $rep (select (i32.const 13) (global.get $next) (i32.eq (local.get $start) (i32.const 666))))
      (global.set $next (i32.add (global.get $next) (i32.const 4)))
      (i32.store (local.get $rep) (local.get $start))
      (call $new (local.get $rep)))
    (func (export "add") (param $self i32) (param $n i32) (result i32)
      (i32.store (local.get $self) (i32.add (i32.load (local.get $self)) (local.get $n)))
      (i32.load (local.get $self)))
    (func (export "tell") (param $self i32) (call $tell (i32.load (local.get $self))))
    (func (export "zero") (result i32) (call $make (i32.const 0)))
    (func (export "take") (param $handle i32) (result i32) (local $value i32)
      (local.set $value (i32.load (call $rep (local.get $handle))))
      (call $drop (local.get $handle)) (local.get $value))
    (func (export "sum") (param $a i32) (param $b i32) (result i32)
      (i32.add (i32.load (local.get $a)) (i32.load (local.get $b))))
    (func (export "both") (param $own i32) (param $lent i32) (result i32)
      (i32.load (local.get $lent)))
    (func (export "some") (param $n i32) (result i32) (local $at i32)
      (i32.store (i32.const 0) (i32.const 256)) (i32.store (i32.const 4) (local.get $n))
      (loop $next (if (i32.lt_u (local.get $at) (local.get $n)) (then
        (i32.store (i32.add (i32.const 256) (i32.mul (local.get $at) (i32.const 4))) (call $make (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $next))))
      (i32.const 0))
    (func (export "spin") (param i32) (loop $l (br $l))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))
    (export "tell" (func $tell))))))
  (func $make (param "start" u32) (result (own $counter)) (canon lift (core func $i "make")))
  (func $add (param "self" (borrow $counter)) (param "n" u32) (result u32) (canon lift (core func $i "add")))
  (func $zero (result (own $counter)) (canon lift (core func $i "zero")))
  (func $take (param "c" (own $counter)) (result u32) (canon lift (core func $i "take")))
  (func $sum (param "a" (borrow $counter)) (param "b" (borrow $counter)) (result u32)
    (canon lift (core func $i "sum")))
  (func $both (param "given" (own $counter)) (param "lent" (borrow $counter)) (result u32)
    (canon lift (core func $i "both")))
  (func $some (param "n" u32) (result (list (own $counter)))
    (canon lift (core func $i "some") (memory (core memory $i "m"))))
  (func $spin (param "self" (borrow $counter)) (canon lift (core func $i "spin")))
  (func $told (param "self" (borrow $counter)) (canon lift (core func $i "tell")))
  (func $dropped (result u32) (canon lift (core func $a "dropped")))
  (component $shim
    (import "counter" (type $c (sub resource)))
    (import "make" (func $make (param "start" u32) (result (own $c))))
    (import "add" (func $add (param "self" (borrow $c)) (param "n" u32) (result u32)))
    (import "zero" (func $zero (result (own $c))))
    (import "take" (func $take (param "c" (own $c)) (result u32)))
    (import "sum" (func $sum (param "a" (borrow $c)) (param "b" (borrow $c)) (result u32)))
    (import "both" (func $both (param "given" (own $c)) (param "lent" (borrow $c)) (result u32)))
    (import "some" (func $some (param "n" u32) (result (list (own $c)))))
    (import "spin" (func $spin (param "self" (borrow $c))))
    (import "told" (func $told (param "self" (borrow $c))))
    (import "dropped" (func $dropped (result u32)))
    (export $counter "counter" (type $c))
    (export "[constructor]counter" (func $make) (func (param "start" u32) (result (own $counter))))
    (export "[method]counter.add" (func $add)
      (func (param "self" (borrow $counter)) (param "n" u32) (result u32)))
    (export "[method]counter.spin" (func $spin) (func (param "self" (borrow $counter))))
    (export "[method]counter.tell" (func $told) (func (param "self" (borrow $counter))))
    (export "[static]counter.zero" (func $zero) (func (result (own $counter))))
    (export "take" (func $take) (func (param "c" (own $counter)) (result u32)))
    (export "sum" (func $sum)
      (func (param "a" (borrow $counter)) (param "b" (borrow $counter)) (result u32)))
    (export "both" (func $both)
      (func (param "given" (own $counter)) (param "lent" (borrow $counter)) (result u32)))
    (export "some" (func $some) (func (param "n" u32) (result (list (own $counter)))))
    (export "dropped" (func $dropped) (func (result u32))))
  (instance $made (instantiate $shim (with "counter" (type $counter)) (with "make" (func $make))
    (with "add" (func $add)) (with "zero" (func $zero)) (with "take" (func $take)) (with "sum" (func $sum))
    (with "both" (func $both)) (with "some" (func $some)) (with "spin" (func $spin))
    (with "told" (func $told)) (with "dropped" (func $dropped))))
  (export "acme:count/made@0.1.0" (instance $made)))
"""
