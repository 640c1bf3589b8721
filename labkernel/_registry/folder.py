"""Packages as folders: reading them, their digests, and `deps/` as `wit-deps` and `wit-bindgen` lay it out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from labkernel._errors import RegistryError, UsageError
from labkernel._registry.records import Files

__all__ = ["DEPS", "check_file_name", "digest_of", "install", "read_deps", "read_files", "read_package"]

DEPS: Final = "deps"
MAX_TEXT: Final = 32 << 20
MAX_FILES: Final = 2000
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,120}\.wit", re.ASCII)


def check_file_name(name: str, what: str) -> str:
    """Return a file's name; raises `RegistryError` for one that is not plain."""
    if not _FILE.fullmatch(name):
        raise RegistryError(
            f"{what} has a file {name[:120]!r}; names of .wit files are letters, digits, '-', '_', '.'."
        )
    return name


def digest_of(files: Mapping[str, str]) -> str:
    """Return the sha256 of a package's files, which is that of what `sha256sum *.wit` prints for its folder.

    >>> digest_of({"a.wit": ""}) == digest_of({"a.wit": " "})
    False
    """
    lines = (f"{hashlib.sha256(files[n].encode()).hexdigest()}  {n}\n" for n in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_files(folder: Path) -> Files:
    """Return the `.wit` files directly in a folder; raises `UsageError` where one is no text."""
    found: Files = {}
    total = 0
    for path in sorted(folder.glob("*.wit")):
        if path.is_dir() or path.name.startswith("."):
            continue
        found[path.name] = _text(path)
        total += len(found[path.name])
        if len(found) > MAX_FILES or total > MAX_TEXT:
            raise UsageError(
                f"{str(folder)!r} holds more than {MAX_FILES} files or {MAX_TEXT >> 20} MiB of WIT."
            )
    return found


def read_deps(folder: Path) -> dict[str, Files]:
    """Return the packages that a folder holds, by name: each file is one, each sub-folder is one of several files."""
    found = {name.removesuffix(".wit"): {name: text} for name, text in read_files(folder).items()}
    for inner in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = read_files(inner)
        if files:
            found[inner.name] = files
    return found


def read_package(path: Path) -> tuple[Files, dict[str, Files]]:
    """Return the files of the package at a path (a folder or one file), and of those in its `deps/`.

    Raises `UsageError` where there is none.
    """
    if path.is_file() and path.suffix == ".wit":
        return {path.name: _text(path)}, {}
    if not path.is_dir():
        raise UsageError(
            f"{str(path)!r} is no folder of .wit files and no .wit file; paths start at deps.toml's folder."
        )
    files = read_files(path)
    if not files:
        raise UsageError(f"{str(path)!r} holds no .wit file; give the folder that has them itself.")
    inner = path / DEPS
    return files, read_deps(inner) if inner.is_dir() else {}


def _text(path: Path) -> str:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_TEXT else None
        if data is None:
            raise UsageError(f"{str(path)!r} is larger than {MAX_TEXT >> 20} MiB; that is no WIT.")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as text ({error}).") from None


def install(root: Path, packages: Mapping[str, Files], *, owned: Collection[str]) -> tuple[str, ...]:
    """Make `deps/` hold these packages; return the names of what else lies there, which is left alone.

    `owned` are the folders that an earlier lock put there: those no longer wanted are removed. Each folder is
    replaced whole. Raises `UsageError` where a folder of another's is in the way.
    """
    deps = root / DEPS
    try:
        deps.mkdir(parents=True, exist_ok=True)
        for name, files in packages.items():
            there = deps / name
            if there.is_dir() and not there.is_symlink() and _on_disk(there) == files:
                continue
            if os.path.lexists(there) and name not in owned:
                raise UsageError(
                    f"{str(there)!r} is there and not from {root.name or '.'}/deps.lock; move it away, or name the "
                    "dependency otherwise in deps.toml."
                )
            _replace(there, files)
        for name in owned:
            if name not in packages and os.path.lexists(deps / name):
                _remove(deps / name)
        return tuple(sorted(p.name for p in deps.iterdir() if p.name not in packages and _is_package(p)))
    except OSError as error:
        raise UsageError(
            f"{str(deps)!r} cannot be written ({error.strerror}); give a folder of your own."
        ) from None


def _is_package(path: Path) -> bool:
    return path.suffix in (".wit", ".wasm") or (path.is_dir() and not path.name.startswith("."))


def _on_disk(folder: Path) -> Files | None:
    """Return all files of a folder, or `None` where they are not plain `.wit` files."""
    if any(
        p.suffix != ".wit" or p.name.startswith(".") or p.is_symlink() or not p.is_file()
        for p in folder.iterdir()
    ):
        return None
    with contextlib.suppress(UsageError):
        return read_files(folder)
    return None


def _replace(target: Path, files: Files) -> None:
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    fresh.mkdir()
    try:
        for name, text in files.items():
            (fresh / name).write_bytes(text.encode())
        if os.path.lexists(target):
            _remove(target)
        fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path)
