"""Using a folder's packages: what the lock holds, checked on every use; or plain folders where there is no lock."""

from __future__ import annotations

from pathlib import Path

from labkernel._errors import RegistryError, UsageError
from labkernel._registry.folder import DEPS, digest_of, read_deps, read_files, read_package
from labkernel._registry.lock import LOCK, read_lock
from labkernel._registry.manifest import MANIFEST, read_manifest
from labkernel._registry.records import Files, Locked, PathSource

__all__ = ["deps_of", "find_root"]


def find_root(folder: str | Path | None) -> Path:
    """Return the folder that holds `deps.toml`: the one given, or `wit` or this one where none is given."""
    if folder is None:
        return next((p for p in (Path("wit"), Path()) if (p / MANIFEST).is_file()), Path("wit"))
    root = Path(folder).expanduser()
    if root.name == MANIFEST and root.is_file():
        return root.parent
    if not root.is_dir():
        raise UsageError(f"{str(folder)!r} is no folder; give the one that holds {MANIFEST}.")
    return root


def deps_of(folder: str | Path) -> list[Files]:
    """Return the packages that a folder gives to a cell: path to text of each.

    With a `deps.toml` or `deps.lock` these are the packages of its `deps/`, each checked against the lock; otherwise
    each file is a package and each sub-folder one of several files. Raises `UsageError` or `RegistryError`.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UsageError(f"--deps {str(folder)!r}: there is no such folder; give one that holds .wit files.")
    if root.name == DEPS and (root.parent / LOCK).is_file():
        root = root.parent
    if (root / MANIFEST).is_file() or (root / LOCK).is_file():
        return _locked(root)
    inner = root / DEPS
    found = {**read_deps(root), **(read_deps(inner) if inner.is_dir() else {})}
    if not found:
        raise UsageError(f"--deps {str(folder)!r} holds no .wit file.")
    return list(found.values())


def _locked(root: Path) -> list[Files]:
    """Return what the lock holds; raises `RegistryError` where `deps.toml`, a source or a file is not as locked."""
    locked = read_lock(root)
    again = f"Run %wit deps {root}"
    if (root / MANIFEST).is_file():
        wanted = read_manifest(root).wanted
        asked = {(each.folder, each.source.request) for each in wanted}
        if asked != {(each.folder, each.request) for each in locked if each.request}:
            raise RegistryError(
                f"{root / MANIFEST} asks for something else than {LOCK} holds. {again} to bring both in line."
            )
        for each in wanted:
            if isinstance(each.source, PathSource):
                _check_source(root, each.source, next(p for p in locked if p.folder == each.folder), again)
    found = []
    for package in locked:
        there = root / DEPS / package.folder
        files = read_files(there) if there.is_dir() else {}
        if digest_of(files) != package.sha256:
            state = "is not what was locked" if files else "is missing"
            raise RegistryError(f"{str(there)!r} ({package.package}) {state}. {again} to restore it.")
        found.append({f"{DEPS}/{package.folder}/{name}": text for name, text in files.items()})
    return found


def _check_source(root: Path, source: PathSource, locked: Locked, again: str) -> None:
    """Raise `RegistryError` where a local source is there and has been edited since it was locked."""
    path = root / Path(source.path).expanduser()
    if path.exists() and digest_of(read_package(path)[0]) != locked.sha256:
        raise RegistryError(
            f"{str(path)!r} has been edited since it was locked as {locked.folder}. {again} to take it over."
        )
