"""The core module of a membrane as WebAssembly text, made of a world's types by the canonical ABI.

Names are those that wit-component gives the imports and exports of a core module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labkernel._host.membrane_layout import (
    ANSWERED,
    ARGUMENTS,
    ASK,
    CAPACITY,
    ENTRY,
    FRAME,
    FRAME_RESULT,
    HEADER,
    MAGIC,
    MARK,
    RESULT,
    RESULTS,
    SPECIAL,
    TELL,
    VIRTUAL,
)
from labkernel._sandbox.membrane import runtime, specials
from labkernel._sandbox.membrane.apart import Apart
from labkernel._sandbox.membrane.handles import Walk, holds_own
from labkernel._sandbox.membrane.table import Resource, Wrapped, resources_of, table_of
from labkernel._sandbox.membrane.texts import Text, argument_texts, result_text
from labkernel._values.layout import MAX_FLAT_RESULTS, core_signature, flatten, size
from labkernel._wit import TupleType, Type, World

__all__ = ["module_text"]

_PAGE = 1 << 16


def module_text(world: World, apart: Apart) -> str:
    """Return the core module for a component that imports what this world imports, under the names it has inside."""
    return Module(world, apart).text()


class Module:
    """One membrane in the making."""

    def __init__(self, world: World, apart: Apart) -> None:
        self.apart = apart
        self.table = table_of(world)
        self.resources = resources_of(world)
        self.numbers = {(r.owner, r.name): n for n, r in enumerate(self.resources)}
        areas = [size(f.result) for f in (w.function for w in self.table) if f.result is not None]
        self.policy = RESULTS + _up(max(areas, default=0), 16)
        self.ledger = _up(self.policy + len(self.table), 16)
        self.heap = self.ledger + CAPACITY * ENTRY

    def text(self) -> str:
        """Return the module."""
        parts = [
            runtime.IMPORTS,
            *(self._imports(wrapped) for wrapped in self.table if not wrapped.is_drop),
            *(self._resource_imports(n, r) for n, r in enumerate(self.resources)),
            f'(memory (export "memory") {_up(self.heap + _PAGE, _PAGE) // _PAGE})',
            self._data(),
            runtime.RUNTIME.format(heap=self.heap, ledger=self.ledger),
            specials.RUNTIME,
            *(self._resource(n, r) for n, r in enumerate(self.resources)),
            *(Body(self, wrapped).text() for wrapped in self.table if not wrapped.is_drop),
        ]
        return "(module\n" + "\n".join(parts) + ")\n"

    def _data(self) -> str:
        header = [self.policy, len(self.table), self.ledger, CAPACITY]
        data = "".join(f"\\{byte:02x}" for number in header for byte in number.to_bytes(4, "little"))
        return f'(data (i32.const {MARK}) "{MAGIC.decode()}") (data (i32.const {HEADER}) "{data}")'

    def _imports(self, wrapped: Wrapped) -> str:
        function = wrapped.function
        params, results = core_signature(function, lowered=True)
        return (
            f'(import "{function.interface or "$root"}" "{function.name}" '
            f"(func $import{wrapped.number} {_signature(params, results)}))"
        )

    def _resource_imports(self, number: int, resource: Resource) -> str:
        interface, name = resource.interface, resource.name
        return f"""(import "{interface}" "[resource-drop]{name}" (func $drop{number} (param i32)))
(import "[export]{interface}" "[resource-new]{name}" (func $new{number} (param i32) (result i32)))
(import "[export]{interface}" "[resource-rep]{name}" (func $rep{number} (param i32) (result i32)))
(import "[export]{interface}" "[resource-drop]{name}" (func $let{number} (param i32)))"""

    def _resource(self, number: int, resource: Resource) -> str:
        """Return what takes a handle from the guest, and what lets one go, as the drop in the table says."""
        mode = self.mode(len(self.table) - len(self.resources) + number)
        which = len(self.table) - len(self.resources) + number
        return f"""
(func $take{number} (param $handle i32) (result i32) (local $rep i32)
  (local.set $rep (call $rep{number} (local.get $handle)))
  (global.set $quiet (i32.const 1))
  (call $let{number} (local.get $handle))
  (global.set $quiet (i32.const 0))
  (local.get $rep))
(func $lose{number} (param $rep i32) (local $mode i32) (local $entry i32) (local $answer i32)
  (local.set $mode {mode})
  (if (i32.eqz (local.get $mode)) (then (call $drop{number} (local.get $rep)) (return)))
  (i64.store offset={FRAME} (i32.const 0) (i64.extend_i32_u (local.get $rep)))
  (local.set $entry (call $open (i32.const {which}) (local.get $mode) (i32.const {FRAME}) (i32.const 8)))
  (if (i32.and (local.get $mode) (i32.const {ASK}))
    (then (local.set $answer (call $question (i32.const {which})))))
  (if (i32.eqz (local.get $answer)) (then (call $drop{number} (local.get $rep))))
  (if (local.get $entry) (then (call $close (local.get $entry)
    (select (i32.const {ANSWERED}) (i32.const 0) (local.get $answer)) (i32.const 0) (i32.const 0))))
  (if (i32.and (local.get $mode) (i32.const {TELL}))
    (then (call $tell (i32.const {which}) (i32.const {FRAME})))))
(func (export "{resource.interface}#[dtor]{resource.name}") (param $rep i32)
  (if (global.get $quiet) (then (return)))
  (if (i32.eqz (global.get $ready)) (then (call $begin)))
  (call $settle)
  (call $lose{number} (local.get $rep))
  (call $reset))"""

    def mode(self, number: int) -> str:
        """Return the text for the policy byte of a wrapped function."""
        return f"(i32.load8_u offset={self.policy + number} (i32.const 0))"


class Body:
    """One wrapped function: the flat signature of an export, and in its body the import of the same name."""

    def __init__(self, module: Module, wrapped: Wrapped) -> None:
        self.module, self.number, self.function = module, wrapped.number, wrapped.function
        function = self.function
        self.params, self.results = core_signature(function)
        self.lowered, _ = core_signature(function, lowered=True)
        self.types: Sequence[Type] = [p.type for p in function.params]
        flat = [core for t in self.types for core in flatten(t)]
        self.is_spilled = len(flat) != len(self.params)
        self.is_large = function.result is not None and len(flatten(function.result)) > MAX_FLAT_RESULTS
        self.locals = ["$mode", "$entry", "$answer", "$flags"]

    def text(self) -> str:
        """Return the function, and the one that gives its result's memory back."""
        name = self.function.full_name
        params = " ".join(f"(param $p{n} {core})" for n, core in enumerate(self.params))
        result = f"(result {self.results[0]})" if self.results else ""
        result_local = f"(local $r {self.results[0]})" if self.results else ""
        body = "\n".join(filter(None, self._body()))
        names = " ".join(f"(local {name} i32)" for name in self.locals)
        text = f'(func (export "{name}") {params} {result} {result_local} {names}\n{body})'
        if self.is_large:
            text += f'\n(func (export "cabi_post_{name}") (param i32) (call $reset))'
        return text

    def _body(self) -> Iterator[str]:
        yield "(if (i32.eqz (global.get $ready)) (then (call $begin)))"
        yield self._arguments("take")
        yield f"(local.set $mode {self.module.mode(self.number)})"
        if self.is_large:
            yield f"(local.set $r (i32.const {RESULTS}))"
        yield f"(if (local.get $mode) (then\n{self._before()}))"
        yield f"(if (local.get $answer) (then\n{self._answered()}) (else\n{self._passed()}))"
        yield f"(if (local.get $mode) (then\n{self._after()}))"
        if lose := self._arguments("lose"):
            yield f"(if (local.get $answer) (then\n{lose}))"
        yield self._result()
        if not self.is_large:
            yield "(call $reset)"
        if self.results:
            yield "(local.get $r)"

    def _arguments(self, action: str) -> str:
        """Return text that takes or loses every handle that the call hands over."""
        if not any(map(holds_own, self.types)):
            return ""
        walk = Walk(action, self.module.numbers)
        if self.is_spilled:
            text = walk.memory(TupleType(tuple(self.types)), "$p0")
        else:
            text = walk.flat(TupleType(tuple(self.types)), [f"$p{n}" for n in range(len(self.params))])
        self.locals += walk.locals
        return text

    def _before(self) -> str:
        lines = ["(call $settle)"]
        lines += [_frame(n, core) for n, core in enumerate(self.params)]
        where, count = f"(i32.const {FRAME})", 8 * len(self.params)
        if self.is_spilled:
            where, count = "(local.get $p0)", min(8 * ARGUMENTS, size(TupleType(tuple(self.types))))
        lines.append(
            f"(local.set $entry (call $open (i32.const {self.number}) (local.get $mode) {where} (i32.const {count})))"
        )
        texts = [] if self.is_spilled else argument_texts(self.types)
        notes = [
            f"(call $note (local.get $entry) (i32.const {n}) (local.get $p{t}) (local.get $p{t + 1}))"
            for n, t in enumerate(texts)
        ]
        if notes:
            lines.append(f"(if (local.get $entry) (then {' '.join(notes)}))")
        lines.append(
            f"(if (i32.and (local.get $mode) (i32.const {ASK}))"
            f" (then (local.set $answer (call $question (i32.const {self.number})))))"
        )
        return "\n".join(lines)

    def _answered(self) -> str:
        """Return text for a call that the host has answered, and that is not passed on."""
        lines = [f"(local.set $flags (i32.const {ANSWERED}))"]
        if self.is_large:
            lines.append("(local.set $r (local.get $answer))")
        elif self.results and self.function.result is not None:
            lines.append(f"(local.set $r {_load(self.function.result, self.results[0])})")
        return "\n".join(lines)

    def _passed(self) -> str:
        values = [f"(local.get $p{n})" for n in range(len(self.params))]
        if self.is_large:
            values.append("(local.get $r)")
        call = f"(call $import{self.number} {' '.join(values)})"
        call = f"(local.set $r {call})" if self.results and not self.is_large else call
        own = specials.special(self.module.apart.function_outside(self.function), self.number)
        if not own:
            return call
        return (
            f"(if (i32.and (local.get $mode) (i32.const {SPECIAL}))"
            f" (then (local.set $flags (i32.const {VIRTUAL})) {own}) (else {call}))"
        )

    def _after(self) -> str:
        where, count, lines = "(i32.const 0)", 0, []
        if self.is_large and self.function.result is not None:
            where, count = "(local.get $r)", min(RESULT, size(self.function.result))
            lines.append(f"(i64.store offset={FRAME_RESULT} (i32.const 0) (i64.extend_i32_u (local.get $r)))")
        elif self.results:
            where, count = f"(i32.const {FRAME_RESULT})", 8
            lines.append(_frame(ARGUMENTS, self.results[0], "$r"))
        close = f"(call $close (local.get $entry) (local.get $flags) {where} (i32.const {count}))"
        found = result_text(self.function.result) if self.is_large else None
        note = _note_result(found) if found else ""
        lines.append(f"(if (local.get $entry) (then {close} {note}))")
        lines.append(
            f"(if (i32.and (local.get $mode) (i32.const {TELL}))"
            f" (then (call $tell (i32.const {self.number}) (i32.const {FRAME}))))"
        )
        return "\n".join(lines)

    def _result(self) -> str:
        """Return text that makes handles of the membrane's own of all that the result hands over."""
        result = self.function.result
        if result is None or not holds_own(result):
            return ""
        walk = Walk("new", self.module.numbers)
        text = walk.memory(result, "$r") if self.is_large else walk.flat(result, ["$r"])
        self.locals += walk.locals
        return text


def _note_result(found: Text) -> str:
    at = "(local.get $r)"
    note = (
        f"(call $note-result (local.get $entry) (i32.load offset={found.offset} {at})"
        f" (i32.load offset={found.offset + 4} {at}))"
    )
    for offset, width, number in reversed(found.tags):
        load = {1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load"}[width]
        note = f"(if (i32.eq (i32.const {number}) ({load} offset={offset} {at})) (then {note}))"
    return note


def _frame(slot: int, core: str, local: str = "") -> str:
    """Return text that puts a flat value into the frame, as its bits in 64."""
    value = f"(local.get {local or f'$p{slot}'})"
    bits = {
        "i32": f"(i64.extend_i32_u {value})",
        "i64": value,
        "f32": f"(i64.extend_i32_u (i32.reinterpret_f32 {value}))",
        "f64": f"(i64.reinterpret_f64 {value})",
    }[core]
    return f"(i64.store offset={FRAME + 8 * slot} (i32.const 0) {bits})"


def _load(wit_type: Type, core: str) -> str:
    """Return text for the flat value of a type with one, which lies in memory at the local `$answer`."""
    width = size(wit_type)
    narrow = {1: "i32.load8_u", 2: "i32.load16_u"}.get(width, f"{core}.load")
    return f"({narrow} (local.get $answer))"


def _signature(params: Sequence[str], results: Sequence[str]) -> str:
    return f"(param {' '.join(params)}) (result {' '.join(results)})"


def _up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment
