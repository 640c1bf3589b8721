"""Files of machine code with their MAC: written atomically, never loaded unless they are what was written."""

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

__all__ = ["load_checked", "mac_path", "write"]

T = TypeVar("T")
_CONTEXT: Final = b"labkernel machine code 3\0"


def mac_path(target: Path) -> Path:
    """Return where the MAC of a file of machine code lies."""
    return target.with_suffix(".mac")


def _mac(key: bytes, name: str, settings_key: str, code: bytes | mmap.mmap) -> bytes:
    """The MAC binds the file's name and the engine's settings, so that no other file can take its place.

    A runtime's 40 MB are hashed whenever a kernel first loads it; BLAKE3 takes a fifth of SHA-256's time for them.
    """
    return hmac.digest(key, _CONTEXT + f"{name}\0{settings_key}\0".encode() + blake3(code).digest(), "sha256")


def write(target: Path, code: bytes, *, key: bytes, settings_key: str) -> None:
    """Write code and MAC, each by a temporary file and a rename. A reader never sees half a file."""
    mac = _mac(key, target.name, settings_key, code)
    _replace(target, code)
    _replace(mac_path(target), mac.hex().encode())


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
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
        expected = bytes.fromhex(mac_path(target).read_text("ascii").strip())
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    except (OSError, ValueError) as error:
        raise CacheDamaged(
            f"{target.name}: machine code or MAC cannot be read ({error}). It will be made again."
        ) from None
    try:
        if os.fstat(descriptor).st_size == 0:
            raise _damaged(target)
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as code:
            if not hmac.compare_digest(_mac(key, target.name, settings_key, code), expected):
                raise _damaged(target)
        link = f"/proc/self/fd/{descriptor}"
        return deserialize(link if os.path.exists(link) else str(target))
    finally:
        os.close(descriptor)


def _damaged(target: Path) -> CacheDamaged:
    return CacheDamaged(f"{target.name} is not the machine code that was written. It will be made again.")
