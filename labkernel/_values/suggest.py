"""What may come next in a WAVE call that is not finished: functions, fields, cases, flags. For Tab completion.

It reads the text as far as it goes and stops at its end; text that does not fit suggests nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

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

__all__ = ["suggest"]

_LABEL: Final = re.compile(r"%?[A-Za-z0-9-]*")
_NAME: Final = re.compile(r"[A-Za-z][\w.:/@#-]*")
_NUMBER: Final = re.compile(r"-?[A-Za-z0-9.+-]*")


class _End(Exception):
    """The text ends here: what may stand instead of `prefix`."""

    def __init__(self, prefix: str, words: Iterable[str]) -> None:
        super().__init__(prefix)
        self.prefix, self.words = prefix, list(words)


class _Unfit(Exception):
    """The text is no beginning of a call."""


def suggest(text: str, functions: Sequence[Function]) -> tuple[str, list[str]]:
    """Return the word that the text ends with, and what may stand in its place.

    >>> from labkernel._wit import EnumType, Function, Param
    >>> suggest("go(no", [Function("go", (Param("way", EnumType(("north", "south"))),))])
    ('no', ['north'])
    """
    try:
        _Partial(text).call(functions)
    except _End as end:
        return end.prefix, [word for word in end.words if word.startswith(end.prefix)]
    except _Unfit:
        pass
    return "", []


class _Partial:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def call(self, functions: Sequence[Function]) -> None:
        self._space()
        names = {name: f for f in functions for name in (f.name, f.full_name)}
        found = _NAME.match(self.text, self.at)
        name = found[0] if found else ""
        if found and found.end() == len(self.text) and not self.text.endswith(" "):
            firsts = (
                _starts(functions[0].params[0].type) if len(functions) == 1 and functions[0].params else []
            )
            raise _End(name, [*(f.full_name for f in functions), *firsts])
        if name in names:
            self.at += len(name)
            function = names[name]
        elif len(functions) == 1:
            function = functions[0]
        else:
            raise _Unfit
        self._space()
        kinds = [p.type for p in function.params]
        if self._peek() == "(" and not (len(kinds) == 1 and isinstance(kinds[0], TupleType)):
            self._sequence("(", ")", kinds)
        elif kinds:
            self.value(kinds[0])

    def value(self, wit_type: Type) -> None:
        self._space()
        if self.at == len(self.text):
            raise _End("", _starts(wit_type))
        match wit_type:
            case RecordType(fields):
                self._record({f.name: f.type for f in fields})
            case FlagsType(names):
                self._flags(names)
            case ListType(element):
                self._sequence("[", "]", [element], repeat=True)
            case TupleType(elements):
                self._sequence("(", ")", list(elements))
            case EnumType(cases):
                self._case(dict.fromkeys(cases))
            case VariantType(cases):
                self._case({c.name: c.type for c in cases})
            case OptionType(payload):
                self._either({"some": payload, "none": None}, payload)
            case ResultType(ok, err):
                self._either({"ok": ok, "err": err}, ok)
            case Primitive("string" | "char"):
                self._quoted()
            case Primitive("bool"):
                self._case({"true": None, "false": None})
            case _:
                self._skip(_NUMBER)

    def _record(self, fields: dict[str, Type]) -> None:
        self._expect("{")
        left = dict(fields)
        while True:
            self._space()
            if self._peek() == "}":
                break
            label = self._label([f"{name}: " for name in left])
            self._space()
            self._expect(":")
            if label not in left:
                raise _Unfit
            self.value(left.pop(label))
            if not self._comma("}"):
                break
        self.at += 1

    def _flags(self, names: Sequence[str]) -> None:
        self._expect("{")
        left = list(names)
        while True:
            self._space()
            if self._peek() == "}":
                break
            label = self._label(left)
            if label in left:
                left.remove(label)
            if not self._comma("}"):
                break
        self.at += 1

    def _sequence(self, opening: str, closing: str, kinds: Sequence[Type], *, repeat: bool = False) -> None:
        self._expect(opening)
        index = 0
        while True:
            self._space()
            if self._peek() == closing:
                break
            if not kinds or (index >= len(kinds) and not repeat):
                raise _Unfit
            self.value(kinds[0 if repeat else index])
            index += 1
            if not self._comma(closing):
                break
        self.at += 1

    def _case(self, cases: dict[str, Type | None]) -> None:
        label = self._label([f"{name}(" if payload else name for name, payload in cases.items()])
        if label not in cases:
            raise _Unfit
        payload = cases[label]
        if payload is not None and self._peek() == "(":
            self._sequence("(", ")", [payload])

    def _either(self, cases: dict[str, Type | None], plain: Type | None) -> None:
        found = _LABEL.match(self.text, self.at)
        label = found[0] if found else ""
        if label in cases and self.at + len(label) < len(self.text):
            self._case(cases)
        elif label and self.at + len(label) == len(self.text):
            raise _End(label, [*_cases(cases), *(_starts(plain) if plain else [])])
        elif plain is not None:
            self.value(plain)

    def _quoted(self) -> None:
        quote = self._peek()
        if quote not in "\"'":
            raise _Unfit
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != quote:
            self.at += 2 if self.text[self.at] == "\\" else 1
        self._expect(quote)

    def _label(self, words: Sequence[str]) -> str:
        label = self._skip(_LABEL)
        if self.at == len(self.text):
            raise _End(label, words)
        if not label:
            raise _Unfit
        return label

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[0] if found else ""

    def _comma(self, closing: str) -> bool:
        self._space()
        if self._peek() == ",":
            self.at += 1
            return True
        if self._peek() != closing:
            raise _Unfit
        return False

    def _space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            raise _Unfit
        self.at += 1


def _cases(cases: dict[str, Type | None]) -> list[str]:
    return [f"{name}(" if payload else name for name, payload in cases.items()]


def _starts(wit_type: Type) -> list[str]:
    """Return what a value of this type can begin with, as far as words go."""
    match wit_type:
        case RecordType(fields):
            return [f"{{{fields[0].name}: "] if fields else ["{}"]
        case FlagsType(names):
            return [f"{{{name}" for name in names]
        case ListType():
            return ["["]
        case TupleType():
            return ["("]
        case EnumType(cases):
            return list(cases)
        case VariantType(cases):
            return _cases({c.name: c.type for c in cases})
        case OptionType(payload):
            return ["none", "some(", *_starts(payload)]
        case ResultType(ok, err):
            return _cases({"ok": ok, "err": err})
        case Primitive("bool"):
            return ["true", "false"]
        case Primitive("string"):
            return ['"']
        case _:
            return []
