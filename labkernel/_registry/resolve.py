"""From `deps.toml` to `deps/` and `deps.lock`: every package and what it refers to, chosen, checked, written.

All is brought together in memory first; what fails leaves the folder as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CacheDamaged, RegistryError, UsageError
from labkernel._registry.folder import DEPS, digest_of, install, read_files
from labkernel._registry.groups import Group, align, answers, lifters, missing
from labkernel._registry.lock import owned_folders, read_lock, write_lock
from labkernel._registry.manifest import Manifest, folder_name, read_manifest
from labkernel._registry.records import DepsRecord, Files, Locked, PathSource, Source, State, Wanted
from labkernel._registry.sources import PUBLISHED, Fetched, Sources, main_package
from labkernel._toolbox import Toolbox
from labkernel._wit import PackageId

__all__ = ["update_deps"]

MAX_PACKAGES: Final = 500
_KIND: Final = "deps"


def update_deps(
    root: Path,
    *,
    toolbox: Callable[[], Toolbox],
    cache: Cache,
    offline: bool = False,
    update: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> DepsRecord:
    """Bring a folder's `deps/` and `deps.lock` in line with its `deps.toml`.

    What is locked stays as it is, checked against its digest, unless `update` chooses anew; `offline` fetches
    nothing. Raises `UsageError`, `RegistryError` or `WitError`; the folder is then as it was.
    """
    with cache.building(_KIND, key_of(str(root.resolve()))):
        return _update(root, toolbox, cache, offline, update, progress)


def _update(
    root: Path, toolbox: Callable[[], Toolbox], cache: Cache, offline: bool, update: bool,
    progress: Callable[[str], None],
) -> DepsRecord:  # fmt: skip
    manifest = read_manifest(root)
    before = _known(root) if update else read_lock(root)
    sources = Sources(
        root, toolbox=toolbox, namespaces=manifest.namespaces, offline=offline, progress=progress
    )
    run = _Run(root, manifest, () if update else before, sources, cache)
    run.collect()
    locked = run.locked()
    if {each.folder: each.sha256 for each in before} != {each.folder: each.sha256 for each in locked}:
        run.check(toolbox)
    for group in run.groups.values():
        cache.put(_KIND, digest_of(group.files), json.dumps(group.files).encode(), ".json")
    others = install(root, {f: g.files for f, g in run.groups.items()}, owned=owned_folders(root))
    write_lock(root, locked)
    if others:
        run.notes.append(f"deps/ also holds {', '.join(others)}: not of deps.toml, left alone, and not used.")
    old = {each.folder: each.package for each in before}
    states = tuple(State(each, _what(run.groups[each.folder].what, each, old)) for each in locked)
    return DepsRecord(str(root), states, tuple(run.notes))


def _known(root: Path) -> tuple[Locked, ...]:
    """Return what a lock that is about to be replaced holds; nothing for one that cannot be read."""
    try:
        return read_lock(root)
    except RegistryError:
        return ()


def _what(what: str, locked: Locked, old: dict[str, PackageId]) -> str:
    before = old.get(locked.folder, locked.package)
    return what if before == locked.package else f"{what}, was {before.version or before}"


@dataclass
class _Run:
    """One run: the packages gathered so far, by folder."""

    root: Path
    manifest: Manifest
    old: tuple[Locked, ...]
    sources: Sources
    cache: Cache
    groups: dict[str, Group] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def collect(self) -> None:
        """Gather what is asked for, then what that refers to, until nothing is missing."""
        for wanted in self.manifest.wanted:
            self._direct(wanted)
        while names := missing(self.groups):
            lost = [
                (name, by) for name, by in names if not self._is_there(name) and not self._provide(name, by)
            ]
            if lost:
                raise _not_there(lost)
            if len(self.groups) > MAX_PACKAGES:
                raise RegistryError(
                    f"More than {MAX_PACKAGES} packages are needed, which is refused as a loop."
                )
        self.notes += align(self.groups)

    def _direct(self, wanted: Wanted) -> None:
        request = wanted.source.request
        fitting = (e for e in self.old if (e.request, e.folder) == (request, wanted.folder))
        locked = next(fitting, None)
        if locked is not None and not isinstance(wanted.source, PathSource):
            self._from_lock(locked, wanted.source)
            return
        fetched = self.sources.get(wanted.source)
        if isinstance(wanted.source, PathSource):
            is_same = locked is not None and digest_of(fetched.files) == locked.sha256
            what = "as locked" if is_same else "changed" if locked else "copied"
        else:
            what = _how(fetched)
        self.groups[wanted.folder] = Group(wanted.folder, fetched, what, request)
        for folder, files in fetched.lifted.items():
            self._lift(folder, files, wanted.folder)

    def _lift(self, folder: str, files: Files, parent: str, what: str = "") -> None:
        """Add a package that lies in another's `deps/`, unless `deps.toml` says where it is from."""
        if any(folder == wanted.folder for wanted in self.manifest.wanted):
            return
        there = self.groups.get(folder)
        if there is not None and there.files != files:
            raise RegistryError(
                f"{parent} and {', '.join(sorted(there.within)) or folder} each bring another package {folder!r}. "
                f"Name the one to take in deps.toml: {folder} = ..."
            )
        if there is None:
            package = main_package(files, f"{parent}'s deps/{folder}")
            there = Group(folder, Fetched(package, files, ""), what or f"with {parent}")
            self.groups[folder] = there
        there.within.add(parent)

    def _from_lock(self, locked: Locked, source: Source | None) -> None:
        """Take a locked package and what came within it: from `deps/`, the cache, or where it was taken."""
        within = [each for each in self.old if locked.folder in lifters(each)]
        stored = [(each, self._stored(each)) for each in within]
        own = self._stored(locked)
        if own is not None and all(found for _, found in stored):
            kept = Fetched(locked.package, own[0], locked.source, locked.digest)
            self.groups[locked.folder] = Group(locked.folder, kept, own[1], locked.request)
            for each, found in stored:
                if found:
                    self._lift(each.folder, found[0], locked.folder, found[1])
            return
        fetched = self.sources.again(locked, source)
        self._same(fetched, locked, fetched.files)
        self.groups[locked.folder] = Group(locked.folder, fetched, _how(fetched), locked.request)
        for each in within:
            embedded = fetched.embedded.get(each.package)
            files = {PUBLISHED: embedded} if embedded else dict(fetched.lifted.get(each.folder, {}))
            self._same(fetched, each, files)
            self._lift(each.folder, files, locked.folder)

    def _same(self, fetched: Fetched, locked: Locked, files: Files) -> None:
        """Raise `RegistryError` where files are not those that were locked; a published blob has been checked."""
        found = digest_of(files)
        if found != locked.sha256 and not (fetched.is_published and files):
            raise RegistryError(
                f"{locked.package} from {fetched.source} has sha256 {found[:16]}…, and {locked.sha256[:16]}… is "
                "locked: it has changed since. Nothing was taken; if that is meant, run %wit deps --update."
            )

    def _stored(self, locked: Locked) -> tuple[Files, str] | None:
        """Return a locked package's files from `deps/` or the cache, if they are there and what was locked."""
        folder = self.root / DEPS / locked.folder
        try:
            files = read_files(folder) if folder.is_dir() else {}
        except UsageError:
            files = {}
        if files and digest_of(files) == locked.sha256:
            return files, "as locked"
        try:
            data = self.cache.read(_KIND, locked.sha256, ".json")
            files = json.loads(data) if data else {}
        except (CacheDamaged, ValueError):
            return None
        return (files, "restored") if files and digest_of(files) == locked.sha256 else None

    def _is_there(self, name: PackageId) -> bool:
        return any(group.answers(name) for group in self.groups.values())

    def _provide(self, name: PackageId, by: str) -> bool:
        """Find a package that `by` refers to; return whether it was found."""
        for locked in self.old:
            if not locked.request and not lifters(locked) and answers(name, locked.package):
                self._from_lock(locked, None)
                return True
        parent = self.groups[by].fetched
        fetched = self.sources.needed(name, parent)
        if fetched is not None:
            folder = _folder_of(fetched.package)
            self.groups[folder] = Group(folder, fetched, _how(fetched))
            return True
        package = next((each for each in parent.embedded if answers(name, each)), None)
        if package is None:
            return False
        self._lift(_folder_of(package), {PUBLISHED: parent.embedded[package]}, by)
        self.notes.append(f"{package} is in no registry that is known: what {by} uses of it came with {by}.")
        return True

    def locked(self) -> list[Locked]:
        """Return the lock's packages, ordered by folder."""
        needs = {folder: group.references() for folder, group in self.groups.items()}
        return [
            group.locked([f for f, names in needs.items() if f != folder and any(map(group.answers, names))])
            for folder, group in sorted(self.groups.items())
        ]

    def check(self, toolbox: Callable[[], Toolbox]) -> None:
        """Resolve every package that was asked for against the others; raises `WitError` with file and line."""
        texts = {
            folder: {f"{DEPS}/{folder}/{name}": text for name, text in group.files.items()}
            for folder, group in self.groups.items()
        }
        for folder, group in self.groups.items():
            if group.request:
                self.sources.progress(f"checking {group.fetched.package}")
                toolbox().resolve_files(texts[folder], deps=[t for f, t in texts.items() if f != folder])


def _how(fetched: Fetched) -> str:
    return "bundled" if fetched.source == "bundled" else "fetched"


def _folder_of(package: PackageId) -> str:
    return folder_name(str(package).replace("@", "-").replace("+", "_"))


def _not_there(lost: list[tuple[PackageId, str]]) -> RegistryError:
    shown = ", ".join(f"{name} (for {by})" for name, by in lost[:8])
    name = lost[0][0]
    return RegistryError(
        f"Not there: {shown}. Add each to deps.toml with its source, such as "
        f'"{name.name}" = {{ version = "{name.version or "*"}", registry = "HOST" }} or a path.'
    )
