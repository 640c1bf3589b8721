"""Showing: records as cards in the notebook, progress as one line that becomes the card.

A magic shows its result at once, so that every line of a cell is seen, and returns it too. IPython then shows
the value of a cell's last line; `Shown` remembers what has been shown already, so that it comes once.
"""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data
from IPython.terminal.interactiveshell import TerminalInteractiveShell

from labkernel._cards import output_card
from labkernel._magics.bundles import beneath, bundle_of, kinds_shown
from labkernel._magics.progress import ProgressLine

__all__ = ["Screen"]


class Screen:
    """What the magics show on. One per shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._shown: tuple[int, int] | None = None
        self._line = ProgressLine(is_kept=isinstance(shell, TerminalInteractiveShell))

    def register(self) -> None:
        """Let the shell's formatters show the lab's records as cards."""
        for kind in kinds_shown():
            self.shell.display_formatter.ipython_display_formatter.for_type(kind, self._display)

    def unregister(self) -> None:
        """Take the formatters back."""
        for kind in kinds_shown():
            self.shell.display_formatter.ipython_display_formatter.pop(kind, None)

    def _display(self, record: Any) -> None:
        mark = (id(record), self.shell.execution_count)
        if self._shown == mark:
            self._shown = None
            return
        publish_display_data(bundle_of(record))
        self._beneath(record)

    def _beneath(self, record: Any) -> None:
        bundle = beneath(record)
        if bundle:
            publish_display_data(bundle)

    def show(self, record: Any) -> Any:
        """Show a record's card and return the record; the progress line becomes the card."""
        bundle = bundle_of(record)
        if not self._line.replace(bundle):
            publish_display_data(bundle)
        self._beneath(record)
        self.hide(record)
        return record

    def show_as(self, record: Any, bundle: dict[str, Any], under: dict[str, Any]) -> None:
        """Show another view of a record than its card, and what stands under it."""
        for part in (bundle, under):
            if not self._line.replace(part):
                publish_display_data(part)
        self.hide(record)

    def fold(self, text: str) -> None:
        """Show what a compiler printed, folded, where the frontend shows HTML; elsewhere nothing."""
        bundle = {"text/html": output_card(text).html()} if text else {}
        if bundle and not self._line.replace(bundle):
            publish_display_data(bundle)

    def hide(self, record: Any) -> None:
        """Keep a cell's last value from being shown, once more or at all."""
        self._shown = (id(record), self.shell.execution_count)

    def begin(self, what: str) -> None:
        """Start the clock of a magic, named by its line."""
        self._line.begin(what)

    def progress(self, text: str, *, now: bool = False) -> None:
        """Say what long work is doing; `now` shows it at once, for figures that change fast."""
        self._line.tell(text, now=now)

    def end(self) -> None:
        """Take the progress line away, where no card has taken its place."""
        self._line.end()

    def note(self, text: str) -> None:
        """Show one line of the lab's own."""
        print(text)  # noqa: T201 - the notebook's output is where it belongs

    def output(self, stream: str, text: str) -> None:
        """Show what a guest prints, as it prints it, as plain text."""
        target = sys.stderr if stream == "stderr" else sys.stdout
        target.write(_without_controls(text))
        target.flush()


def _without_controls(text: str) -> str:
    """Return the text with terminal controls made visible, so that a guest cannot repaint the page.

    >>> _without_controls("a" + chr(27) + "[2Jb")
    'a␛[2Jb'
    """
    return text if text.isprintable() else "".join(_visible(c) for c in text)


def _visible(char: str) -> str:
    if char in "\n\t" or char.isprintable():
        return char
    if ord(char) < 32:
        return chr(0x2400 + ord(char))
    return "␡" if ord(char) == 127 else f"\\u{{{ord(char):x}}}" if 128 <= ord(char) < 160 else char
