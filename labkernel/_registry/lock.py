"""`deps.lock`: which packages a folder's `deps/` holds, with digests; the same packages give the same text."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from labkernel._errors import RegistryError, UsageError
from labkernel._registry.manifest import folder_name, read_toml
from labkernel._registry.records import Locked
from labkernel._wit import PackageId

__all__ = ["LOCK", "lock_text", "owned_folders", "parse_lock", "read_lock", "write_lock"]

LOCK: Final = "deps.lock"
_VERSION: Final = 1
_HEAD: Final = "# Written by %wit deps. Keep it under version control; it is not for editing.\nversion = 1\n"
_TEXTS: Final = ("folder", "package", "sha256", "source", "request", "digest")
_NEXT: Final = "Run %wit deps --update to write it anew."
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def lock_text(packages: Iterable[Locked]) -> str:
    """Return the lock as TOML, ordered by folder."""
    parts = [_HEAD]
    for each in sorted(packages, key=lambda p: p.folder):
        values = (each.folder, str(each.package), each.sha256, each.source, each.request, each.digest)
        lines = [f"{key} = {_quoted(value)}" for key, value in zip(_TEXTS, values, strict=True) if value]
        if each.by:
            lines.append(f"by = [{', '.join(map(_quoted, sorted(each.by)))}]")
        parts.append("\n".join(["\n[[package]]", *lines, ""]))
    return "".join(parts)


def _quoted(text: str) -> str:
    """Return a text as a TOML basic string.

    >>> _quoted('a"b')
    '"a\\\\"b"'
    """
    return (
        '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'
    )


def read_lock(root: Path) -> tuple[Locked, ...]:
    """Return what a folder's lock holds, nothing where there is none; raises `RegistryError` for a damaged one."""
    path = root / LOCK
    if not path.is_file():
        return ()
    try:
        return parse_lock(read_toml(path))
    except UsageError as error:
        raise RegistryError(f"{error} {_NEXT}") from None


def parse_lock(table: dict[str, Any]) -> tuple[Locked, ...]:
    """Return the packages of a lock's table; raises `RegistryError`."""
    version = table.get("version")
    if version is None:
        raise RegistryError(f"{LOCK} is in the form of wit-deps, whose digests are of another kind. {_NEXT}")
    entries = table.get("package", [])
    if version != _VERSION or not isinstance(entries, list):
        raise RegistryError(f"{LOCK} has version {version!r}; this lab reads version {_VERSION}. {_NEXT}")
    found = [_entry(entry) for entry in entries]
    if len({each.folder for each in found}) != len(found):
        raise RegistryError(f"{LOCK} names a folder twice. {_NEXT}")
    return tuple(found)


def _entry(entry: Any) -> Locked:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(k, ""), str) for k in _TEXTS):
        raise RegistryError(f"{LOCK} has a package {str(entry)[:80]!r} that is not in its form. {_NEXT}")
    by = entry.get("by", [])
    texts = {key: entry.get(key, "") for key in _TEXTS}
    sound = isinstance(by, list) and all(isinstance(name, str) for name in by)
    try:
        sound = sound and folder_name(texts["folder"]) == texts["folder"]
    except UsageError:
        sound = False
    if not sound or not re.fullmatch(r"[0-9a-f]{64}", texts["sha256"]) or not texts["source"]:
        raise RegistryError(f"{LOCK}: the package in folder {texts['folder'][:80]!r} is damaged. {_NEXT}")
    package = PackageId.from_text(texts.pop("package"))
    return Locked(**texts, package=package, by=tuple(by))


def owned_folders(root: Path) -> frozenset[str]:
    """Return the folders under `deps/` that a lock, this one's or `wit-deps`'s, put there; none for a damaged one."""
    try:
        table = read_toml(root / LOCK)
        if "version" in table:
            return frozenset(each.folder for each in parse_lock(table))
        return frozenset(folder_name(name) for name, entry in table.items() if isinstance(entry, dict))
    except (UsageError, RegistryError):
        return frozenset()


def write_lock(root: Path, packages: Sequence[Locked]) -> None:
    """Write a folder's lock, whole or not at all, and only where it changes."""
    path, text = root / LOCK, lock_text(packages)
    fresh = path.with_name(f".{LOCK}.{secrets.token_hex(4)}")
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return
        fresh.write_bytes(text.encode())
        os.replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise UsageError(
            f"{str(path)!r} cannot be written ({error.strerror}); give a folder of your own."
        ) from None
