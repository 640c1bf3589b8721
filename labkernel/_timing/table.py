"""Tables of text, shown as aligned lines here and as HTML elsewhere. It knows no HTML."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Table", "text_width"]


@dataclass(frozen=True, slots=True)
class Table:
    """Headers, rows of as many cells, and a caption that says what they are. The first cell names its row.

    Columns named in `numeric` are set to the right.

    >>> print(Table("", ("phase", "time"), (("link", "9 us"), ("call", "123 us")), numeric=(1,)).text())
    phase    time
    -----  ------
    link     9 us
    call   123 us
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()

    def trimmed(self) -> Table:
        """Return the table without the last columns, where they say nothing in any row.

        >>> Table("", ("a", "b", "c"), (("1", "", ""), ("2", "", ""))).trimmed().headers
        ('a',)
        """
        width = max(
            (i + 1 for row in self.rows for i, cell in enumerate(row) if cell), default=len(self.headers)
        )
        return replace(self, headers=self.headers[:width], rows=tuple(row[:width] for row in self.rows))

    def text(self) -> str:
        """Return the table as aligned lines, the caption above."""
        lines = [self.headers, *self.rows] if any(self.headers) else list(self.rows)
        widths = [max((text_width(line[i]) for line in lines), default=0) for i in range(len(self.headers))]
        shown = [self._line(line, widths) for line in lines]
        if any(self.headers):
            shown.insert(1, "  ".join("-" * width for width in widths).rstrip())
        return "\n".join(([self.caption] if self.caption else []) + shown)

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = []
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            gap = " " * (width - text_width(cell))
            padded.append(gap + cell if index in self.numeric else cell + gap)
        return "  ".join(padded).rstrip()


def text_width(text: str) -> int:
    """Return how many columns of a terminal the text takes.

    >>> text_width("abc"), text_width("语")
    (3, 2)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)
