"""How Zig spells what WIT names: types in TitleCase, functions in camelCase, fields in snake_case.

This module knows no world.
"""

from __future__ import annotations

import re
from typing import Final

from labkernel._wit import Function

__all__ = ["PLAIN", "camel", "method_name", "quoted", "resource_of", "snake", "title"]

_KEYWORD_WORDS: Final = """
    addrspace align allowzero and anyframe anytype asm async await break callconv catch comptime const
    continue defer else enum errdefer error export extern fn for if inline linksection noalias noinline
    nosuspend opaque or orelse packed pub resume return struct suspend switch test threadlocal try union
    unreachable usingnamespace var volatile while
"""
_KEYWORDS: Final = frozenset(_KEYWORD_WORDS.split())
_PRIMITIVE_WORDS: Final = """
    anyerror anyframe anyopaque bool c_char c_int c_long c_longdouble c_longlong c_short c_uint c_ulong
    c_ulonglong c_ushort comptime_float comptime_int f128 f16 f32 f64 f80 false isize noreturn null true type
    undefined usize void _
"""
_PRIMITIVES: Final = frozenset(_PRIMITIVE_WORDS.split())
PLAIN: Final = {
    "bool": "bool", "s8": "i8", "u8": "u8", "s16": "i16", "u16": "u16", "s32": "i32", "u32": "u32",
    "s64": "i64", "u64": "u64", "f32": "f32", "f64": "f64", "char": "u21", "string": "[]const u8",
}  # fmt: skip


def _parts(name: str) -> list[str]:
    return [part.lower() for part in re.split(r"\W+", name) if part]


def title(name: str) -> str:
    """Return a kebab name as a type of Zig.

    >>> title("handler-event")
    'HandlerEvent'
    """
    return "".join(part[:1].upper() + part[1:] for part in _parts(name))


def camel(name: str) -> str:
    """Return a kebab name as a function of Zig.

    >>> camel("get-random-bytes")
    'getRandomBytes'
    """
    made = title(name)
    return made[:1].lower() + made[1:]


def snake(name: str) -> str:
    """Return a kebab name as a field of Zig, as yet without quotes.

    >>> snake("event-type")
    'event_type'
    """
    return "_".join(_parts(name))


def quoted(name: str, *, is_member: bool = False) -> str:
    """Return a name as an identifier, which is written `@"name"` where Zig has the word for itself.

    >>> quoted("error"), quoted("type"), quoted("type", is_member=True)
    ('@"error"', '@"type"', 'type')
    """
    is_taken = name in _KEYWORDS or not re.match(r"[A-Za-z_]", name)
    is_primitive = name in _PRIMITIVES or re.fullmatch(r"[iu]\d+", name) is not None
    return f'@"{name}"' if is_taken or name == "_" or (is_primitive and not is_member) else name


def resource_of(function: Function) -> str:
    """Return the resource that a constructor, method or static function belongs to, or nothing."""
    _, mark, rest = function.name.partition("]")
    return rest.partition(".")[0] if mark else ""


def method_name(function: Function) -> str:
    """Return the name of a resource's function within its struct; a constructor is `init`."""
    _, mark, rest = function.name.partition("]")
    return "" if not mark else camel(rest.partition(".")[2]) if "." in rest else "init"
