"""The content-addressed store: what was made once is found again, by every kernel, after every restart.

Layout below `root`: `KIND/ab/abcdef...` for files and folders, `tmp/` for what is being written. Every
write goes to `tmp/` first and is renamed into place, so a reader sees a whole entry or none; two writers
of one key write the same content and the later rename is harmless. Reading an entry marks it used;
`trim` drops the entries that were used longest ago. This module knows nothing of what it stores.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._errors import CacheDamaged

if sys.platform != "win32":
    import fcntl

__all__ = ["SIZE_VARIABLE", "Cache", "CacheSummary", "default_root", "key_of", "mac_key"]

#: Entries of these kinds are tools, made once in minutes: `trim` leaves them alone.
PINNED: Final = frozenset({"toolchain", "toolbox"})
DEFAULT_MAX_SIZE: Final = 4 << 30
SIZE_VARIABLE: Final = "LABKERNEL_CACHE_SIZE"
_DIGEST_SUFFIX: Final = ".sha256"
_SIDECARS: Final = (_DIGEST_SUFFIX, ".json")
_ABANDONED_AFTER_S: Final = 86_400.0


def default_root() -> Path:
    """Return the folder of the cache: `$LABKERNEL_CACHE`, otherwise one within IPython's cache folder."""
    given = os.environ.get("LABKERNEL_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().absolute() / "ipython" / "labkernel"


def key_of(*parts: object) -> str:
    """Return a key (64 hexadecimal digits) that changes when any part changes.

    Parts are text, bytes, numbers, `None`, or lists, tuples and dicts of these.

    >>> key_of("a", "b") != key_of("ab")
    True
    """
    state = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=_plain).encode()
        state.update(f"{'b' if isinstance(part, bytes) else 'j'}{len(data)}:".encode())
        state.update(data)
    return state.hexdigest()


def _plain(part: object) -> str:
    if isinstance(part, bytes):
        return f"bytes:{part.hex()}"
    raise TypeError(f"{part!r} cannot be part of a cache key")


def mac_key() -> bytes:
    """Return this user's secret of 32 bytes that authenticates machine code; made when first asked for.

    It lies in the user's data folder (mode 0600), outside the cache, so that whoever can write to a
    shared cache still cannot make the lab load code of theirs.
    """
    base = os.environ.get("LABKERNEL_DATA") or os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    folder = Path(base).expanduser() / "labkernel"
    path = folder / "cache.key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == 32:
            return key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = folder / f"cache.key.{secrets.token_hex(8)}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(fresh, path)
    except FileExistsError:
        if path.stat().st_size != 32:
            fresh.replace(path)
    except OSError:
        fresh.replace(path)
    fresh.unlink(missing_ok=True)
    return path.read_bytes()


@dataclass(frozen=True, slots=True)
class CacheSummary:
    """What one kind of entry takes: how many entries and bytes."""

    kind: str
    entries: int
    size: int


class Cache:
    """A store under `root`, shared by processes.

    `max_size` is in bytes; `trim` is what enforces it, and `put` calls it now and then.
    """

    def __init__(self, root: Path | None = None, *, max_size: int | None = None) -> None:
        self.root = root or default_root()
        given = os.environ.get(SIZE_VARIABLE)
        self.max_size = max_size if max_size is not None else int(given) if given else DEFAULT_MAX_SIZE
        self._written = 0

    def path(self, kind: str, key: str, suffix: str = "") -> Path:
        """Return where the entry lies or would lie; its folder exists afterwards."""
        folder = self.root / kind / key[:2]
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{key}{suffix}"

    def get(self, kind: str, key: str, suffix: str = "") -> Path | None:
        """Return the path of an entry and mark it used, or `None`."""
        path = self.root / kind / key[:2] / f"{key}{suffix}"
        try:
            _mark_used(path)
        except OSError:
            return None
        return path

    def use(self, path: Path) -> bool:
        """Mark the entry used that is this path or holds it; return whether the path is there."""
        try:
            parts = path.relative_to(self.root).parts
            _mark_used(self.root.joinpath(*parts[:3]))
        except (OSError, ValueError):
            return False
        return path.exists()

    def read(self, kind: str, key: str, suffix: str = "") -> bytes | None:
        """Return an entry's bytes, or `None` where there is none.

        Raises `CacheDamaged` and drops the entry when its bytes are not those that `put` was given.
        """
        path = self.get(kind, key, suffix)
        if path is None:
            return None
        try:
            data = path.read_bytes()
            digest = path.with_name(path.name + _DIGEST_SUFFIX).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            digest = data = None  # type: ignore[assignment]
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            self.drop(kind, key, suffix)
            raise CacheDamaged(
                f"The cached {kind} {key[:12]} is not what was written; it will be made again."
            )
        return data

    def digest(self, kind: str, key: str, suffix: str = "") -> str | None:
        """Return the sha256 of what `put` was given and mark it used, or `None`; the entry is not read."""
        path = self.get(kind, key, suffix)
        if path is None:
            return None
        try:
            return path.with_name(path.name + _DIGEST_SUFFIX).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None

    def put(self, kind: str, key: str, data: bytes, suffix: str = "") -> Path:
        """Store bytes under a key and return their path."""
        path = self.path(kind, key, suffix)
        self._place(hashlib.sha256(data).hexdigest().encode(), path.with_name(path.name + _DIGEST_SUFFIX))
        self._place(data, path)
        self.grew(len(data))
        return path

    def grew(self, size: int) -> None:
        """Tell of bytes that were written into the cache, by `put` or by another process; trims it now and then."""
        self._written += size
        if self._written > self.max_size // 16:
            self._written = 0
            self.trim()

    def scratch(self) -> Path:
        """Return a new empty folder on the cache's file system; whoever asked removes it."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder))

    @contextlib.contextmanager
    def folder(self, kind: str, key: str) -> Iterator[tuple[Path, bool]]:
        """Hold the entry's lock and yield `(folder, is_new)`.

        For a new entry the body fills the folder; it appears under its key when the body ends without
        an error. Other processes that want the same entry wait meanwhile, then find it made.
        """
        final = self.path(kind, key)
        if final.is_dir():
            _mark_used(final)
            yield final, False
            return
        with self._lock(kind, key):
            if final.is_dir():
                yield final, False
                return
            fresh = self.scratch()
            try:
                yield fresh, True
                fresh.rename(final)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)

    @contextlib.contextmanager
    def building(self, kind: str, key: str) -> Iterator[None]:
        """Hold the entry's lock, so that two kernels make one thing once."""
        with self._lock(kind, key):
            yield

    def drop(self, kind: str, key: str, suffix: str = "") -> None:
        """Remove an entry; none there is fine."""
        path = self.path(kind, key, suffix)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        for each in (path, *(path.with_name(path.name + s) for s in _SIDECARS)):
            with contextlib.suppress(OSError):
                each.unlink()

    def summary(self) -> list[CacheSummary]:
        """Return what each kind of entry takes."""
        kinds: dict[str, list[int]] = {}
        for kind, _, size, _ in self._entries():
            kinds.setdefault(kind, []).append(size)
        return [CacheSummary(kind, len(sizes), sum(sizes)) for kind, sizes in sorted(kinds.items())]

    def trim(self, max_size: int | None = None) -> int:
        """Drop entries used longest ago until at most `max_size` bytes are left; return the bytes freed.

        Tools (`PINNED` kinds) stay, unless `max_size` is 0, which empties the cache.
        """
        limit = self.max_size if max_size is None else max_size
        entries = sorted(self._entries(), key=lambda e: e[3])
        left = sum(size for _, _, size, _ in entries)
        before = left
        for kind, path, size, _ in entries:
            if left <= limit:
                break
            if kind in PINNED and limit > 0:
                continue
            self._remove(path)
            left -= size
        self._sweep()
        return before - left

    def empty(self) -> int:
        """Drop every entry but the tools; return the bytes freed."""
        entries = [entry for entry in self._entries() if entry[0] not in PINNED]
        for _, path, _, _ in entries:
            self._remove(path)
        self._sweep()
        return sum(size for _, _, size, _ in entries)

    def _entries(self) -> Iterator[tuple[str, Path, int, float]]:
        for path in self.root.glob("*/??/*"):
            kind = path.parent.parent.name
            if kind in ("tmp", "locks") or path.name.endswith(_SIDECARS):
                continue
            with contextlib.suppress(OSError):
                yield kind, path, _size(path), path.stat().st_atime

    def _remove(self, path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            self.drop(path.parent.parent.name, path.stem, path.suffix)

    def _sweep(self) -> None:
        old = time.time() - _ABANDONED_AFTER_S
        for path in self.root.glob("tmp/*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < old:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def _place(self, data: bytes, path: Path) -> None:
        tmp = self.root / "tmp"
        tmp.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=tmp)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    @contextlib.contextmanager
    def _lock(self, kind: str, key: str) -> Iterator[None]:
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{kind}-{key[:32]}", "w", encoding="ascii") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _mark_used(path: Path) -> None:
    """Set the time of the last use, and leave the time of the last change: what has been read stays the same."""
    os.utime(path, ns=(time.time_ns(), os.stat(path).st_mtime_ns))


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return path.stat().st_size
