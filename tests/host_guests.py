"""Guests as WebAssembly text for the tests of the host process: small components that do one thing each."""

# ruff: noqa: E501 - text of components and tables of cases

from __future__ import annotations

from labkernel._wit import (
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

PADDING = 16
"""More flat parameters than the canonical ABI passes one by one, so that all of them go through memory."""


class TypeText:
    """Types as component text: those with a name of their own are declared and exported first."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def of(self, wit_type: Type) -> str:
        """Return how the type is referred to."""
        match wit_type:
            case Primitive(name):
                return name
            case ListType(element):
                return f"(list {self.of(element)})"
            case OptionType(payload):
                return f"(option {self.of(payload)})"
            case TupleType(elements):
                return f"(tuple {' '.join(map(self.of, elements))})"
            case ResultType(ok, err):
                parts = ([self.of(ok)] if ok else []) + ([f"(error {self.of(err)})"] if err else [])
                return f"(result {' '.join(parts)})"
            case RecordType(fields):
                return self._named("record", [f'(field "{f.name}" {self.of(f.type)})' for f in fields])
            case VariantType(cases):
                return self._named(
                    "variant", [f'(case "{k.name}"{" " + self.of(k.type) if k.type else ""})' for k in cases]
                )
            case EnumType(names):
                return self._named("enum", [f'"{name}"' for name in names])
            case FlagsType(names):
                return self._named("flags", [f'"{name}"' for name in names])
        raise TypeError(wit_type)

    def _named(self, keyword: str, parts: list[str]) -> str:
        name = f"t{self._count}"
        self._count += 1
        self.lines.append(f"(type ${name}-inner ({keyword} {' '.join(parts)}))")
        self.lines.append(f'(export ${name} "{name}" (type ${name}-inner))')
        return f"${name}"


REALLOC = """
  (global $next (mut i32) (i32.const 65536))
  (func $realloc (export "realloc") (param i32 i32 $align i32 $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                            (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16))))))
    (local.get $at))
"""


def echo(wit_type: Type) -> str:
    """A component whose `echo` returns its first argument, unread.

    All parameters arrive in memory, laid out by the canonical ABI as `record { x, u32, ... }`, and the same
    address is returned as a `tuple<x, u32>`, which has the same beginning: the guest needs to know no
    layout.
    """
    text = TypeText()
    name = text.of(wit_type)
    padding = " ".join(f'(param "p{i}" u32)' for i in range(PADDING))
    types = "\n  ".join(text.lines)
    return f"""(component
  {types}
  (core module $m
    (memory (export "m") 3)
    {REALLOC.replace("(param i32 i32 $align i32 $size i32)", "(param i32 i32) (param $align i32) (param $size i32)")}
    (func (export "f") (param i32) (result i32) (local.get 0))
    (func (export "post") (param i32) (global.set $next (i32.const 65536))))
  (core instance $i (instantiate $m))
  (func (export "echo") (param "x" {name}) {padding} (result (tuple {name} u32))
    (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "realloc"))
      (post-return (core func $i "post")))))"""


def plain(core: str, export: str = "", options: str = "") -> str:
    """A component around a core module with one function `f`, which needs nothing of its host."""
    return f"""(component
  (core module $m (memory (export "m") 1) {core})
  (core instance $i (instantiate $m))
  (func (export "f") {export} (canon lift (core func $i "f") {options})))"""


def asking(name: str, version: str = "0.2.0") -> str:
    """A component that imports a function of an unknown interface with a resource, and calls it."""
    return f"""(component
  (import "{name}" (instance $x
    (export "thing" (type $thing (sub resource)))
    (export "ask" (func (param "n" u32) (result u32)))
    (export "[constructor]thing" (func (result (own $thing))))))
  (core func $ask (canon lower (func $x "ask")))
  (core module $m (import "" "ask" (func $ask (param i32) (result i32)))
    (func (export "f") (result i32) (call $ask (i32.const 1))) (func (export "g") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask))))))
  (func (export "f") (result u32) (canon lift (core func $i "f")))
  (func (export "g") (result u32) (canon lift (core func $i "g"))))"""


HTTP = """(component
  (import "wasi:io/streams@0.2.3" (instance $streams (export "output-stream" (type $o (sub resource)))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:http/types@0.2.3" (instance $types
    (alias outer 1 $out (type $o1)) (export "output-stream" (type $o2 (eq $o1)))
    (export "fields" (type $fields (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "take" (func (param "o" (own $o2))))))
  (alias export $types "fields" (type $fields1))
  (import "wasi:http/more@0.2.3" (instance $more
    (alias outer 1 $fields1 (type $f1)) (export "fields" (type $f2 (eq $f1)))
    (export "see" (func (param "f" (own $f2))))))
  (core func $new (canon lower (func $types "[constructor]fields")))
  (core module $m (import "" "new" (func $new (result i32)))
    (func (export "f") (result i32) (call $new)) (func (export "g") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func (export "f") (result u32) (canon lift (core func $i "f")))
  (func (export "g") (result u32) (canon lift (core func $i "g"))))"""

WASI = """(component
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $o (sub resource)))
    (export "input-stream" (type $in (sub resource)))
    (alias outer 1 $error (type $e0)) (export "error" (type $e (eq $e0)))
    (type $failed (own $e))
    (type $f0 (variant (case "last-operation-failed" $failed) (case "closed"))) (export "stream-error" (type $f (eq $f0)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $o)) (param "contents" (list u8)) (result (result (error $f)))))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $in)) (param "len" u64) (result (result (list u8) (error $f)))))))
  (alias export $streams "output-stream" (type $out))
  (alias export $streams "input-stream" (type $inp))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o1)) (export "output-stream" (type $o2 (eq $o1)))
    (export "get-stdout" (func (result (own $o2))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $out (type $o1)) (export "output-stream" (type $o2 (eq $o1)))
    (export "get-stderr" (func (result (own $o2))))))
  (import "wasi:cli/stdin@0.2.0" (instance $stdin
    (alias outer 1 $inp (type $i1)) (export "input-stream" (type $i2 (eq $i1)))
    (export "get-stdin" (func (result (own $i2))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p1)) (export "pollable" (type $p2 (eq $p1)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p2))))))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (alias outer 1 $inp (type $i1)) (export "input-stream" (type $i2 (eq $i1)))
    (export "descriptor" (type $d (sub resource)))
    (type $pf0 (flags "symlink-follow")) (export "path-flags" (type $pf (eq $pf0)))
    (type $of0 (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $of (eq $of0)))
    (type $df0 (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory")) (export "descriptor-flags" (type $df (eq $df0)))
    (type $code0 (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $code (eq $code0)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d)) (param "path-flags" $pf) (param "path" string)
      (param "open-flags" $of) (param "flags" $df) (result (result (own $d) (error $code)))))
    (export "[method]descriptor.read-via-stream"
      (func (param "self" (borrow $d)) (param "offset" u64) (result (result (own $i2) (error $code)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d1)) (export "descriptor" (type $d2 (eq $d1)))
    (export "get-directories" (func (result (list (tuple (own $d2) string)))))))

  (core module $memory
    (memory (export "m") 2) (global $next (mut i32) (i32.const 65536))
    (func (export "reset") (global.set $next (i32.const 65536)))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                              (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core func $stdin (canon lower (func $stdin "get-stdin")))
  (core func $exit (canon lower (func $exit "exit")))
  (core func $env (canon lower (func $environment "get-environment")
    (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (core func $args (canon lower (func $environment "get-arguments")
    (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (core func $now (canon lower (func $clock "now")))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $mem "m"))))
  (core func $read (canon lower (func $streams "[method]input-stream.blocking-read")
    (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (core func $open (canon lower (func $files "[method]descriptor.open-at") (memory (core memory $mem "m"))))
  (core func $via (canon lower (func $files "[method]descriptor.read-via-stream") (memory (core memory $mem "m"))))
  (core func $dirs (canon lower (func $preopens "get-directories")
    (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (core module $m
    (import "mem" "m" (memory 2)) (import "mem" "reset" (func $reset))
    (import "w" "stdout" (func $stdout (result i32))) (import "w" "stderr" (func $stderr (result i32)))
    (import "w" "stdin" (func $stdin (result i32)))
    (import "w" "exit" (func $exit (param i32)))
    (import "w" "env" (func $env (param i32))) (import "w" "args" (func $args (param i32)))
    (import "w" "now" (func $now (result i64)))
    (import "w" "after" (func $after (param i64) (result i32))) (import "w" "block" (func $block (param i32)))
    (import "w" "write" (func $write (param i32 i32 i32 i32)))
    (import "w" "read" (func $read (param i32 i64 i32)))
    (import "w" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "w" "via" (func $via (param i32 i64 i32))) (import "w" "dirs" (func $dirs (param i32)))
    (global $o (mut i32) (i32.const -1)) (global $e (mut i32) (i32.const -1)) (global $count (mut i32) (i32.const 0))
    (data (i32.const 0) "abc\\n\\ff\\c3\\a4\\1b[31m<b>")
    (data (i32.const 32) "pipe")
    (func $setup (if (i32.eq (global.get $o) (i32.const -1)) (then
      (global.set $o (call $stdout)) (global.set $e (call $stderr)))))
    (func $say (param $stream i32) (param $at i32) (param $size i32)
      (call $write (local.get $stream) (local.get $at) (local.get $size) (i32.const 64)))
    (func (export "count") (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
    (func (export "say") (param $times i32) (call $setup)
      (loop $l (if (local.get $times) (then
        (call $say (global.get $o) (i32.const 0) (i32.const 1))
        (call $say (global.get $e) (i32.const 1) (i32.const 1))
        (call $say (global.get $o) (i32.const 2) (i32.const 1))
        (local.set $times (i32.sub (local.get $times) (i32.const 1))) (br $l)))))
    (func (export "odd") (call $setup)
      (call $say (global.get $o) (i32.const 4) (i32.const 1)) (call $say (global.get $o) (i32.const 5) (i32.const 1))
      (call $say (global.get $o) (i32.const 6) (i32.const 9)) (call $say (global.get $o) (i32.const 5) (i32.const 1)))
    (func (export "flood") (call $setup)
      (loop $l (call $say (global.get $o) (i32.const 0) (i32.const 4096)) (br $l)))
    (func (export "say-then-trap") (call $setup) (call $say (global.get $e) (i32.const 0) (i32.const 4)) unreachable)
    (func (export "spin") (loop $l (br $l)))
    (func (export "nap") (param $ns i64) (call $block (call $after (local.get $ns))))
    (func (export "naps") (param $ns i64) (loop $l (call $block (call $after (local.get $ns))) (br $l)))
    (func (export "clock") (loop $l (drop (call $now)) (br $l)))
    (func (export "leave") (param $status i32) (call $exit (local.get $status)))
    (func (export "env") (result i32) (call $reset) (call $env (i32.const 96)) (i32.const 96))
    (func (export "args") (result i32) (call $reset) (call $args (i32.const 96)) (i32.const 96))
    (func (export "stdin") (result i32) (call $reset) (call $read (call $stdin) (i64.const 1000) (i32.const 96))
      (if (result i32) (i32.load8_u (i32.const 96)) (then (i32.store (i32.const 104) (i32.const 0)) (i32.const 100))
        (else (i32.const 100))))
    (func (export "dirs") (result i32) (call $reset) (call $dirs (i32.const 96)) (i32.load (i32.const 100)))
    (func (export "pipe") (result i32) (call $reset)
      (call $dirs (i32.const 96))
      (call $open (i32.load (i32.load (i32.const 96))) (i32.const 0) (i32.const 32) (i32.const 4) (i32.const 0)
        (i32.const 1) (i32.const 112))
      (if (i32.load8_u (i32.const 112)) (then (return (i32.load8_u (i32.const 116)))))
      (call $via (i32.load (i32.const 116)) (i64.const 0) (i32.const 120))
      (call $read (i32.load (i32.const 124)) (i64.const 10) (i32.const 128)) (i32.const 1000)))
  (core instance $i (instantiate $m (with "mem" (instance $mem)) (with "w" (instance
    (export "stdout" (func $stdout)) (export "stderr" (func $stderr)) (export "stdin" (func $stdin))
    (export "exit" (func $exit)) (export "env" (func $env)) (export "args" (func $args)) (export "now" (func $now))
    (export "after" (func $after)) (export "block" (func $block)) (export "write" (func $write))
    (export "read" (func $read)) (export "open" (func $open)) (export "via" (func $via))
    (export "dirs" (func $dirs))))))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (func (export "say") (param "times" u32) (canon lift (core func $i "say")))
  (func (export "odd") (canon lift (core func $i "odd")))
  (func (export "flood") (canon lift (core func $i "flood")))
  (func (export "say-then-trap") (canon lift (core func $i "say-then-trap")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "nap") (param "ns" u64) (canon lift (core func $i "nap")))
  (func (export "naps") (param "ns" u64) (canon lift (core func $i "naps")))
  (func (export "clock") (canon lift (core func $i "clock")))
  (func (export "leave") (param "status" (result)) (canon lift (core func $i "leave")))
  (func (export "env") (result (list (tuple string string)))
    (canon lift (core func $i "env") (memory (core memory $mem "m"))))
  (func (export "args") (result (list string)) (canon lift (core func $i "args") (memory (core memory $mem "m"))))
  (func (export "stdin") (result string) (canon lift (core func $i "stdin") (memory (core memory $mem "m"))))
  (func (export "dirs") (result u32) (canon lift (core func $i "dirs")))
  (func (export "pipe") (result u32) (canon lift (core func $i "pipe"))))"""
