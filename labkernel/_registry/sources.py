"""Getting a package from where it is: a folder, an archive, a registry, or the packages bundled with the lab."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labkernel._errors import ComponentError, GuestError, RegistryError, UsageError
from labkernel._registry.archive import MAX_ARCHIVE, packages_in
from labkernel._registry.fetch import get
from labkernel._registry.folder import read_package
from labkernel._registry.oci import Registry
from labkernel._registry.records import Files, Locked, PathSource, RegistrySource, Source, UrlSource
from labkernel._registry.versions import Requirement, Version, is_compatible, try_version
from labkernel._toolbox import Toolbox
from labkernel._wit import PackageId, declared, nested

__all__ = ["PUBLISHED", "Fetched", "Sources", "main_package"]

PUBLISHED: Final = "package.wit"
_OCI: Final = "oci+"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package as it came: `lifted` are packages from its `deps/`, by folder; `embedded` those within its binary
    form, which hold just what it uses of them."""

    package: PackageId
    files: Files
    source: str
    digest: str = ""
    lifted: Mapping[str, Files] = field(default_factory=dict)
    embedded: Mapping[PackageId, str] = field(default_factory=dict)

    @property
    def is_published(self) -> bool:
        """Whether it is from a registry, so that its text was made here."""
        return self.source.startswith(_OCI)


def main_package(files: Files, what: str) -> PackageId:
    """Return the package that some files make up together; raises `UsageError`."""
    names = {name for text in files.values() for name in declared(nested(text)[0])}
    if len(names) != 1:
        found = ", ".join(sorted(map(str, names))) or "none"
        raise UsageError(
            f"{what} declares {found}; files of one folder declare one package, such as: package acme:types;"
        )
    return names.pop()


class Sources:
    """Where packages are from, for one run: what a registry or the toolbox said is asked once.

    `offline` refuses all that needs the network.
    """

    def __init__(
        self,
        root: Path,
        *,
        toolbox: Callable[[], Toolbox],
        namespaces: Mapping[str, tuple[str, str | None]],
        offline: bool,
        progress: Callable[[str], None],
    ) -> None:
        self.root, self.offline, self.progress = root, offline, progress
        self._toolbox, self._namespaces = toolbox, namespaces
        self._registries: dict[tuple[str, str | None], Registry] = {}
        self._carried: dict[str, str] = {}

    def get(self, source: Source) -> Fetched:
        """Return the package that a source names, of the highest version where it leaves a choice."""
        match source:
            case PathSource(path):
                return self._local(path)
            case UrlSource():
                return self._archive(source)
            case RegistrySource():
                return self._chosen(source)

    def again(self, locked: Locked, source: Source | None) -> Fetched:
        """Return a locked package from where it was taken."""
        if locked.source.startswith(_OCI):
            return self._blob(locked.source.removeprefix(_OCI), locked.digest, locked.package)
        if locked.source == "bundled":
            found = self.bundled(locked.package.name, lambda v: str(v) == locked.package.version)
            if found is not None:
                return found
            raise RegistryError(
                f"{locked.package} was bundled with the lab when it was locked, and is no more. "
                "Take what is bundled today with %wit deps --update."
            )
        if source is None:
            raise RegistryError(f"{locked.package} is nowhere to be had again; run %wit deps --update.")
        return self.get(source)

    def needed(self, wanted: PackageId, parent: Fetched | None) -> Fetched | None:
        """Return a package that another refers to: bundled, or from the registry of its namespace or its parent."""
        if wanted.name.startswith("wasi:"):
            found = self.bundled(wanted.name, lambda v: is_compatible(wanted.version, str(v)))
            if found is not None:
                return found
        registry = self._registry_for(wanted.name, parent)
        if registry is None:
            return None
        self._online(str(wanted))
        if wanted.version:
            version = try_version(wanted.version)
        else:
            version = Requirement.from_text("*").best(registry.versions(wanted.name))
        return None if version is None else self._release(registry, wanted.name, version)

    def bundled(self, name: str, accepts: Callable[[Version], bool]) -> Fetched | None:
        """Return a WASI package that comes with the lab."""
        for package, text in self._bundle().items():
            found = PackageId.from_text(package)
            version = try_version(found.version)
            if found.name == name and version is not None and accepts(version):
                return Fetched(found, {PUBLISHED: text}, "bundled")
        return None

    def _bundle(self) -> dict[str, str]:
        if not self._carried:
            self._carried = self._toolbox().carried()
        return self._carried

    def _local(self, text: str) -> Fetched:
        files, lifted = read_package(self.root / Path(text).expanduser())
        return Fetched(main_package(files, f"{text!r}"), files, f"path+{text}", lifted=lifted)

    def _archive(self, source: UrlSource) -> Fetched:
        self._online(source.url)
        answer = get(source.url, max_size=MAX_ARCHIVE)
        if answer.status != 200:
            raise RegistryError(f"{source.url} answered {answer.status}; check the address.")
        for kind, pin in (("sha256", source.sha256), ("sha512", source.sha512)):
            found = hashlib.new(kind, answer.body).hexdigest()
            if pin and found != pin:
                raise RegistryError(
                    f"{source.url} has {kind} {found}, and deps.toml asks for {pin}. Nothing was taken; "
                    "find out which is right before changing deps.toml."
                )
        files, lifted = packages_in(answer.body, subdir=source.subdir, what=source.url)
        return Fetched(
            main_package(files, source.url), files, f"url+{source.url}#{source.subdir}", lifted=lifted
        )

    def _chosen(self, source: RegistrySource) -> Fetched:
        requirement = Requirement.from_text(source.requirement)
        if not source.registry and source.package.startswith("wasi:"):
            found = self.bundled(source.package, requirement.accepts)
            if found is not None:
                return found
        registry = self._registry(source.registry, source.prefix) if source.registry else None
        registry = registry or self._registry_for(source.package, None)
        if registry is None:
            raise self._no_registry(source)
        self._online(f"{source.package} {source.requirement}")
        there = registry.versions(source.package)
        version = requirement.best(there)
        found = self._release(registry, source.package, version) if version else None
        if found is None:
            raise RegistryError(
                f"{registry.repository(source.package)} has no version of {source.package} that answers "
                f"{source.requirement!r}; there: {_some(map(str, there))}. Change the version in deps.toml."
            )
        return found

    def _no_registry(self, source: RegistrySource) -> RegistryError:
        known = [name for name in self._bundle() if name.partition("@")[0] == source.package]
        bundle = f"the lab bundles {known[0]}" if known else f"the lab bundles {_some(self._bundle(), 8)}"
        return RegistryError(
            f"{source.package} {source.requirement!r} is from no known place: {bundle}. Give its registry, such as "
            f'{{ version = "{source.requirement}", registry = "example.org", namespace_prefix = "acme/" }}, or a path.'
        )

    def _release(self, registry: Registry, package: str, version: Version) -> Fetched | None:
        self.progress(f"fetching {package}@{version} from {registry.host}")
        release = registry.release(package, version)
        if release is None:
            return None
        return self._blob(release.repository, release.digest, PackageId(package, str(version)))

    def _blob(self, repository: str, digest: str, expected: PackageId) -> Fetched:
        self._online(str(expected))
        host = repository.partition("/")[0]
        data = self._registry(host, "").blob(repository, digest)
        what = f"{expected} from {repository}"
        try:
            text, embedded = nested(self._toolbox().wit_of(data))
        except (ComponentError, GuestError) as error:
            raise RegistryError(f"{what} is no WIT package that can be read: {error}") from None
        found = main_package({PUBLISHED: text}, what)
        if found != expected:
            kind = "a component" if found.name == "root:component" else str(found)
            raise RegistryError(f"{what} is {kind}, not the WIT package {expected}; ask who published it.")
        return Fetched(found, {PUBLISHED: text}, f"{_OCI}{repository}", digest, embedded=embedded)

    def _registry(self, host: str, prefix: str | None) -> Registry:
        return self._registries.setdefault((host, prefix), Registry(host, prefix))

    def _registry_for(self, package: str, parent: Fetched | None) -> Registry | None:
        named = self._namespaces.get(package.partition(":")[0])
        if named is not None:
            return self._registry(*named)
        if parent is None or not parent.is_published:
            return None
        host, _, name = parent.source.removeprefix(_OCI).partition("/")
        return self._registry(host, name.removesuffix(parent.package.name.replace(":", "/")))

    def _online(self, what: str) -> None:
        if self.offline:
            raise RegistryError(
                f"{what} is neither in deps/ nor in the cache as locked, and --offline fetches nothing. "
                "Run %wit deps once with the network."
            )
        self.progress(f"fetching {what}")


def _some(names: Iterable[str], limit: int = 12) -> str:
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return (", ".join(found[-limit:]) or "none") + more
