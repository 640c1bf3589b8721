"""Guests as WebAssembly text for the hostile gallery: one that tries files by every door, one that floods and fills."""

# ruff: noqa: E501, SIM905 - text of components, words

from __future__ import annotations

CODES = (
    "access would-block already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence "
    "in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long no-device no-entry "
    "no-lock insufficient-memory insufficient-space not-directory not-empty not-recoverable unsupported no-tty "
    "no-such-device overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device"
).split()
"""The error codes of wasi:filesystem, in order."""
DONE = 1000
"""What a door answers that opened."""

_PATHS = ("symlink", "link", "rename", "unlink", "mkdir", "rmdir")


def code_name(number: int) -> str:
    """Return what a guest's answer means: an error code's name, or `done`."""
    return "done" if number == DONE else CODES[number]


_IMPORTS = f"""
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $o (sub resource)))
    (alias outer 1 $error (type $e0)) (export "error" (type $e (eq $e0)))
    (type $failed (own $e))
    (type $f0 (variant (case "last-operation-failed" $failed) (case "closed"))) (export "stream-error" (type $f (eq $f0)))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $o)) (param "contents" (list u8)) (result (result (error $f)))))
    (export "[method]output-stream.check-write" (func (param "self" (borrow $o)) (result (result u64 (error $f)))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o1)) (export "output-stream" (type $o2 (eq $o1)))
    (export "get-stdout" (func (result (own $o2))))))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type $d (sub resource)))
    (type $pf0 (flags "symlink-follow")) (export "path-flags" (type $pf (eq $pf0)))
    (type $of0 (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $of (eq $of0)))
    (type $df0 (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory")) (export "descriptor-flags" (type $df (eq $df0)))
    (type $code0 (enum {" ".join(f'"{code}"' for code in CODES)}))
    (export "error-code" (type $code (eq $code0)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d)) (param "path-flags" $pf) (param "path" string)
      (param "open-flags" $of) (param "flags" $df) (result (result (own $d) (error $code)))))
    (export "[method]descriptor.read" (func (param "self" (borrow $d)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $code)))))
    (export "[method]descriptor.write" (func (param "self" (borrow $d)) (param "buffer" (list u8)) (param "offset" u64)
      (result (result u64 (error $code)))))
    (export "[method]descriptor.set-size" (func (param "self" (borrow $d)) (param "size" u64)
      (result (result (error $code)))))
    (export "[method]descriptor.symlink-at" (func (param "self" (borrow $d)) (param "old-path" string)
      (param "new-path" string) (result (result (error $code)))))
    (export "[method]descriptor.link-at" (func (param "self" (borrow $d)) (param "old-path-flags" $pf)
      (param "old-path" string) (param "new-descriptor" (borrow $d)) (param "new-path" string)
      (result (result (error $code)))))
    (export "[method]descriptor.rename-at" (func (param "self" (borrow $d)) (param "old-path" string)
      (param "new-descriptor" (borrow $d)) (param "new-path" string) (result (result (error $code)))))
    (export "[method]descriptor.unlink-file-at" (func (param "self" (borrow $d)) (param "path" string)
      (result (result (error $code)))))
    (export "[method]descriptor.create-directory-at" (func (param "self" (borrow $d)) (param "path" string)
      (result (result (error $code)))))
    (export "[method]descriptor.remove-directory-at" (func (param "self" (borrow $d)) (param "path" string)
      (result (result (error $code)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d1)) (export "descriptor" (type $d2 (eq $d1)))
    (export "get-directories" (func (result (list (tuple (own $d2) string)))))))
"""
_LOWERED = {
    "write": ("$streams", "[method]output-stream.write"), "check": ("$streams", "[method]output-stream.check-write"),
    "open": ("$files", "[method]descriptor.open-at"), "read": ("$files", "[method]descriptor.read"),
    "put": ("$files", "[method]descriptor.write"), "size": ("$files", "[method]descriptor.set-size"),
    "symlink": ("$files", "[method]descriptor.symlink-at"), "link": ("$files", "[method]descriptor.link-at"),
    "rename": ("$files", "[method]descriptor.rename-at"), "unlink": ("$files", "[method]descriptor.unlink-file-at"),
    "mkdir": ("$files", "[method]descriptor.create-directory-at"),
    "rmdir": ("$files", "[method]descriptor.remove-directory-at"), "dirs": ("$preopens", "get-directories"),
}  # fmt: skip

FILES = f"""(component {_IMPORTS}
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
  {" ".join(f'(core func ${name} (canon lower (func {instance} "{function}") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))' for name, (instance, function) in _LOWERED.items())}
  (core module $m
    (import "mem" "m" (memory 2)) (import "mem" "reset" (func $reset))
    (import "w" "stdout" (func $stdout (result i32)))
    (import "w" "write" (func $write (param i32 i32 i32 i32)))
    (import "w" "check" (func $check (param i32 i32)))
    (import "w" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "w" "read" (func $read (param i32 i64 i64 i32)))
    (import "w" "put" (func $put (param i32 i32 i32 i64 i32)))
    (import "w" "size" (func $size (param i32 i64 i32)))
    (import "w" "symlink" (func $symlink (param i32 i32 i32 i32 i32 i32)))
    (import "w" "link" (func $link (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "w" "rename" (func $rename (param i32 i32 i32 i32 i32 i32 i32)))
    (import "w" "unlink" (func $unlink (param i32 i32 i32 i32)))
    (import "w" "mkdir" (func $mkdir (param i32 i32 i32 i32)))
    (import "w" "rmdir" (func $rmdir (param i32 i32 i32 i32)))
    (import "w" "dirs" (func $dirs (param i32)))
    (data (i32.const 0) "m") (data (i32.const 32) "file")
    (global $o (mut i32) (i32.const -1)) (global $root (mut i32) (i32.const -1)) (global $file (mut i32) (i32.const -1))
    (global $at (mut i64) (i64.const 0))
    (func $setup (if (i32.eq (global.get $root) (i32.const -1)) (then
      (call $dirs (i32.const 96)) (global.set $root (i32.load (i32.load (i32.const 96)))))))
    (func $verdict (param $payload i32) (result i32)
      (if (result i32) (i32.load8_u (i32.const 112)) (then (i32.load8_u (local.get $payload))) (else (i32.const {DONE}))))
    (func (export "mutter") (if (i32.eq (global.get $o) (i32.const -1)) (then (global.set $o (call $stdout))))
      (call $check (global.get $o) (i32.const 112))
      (call $write (global.get $o) (i32.const 0) (i32.const 1) (i32.const 112)))
    (func $ready (result i32) (call $setup)
      (if (i32.eq (global.get $file) (i32.const -1)) (then
        (call $open (global.get $root) (i32.const 1) (i32.const 32) (i32.const 4) (i32.const 1) (i32.const 3) (i32.const 112))
        (if (i32.load8_u (i32.const 112)) (then (return (i32.load8_u (i32.const 116)))))
        (global.set $file (i32.load (i32.const 116)))))
      (i32.const {DONE}))
    (func (export "fill") (param $blocks i32) (result i32) (local $code i32)
      (local.set $code (call $ready))
      (if (i32.ne (local.get $code) (i32.const {DONE})) (then (return (local.get $code))))
      (loop $l (if (local.get $blocks) (then
        (call $put (global.get $file) (i32.const 4096) (i32.const 4096) (i64.and (global.get $at) (i64.const 0x7ffff)) (i32.const 112))
        (if (i32.load8_u (i32.const 112)) (then (return (i32.load8_u (i32.const 120)))))
        (global.set $at (i64.add (global.get $at) (i64.const 4096)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1))) (br $l))))
      (i32.const {DONE}))
    (func (export "stretch") (param $to i64) (result i32) (local $code i32)
      (local.set $code (call $ready))
      (if (i32.ne (local.get $code) (i32.const {DONE})) (then (return (local.get $code))))
      (call $size (global.get $file) (local.get $to) (i32.const 112)) (call $verdict (i32.const 113)))
    (func (export "open") (param $p i32) (param $n i32) (param $how i32) (param $flags i32) (result i32)
      (call $setup)
      (call $open (global.get $root) (i32.const 1) (local.get $p) (local.get $n) (local.get $how) (local.get $flags) (i32.const 112))
      (call $verdict (i32.const 116)))
    (func (export "read") (param $p i32) (param $n i32) (result i32) (call $setup)
      (i32.store (i32.const 200) (i32.const 0)) (i32.store (i32.const 204) (i32.const 0))
      (call $open (global.get $root) (i32.const 1) (local.get $p) (local.get $n) (i32.const 0) (i32.const 1) (i32.const 112))
      (if (i32.load8_u (i32.const 112)) (then (return (i32.const 200))))
      (call $read (i32.load (i32.const 116)) (i64.const 1000) (i64.const 0) (i32.const 112))
      (if (i32.load8_u (i32.const 112)) (then (return (i32.const 200))))
      (i32.store (i32.const 200) (i32.load (i32.const 116))) (i32.store (i32.const 204) (i32.load (i32.const 120)))
      (i32.const 200))
    (func (export "symlink") (param i32 i32 i32 i32) (result i32) (call $setup)
      (call $symlink (global.get $root) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 112)) (call $verdict (i32.const 113)))
    (func (export "link") (param i32 i32 i32 i32) (result i32) (call $setup)
      (call $link (global.get $root) (i32.const 0) (local.get 0) (local.get 1) (global.get $root) (local.get 2) (local.get 3) (i32.const 112)) (call $verdict (i32.const 113)))
    (func (export "rename") (param i32 i32 i32 i32) (result i32) (call $setup)
      (call $rename (global.get $root) (local.get 0) (local.get 1) (global.get $root) (local.get 2) (local.get 3) (i32.const 112)) (call $verdict (i32.const 113)))
    (func (export "unlink") (param i32 i32) (result i32) (call $setup)
      (call $unlink (global.get $root) (local.get 0) (local.get 1) (i32.const 112)) (call $verdict (i32.const 113)))
    (func (export "mkdir") (param i32 i32) (result i32) (call $setup)
      (call $mkdir (global.get $root) (local.get 0) (local.get 1) (i32.const 112)) (call $verdict (i32.const 113)))
    (func (export "rmdir") (param i32 i32) (result i32) (call $setup)
      (call $rmdir (global.get $root) (local.get 0) (local.get 1) (i32.const 112)) (call $verdict (i32.const 113))))
  (core instance $i (instantiate $m (with "mem" (instance $mem)) (with "w" (instance
    (export "stdout" (func $stdout)) {" ".join(f'(export "{name}" (func ${name}))' for name in _LOWERED)}))))
  (func (export "mutter") (canon lift (core func $i "mutter")))
  (func (export "fill") (param "blocks" u32) (result u32) (canon lift (core func $i "fill")))
  (func (export "stretch") (param "to" u64) (result u32) (canon lift (core func $i "stretch")))
  (func (export "open") (param "path" string) (param "how" u32) (param "flags" u32) (result u32)
    (canon lift (core func $i "open") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (func (export "read") (param "path" string) (result (list u8))
    (canon lift (core func $i "read") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  {" ".join(f'(func (export "{name}") (param "old" string) (param "new" string) (result u32) (canon lift (core func $i "{name}") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))' for name in _PATHS[:3])}
  {" ".join(f'(func (export "{name}") (param "path" string) (result u32) (canon lift (core func $i "{name}") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))' for name in _PATHS[3:])})"""
DISK = FILES
