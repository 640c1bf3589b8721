"""Packages from a tar archive, read in memory: nothing is unpacked onto the disk.

The archive holds the package's files in a folder (`wit` unless told otherwise), at its top or one folder below it,
and packages it needs in that folder's `deps/`.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Final

from labkernel._errors import RegistryError
from labkernel._registry.folder import MAX_TEXT, check_file_name
from labkernel._registry.manifest import folder_name
from labkernel._registry.records import Files

__all__ = ["MAX_ARCHIVE", "packages_in"]

MAX_ARCHIVE: Final = 64 << 20
MAX_UNPACKED: Final = 256 << 20
MAX_MEMBERS: Final = 50_000


class _Bounded(io.RawIOBase):
    """A stream that ends in an error when more is read than an archive may unpack to."""

    def __init__(self, inner: IO[bytes], what: str) -> None:
        self._inner, self._what, self._left = inner, what, MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise RegistryError(f"{self._what} unpacks to more than {MAX_UNPACKED >> 20} MiB; refused.")
        return data


def packages_in(data: bytes, *, subdir: str, what: str) -> tuple[Files, dict[str, Files]]:
    """Return the files of the archive's package, and those of the packages in its `deps/` by folder.

    Raises `RegistryError` for what is no archive, holds no such folder, or has a member that leads out of it.
    """
    own: Files = {}
    others: dict[str, Files] = {}
    try:
        for place, text in _texts(data, tuple(subdir.split("/")), what):
            if len(place) == 1:
                own[check_file_name(place[0], what)] = text
            else:
                folder = folder_name(place[1].removesuffix(".wit"))
                others.setdefault(folder, {})[check_file_name(place[-1], what)] = text
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        UnicodeError,
        ValueError,
    ) as error:
        raise RegistryError(f"{what} is no tar archive that can be read ({error}).") from None
    if not own:
        raise RegistryError(
            f'{what} holds no .wit file in a folder {subdir!r}; give the right one with subdir = "...".'
        )
    return own, others


def _texts(data: bytes, subdir: tuple[str, ...], what: str) -> Iterator[tuple[tuple[str, ...], str]]:
    with _opened(data, what) as archive:
        total = 0
        for count, member in enumerate(archive):
            if count >= MAX_MEMBERS:
                raise RegistryError(f"{what} has more than {MAX_MEMBERS} members; refused.")
            path = _checked_path(member.name, what)
            place = _place(path.parts, subdir)
            if place is None or not path.name.endswith(".wit") or member.isdir():
                continue
            if not member.isreg():
                raise RegistryError(f"{what}: {member.name!r} is a link or a device, not a file; refused.")
            tarfile.data_filter(member, "/wit")
            total += member.size
            if member.size > MAX_TEXT or total > MAX_TEXT:
                raise RegistryError(f"{what} holds more than {MAX_TEXT >> 20} MiB of WIT; refused.")
            file = archive.extractfile(member)
            yield place, (file.read() if file else b"").decode("utf-8")


def _opened(data: bytes, what: str) -> tarfile.TarFile:
    raw: IO[bytes] = io.BytesIO(data)
    if data[:2] == b"\x1f\x8b":
        raw = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
    elif data[:6] == b"\xfd7zXZ\0":
        raw = lzma.LZMAFile(raw)  # noqa: SIM115 - it only reads memory
    return tarfile.open(fileobj=_Bounded(raw, what), mode="r|")


def _checked_path(name: str, what: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise RegistryError(f"{what} has a member {name[:120]!r} that leads out of it; refused.")
    return path


def _place(parts: tuple[str, ...], subdir: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return where a member is within the package's folder: `(file,)` or `("deps", folder..., file)`."""
    for skip in (0, 1):
        rest = parts[skip + len(subdir) :]
        is_there = parts[skip : skip + len(subdir)] == subdir
        if is_there and (len(rest) == 1 or (rest[:1] == ("deps",) and len(rest) in (2, 3))):
            return rest
    return None
