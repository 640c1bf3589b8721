"""The insides of WAVE's chars, strings and multi-line strings, with their escapes."""

from __future__ import annotations

import re
from typing import Final

from labkernel._values.place import syntax_error

__all__ = ["read_char", "read_multiline", "read_string"]

_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(['\"tnr\\]))")
_SINGLE: Final = {"'": "'", '"': '"', "t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def read_string(text: str, start: int, end: int) -> str:
    """Return what `text[start:end]`, the inside of a string, stands for.

    >>> read_string(r"a\\tb\\u{2603}", 0, 12) == "a" + chr(9) + "b☃"
    True
    """
    at = text.find("\\", start, end)
    if at < 0:
        return text[start:end]
    parts = []
    while at >= 0:
        parts.append(text[start:at])
        escaped, start = _unescape(text, at)
        parts.append(escaped)
        at = text.find("\\", start, end)
    parts.append(text[start:end])
    return "".join(parts)


def read_char(text: str, start: int, end: int) -> str:
    """Return the one character that `text[start:end]`, the inside of a char, stands for."""
    read = read_string(text, start, end)
    if len(read) == 1:
        return read
    hint = "A string has double quotes." if len(read) > 1 else ""
    message = f"A char must be one Unicode scalar value, not {len(read)},"
    raise syntax_error(text, start - 1, end + 1, message, hint)


def read_multiline(text: str, start: int, end: int) -> str:
    """Return what the inside of a multi-line string stands for: its lines less their indent."""
    lines = text[start:end].split("\n")
    if lines[0] not in ("", "\r") or len(lines) == 1:
        raise syntax_error(text, start - 3, start, 'Opening """ must be followed by a line break')
    indent = lines[-1]
    if indent.strip(" "):
        raise syntax_error(text, end, end + 3, 'Closing """ must stand on its own line, after spaces only')
    read = []
    position = start + len(lines[0]) + 1
    for line in lines[1:-1]:
        if not line.startswith(indent):
            message = f'This line must be indented by {len(indent)} spaces at least, as the closing """ is'
            raise syntax_error(text, position, position + 1, message)
        stop = position + len(line) - line.endswith("\r")
        read.append(read_string(text, position + len(indent), stop))
        position += len(line) + 1
    return "\n".join(read)


def _unescape(text: str, at: int) -> tuple[str, int]:
    """Return the character that the escape at `at` stands for, and where it ends."""
    match = _ESCAPE.match(text, at)
    if match is None:
        known = r"\' \" \\ \t \n \r \u{...}"
        raise syntax_error(text, at, at + 2, f"Unknown escape {text[at : at + 2]!r}", f"Known: {known}.")
    digits, single = match.groups()
    if single:
        return _SINGLE[single], match.end()
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise syntax_error(text, at, match.end(), f"U+{code:04X} is no Unicode scalar value")
    return chr(code), match.end()
