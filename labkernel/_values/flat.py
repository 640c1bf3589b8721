"""Values as flat core values, the form in which the canonical ABI passes parameters: lifted and lowered.

Every core value is its bits in 64, zeros above: then the coercions that join the cases of a variant (`f32` in
an `i32`, `i32` in an `i64`) leave the bits as they are. From the Component Model's `CanonicalABI.md`: Flat
Lifting, Flat Lowering. It knows no engine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from labkernel._values.compiled import Compiled
from labkernel._values.image import (
    NUMBERS,
    Image,
    Memory,
    Read,
    case_of,
    cases_of,
    flag_bits,
    flag_names,
    no_such,
    read,
    reading,
)
from labkernel._values.layout import MAX_FLAT_PARAMS, flatten
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["lift", "lift_arguments", "lower", "lower_arguments"]

_Lift: TypeAlias = Callable[[Read, Iterator[int]], Any]
_Lower: TypeAlias = Callable[[Image, Any, list[int]], None]
_MASK: Final = 0xFFFF_FFFF


def lift(memory: Memory, flat: Sequence[int], wit_type: Type) -> Any:
    """Return the value that these core values are, in normal form. Raises `ValueError`.

    >>> lift(b"", [1, 0xFFFF_FFFF], OptionType(Primitive("s8")))
    [-1]
    """
    return _lifter(wit_type)(reading(memory), iter(flat))


def lift_arguments(memory: Memory, flat: Sequence[int], function: Function) -> list[Any]:
    """Return the arguments of a call, in normal form; beyond 16 core values they lie behind a pointer."""
    if _is_spilled(function):
        value: list[Any] = read(memory, flat[0] & _MASK, _tuple(function))
        return value
    take, left = reading(memory), iter(flat)
    return [_lifter(p.type)(take, left) for p in function.params]


def lower(image: Image, value: Any, wit_type: Type) -> list[int]:
    """Return the core values of a value in normal form; what they point at is added to the image."""
    flat: list[int] = []
    _lowerer(wit_type)(image, value, flat)
    return flat


def lower_arguments(image: Image, arguments: Sequence[Any], function: Function) -> list[int]:
    """Return the core values of a call's arguments; beyond 16 that is one pointer into the image."""
    if _is_spilled(function):
        return [image.place(arguments, _tuple(function))]
    flat: list[int] = []
    for param, value in zip(function.params, arguments, strict=True):
        _lowerer(param.type)(image, value, flat)
    return flat


def _is_spilled(function: Function) -> bool:
    return sum(len(flatten(p.type)) for p in function.params) > MAX_FLAT_PARAMS


def _tuple(function: Function) -> TupleType:
    return TupleType(tuple(p.type for p in function.params))


# ------------------------------------------------------------------------------------------------------ lifting


def _make_lifter(wit_type: Type) -> _Lift:
    match wit_type:
        case Primitive("string"):
            return lambda take, flat: take(next(flat) & _MASK, next(flat) & _MASK).decode()
        case Primitive("char"):
            return lambda _, flat: chr(next(flat) & _MASK)
        case Primitive(name):
            unpack, width = struct.Struct("<" + NUMBERS[name]).unpack_from, 8
            return lambda _, flat: unpack(next(flat).to_bytes(width, "little"))[0]
        case ListType():
            return lambda take, flat: _lift_list(take, next(flat), next(flat), wit_type)
        case RecordType(fields):
            return _lift_parts([f.type for f in fields])
        case TupleType(elements):
            return _lift_parts(elements)
        case VariantType() | OptionType() | ResultType():
            return _lift_cases(wit_type)
        case EnumType():
            return lambda _, flat: _case_name(wit_type, next(flat) & _MASK)
        case FlagsType(names):
            return lambda _, flat: _lift_flags(flat, names)
        case HandleType() | OpaqueType():
            return lambda _, flat: next(flat) & _MASK


_lifter: Final[Compiled[_Lift]] = Compiled(_make_lifter)


def _lift_list(take: Read, start: int, count: int, wit_type: Type) -> Any:
    span = struct.pack("<II", start & _MASK, count & _MASK)
    # The span itself lies nowhere in memory: it is put at an address that no memory of 32 bits has.
    return read(lambda at, n: span if at < 0 else take(at, n), -1, wit_type)


def _lift_parts(types: Sequence[Type]) -> _Lift:
    parts = [_lifter(t) for t in types]
    return lambda take, flat: [part(take, flat) for part in parts]


def _lift_cases(wit_type: VariantType | OptionType | ResultType) -> _Lift:
    cases = [(name, None if t is None else _lifter(t)) for name, t in cases_of(wit_type)]
    width, is_option = len(flatten(wit_type)) - 1, isinstance(wit_type, OptionType)

    def lift_case(take: Read, flat: Iterator[int]) -> Any:
        number = next(flat) & _MASK
        rest = [next(flat) for _ in range(width)]
        if number >= len(cases):
            raise no_such("case", number, wit_type)
        name, payload = cases[number]
        value = None if payload is None else payload(take, iter(rest))
        if is_option:
            return [value] if number else None
        return [name, value]

    return lift_case


def _case_name(wit_type: EnumType, number: int) -> str:
    if number >= len(wit_type.cases):
        raise no_such("case", number, wit_type)
    return wit_type.cases[number]


def _lift_flags(flat: Iterator[int], names: Sequence[str]) -> list[str]:
    bits = sum((next(flat) & _MASK) << 32 * word for word in range(-(-len(names) // 32)))
    return flag_names(names, bits)


# ----------------------------------------------------------------------------------------------------- lowering


def _make_lowerer(wit_type: Type) -> _Lower:
    match wit_type:
        case Primitive("string") | ListType():
            return lambda image, value, flat: flat.extend(image.content(value, wit_type))
        case Primitive("char"):
            return lambda _, value, flat: flat.append(ord(value))
        case Primitive(name):
            return _lower_number(name)
        case RecordType(fields):
            return _lower_parts([f.type for f in fields])
        case TupleType(elements):
            return _lower_parts(elements)
        case VariantType() | OptionType() | ResultType():
            return _lower_cases(wit_type)
        case EnumType(cases):
            return lambda _, value, flat: flat.append(cases.index(value))
        case FlagsType(names):
            return lambda _, value, flat: flat.extend(_flag_words(names, value))
        case HandleType() | OpaqueType():
            return lambda _, value, flat: flat.append(value)


_lowerer: Final[Compiled[_Lower]] = Compiled(_make_lowerer)


def _lower_number(name: str) -> _Lower:
    if name in ("f32", "f64"):
        pack = struct.Struct("<" + NUMBERS[name]).pack
        return lambda _, value, flat: flat.append(int.from_bytes(pack(value), "little"))
    mask = (1 << 64) - 1 if name in ("s64", "u64") else _MASK
    return lambda _, value, flat: flat.append(int(value) & mask)


def _lower_parts(types: Sequence[Type]) -> _Lower:
    parts = [_lowerer(t) for t in types]

    def lower_parts(image: Image, value: Any, flat: list[int]) -> None:
        for part, one in zip(parts, value, strict=True):
            part(image, one, flat)

    return lower_parts


def _lower_cases(wit_type: VariantType | OptionType | ResultType) -> _Lower:
    cases = cases_of(wit_type)
    numbers = {name: (number, None if t is None else _lowerer(t)) for number, (name, t) in enumerate(cases)}
    width = len(flatten(wit_type))

    def lower_case(image: Image, value: Any, flat: list[int]) -> None:
        name, inner = case_of(wit_type, value)
        number, payload = numbers[name]
        made = [number]
        if payload is not None:
            payload(image, inner, made)
        flat.extend(made + [0] * (width - len(made)))

    return lower_case


def _flag_words(names: Sequence[str], value: Sequence[str]) -> list[int]:
    bits = flag_bits(names, value)
    return [bits >> 32 * word & _MASK for word in range(-(-len(names) // 32))]
