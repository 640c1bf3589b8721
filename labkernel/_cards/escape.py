"""Text as HTML: nothing in it can become a tag, an attribute, a script or a hidden character."""

from __future__ import annotations

import html

from labkernel._timing import visible

__all__ = ["escape"]


def escape(text: str, *, one_line: bool = False) -> str:
    """Return the text as HTML that shows exactly `visible(text)`, in a tag or in an attribute.

    >>> escape('<b onclick="x">')
    '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return html.escape(visible(text, one_line=one_line), quote=True)
