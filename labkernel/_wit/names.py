"""Which packages a WIT text declares and which it refers to, read without resolving it.

The scan is lenient: it looks for names where they may stand and leaves errors to the parser. It knows nothing of
where packages come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["PackageId", "declared", "nested", "referenced", "with_versions", "without_comments"]

_ID: Final = r"%?[A-Za-z][A-Za-z0-9-]*"
_PACKAGE: Final = rf"{_ID}(?:\s*:\s*{_ID})+"
_DOTTED: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION: Final = rf"\d+\.\d+\.\d+(?:-{_DOTTED})?(?:\+{_DOTTED})?"
_DECLARED: Final = re.compile(rf"(?<![\w%-])package\s+({_PACKAGE})(?:\s*@\s*({_VERSION}))?\s*([{{;]?)")
_REFERENCE: Final = re.compile(rf"(?<![\w%-])({_PACKAGE})\s*/\s*{_ID}(?:\s*/\s*{_ID})*(\s*@\s*({_VERSION}))?")
_COMMENT: Final = re.compile(r"//[^\n]*|/\*")
_BLOCK: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True, order=True)
class PackageId:
    """A package's name (`wasi:io`) and its version; an empty version is none."""

    name: str
    version: str = ""

    @classmethod
    def from_text(cls, text: str) -> PackageId:
        """Return the id that a text such as `wasi:io@0.2.0` writes.

        >>> PackageId.from_text("wasi:io@0.2.0")
        PackageId(name='wasi:io', version='0.2.0')
        """
        name, _, version = text.partition("@")
        return cls(name, version)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


def without_comments(text: str) -> str:
    """Return the text with comments turned to spaces, every offset and line as before.

    >>> without_comments("a /* b /* c */ d */ e // f")
    'a                   e     '
    """
    pieces, at = [], 0
    while (match := _COMMENT.search(text, at)) is not None:
        end = match.end() if match[0] != "/*" else _comment_end(text, match.end())
        pieces += [text[at : match.start()], _blank(text[match.start() : end])]
        at = end
    return "".join([*pieces, text[at:]])


def _comment_end(text: str, at: int) -> int:
    """Return the offset after the block comment that was opened before `at`; such comments nest."""
    depth = 1
    for mark in _BLOCK.finditer(text, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def declared(text: str) -> tuple[PackageId, ...]:
    """Return the packages that a text declares, in order: by its first line, and nested ones in braces.

    >>> declared("package a:b@1.0.0; package c:d { interface i {} }")
    (PackageId(name='a:b', version='1.0.0'), PackageId(name='c:d', version=''))
    """
    return tuple(_id(match[1], match[2]) for match in _DECLARED.finditer(without_comments(text)))


def referenced(text: str) -> frozenset[PackageId]:
    """Return the packages that a text refers to by paths such as `wasi:io/streams@0.2.0`.

    >>> sorted(map(str, referenced("world w { include a:b/w@1.0.0; import c:d/i; }")))
    ['a:b@1.0.0', 'c:d']
    """
    return frozenset(_id(match[1], match[3]) for match in _REFERENCE.finditer(without_comments(text)))


def with_versions(text: str, choose: Callable[[PackageId], str]) -> str:
    """Return the text with the version after each reference that `choose` gives; an empty one leaves it out."""
    pieces, at = [], 0
    for match in _REFERENCE.finditer(without_comments(text)):
        version = choose(_id(match[1], match[3]))
        end = match.start(2) if match[2] is not None else match.end()
        pieces += [text[at:end], f"@{version}" if version else ""]
        at = match.end()
    return "".join([*pieces, text[at:]])


def nested(text: str) -> tuple[str, dict[PackageId, str]]:
    """Return the text without the packages nested in braces, and those as texts of their own.

    >>> nested("package a:b; interface i {} package c:d { interface j {} }")[1]
    {PackageId(name='c:d', version=''): 'package c:d;\\n interface j {} '}
    """
    rest, found, at = [], {}, 0
    for name, start, opening, closing in _nested_spans(without_comments(text)):
        rest.append(text[at:start])
        found[name] = f"package {name};\n{text[opening + 1 : closing]}"
        at = closing + 1
    return "".join([*rest, text[at:]]), found


def _nested_spans(plain: str) -> Iterator[tuple[PackageId, int, int, int]]:
    """Yield each nested package: its id, and the offsets of its first letter and its braces."""
    for match in _DECLARED.finditer(plain):
        if match[3] == "{":
            yield _id(match[1], match[2]), match.start(), match.end() - 1, _closing(plain, match.end())


def _closing(plain: str, at: int) -> int:
    """Return the offset of the brace that closes what was opened before `at`."""
    depth = 1
    for brace in re.finditer(r"[{}]", plain[at:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return at + brace.start()
    return len(plain)


def _id(name: str, version: str | None) -> PackageId:
    return PackageId(re.sub(r"[\s%]", "", name), version or "")
