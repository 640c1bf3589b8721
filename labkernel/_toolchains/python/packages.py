"""Pure-Python packages of a snippet: fetched once as wheels by pip, unpacked into a folder, locked by digest.

Nothing of a package runs on this machine: only wheels are taken, and wheels without native code. The folder is
found again by what was asked for, so a later build has the same versions. This module knows no cell.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import key_of
from labkernel._errors import CompileError, Diagnostic, UsageError
from labkernel._toolchains.base import Context, Options
from labkernel._toolchains.process import Limits, run
from labkernel._toolchains.python import tools
from labkernel._toolchains.python.compiler import compile_folder
from labkernel._toolchains.versions import Tool

__all__ = ["PLACE", "Site", "find_site", "site_of"]

#: Where a guest sees the packages.
PLACE: Final = "/labkernel-packages"

_KIND: Final = "packages"
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_ASKED: Final = re.compile(
    rf"({_NAME})(\[{_NAME}(?:,{_NAME})*\])?(?:@v?([\w.!+*-]+)|((?:===|==|~=|!=|<=|>=|<|>)[\w.!+*,<>=~-]+))?"
)
_MAX_SIZE: Final = 256 << 20
_UNREACHABLE: Final = re.compile(
    r"NewConnectionError|Name or service not known|Temporary failure in name resolution|ConnectTimeout|"
    r"Connection refused|Network is unreachable|ProxyError|Max retries exceeded|Could not fetch URL"
)


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with packages: `versions` by name, `modules` at its top."""

    folder: Path
    versions: tuple[tuple[str, str], ...] = ()
    modules: tuple[str, ...] = ()


def requirement(asked: str) -> str:
    """Return what pip is asked for; raise `UsageError` for what is no name with a version.

    >>> requirement("attrs@23.2.0"), requirement("lark"), requirement("lark>=1,<2")
    ('attrs==23.2.0', 'lark', 'lark>=1,<2')
    """
    match = _ASKED.fullmatch(asked.strip())
    if match is None:
        raise UsageError(
            f"--dep {asked!r} is no package; write a name with a version, like --dep attrs@23.2.0."
        )
    name, extras, version, bounds = match.groups()
    return f"{name}{extras or ''}{f'=={version}' if version else bounds or ''}"


def _key(asked: Sequence[str], python: str) -> str:
    return key_of("python packages 2", python, sorted(map(requirement, asked)))


def find_site(asked: Sequence[str], python: str, context: Context) -> Site | None:
    """Return the folder of these packages where they were fetched before, or `None`."""
    found = context.cache.get(_KIND, _key(asked, python))
    if found is None:
        return None
    lock = json.loads((found / "lock.json").read_text(encoding="utf-8"))
    versions = tuple((each["name"], each["version"]) for each in lock["packages"])
    return Site(found / "site", versions, tuple(lock["modules"]))


def site_of(asked: Sequence[str], tool: Tool, context: Context, options: Options) -> Site:
    """Return the folder of these packages and what they need, fetched now where they were not before.

    Raises `CompileError` where a package is not to be had, has native code, or nothing may be fetched.
    """
    python = tools.guest_python(tool, context.cache)
    found = find_site(asked, python, context)
    if found is not None:
        return found
    if options.offline:
        raise _refused(
            f"--dep {' '.join(asked)} was not fetched before, and --offline forbids to fetch it.",
            "build once without --offline; it is kept from then on",
        )
    with context.cache.folder(_KIND, _key(asked, python)) as (folder, is_new):
        if is_new:
            context.progress(f"Python packages: fetching {', '.join(asked)}")
            _fetch(list(map(requirement, asked)), python, folder, options)
            compile_folder(folder / "site", PLACE, tool, context)
    made = find_site(asked, python, context)
    assert made is not None
    return made


def _fetch(wanted: Sequence[str], python: str, folder: Path, options: Options) -> None:
    wheels, site = folder / "wheels", folder / "site"
    site.mkdir()
    command = [
        sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--only-binary", ":all:", "--implementation", "py", "--python-version", python, "--abi", "none",
        "--platform", "any", "--dest", str(wheels), "--", *wanted,
    ]  # fmt: skip
    limits = Limits(timeout_s=options.timeout_s)
    done = run(command, cwd=folder, language="python", online=True, limits=limits)
    if done.code != 0:
        raise _explained(wanted, done.text)
    packages = [_unpack(wheel, site) for wheel in sorted(wheels.glob("*.whl"))]
    shutil.rmtree(wheels)
    lock = {"packages": packages, "modules": sorted(_modules(site))}
    (folder / "lock.json").write_text(json.dumps(lock, indent=1), encoding="utf-8")


def _unpack(wheel: Path, site: Path) -> dict[str, str]:
    """Unpack a wheel and return its line of the lock."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        size = sum(info.file_size for info in archive.infolist())
        if size > _MAX_SIZE:
            raise _refused(f"The package {name} takes {size >> 20} MiB, at most {_MAX_SIZE >> 20} are taken.")
        for info in archive.infolist():
            parts = info.filename.split("/")
            if info.filename.startswith("/") or ".." in parts or "\\" in info.filename:
                raise _refused(f"The package {name} holds {info.filename!r}, a file outside of its folder.")
            if parts[0].endswith(".data"):
                if len(parts) > 2 and parts[1] in ("purelib", "platlib"):
                    info.filename = "/".join(parts[2:])
                else:
                    continue
            archive.extract(info, site)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return {"name": name, "version": version, "sha256": digest, "file": wheel.name}


def _modules(site: Path) -> set[str]:
    tops = {path.name for path in site.iterdir() if path.is_dir() and path.name.isidentifier()}
    return tops | {path.stem for path in site.glob("*.py")}


def _explained(wanted: Sequence[str], raw: str) -> CompileError:
    asked = ", ".join(wanted)
    if "No module named pip" in raw:
        return _refused(
            "pip is not installed, which fetches packages.", f"{sys.executable} -m ensurepip", raw
        )
    if _UNREACHABLE.search(raw):
        return _refused(
            f"--dep {asked} cannot be fetched: the package index does not answer.", "check the network", raw
        )
    missing = re.search(r"No matching distribution found for ([^\n(]+)", raw)
    name = missing[1].strip() if missing else asked
    hint = "only pure-Python packages (wheels named py3-none-any) run in WebAssembly; check name and version"
    return _refused(f"--dep {name} has no pure-Python release that fits.", hint, raw)


def _refused(message: str, hint: str = "", raw: str = "") -> CompileError:
    return CompileError(
        "The packages of the cell are not to be had.", language="python",
        diagnostics=[Diagnostic(message, hint=hint)], raw=raw,
    )  # fmt: skip
