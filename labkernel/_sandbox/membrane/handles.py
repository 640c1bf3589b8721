"""Handles on their way through a membrane, as WebAssembly text: a walk of a type that reaches every `own` in a value.

A membrane's own resource stands for the imported one: its representation is the imported handle. So an `own` that
comes in is turned into the imported handle (`take`), one that goes out is made from it (`new`), and one that is not
passed on is let go (`lose`). A `borrow` arrives as the representation already, by the canonical ABI.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from labkernel._values.compiled import Compiled
from labkernel._values.image import cases_of
from labkernel._values.layout import discriminant_size, flatten, offsets, payload_offset, size
from labkernel._wit import (
    HandleType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["Walk", "holds_own"]

_LOADS: Final = {1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load"}


def _make_holds_own(wit_type: Type) -> bool:
    match wit_type:
        case HandleType(_, kind):
            return kind == "own"
        case ListType(element):
            return holds_own(element)
        case OptionType() | ResultType() | VariantType():
            return any(t is not None and holds_own(t) for _, t in cases_of(wit_type))
        case RecordType() | TupleType():
            return any(map(holds_own, parts_of(wit_type)))
        case _:
            return False


holds_own: Final[Compiled[bool]] = Compiled(_make_holds_own)
"""Whether a value of a type can hold an `own`."""


def parts_of(wit_type: RecordType | TupleType) -> Sequence[Type]:
    """Return the types of the fields."""
    return wit_type.elements if isinstance(wit_type, TupleType) else [f.type for f in wit_type.fields]


class Walk:
    """Makes text that turns every `own` of one value by a function: `$take0`, `$new0` or `$lose0`.

    `numbers` gives each resource's number by (owner, name). `locals` are those the text needs, for the function's
    head. `$lose` leaves nothing in the handle's place.
    """

    def __init__(self, action: str, numbers: Mapping[tuple[str, str], int]) -> None:
        self.action = action
        self.locals: list[str] = []
        self._numbers = numbers
        self._count = itertools.count()

    def flat(self, wit_type: Type, slots: Sequence[str]) -> str:
        """Return text for a value in locals, which `slots` name, with their core types as in `flatten`."""
        return self._flat(wit_type, list(zip(slots, flatten(wit_type), strict=True)))

    def memory(self, wit_type: Type, address: str, offset: int = 0) -> str:
        """Return text for a value in memory, at an offset from the address in a local."""
        match wit_type:
            case HandleType(_, "own"):
                at = f"(local.get {address})"
                turned = self._turned(wit_type, f"(i32.load offset={offset} {at})")
                return turned if self.action == "lose" else f"(i32.store offset={offset} {at} {turned})"
            case ListType(element) if holds_own(element):
                return self._list(element, f"(i32.load offset={offset} (local.get {address}))",
                                  f"(i32.load offset={offset + 4} (local.get {address}))")  # fmt: skip
            case RecordType() | TupleType():
                types = parts_of(wit_type)
                places = zip(offsets(types), types, strict=True)
                return "\n".join(self.memory(t, address, offset + at) for at, t in places if holds_own(t))
            case OptionType() | ResultType() | VariantType():
                cases = cases_of(wit_type)
                load = _LOADS[discriminant_size(len(cases))]
                tag = f"({load} offset={offset} (local.get {address}))"
                lead = offset + payload_offset(wit_type)
                return "\n".join(
                    _when(tag, number, self.memory(t, address, lead))
                    for number, (_, t) in enumerate(cases)
                    if t is not None and holds_own(t)
                )
            case _:
                return ""

    def _flat(self, wit_type: Type, slots: list[tuple[str, str]]) -> str:
        """Return text for a value in locals; where cases are joined a local may be wider than what it holds."""
        match wit_type:
            case HandleType(_, "own"):
                name, core = slots[0]
                turned = self._turned(wit_type, _word(name, core))
                if self.action == "lose":
                    return turned
                return f"(local.set {name} {turned if core == 'i32' else f'(i64.extend_i32_u {turned})'})"
            case ListType(element) if holds_own(element):
                start, count = (_word(*slot) for slot in slots[:2])
                return self._list(element, start, count)
            case RecordType() | TupleType():
                lines, left = [], slots
                for part in parts_of(wit_type):
                    width = len(flatten(part))
                    lines.append(self._flat(part, left[:width]))
                    left = left[width:]
                return "\n".join(filter(None, lines))
            case OptionType() | ResultType() | VariantType():
                tag = _word(*slots[0])
                return "\n".join(
                    _when(tag, number, self._flat(t, slots[1:]))
                    for number, (_, t) in enumerate(cases_of(wit_type))
                    if t is not None and holds_own(t)
                )
            case _:
                return ""

    def _turned(self, handle: HandleType, value: str) -> str:
        return f"(call ${self.action}{self._numbers[handle.owner, handle.resource]} {value})"

    def _list(self, element: Type, start: str, count: str) -> str:
        number = next(self._count)
        at, end = f"$at{number}-{self.action}", f"$end{number}-{self.action}"
        self.locals += [at, end]
        stride = size(element)
        return f"""(local.set {at} {start})
(local.set {end} (i32.add (local.get {at}) (i32.mul {count} (i32.const {stride}))))
(block (loop
  (br_if 1 (i32.ge_u (local.get {at}) (local.get {end})))
  {self.memory(element, at)}
  (local.set {at} (i32.add (local.get {at}) (i32.const {stride})))
  (br 0)))"""


def _word(name: str, core: str) -> str:
    """Return text for the 32 bits in a local, which is wider where cases are joined."""
    return f"(local.get {name})" if core == "i32" else f"(i32.wrap_i64 (local.get {name}))"


def _when(tag: str, number: int, inner: str) -> str:
    return f"(if (i32.eq {tag} (i32.const {number})) (then {inner}))"
