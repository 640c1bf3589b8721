"""The starter cell of a world in WebAssembly text: every export it asks for, answering zeros.

Zeros are a valid value of every WIT type but handles. This module knows no tool.
"""

from __future__ import annotations

from labkernel._values import layout
from labkernel._wit import Function, World

__all__ = ["core_signature", "starter"]

_MEMORY = """  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  ;; The host asks for room for strings and lists by this function.
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
    (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1)
        (i32.shr_u (local.get $size) (i32.const 16))))) (then unreachable))))
    (if (i32.gt_u (local.get $old-size) (i32.const 0))
      (then (memory.copy (local.get $at) (local.get $old) (local.get $old-size))))
    (local.get $at))
"""


def core_signature(function: Function) -> str:
    """Return the core function that stands for an exported one.

    >>> from labkernel._wit import Param, Primitive
    >>> core_signature(Function("f", (Param("x", Primitive("string")),), Primitive("u64")))
    '(func (export "f") (param i32 i32) (result i64))'
    """
    params, results = layout.core_signature(function)
    return f"({_head(function.full_name, params, results)})"


def _head(name: str, params: tuple[str, ...], results: tuple[str, ...]) -> str:
    param = f" (param {' '.join(params)})" if params else ""
    result = f" (result {' '.join(results)})" if results else ""
    return f'func (export "{name}"){param}{result}'


def starter(world: World) -> str:
    """Return a core module that exports the functions of a world and answers zeros."""
    parts = ["(module\n", _MEMORY]
    for function in world.functions():
        params, results = layout.core_signature(function)
        # A result that does not fit one number lies in memory; at 1024 there are only zeros.
        value = "1024" if function.result is not None and len(layout.flatten(function.result)) > 1 else "0"
        body = f"\n    ({results[0]}.const {value})" if results else ""
        parts.append(f"  ;; {function.text}\n  ({_head(function.full_name, params, results)}{body})\n")
    return "".join(parts) + ")\n"
