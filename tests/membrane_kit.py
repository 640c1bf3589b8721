"""Guests behind membranes in a service of the test's own process, where guards of the test's own can stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_callbacks import InProcess

from labkernel import Lab
from labkernel._host import EngineSettings, Ledger, Start
from labkernel._host.policy import Policy
from labkernel._sandbox.membrane import Membrane, membrane_for
from labkernel._sandbox.membrane.policy import everything, nothing, policy_for
from labkernel._toolbox.declare import declare
from labkernel._values.layout import core_signature
from labkernel._wit import Function, Param, Type

ALL = {"record": everything, "ask": everything, "tell": everything}


class Echo:
    """A guard that answers each call with its first argument, and keeps what it was told."""

    def __init__(self, policy: Policy) -> None:
        self.told: list[Any] = []

    def ask(self, number: int, arguments: list[Any]) -> list[Any] | None:
        """Answer with the first argument."""
        return [arguments[0] if arguments else None]

    def tell(self, number: int, arguments: list[Any], result: Any) -> None:
        """Keep arguments and result."""
        self.told.append([arguments, result])

    def take(self) -> list[Any]:
        """Return what was told."""
        return self.told


_RESET = "(global.set $top (i32.const 65536))"


def passing(wit_type: Type, lab: Lab) -> tuple[bytes, Function]:
    """A component that passes its export `f: func(x: T) -> T` on to the import of the same name."""
    declarations, text = declare(wit_type)
    wit = f"""package t:t;
interface echo {{ {declarations}
  f: func(x: {text}) -> {text}; }}
world w {{ import echo; export echo; }}"""
    package = lab.toolbox.resolve(wit)
    function = Function("f", (Param("x", wit_type),), wit_type, "t:t/echo")
    return lab.toolbox.componentize(lab.tools.assemble(_core(function)), package, "w"), function


def _core(function: Function) -> str:
    params, results = core_signature(function)
    lowered, _ = core_signature(function, lowered=True)
    values = " ".join(f"(local.get {n})" for n in range(len(params)))
    area = "(i32.const 64)" if len(lowered) > len(params) else ""
    imported = f"(param {' '.join(lowered)})" + ("" if area else f" (result {results[0]})")
    post = f'(func (export "cabi_post_{function.interface}#f") (param i32) {_RESET})' if area else ""
    return f"""(module
      (import "{function.interface}" "f" (func $f {imported}))
      (memory (export "memory") 4)
      (global $top (mut i32) (i32.const 65536))
      (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get $size)))
        (local.get $at))
      (func (export "{function.interface}#f") (param {" ".join(params)}) (result {results[0]})
        {"" if area else _RESET}
        (call $f {values} {area}) {area})
      {post})"""


class Behind:
    """A lab's tools, and an in-process service that runs what they make."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.process = lab, InProcess(folder)
        self._folder, self._count = folder, 0

    def membrane(self, component: bytes) -> Membrane:
        """Return a component behind its membrane."""
        made = membrane_for(component, toolbox=self.lab.toolbox, supervisor=self.lab.tools)
        assert made is not None
        return made

    def start(self, component: bytes, policy: Policy | None, **start: Any) -> int:
        """Start a component and return its number."""
        self._count += 1
        path = str(self._folder / f"code{self._count}.cwasm")
        settings = [EngineSettings().compiler, EngineSettings().fuel]
        self.process.do("codegen", component, path, settings)
        number = self.process.do("load", path, settings)[0]
        data = None if policy is None else tuple(policy.to_data())
        started: int = self.process.do("instantiate", number, Start(membrane=data, **start).to_data())[0]
        return started

    def ledger(self, number: int) -> Ledger:
        """Return the ledger of an instance."""
        return Ledger(*self.process.do("ledger", number))


__all__ = ["ALL", "Behind", "Echo", "everything", "nothing", "passing", "policy_for"]
