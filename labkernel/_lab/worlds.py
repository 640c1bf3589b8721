"""The WIT packages a lab knows, and how a world is found among them by what a user types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from labkernel._errors import UsageError, WitError, did_you_mean
from labkernel._wit import Package, PackageId, World, declared, referenced

__all__ = ["Worlds", "check_text"]

#: What the toolbox has of its own: released WASI 0.2.
_MOST_TEXT: Final = 2 << 20
_CARRIED: Final = re.compile(r"wasi:[a-z-]+@0\.2\.\d+")


class Worlds:
    """Packages by the name their cell gave them."""

    def __init__(self) -> None:
        self.packages: dict[str, Package] = {}

    def add(self, name: str, package: Package) -> None:
        """Keep a package under a name; a second one of that name replaces the first."""
        self.packages[name] = package

    def all(self) -> Iterator[tuple[str, Package, World]]:
        """Yield every world with its package and the name that the lab knows the package by."""
        for name, package in self.packages.items():
            for world in package.worlds:
                yield name, package, world

    def needed(
        self, text: str, *, name: str, given: Sequence[Mapping[str, str]] = ()
    ) -> list[dict[str, str]]:
        """Return the packages of other cells that a cell's text refers to, and what those refer to in turn.

        A reference with a version means that one, where it is known; one without means every version there is.
        What the text or the `given` packages declare themselves is left out.
        """
        known = self._groups(name)
        here = [text, *(t for files in given for t in files.values())]
        there = {each for t in here for each in declared(t)}
        waiting = sorted({each for t in here for each in referenced(t)})
        found: list[dict[str, str]] = []
        while waiting:
            for package in _meant(waiting.pop(0), known, there):
                files = known[package]
                names = {each for t in files.values() for each in declared(t)}
                if not names & there:
                    there |= names
                    found.append(files)
                    waiting += sorted({each for t in files.values() for each in referenced(t)})
        return sorted(found, key=lambda files: list(files))

    def _groups(self, name: str) -> dict[PackageId, dict[str, str]]:
        """Return the files that declare each package, of every cell but `name`: as resolved, so that all have
        their versions. A cell's own package goes before one that another cell was given."""
        own: dict[PackageId, dict[str, str]] = {}
        brought: dict[PackageId, dict[str, str]] = {}
        for cell, package in self.packages.items():
            for group, is_own in _split(cell, package) if cell != name else ():
                names = [each for t in group.values() for each in declared(t)]
                (own if is_own else brought).update(dict.fromkeys(names, group))
        return {**brought, **own}

    def find(self, wanted: str | None) -> tuple[Package, World]:
        """Return the world that `wanted` means: the lab's name, the world's own, or its full id.

        Without `wanted` the only known world is taken. Raises `UsageError` when none or several fit.
        """
        worlds = list(self.all())
        if not worlds:
            raise UsageError(
                f"World {wanted!r} is not known: no WIT has been given yet. Start with a cell that begins %%wit NAME."
                if wanted
                else "No world is known yet. Give one in a cell that begins %%wit NAME."
            )
        fitting = [(p, w) for name, p, w in worlds if wanted is None or _fits(wanted, name, w)]
        names = sorted({w.full_name for _, _, w in worlds} | {n for n, p, _ in worlds if len(p.worlds) == 1})
        if not fitting:
            raise UsageError(
                f"World {wanted!r} is not known; known: {', '.join(names)}.{did_you_mean(wanted or '', names)}"
            )
        distinct = {w.full_name: (p, w) for p, w in fitting}
        if len(distinct) > 1:
            what = f"World {wanted!r} could be" if wanted else "Several worlds are known:"
            raise UsageError(f"{what} {', '.join(sorted(distinct))}. Say which with --world.")
        return fitting[-1]


def _split(cell: str, package: Package) -> Iterator[tuple[dict[str, str], bool]]:
    """Yield a package's files, named after its cell, then each of those that it was given; carried ones are not."""
    main = {path: text for path, text in package.files if not path.startswith("deps/")}
    yield (
        {f"{cell}.wit" if len(main) == 1 else f"{cell}/{p}": t for p, t in main.items()}
        or {f"{cell}.wit": package.text},
        True,
    )
    others: dict[str, dict[str, str]] = {}
    for path, text in package.files:
        if path.startswith("deps/"):
            others.setdefault(path.split("/")[1], {})[path] = text
    for files in others.values():
        if not any(_CARRIED.fullmatch(str(each)) for text in files.values() for each in declared(text)):
            yield files, False


def _meant(wanted: PackageId, known: Mapping[PackageId, object], there: set[PackageId]) -> list[PackageId]:
    """Return the known packages that a reference may mean; of another version only where its own is nowhere."""
    of_name = [each for each in known if each.name == wanted.name]
    if wanted.version:
        exact = [each for each in of_name if each.version == wanted.version]
        return exact if exact or wanted in there else of_name
    return [] if any(each.name == wanted.name for each in there) else of_name


def _fits(wanted: str, name: str, world: World) -> bool:
    full = world.full_name
    return wanted in (name, world.name, full, full.partition("@")[0], f"{name}/{world.name}")


def check_text(text: str) -> None:
    """Refuse what no WIT is, before anything reads it: raises `WitError`."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise WitError(
            f"The WIT is no Unicode text ({error.reason} at character {error.start}); write it as UTF-8."
        ) from None
    if size > _MOST_TEXT:
        raise WitError(
            f"The WIT has {size} bytes, expected at most {_MOST_TEXT >> 20} MiB; split it into packages."
        )
