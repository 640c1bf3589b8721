"""Strings for events: plausible ones by the name of the field, and those that trouble programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from labkernel._events.rng import Rng

__all__ = ["EDGE_CHARS", "EDGE_STRINGS", "plausible"]

EDGE_STRINGS: Final = (
    "",
    "a",
    " ",
    "x" * 4096,
    "\0",
    "line\nbreak\ttab\r\n",
    "quotes \" ' ` and \\",
    "{t} ${x} $x %s %(n)s",
    "--seed",
    "'; DROP TABLE events;--",
    "../../etc/passwd",
    "null",
    "NaN",
    "1e309",
    "e\u0301 is \u00e9",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u202eright to left\u202c",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001d518\U0001d52b\U0001d526",
    "\ufeffbyte order mark",
    "\ufffe\uffff\U0010ffff",
    "\u00df \u0130 \u0131 \u017f",
    "\u2028\u2029\u0085",
)

EDGE_CHARS: Final = (
    "a", "\0", "\x7f", "'", '"', "\\", "\n", "\u00e9", "\u0301", "\ud7ff", "\ue000", "\uffff", "\U00010000",
    "\U0001f30a", "\U0010ffff",
)  # fmt: skip

_WORDS: Final = (
    "alpha", "bravo", "cloud", "delta", "event", "frame", "gamma", "harbour", "image", "journal", "kernel",
    "lambda", "market", "notebook", "object", "packet", "queue", "river", "sensor", "table", "upload",
    "vector", "window", "yellow", "zebra",
)  # fmt: skip
_FOREIGN: Final = ("\u017elu\u0165ou\u010dk\u00fd", "\u6771\u4eac", "na\u00efve", "\U0001f30a", "Stra\u00dfe")
_SUFFIXES: Final = ("jpg", "png", "json", "csv", "txt")


def plausible(name: str) -> Callable[[Rng], str]:
    """Return what draws strings for a field or parameter of this name.

    >>> plausible("event-version")(Rng(1))
    '2.7'
    """
    words = name.split("-")
    for key, draw in _BY_NAME.items():
        if key in words:
            return draw
    return _phrase


def _word(rng: Rng) -> str:
    return rng.choice(_WORDS)


def _phrase(rng: Rng) -> str:
    """Return some words, now and then one of another script, seldom a long text."""
    count = 1 + rng.size(64) // 3
    return " ".join(rng.choice(_FOREIGN) if rng.below(16) == 0 else _word(rng) for _ in range(count))


def _version(rng: Rng) -> str:
    parts = [rng.below(4), rng.below(10)] + [rng.below(20)] * rng.below(2)
    return ".".join(map(str, parts))


def _path(rng: Rng) -> str:
    folders = [_word(rng) for _ in range(1 + rng.below(3))]
    return f"{'/'.join(folders)}/{_word(rng)}-{rng.below(1000)}.{rng.choice(_SUFFIXES)}"


def _url(rng: Rng) -> str:
    return f"https://{_word(rng)}.example/{_path(rng)}"


def _email(rng: Rng) -> str:
    return f"{_word(rng)}.{_word(rng)}@{_word(rng)}.example"


def _identifier(rng: Rng) -> str:
    return f"{rng.next():016x}"


_BY_NAME: Final[dict[str, Callable[[Rng], str]]] = {
    "version": _version,
    "url": _url,
    "uri": _url,
    "email": _email,
    "path": _path,
    "key": _path,
    "file": _path,
    "filename": _path,
    "id": _identifier,
    "uuid": _identifier,
    "token": _identifier,
    "name": _word,
    "bucket": _word,
    "topic": _word,
    "queue": _word,
}
