"""Guests for the tests of drivers: components for a function of any type, behind a driver, in one host process."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from labkernel._cache import Cache
from labkernel._fire.compose import Composer
from labkernel._fire.driving import Driven, drive
from labkernel._host import EngineSettings, Start, Started, Supervisor
from labkernel._toolbox import Toolbox
from labkernel._toolbox.declare import declare
from labkernel._values.layout import core_signature
from labkernel._wit import Function

REALLOC = """
  (global $next (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                            (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16))))))
    (local.get $at))"""


class Kit:
    """A host process, the toolbox in another, and composites."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self.guests, self.tools = Supervisor(mac_key=b"k" * 32), Supervisor(mac_key=b"k" * 32)
        self.toolbox = Toolbox(self.tools, Cache(folder / "cache"))
        self.composer = Composer(self.toolbox, self.tools.assemble, Cache(folder / "cache"))

    def close(self) -> None:
        """End both processes."""
        self.guests.close()
        self.tools.close()

    def component(self, core: str, *functions: Function, wit: str = "") -> bytes:
        """Return the component of a core module whose world exports functions, or is given as WIT."""
        declared = "\n".join(dict.fromkeys(declare(f, result=True)[0] for f in functions))
        exports = "\n".join(f"export %{f.name}: {declare(f, result=True)[1]};" for f in functions)
        text = wit or f"package test:guest;\nworld w {{\n{declared}\n{exports}\n}}\n"
        package = self.toolbox.resolve(text)
        return self.toolbox.componentize(self.tools.assemble(core), package, "w")

    def start(self, wasm: bytes, function: Function, **start: Any) -> Started:
        """Start a target with a driver for one of its functions in front of it."""
        number = next(self._numbers)
        both = self.composer.composite(f"{number}", lambda: wasm, function)
        code = self._folder / f"{number}.cwasm"
        self.tools.codegen(both, code, settings=EngineSettings())
        return self.guests.instantiate(self.guests.load(code), Start(**start))

    def drive(
        self, started: Started, function: Function, events: list[list[Any]], n: int | None = None, **how: Any
    ) -> Driven:
        """Fire events through the driver."""
        return drive(self.guests, started, function, events, len(events) if n is None else n, **how)


def returns(function: Function) -> str:
    """Return a core module that answers a function of `core`-typed parameters with what lies at its argument's address.

    For functions with more than 16 core parameters, whose first has the type of the result: then argument and
    result are laid out alike.
    """
    return f"""(module (memory (export "memory") 3) {REALLOC}
      (func (export "{function.full_name}") (param i32) (result i32) (local.get 0))
      (func (export "cabi_post_{function.full_name}") (param i32) (global.set $next (i32.const 65536))))"""


def shows_bits(function: Function) -> str:
    """Return a core module that answers `list<u64>` with the bits of the core values it was given."""
    params, _ = core_signature(function)
    stores = []
    for index, core in enumerate(params):
        at = f"(i32.const {1024 + 8 * index}) (local.get {index})"
        stores.append(f"({core}.store {at})")
    types = "".join(f" (param {core})" for core in params)
    return f"""(module (memory (export "memory") 3) {REALLOC}
      (func (export "{function.full_name}"){types} (result i32)
        (i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const {len(params)}))
        {" ".join(stores)} (i32.const 8))
      (func (export "cabi_post_{function.full_name}") (param i32) (global.set $next (i32.const 65536))))"""


def one_value(function: Function) -> str:
    """Return a core module that answers with the only core value it was given."""
    params, results = core_signature(function)
    assert params == results
    return f"""(module (memory (export "memory") 1)
      (func (export "{function.full_name}") (param {params[0]}) (result {results[0]}) (local.get 0)))"""
