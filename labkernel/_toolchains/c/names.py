"""Short names: what a cell may write instead of the generated names, where that is clear.

A short name is offered when the cell uses it, it stands for one thing only, and neither C, its library nor
the cell has it already. This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from labkernel._toolchains.c.header import Header, Prototype
from labkernel._toolchains.c.source import Source

__all__ = ["declarations", "short_names", "shortened"]

_KEYWORD_WORDS: Final = """
    alignas alignof asm auto bool break case char const constexpr continue default do double else enum
    extern false float for goto if inline int long main nullptr register restrict return short signed
    sizeof static struct switch thread_local true typedef typeof union unsigned void volatile while
"""
_KEYWORDS: Final = frozenset(_KEYWORD_WORDS.split())
#: Types and functions of the library that worlds like to use as names.
_TAKEN_WORDS: Final = """
    size_t ssize_t ptrdiff_t time_t off_t div_t ldiv_t clock_t pid_t mode_t int8_t int16_t int32_t
    int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t wchar_t locale_t fpos_t abort abs
    access acos asin atan atof atoi atol bind calloc ceil clock close connect cos ctime div exit exp
    fabs fclose fflush floor fmod fopen fork fprintf fputs fread free fstat fwrite getc getenv gets
    index isalpha isdigit isspace labs link listen log log10 log2 lseek malloc memchr memcmp memcpy
    memmove memset mkdir modf open perror poll pow printf putc putchar puts qsort raise rand read
    realloc recv remove rename rewind rindex rmdir round scanf select send signal sin sleep snprintf
    socket sprintf sqrt srand sscanf stat strcat strchr strcmp strcpy strdup strlen strncmp strncpy
    strtol strtoul system tan time trunc ungetc unlink usleep write y0 y1 j0 j1 NULL EOF TRUE FALSE
    INFINITY NAN HUGE_VAL RAND_MAX BUFSIZ
"""
_TAKEN: Final = _KEYWORDS | frozenset(_TAKEN_WORDS.split())


def short_names(header: Header) -> dict[str, str]:
    """Return short name -> generated name, for all that is clear."""
    everything = [*header.types, *header.constants, *(f.name for f in header.functions)]
    prefixes = header.prefixes()
    found: dict[str, set[str]] = {}
    for full in everything:
        for short in _candidates(full, prefixes):
            found.setdefault(short, set()).add(full)
    exported = {f.name for f in header.exported}
    aliases = header.aliases()
    names: dict[str, str] = {}
    for short, fulls in found.items():
        # An exported function goes before an imported one of the same name, since a cell defines it.
        chosen = fulls & exported if len(fulls) > 1 and len(fulls & exported) == 1 else fulls
        if len({aliases.get(full, full) for full in chosen}) == 1:
            chosen = {min(chosen, key=len)}
        if len(chosen) == 1 and short not in everything and short not in _TAKEN:
            names[short] = next(iter(chosen))
    return names


def _candidates(full: str, prefixes: Iterable[tuple[str, str]]) -> Iterator[str]:
    for prefix, kept in prefixes:
        for lead, keep in ((prefix, kept), (prefix.upper(), kept.upper())):
            if full.startswith(lead) and re.match(r"[A-Za-z_]", full[len(lead) :]):
                short = full[len(lead) :]
                yield short + "_" if short in _KEYWORDS else short
                if keep:
                    yield keep + full[len(lead) :]
                return


def declarations(header: Header, source: Source) -> list[str]:
    """Return the lines that make the short names a cell uses known.

    A function gets a second declaration under its short name with the generated one as its symbol, so that
    the compiler itself checks the cell's definition against the world.
    """
    prototypes = {f.name: f for f in header.functions}
    lines = []
    for short, full in short_names(header).items():
        if short not in source.words or source.defines_macro(short):
            continue
        if full in header.constants:
            lines.append(f"#define {short} {full}")
        elif full in prototypes:
            lines.extend(_function(short, prototypes[full], source))
        elif not source.declares_type(short):
            lines.append(f"typedef {full} {short};")
    return lines


def _function(short: str, prototype: Prototype, source: Source) -> Iterator[str]:
    defined = short in source.functions
    if prototype.name in source.functions or (defined and prototype.kind != "exported"):
        return
    if defined or prototype.kind != "exported" or re.search(rf"\b{short}\s*\(", source.masked):
        yield f'{prototype.text(short)} __asm__("{prototype.name}");'


def shortened(text: str, header: Header) -> str:
    """Return text of the header with short names for the generated ones.

    >>> from labkernel._wit import World
    >>> header = Header("typedef uint8_t w_kind_t;\\n", World("w"))
    >>> shortened("bool f(w_kind_t *kind)", header)
    'bool f(kind_t *kind)'
    """
    best: dict[str, str] = {}
    for short, full in short_names(header).items():
        if full not in best or len(short) < len(best[full]):
            best[full] = short
    return re.sub(r"\w+", lambda m: best.get(m.group(), m.group()), text)
