"""What `deps.toml` asks for, what `deps.lock` holds, and what bringing them together did: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from labkernel._wit import PackageId

__all__ = [
    "DepsRecord",
    "Files",
    "Locked",
    "PathSource",
    "RegistrySource",
    "Source",
    "State",
    "UrlSource",
    "Wanted",
]

#: The files of one package: name (`types.wit`) to text.
Files: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A tar archive with the package in `subdir`; the digests, where given, are those of the archive."""

    url: str
    sha256: str = ""
    sha512: str = ""
    subdir: str = "wit"

    @property
    def request(self) -> str:
        """The source as the lock writes it."""
        pins = "".join(
            f" {kind}:{pin}" for kind, pin in (("sha256", self.sha256), ("sha512", self.sha512)) if pin
        )
        return f"url+{self.url}#{self.subdir}{pins}"


@dataclass(frozen=True, slots=True)
class PathSource:
    """A local folder or file, relative to the one that holds `deps.toml`."""

    path: str

    @property
    def request(self) -> str:
        """The source as the lock writes it."""
        return f"path+{self.path}"


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """A package by name and version; without a registry it is one of the bundled WASI packages."""

    package: str
    requirement: str
    registry: str = ""
    prefix: str | None = None

    @property
    def request(self) -> str:
        """The source as the lock writes it."""
        place = f" from {self.registry}" if self.registry else ""
        prefix = f" under {self.prefix}" if self.prefix is not None else ""
        return f"{self.package} {self.requirement}{place}{prefix}"


Source: TypeAlias = UrlSource | PathSource | RegistrySource


@dataclass(frozen=True, slots=True)
class Wanted:
    """One entry of `deps.toml`: the folder under `deps/` it goes to, and where it comes from."""

    folder: str
    source: Source


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of `deps.lock`.

    `sha256` is of its files (`digest_of`). `source` tells where they are from: `bundled`, `path+PATH`, `url+URL#DIR`,
    `oci+REGISTRY/REPOSITORY` (then `digest` is the blob's), or `within+FOLDER` for what came along in another
    package. `request` is what `deps.toml` says; it is empty for a package that others need (`by`).
    """

    folder: str
    package: PackageId
    sha256: str
    source: str
    request: str = ""
    digest: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """One package after `%wit deps`: as locked, and in one word or two what was done to get there."""

    locked: Locked
    what: str


@dataclass(frozen=True, slots=True)
class DepsRecord:
    """What `%wit deps` did for a folder: every package, and what is worth knowing."""

    folder: str
    packages: tuple[State, ...]
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        return f"DepsRecord({self.folder!r}, {len(self.packages)} packages)"
