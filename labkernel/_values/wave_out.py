"""The normal form to WAVE text, as the crate wasm-wave prints it: one line, no fields that are `none`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from labkernel._values.compiled import Compiled
from labkernel._values.floats import float_text
from labkernel._values.labels import KEYWORDS
from labkernel._wit import (
    EnumType,
    FlagsType,
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

__all__ = ["label", "wave"]

Write: TypeAlias = Callable[[Any], str]

_SPECIAL: Final = re.compile(r"[\\\"'\x00-\x1f\x7f]|[^\x00-\x7f]")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "'": "\\'", "\t": "\\t", "\r": "\\r", "\n": "\\n"}
# Other_Grapheme_Extend of Unicode's PropList: marks of spacing kind that extend a grapheme all the same.
_EXTENDERS: Final = frozenset(
    map(chr, (
        0x09BE, 0x09D7, 0x0B3E, 0x0B57, 0x0BBE, 0x0BD7, 0x0CC2, 0x0CD5, 0x0CD6, 0x0D3E, 0x0D57, 0x0DCF,
        0x0DDF, 0x1B35, 0x302E, 0x302F, 0xFF9E, 0xFF9F, 0x1133E, 0x11357, 0x114B0, 0x114BD, 0x115AF, 0x11930,
        0x1D165, 0x1D16E, 0x1D16F, 0x1D170, 0x1D171, 0x1D172,
    ))
)  # fmt: skip


def wave(normal: Any, wit_type: Type) -> str:
    """Return a normal form as WAVE text on one line.

    >>> from labkernel._wit import Case
    >>> wave(["unsupported", "object-removed"], VariantType((Case("unsupported", Primitive("string")),)))
    'unsupported("object-removed")'
    """
    return _write_of(wit_type)(normal)


def _make(wit_type: Type) -> Write:
    match wit_type:
        case Primitive(name):
            return _SCALARS.get(name, str)
        case ListType(Primitive("u8")):
            return lambda normal: f"[{', '.join(map(str, normal))}]"
        case ListType(element):
            write = _write_of(element)
            return lambda normal: f"[{', '.join(map(write, normal))}]"
        case TupleType(elements):
            writers = [_write_of(e) for e in elements]
            return lambda normal: f"({', '.join(w(n) for w, n in zip(writers, normal, strict=True))})"
        case RecordType(fields):
            return _record([(f.name, _write_of(f.type)) for f in fields])
        case OptionType(payload):
            inner = _write_of(payload)
            return lambda normal: "none" if normal is None else f"some({inner(normal[0])})"
        case ResultType(ok, err):
            return _variant({"ok": ("ok", ok), "err": ("err", err)})
        case VariantType(cases):
            return _variant({c.name: (label(c.name), c.type) for c in cases})
        case EnumType():
            return label
        case FlagsType():
            return lambda normal: f"{{{', '.join(normal)}}}"
        case HandleType(resource):
            return lambda normal: f"{resource}({normal})"
        case OpaqueType(text):
            return lambda normal: f"<{text}>"


_write_of: Final[Compiled[Write]] = Compiled(_make)


def label(name: str) -> str:
    """Return the name of a case or a flag as WAVE writes it: keywords are marked."""
    return f"%{name}" if name in KEYWORDS else name


def _record(fields: list[tuple[str, Write]]) -> Write:
    def write(normal: Any) -> str:
        # Of all normal forms only an option's `none` is None: such fields are left out.
        parts = [f"{name}: {w(n)}" for (name, w), n in zip(fields, normal, strict=True) if n is not None]
        return f"{{{', '.join(parts) or ':'}}}"

    return write


def _variant(cases: dict[str, tuple[str, Type | None]]) -> Write:
    writers = {
        name: (shown, None if payload is None else _write_of(payload))
        for name, (shown, payload) in cases.items()
    }

    def write(normal: Any) -> str:
        shown, inner = writers[normal[0]]
        return shown if inner is None else f"{shown}({inner(normal[1])})"

    return write


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    if not char.isprintable() or unicodedata.category(char) in ("Mn", "Me") or char in _EXTENDERS:
        return f"\\u{{{ord(char):x}}}"
    return char


def _quoted(quote: str) -> Write:
    return lambda text: f"{quote}{_SPECIAL.sub(_escaped, text)}{quote}"


_SCALARS: Final[dict[str, Write]] = {
    "bool": lambda value: "true" if value else "false",
    "f32": lambda value: float_text(value, 32),
    "f64": lambda value: float_text(value, 64),
    "char": _quoted("'"),
    "string": _quoted('"'),
}
