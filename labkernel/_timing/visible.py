"""Text of unknown origin, made fit to be shown: nothing in it can steer a terminal or hide from a reader.

What a guest prints may hold escape sequences, reversed writing or half characters. Each such character is
shown as a visible one, in HTML and in plain text alike. It knows neither.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["visible"]

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str, *, one_line: bool = False) -> str:
    r"""Return the text with every control, direction and half character shown as a visible one.

    Newlines and tabs stay, unless it has to be one line.

    >>> visible("\x1b[31mred\x1b[0m \u202eabc")
    '\\x1b[31mred\\x1b[0m \\u202eabc'
    >>> visible("a\r\nb", one_line=True)
    'a\\nb'
    """
    text = text.replace("\r\n", "\n")
    text = _HIDDEN.sub(_shown, text)
    return text.replace("\n", "\\n").replace("\t", "\\t") if one_line else text


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
