"""The ledger of a membrane, decoded: every host call in order, with arguments and result in short.

How an entry lies in memory is documented in `_host.membrane_layout`, which the generated code shares.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from labkernel._host import Ledger
from labkernel._host import membrane_layout as at
from labkernel._sandbox.membrane.table import Wrapped
from labkernel._sandbox.membrane.texts import argument_texts, result_text
from labkernel._sandbox.short import Handle, Short
from labkernel._values.layout import MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, flatten
from labkernel._wit import Function, TupleType

__all__ = ["Entry", "entries"]

_HEAD: Final = struct.Struct("<HHBBBxQQ")
_SLOTS: Final = struct.Struct(f"<{at.ARGUMENTS}Q")


@dataclass(frozen=True, slots=True)
class Entry:
    """One host call. `index` counts from 0 in the order of beginning; `began_ns` is on the machine's monotonic clock.

    `ending` is `passed` (the host answered), `answered` (the guard did), `virtual` (the membrane did) or `never`: it
    did not return, since it ended the guest. Then `ns` is 0 and `result` empty. `given` and `made` are the handles in
    the arguments and in the result.
    """

    index: int
    number: int
    function: Function
    arguments: str
    result: str
    ending: str
    began_ns: int
    ns: int
    given: tuple[Handle, ...] = ()
    made: tuple[Handle, ...] = ()

    @property
    def name(self) -> str:
        """Interface and function."""
        return self.function.full_name

    @property
    def text(self) -> str:
        """The call and its answer on one line."""
        answer = {"never": " did not return"}.get(self.ending, f" -> {self.result}" if self.result else "")
        return f"{self.name}({self.arguments}){answer}"


def entries(ledger: Ledger, table: Sequence[Wrapped], *, first: int = 0) -> Iterator[Entry]:
    """Yield the entries of a ledger of the membrane with this table; `first` is the index of the first."""
    for index in range(len(ledger.entries) // at.ENTRY):
        yield _entry(first + index, ledger.entries[index * at.ENTRY : (index + 1) * at.ENTRY], table)


def _entry(index: int, data: bytes, table: Sequence[Wrapped]) -> Entry:
    number, flags, *kept, began, ended = _HEAD.unpack_from(data)
    function = table[number].function
    returned = bool(flags & at.RETURNED)
    arguments, given = _arguments(function, data, kept)
    result, made = _result(function, data, kept[2]) if returned else ("", [])
    ending = (
        "never" if not returned
        else "answered" if flags & at.ANSWERED
        else "virtual" if flags & at.VIRTUAL
        else "passed"
    )  # fmt: skip
    ns = ended - began if returned else 0
    return Entry(index, number, function, arguments, result, ending, began, ns, tuple(given), tuple(made))


def _arguments(function: Function, data: bytes, kept: Sequence[int]) -> tuple[str, list[Handle]]:
    types = [p.type for p in function.params]
    if sum(len(flatten(t)) for t in types) > MAX_FLAT_PARAMS:
        short = Short({})
        text = short.memory(TupleType(tuple(types)), data[at.ENTRY_ARGUMENTS : at.ENTRY_TEXT])
        return text[1:-1], short.handles
    texts = {}
    for which, position in enumerate(argument_texts(types)):
        begin = at.ENTRY_TEXT + which * at.TEXT
        texts[position] = data[begin : begin + kept[which]]
    short = Short(texts)
    return ", ".join(short.flat(types, _SLOTS.unpack_from(data, at.ENTRY_ARGUMENTS))), short.handles


def _result(function: Function, data: bytes, kept: int) -> tuple[str, list[Handle]]:
    result = function.result
    if result is None:
        return "", []
    area = data[at.ENTRY_RESULT : at.ENTRY_RESULT_TEXT]
    if len(flatten(result)) <= MAX_FLAT_RESULTS:
        short = Short({})
        return short.flat([result], struct.unpack_from("<Q", area))[0], short.handles
    found = result_text(result)
    begin = at.ENTRY_RESULT_TEXT
    short = Short({found.offset: data[begin : begin + kept]} if found else {})
    return short.memory(result, area), short.handles
