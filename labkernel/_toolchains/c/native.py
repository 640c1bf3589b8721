"""A C cell as a program of this machine: the same source, called once with given values.

It is what a component's start is compared with. Values are written as assignments, so that the compiler finds the
types itself. This module knows no tool.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

from labkernel._toolchains.c.header import Prototype, snake
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["main_unit"]

_CPP_KEYWORD_TEXT: Final = """
    alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch
    char char8_t char16_t char32_t class compl concept const consteval constexpr constinit const_cast continue
    co_await co_return co_yield decltype default delete do double dynamic_cast else enum explicit export extern false
    float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq
    private protected public reflexpr register reinterpret_cast requires return short signed sizeof static
    static_assert static_cast struct switch synchronized template this thread_local throw true try typedef typeid
    typename union unsigned using virtual void volatile wchar_t while xor xor_eq ret err stdin stdout stderr
"""
_KEYWORDS: Final = frozenset(_CPP_KEYWORD_TEXT.split())


def main_unit(header_file: str, prototype: Prototype, function: Function, args: list[Any]) -> str:
    """Return the unit whose `main` calls a function of the cell and prints what it returns."""
    writer = _Writer()
    declared, given = [], []
    params = [p.strip() for p in prototype.params.split(",") if p.strip() != "void"]
    for number, param in enumerate(params):
        kind, is_pointer = _split(param)
        name = f"a{number}"
        declared.append(f"    static {kind} {name};")
        wit_type = function.params[number].type if number < len(args) else None
        if wit_type is None:
            given.append(f"&{name}")
        elif is_pointer and isinstance(wit_type, OptionType):
            given.append(writer.optional(name, args[number], wit_type))
        else:
            writer.assign(name, args[number], wit_type)
            given.append(f"&{name}" if is_pointer else name)
    call = f"{prototype.name}({', '.join(given)})"
    answer = (
        f'    printf("%d\\n", (int){call});'
        if _is_number(prototype)
        else f'    (void){call};\n    puts("done");'
    )
    if prototype.returns == "void":
        answer = f'    {call};\n    puts("done");'
    body = "\n".join([*declared, *writer.lines, answer])
    return f'#include "{header_file}"\n#include <stdio.h>\n\nint main(void) {{\n{body}\n    return 0;\n}}\n'


def _split(param: str) -> tuple[str, bool]:
    """Return a parameter's type and whether it is a pointer."""
    found = re.match(r"(.*?)\s*(\*?)\s*\w+$", param)
    return (found[1], bool(found[2])) if found else (param, False)


def _is_number(prototype: Prototype) -> bool:
    return re.fullmatch(r"bool|u?int\d+_t", prototype.returns) is not None


class _Writer:
    """Writes assignments to places in C."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._numbers = itertools.count()

    def _set(self, place: str, text: str) -> None:
        self.lines.append(f"    {place} = {text};")

    def optional(self, name: str, normal: Any, wit_type: OptionType) -> str:
        """Write an optional parameter and return what is passed: a pointer, or none."""
        if normal is None:
            return "0"
        self.assign(name, normal[0], wit_type.payload)
        return f"&{name}"

    def assign(self, place: str, normal: Any, wit_type: Type | None) -> None:
        """Write what gives a place a value in normal form."""
        match wit_type:
            case Primitive("string"):
                self._array(place, [str(b) for b in normal.encode()])
            case Primitive(name):
                self._set(place, _number(normal, name))
            case ListType(Primitive("u8")):
                self._array(place, [str(b) for b in normal])
            case ListType(element):
                self._array(place, ["0"] * len(normal))
                for number, each in enumerate(normal):
                    self.assign(f"{place}.ptr[{number}]", each, element)
            case EnumType(names):
                self._set(place, str(names.index(normal)))
            case FlagsType(names):
                self._flags(place, [names.index(n) for n in normal], len(names))
            case OptionType(payload):
                self._set(f"{place}.is_some", "false" if normal is None else "true")
                if normal is not None:
                    self.assign(f"{place}.val", normal[0], payload)
            case _:
                self._parts(place, normal, wit_type)

    def _parts(self, place: str, normal: Any, wit_type: Type | None) -> None:
        match wit_type:
            case RecordType(fields):
                for field, each in zip(fields, normal, strict=True):
                    self.assign(f"{place}.{_ident(field.name)}", each, field.type)
            case TupleType(elements):
                for number, (element, each) in enumerate(zip(elements, normal, strict=True)):
                    self.assign(f"{place}.f{number}", each, element)
            case VariantType(cases):
                number = next(i for i, c in enumerate(cases) if c.name == normal[0])
                self._set(f"{place}.tag", str(number))
                if cases[number].type is not None:
                    self.assign(f"{place}.val.{_ident(normal[0])}", normal[1], cases[number].type)
            case ResultType(ok, err):
                self._set(f"{place}.is_err", "false" if normal[0] == "ok" else "true")
                payload = ok if normal[0] == "ok" else err
                if payload is not None:
                    self.assign(f"{place}.val.{normal[0]}", normal[1], payload)
            case _:
                raise ValueError(f"a {type(wit_type).__name__} has no literal")

    def _array(self, place: str, items: list[str]) -> None:
        """Give a string or a list its bytes or elements, in memory of their own."""
        name = f"m{next(self._numbers)}"
        self.lines.append(f"    static __typeof__(*{place}.ptr) {name}[{max(1, len(items))}];")
        self.lines.extend(f"    {name}[{i}] = {item};" for i, item in enumerate(items) if item != "0")
        self._set(f"{place}.ptr", name)
        self._set(f"{place}.len", str(len(items)))

    def _flags(self, place: str, bits: list[int], count: int) -> None:
        value = sum(1 << bit for bit in bits)
        self._set(place, f"{value}{'ull' if count > 32 else 'u'}")


def _number(normal: Any, name: str) -> str:
    if name == "bool":
        return "true" if normal else "false"
    if name == "char":
        return str(ord(normal))
    if name in ("f32", "f64"):
        special = {"inf": "__builtin_inf()", "-inf": "-__builtin_inf()", "nan": '__builtin_nan("")'}
        return special.get(repr(float(normal)), repr(float(normal)))
    if normal == -(1 << 63):
        return "(-9223372036854775807ll - 1)"
    return f"{normal}{'ull' if name == 'u64' else 'll' if name == 's64' else ''}"


def _ident(name: str) -> str:
    text = snake(name)
    return text + "_" if text in _KEYWORDS else text
