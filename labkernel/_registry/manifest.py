"""Reading `deps.toml`: the forms of `wit-deps`, and versions from a registry as wasm-pkg-tools name them.

::

    clocks = "https://example.com/clocks.tar.gz"           an archive with a folder wit/
    mine = "./shared/wit"                                  a local folder
    pinned = { url = "https://...", sha256 = "...", sha512 = "...", subdir = "wit" }
    other = { path = "../other" }
    "wasi:http" = "0.2"                                    bundled with the lab
    "acme:types" = { version = "^1.2", registry = "127.0.0.1:5000", namespace_prefix = "wit/" }
    old-types = { package = "acme:types", version = "=1.0.0", registry = "127.0.0.1:5000" }

    [namespace_registries]                                 as in wasm-pkg-tools' config.toml
    acme = "127.0.0.1:5000"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from labkernel._errors import UsageError, did_you_mean
from labkernel._registry.fetch import check_url
from labkernel._registry.records import PathSource, RegistrySource, UrlSource, Wanted
from labkernel._registry.versions import Requirement

__all__ = ["MANIFEST", "Manifest", "folder_name", "parse_manifest", "read_manifest", "read_toml"]

MANIFEST: Final = "deps.toml"
NAMESPACES: Final = "namespace_registries"
MAX_SIZE: Final = 1 << 20
_FIELDS: Final = (
    "url",
    "path",
    "sha256",
    "sha512",
    "subdir",
    "package",
    "version",
    "registry",
    "namespace_prefix",
)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,126}")
_WORD: Final = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_PACKAGE: Final = re.compile(rf"{_WORD}:{_WORD}")
_REGISTRY: Final = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::\d{1,5})?")
_PREFIX: Final = re.compile(r"(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*/)*[a-z0-9]*(?:[._-]+[a-z0-9]+)*[/-]?")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one `deps.toml` asks for, and the registries it names for namespaces: host and prefix."""

    wanted: tuple[Wanted, ...]
    namespaces: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's table; raises `UsageError`."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_SIZE:
            raise UsageError(f"{path.name} has {len(data)} bytes; the limit is {MAX_SIZE}.")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f'{path.name} is no TOML: {error}. Example: clocks = "./wit/clocks"') from None


def read_manifest(root: Path) -> Manifest:
    """Return what a folder's `deps.toml` asks for; raises `UsageError`."""
    path = root / MANIFEST
    if not path.is_file():
        raise UsageError(
            f'{str(root)!r} holds no {MANIFEST}; write one there, such as a line: "wasi:clocks" = "0.2"'
        )
    return parse_manifest(read_toml(path))


def parse_manifest(table: Mapping[str, Any]) -> Manifest:
    """Return what a manifest's table asks for; raises `UsageError` that names the entry."""
    namespaces = _namespaces(table.get(NAMESPACES, {}))
    wanted: dict[str, Wanted] = {}
    for key, value in table.items():
        if key == NAMESPACES:
            continue
        folder = folder_name(key)
        if folder in wanted:
            raise UsageError(f"{MANIFEST}: {key!r} and another entry both go to deps/{folder}; rename one.")
        try:
            wanted[folder] = Wanted(folder, _source(key, value))
        except UsageError as error:
            raise UsageError(f"{MANIFEST}, entry {key!r}: {error}") from None
    return Manifest(tuple(wanted[folder] for folder in sorted(wanted)), namespaces)


def folder_name(key: str) -> str:
    """Return the folder under `deps/` for a name, as `wit-deps` makes it; raises `UsageError`.

    >>> folder_name("wasi:clocks")
    'wasi-clocks'
    """
    name = key.replace(":", "-")
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise UsageError(
            f"{key[:80]!r} cannot name a dependency: it becomes a folder. Use letters, digits, '-', '_', '.' and ':'."
        )
    return name


def _source(key: str, value: Any) -> UrlSource | PathSource | RegistrySource:
    if isinstance(value, str):
        return _from_text(key, value)
    if not isinstance(value, dict):
        raise UsageError(f"{value!r} is no source; give a URL, a path, a version, or a table of these.")
    for name, item in value.items():
        if name not in _FIELDS:
            raise UsageError(
                f"{name!r} is not known; known: {', '.join(_FIELDS)}.{did_you_mean(name, _FIELDS)}"
            )
        if not isinstance(item, str):
            raise UsageError(f"{name} = {item!r} has to be text in quotes.")
    kinds = [kind for kind in ("url", "path", "version") if kind in value]
    if len(kinds) != 1:
        raise UsageError(
            f"one of url, path and version has to be given, got {' and '.join(kinds) or 'none'}."
        )
    allowed = {"url": _FIELDS[:1] + _FIELDS[2:5], "path": ("path",), "version": _FIELDS[5:]}[kinds[0]]
    wrong = [name for name in value if name not in allowed]
    if wrong:
        raise UsageError(f"{wrong[0]!r} does not go with {kinds[0]!r}; that takes {', '.join(allowed)}.")
    if "path" in value:
        return _path(value["path"])
    return _url(value) if "url" in value else _registry(value.get("package", key), value)


def _from_text(key: str, text: str) -> UrlSource | PathSource | RegistrySource:
    if "://" in text:
        return _url({"url": text})
    if ":" in key and not text.startswith((".", "/", "~")):
        return _registry(key, {"version": text})
    return _path(text)


def _path(text: str) -> PathSource:
    if not text or "\0" in text:
        raise UsageError(f'path {text!r} is no path; give a folder of .wit files, such as "./shared".')
    return PathSource(text)


def _url(value: Mapping[str, str]) -> UrlSource:
    check_url(value["url"])
    subdir = value.get("subdir", "wit").strip("/")
    if not subdir or any(part in ("", ".", "..") for part in subdir.split("/")) or "\\" in subdir:
        raise UsageError(f'subdir {subdir!r} is no folder within the archive; give one such as "wit".')
    pins = {kind: value.get(kind, "").lower() for kind in ("sha256", "sha512")}
    for kind, digits in (("sha256", 64), ("sha512", 128)):
        if kind in value and not re.fullmatch(rf"[0-9a-f]{{{digits}}}", pins[kind]):
            raise UsageError(
                f"{kind} {value[kind][:140]!r} is no digest; it has {digits} hexadecimal digits."
            )
    return UrlSource(value["url"], pins["sha256"], pins["sha512"], subdir)


def _registry(package: str, value: Mapping[str, str]) -> RegistrySource:
    if not _PACKAGE.fullmatch(package):
        raise UsageError(
            f'{package[:80]!r} is no package name; write namespace and name, such as "wasi:clocks", '
            'as the key or as package = "...".'
        )
    requirement = Requirement.from_text(value["version"]).text
    registry, prefix = _place(value.get("registry", ""), value.get("namespace_prefix"))
    if prefix is not None and not registry:
        raise UsageError("namespace_prefix goes with registry; give both.")
    return RegistrySource(package, requirement, registry, prefix)


def _place(registry: str, prefix: str | None) -> tuple[str, str | None]:
    if registry and not _REGISTRY.fullmatch(registry):
        raise UsageError(
            f'registry {registry[:80]!r} is no host; give one such as "registry.example.org" or "127.0.0.1:5000".'
        )
    if prefix is not None and (len(prefix) > 200 or not _PREFIX.fullmatch(prefix)):
        raise UsageError(f'namespace_prefix {prefix[:80]!r} is none; give one such as "webassembly/".')
    return registry, prefix


def _namespaces(table: Any) -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}
    if not isinstance(table, dict):
        raise UsageError(f'{MANIFEST}: [{NAMESPACES}] is a table of namespace = "registry", not {table!r}.')
    for namespace, value in table.items():
        try:
            found[namespace] = _namespace(value)
        except UsageError as error:
            raise UsageError(f"{MANIFEST}, [{NAMESPACES}] {namespace!r}: {error}") from None
    return found


def _namespace(value: Any) -> tuple[str, str | None]:
    """Return host and prefix from text or a table; `metadata.oci.namespacePrefix` is where wasm-pkg-tools have it."""
    if isinstance(value, str):
        return _place(value or "?", None)
    if not isinstance(value, dict) or not isinstance(value.get("registry"), str):
        raise UsageError(f'{value!r} is no registry; give its host, such as "registry.example.org".')
    oci: Any = value.get("metadata", {})
    oci = oci.get("oci", {}) if isinstance(oci, dict) else {}
    named = oci if isinstance(oci, dict) else {}
    prefix = value.get("namespace_prefix", named.get("namespacePrefix"))
    host = named.get("registry", value["registry"])
    if not isinstance(host, str) or not isinstance(prefix, str | None):
        raise UsageError(f"{value!r} is no registry; host and prefix are text.")
    return _place(host or "?", prefix)
