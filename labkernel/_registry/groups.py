"""Packages on their way to `deps/`: what each declares, refers to and answers."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from labkernel._registry.folder import digest_of
from labkernel._registry.records import Files, Locked
from labkernel._registry.sources import Fetched
from labkernel._registry.versions import Version, is_compatible, try_version
from labkernel._wit import PackageId, declared, referenced, with_versions

__all__ = ["WITHIN", "Group", "align", "answers", "lifters", "missing"]

WITHIN: Final = "within+"


@dataclass
class Group:
    """One package: where it goes, what was fetched, what was done, and which packages it came within."""

    folder: str
    fetched: Fetched
    what: str
    request: str = ""
    within: set[str] = field(default_factory=set)

    @property
    def files(self) -> Files:
        """Its files by name."""
        return self.fetched.files

    def ids(self) -> Iterator[PackageId]:
        """Yield the packages it declares: its own, and ones nested in braces."""
        for text in self.files.values():
            yield from _scanned(text)[0]

    def answers(self, wanted: PackageId) -> bool:
        """Return whether it declares what a reference means."""
        return any(answers(wanted, each) for each in self.ids())

    def references(self) -> set[PackageId]:
        """Return the other packages it refers to."""
        found = {name for text in self.files.values() for name in _scanned(text)[1]}
        return {name for name in found if not self.answers(name)}

    def locked(self, by: Collection[str]) -> Locked:
        """Return its entry in the lock; `by` are the packages that need it."""
        fetched = self.fetched
        source = f"{WITHIN}{','.join(sorted(self.within))}" if self.within else fetched.source
        needed = () if self.request else tuple(sorted({*by, *self.within}))
        digest = digest_of(self.files)
        return Locked(self.folder, fetched.package, digest, source, self.request, fetched.digest, needed)


@functools.lru_cache(maxsize=1024)
def _scanned(text: str) -> tuple[tuple[PackageId, ...], frozenset[PackageId]]:
    """Return what a text declares and refers to; a run asks many times."""
    return declared(text), referenced(text)


def answers(wanted: PackageId, there: PackageId) -> bool:
    """Return whether a package is what a reference means; WASI's may be newer, as the engine links them."""
    if wanted.name != there.name:
        return False
    if wanted.version in ("", there.version):
        return True
    return wanted.name.startswith("wasi:") and is_compatible(wanted.version, there.version)


def lifters(locked: Locked) -> set[str]:
    """Return the folders of the packages that a locked one came within; none for one with a source of its own."""
    return set(locked.source.removeprefix(WITHIN).split(",")) if locked.source.startswith(WITHIN) else set()


def missing(groups: Mapping[str, Group]) -> list[tuple[PackageId, str]]:
    """Return what is referred to and not there, each with the folder of the package that refers to it."""
    there = list(groups.values())
    pairs = {(name, group.folder) for group in there for name in group.references()}
    return sorted((name, folder) for name, folder in pairs if not any(g.answers(name) for g in there))


def align(groups: Mapping[str, Group]) -> list[str]:
    """Let published texts refer to the WASI versions that lie beside them; return notes where other texts do not."""
    there = [each for group in groups.values() for each in group.ids() if each.name.startswith("wasi:")]

    def chosen(name: PackageId) -> str:
        fitting = [each.version for each in there if answers(name, each)]
        return name.version if name.version in fitting or not fitting else max(fitting, key=_order)

    notes = []
    for group in groups.values():
        parents = [groups[folder] for folder in group.within if folder in groups]
        if group.fetched.is_published or any(parent.fetched.is_published for parent in parents):
            files = {name: with_versions(text, chosen) for name, text in group.files.items()}
            group.fetched = replace(group.fetched, files=files)
        apart = [n for n in sorted(group.references()) if n.version and chosen(n) != n.version]
        if apart:
            shown = ", ".join(f"{n} (here is {chosen(n)})" for n in apart)
            notes.append(
                f"{group.folder} refers to {shown}: the lab takes what is here; other tools ask for the exact one."
            )
    return notes


def _order(version: str) -> Version:
    return try_version(version) or Version((0, 0, 0))
