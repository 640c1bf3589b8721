"""Files of machine code that end with their MAC: written atomically, never loaded unless they are what was written.

Code and MAC are one file, so that no two writers of an entry can mix them, whenever they are killed. The engine reads
the sections that the head of the file names and takes no notice of what follows them.
"""

from __future__ import annotations

import hmac
import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from blake3 import blake3

from labkernel._errors import CacheDamaged

__all__ = ["key_id", "load_checked", "write"]

T = TypeVar("T")
_CONTEXT: Final = b"labkernel machine code 4\0"
_MARK: Final = b"labkernel MAC 4\0"
_END_BYTES: Final = len(_MARK) + 32


def key_id(key: bytes) -> str:
    """Return what tells keys apart and does not tell the key: what one key has authenticated, no other can load."""
    return hmac.digest(key, b"labkernel key id\0", "sha256").hex()[:16]


def _mac(key: bytes, name: str, settings_key: str, code: memoryview) -> bytes:
    """The MAC binds the file's name and the engine's settings, so that no other file can take its place.

    A runtime's 40 MB are hashed whenever a kernel first loads it; BLAKE3 takes a fifth of SHA-256's time for them.
    """
    return hmac.digest(key, _CONTEXT + f"{name}\0{settings_key}\0".encode() + blake3(code).digest(), "sha256")


def write(target: Path, code: bytes, *, key: bytes, settings_key: str) -> None:
    """Write code and MAC by one temporary file and one rename: a reader sees a whole entry or the one before."""
    with memoryview(code) as view:
        mac = _mac(key, target.name, settings_key, view)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(code)
            file.write(_MARK + mac)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_checked(target: Path, deserialize: Callable[[str], T], *, key: bytes, settings_key: str) -> T:
    """Return what `deserialize` makes of the file, once its MAC is right. Raises `CacheDamaged`.

    The file is opened once: what is checked and what is loaded is the same file, whatever happens to its
    name.
    """
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise CacheDamaged(f"{target.name} cannot be read ({error}). It will be made again.") from None
    try:
        if not _is_right(descriptor, target.name, key, settings_key):
            raise _damaged(target)
        link = f"/proc/self/fd/{descriptor}"
        return deserialize(link if os.path.exists(link) else str(target))
    finally:
        os.close(descriptor)


def _is_right(descriptor: int, name: str, key: bytes, settings_key: str) -> bool:
    size = os.fstat(descriptor).st_size
    if size <= _END_BYTES:
        return False
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as whole:
        end = bytes(whole[-_END_BYTES:])
        with whole[:-_END_BYTES] as code:
            return hmac.compare_digest(_MARK + _mac(key, name, settings_key, code), end)


def _damaged(target: Path) -> CacheDamaged:
    return CacheDamaged(f"{target.name} is not the machine code that was written. It will be made again.")
