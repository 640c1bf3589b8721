"""Inputs nobody would write: real ones, mutated by a seeded generator, so that what was found is found again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["junk", "mutants", "texts"]

_NUMBERS = (0, 1, 127, 128, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)


def mutants(seeds: Sequence[bytes], n: int, seed: int) -> Iterator[bytes]:
    """Yield `n` mutations of the seeds: bits flipped, bytes set, pieces cut, doubled, moved and crossed over."""
    rng = random.Random(seed)
    for _ in range(n):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            _mutate(data, seeds, rng)
        yield bytes(data)


def _mutate(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    size = min(len(data) - at, rng.choice((1, 1, 2, 4, 8, 32)))
    match rng.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 1 if at < len(data):
            data[at] = rng.randrange(256)
        case 2:
            del data[at : at + size]
        case 3:
            data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
        case 4:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_NUMBERS) % (1 << 8 * width)
            data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
        case 5:
            other = rng.choice(seeds)
            start = rng.randrange(len(other) + 1)
            data[at:] = other[start:]
        case _:
            del data[at:]


def texts(seeds: Sequence[str], words: Sequence[str], n: int, seed: int) -> Iterator[str]:
    """Yield `n` mutations of texts, by characters and by words that mean something in their language."""
    rng = random.Random(seed)
    for _ in range(n):
        text = rng.choice(seeds)
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            at = rng.randrange(len(text) + 1)
            size = rng.choice((0, 1, 1, 3, 10))
            odd = chr(rng.choice((0, 9, 34, 92, 0x7F, 0xE9, 0x202E, 0x1F600)))
            put = rng.choice((rng.choice(words), rng.choice(words) * 3, odd, "", text[at : at + 20]))
            text = text[:at] + put + text[at + size :]
        yield text


def junk(rng: random.Random, depth: int = 0) -> Any:
    """Return a value of any shape that a frame can carry."""
    kind = rng.randrange(11 if depth < 4 else 7)
    match kind:
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice((*_NUMBERS, -1, -128, -(1 << 31), -(1 << 63)))
        case 2:
            return rng.choice((0.0, -0.0, 1e308, float("inf"), float("nan"), 0.1))
        case 3:
            return "".join(rng.choice("ab\0\x1b\u00e9\u202e\U0001f600 ") for _ in range(rng.randrange(6)))
        case 4:
            return rng.randbytes(rng.randrange(6))
        case 5:
            return rng.choice(("ok", "err", "some", "none", "read", "write", "a", "dot"))
        case 6:
            return rng.randrange(-300, 300)
        case _:
            return [junk(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 2, 3, 5)))]
