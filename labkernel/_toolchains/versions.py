"""Versions of one tool side by side: the installed one, and those that `setup` was asked to keep.

A tool comes in a package of the language's own. The installed one serves unless `--engine` names another, by
version or by the path of a folder; `labkernel setup go@1.26` lets pip put another one into the lab's cache,
where it stays. Nothing is installed without being asked for. This module knows no language.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import sys
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Final

from labkernel._cache import Cache
from labkernel._errors import LabError, ToolchainMissing, UsageError
from labkernel._toolchains.base import Context, Options, Toolchain, ToolStatus, identity_of
from labkernel._toolchains.process import Limits, run

__all__ = ["Origin", "Tool", "Versioned"]

_KIND: Final = "toolchain"
_VERSION: Final = re.compile(r"\d+(\.\d+)*(\.?(post|rc|dev|a|b)\d+)?")
_UNREACHABLE: Final = re.compile(
    r"NewConnectionError|Name or service not known|Temporary failure in name resolution|Network is unreachable|"
    r"Connection refused|ConnectTimeout|ProxyError|Max retries exceeded"
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One version of a tool: `program` is its main file, `folder` what it was installed into."""

    program: Path
    version: str
    folder: Path

    @property
    def identity(self) -> str:
        """What changes with the tool, found by looking at its file only."""
        return identity_of(self.program)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tool comes from: the `package` that pip knows, its `module`, the `program`'s file in it.

    `program` may hold `*`. `how` is the line that installs the lab's own version. `oldest` is the oldest version that
    cells were built with.
    """

    title: str
    package: str
    module: str
    program: str
    how: str
    oldest: str = "0"

    def installed(self) -> Tool | None:
        """Return the version that the lab's own Python has, or `None`."""
        found = _installed(self)
        if found is None or not found.program.is_file():
            _installed.cache_clear()
            found = None
        return found

    def kept(self, cache: Cache) -> list[Tool]:
        """Return the versions that were set up beside it, the newest first."""
        folders = (cache.root / _KIND / self.package[:2]).glob(f"{self.package}-*")
        found = [tool for folder in folders if (tool := self._in(folder)) is not None]
        return sorted(found, key=lambda tool: _numbers(tool.version), reverse=True)

    def here(self, cache: Cache) -> list[Tool]:
        """Return every version that is here, the newest first."""
        installed = self.installed()
        found = [*([installed] if installed else []), *self.kept(cache)]
        return sorted(found, key=lambda tool: _numbers(tool.version), reverse=True)

    def find(self, language: str, engine: str = "", cache: Cache | None = None) -> Tool:
        """Return the tool that `--engine` names, or the installed one.

        A version means the newest that begins so. Raises `ToolchainMissing` with the line to run.
        """
        installed = self.installed()
        if not engine:
            if installed is None:
                raise ToolchainMissing(self.title, language=language, how=self.how)
            return installed
        if "/" in engine or engine.startswith((".", "~")):
            return self._at(Path(engine).expanduser(), language, engine)
        if not _VERSION.fullmatch(engine):
            raise UsageError(
                f"--engine {engine!r} is no version of {self.title}; write one like {self._example(installed)}, "
                "or the path of the folder it is installed in."
            )
        self._refuse_old(engine)
        known = self.here(cache or Cache())
        for tool in known:
            if _is_of(tool.version, engine):
                return tool
        here = ", ".join(tool.version for tool in known)
        raise ToolchainMissing(
            f"{self.title} {engine}", language=language, how=f"labkernel setup {language}@{engine}",
            detail=f"Here are: {here}." if here else "",
        )  # fmt: skip

    def keep(self, language: str, version: str, cache: Cache, progress: Callable[[str], None]) -> Tool:
        """Return a version, put into the cache by pip where it is not there; `1.26` means its newest release.

        Raises `UsageError` for what is no version, `ToolchainMissing` where it is not to be had.
        """
        if not _VERSION.fullmatch(version):
            raise UsageError(
                f"{version!r} is no version; write {language}@{self._example(self.installed())}."
            )
        self._refuse_old(version)
        for tool in self.here(cache):
            if _is_of(tool.version, version):
                return tool
        progress(f"{self.title} {version}: installing by pip into the lab's cache, about 1 minute, once")
        work = cache.scratch()
        try:
            self._pip(language, version, work)
            made = self._in(work)
            if made is None:
                raise ToolchainMissing(
                    f"{self.title} {version}", language=language,
                    detail=f"The package {self.package} {version} has no {self.program} for this machine.",
                )  # fmt: skip
            key = f"{self.package}-{made.version}"
            with cache.folder(_KIND, key) as (folder, is_new):
                if is_new:
                    shutil.copytree(work, folder, dirs_exist_ok=True, symlinks=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        kept = self._in(cache.path(_KIND, key))
        assert kept is not None
        return kept

    def forget(self, language: str, version: str, cache: Cache) -> str:
        """Remove kept versions: the one named, or every release of it; return them in words.

        Raises `UsageError` where none is kept. The installed version is pip's to remove.
        """
        kept = self.kept(cache)
        chosen = [tool for tool in kept if _is_of(tool.version, version)]
        if not chosen:
            known = ", ".join(f"{language}@{tool.version}" for tool in kept)
            raise UsageError(
                f"{language}@{version} is not kept in the lab's cache; kept are: {known or 'none'}. "
                "The installed version is pip's to remove."
            )
        for tool in chosen:
            cache.drop(_KIND, f"{self.package}-{tool.version}")
        return f"{self.title} {', '.join(tool.version for tool in chosen)}"

    def rows(self, language: str, cache: Cache) -> list[ToolStatus]:
        """Return the doctor's rows of the versions beside the installed one."""
        return [
            ToolStatus(f"{self.title} {tool.version}", tool.version, f"what --engine {tool.version} builds with",
                       f"labkernel setup {language}@{tool.version}", language, minutes=1.0)
            for tool in self.kept(cache)
        ]  # fmt: skip

    def _pip(self, language: str, version: str, work: Path) -> None:
        wanted = f"{self.package}=={version}" if version.count(".") > 1 else f"{self.package}=={version}.*"
        line: list[str | Path] = [
            sys.executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
            "--no-deps", "--only-binary", ":all:", "--no-compile", "--target", work, "--", wanted,
        ]  # fmt: skip
        done = run(line, cwd=work, language=language, online=True, limits=Limits(timeout_s=900))
        if done.code == 0:
            return
        if "No module named pip" in done.text:
            detail = f"pip is not installed; {sys.executable} -m ensurepip installs it."
        elif _UNREACHABLE.search(done.text):
            detail = "It is not on this machine and there is no network."
        else:
            detail = f"pip finds no {wanted} for this machine."
        raise ToolchainMissing(f"{self.title} {version}", language=language, detail=detail)

    def _in(self, folder: Path) -> Tool | None:
        """Return the tool that pip installed into a folder, or `None`."""
        pattern = f"{self.package.replace('-', '_')}-*.dist-info"
        program = next(iter(sorted((folder / self.module).glob(self.program))), None)
        found = next(iter(sorted(folder.glob(pattern))), None)
        if program is None or found is None:
            return None
        return Tool(program, found.name.split("-")[1].removesuffix(".dist"), folder)

    def _at(self, path: Path, language: str, engine: str) -> Tool:
        """Return the tool in a folder that pip installed into: the folder, its package's, or the program."""
        for folder in (path, *path.parents[: self.program.count("/") + 2]):
            tool = self._in(folder)
            if tool is not None:
                self._refuse_old(tool.version)
                return tool
        raise ToolchainMissing(
            f"{self.title} at {engine}", language=language,
            how=f"pip install --target {engine} {self.package}==VERSION",
            detail=f"No {self.package} is installed there.",
        )  # fmt: skip

    def _refuse_old(self, version: str) -> None:
        wanted, oldest = _numbers(version), _numbers(self.oldest)
        if wanted < oldest[: len(wanted)]:
            raise UsageError(
                f"{self.title} {version} is too old for this lab: cells need {self.oldest} or newer."
            )

    def _example(self, installed: Tool | None) -> str:
        return ".".join(installed.version.split(".")[:2]) if installed else "1.2"


class Versioned(Toolchain):
    """A language whose tool comes from one package and may be there in several versions."""

    origin: ClassVar[Origin]

    def versions(self) -> str:
        """Return what identifies the installed tool, found by looking at its file only."""
        return self.identity(Options())

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies the tool that `--engine` names."""
        try:
            tool = self.origin.find(self.language, options.engine, cache)
        except LabError:
            return ""
        return f"{self.origin.title} {tool.version} {tool.identity}"

    def setup(self, context: Context) -> None:
        """Prepare the installed tool."""
        self.prepare(self.origin.find(self.language), context)

    def engines(self, cache: Cache) -> list[str]:
        """Return the versions that are here, the newest first."""
        return [tool.version for tool in self.origin.here(cache)]

    def setup_version(self, version: str, context: Context) -> None:
        """Let pip put a version into the cache, and prepare it."""
        self.prepare(self.origin.keep(self.language, version, context.cache, context.progress), context)

    def kept(self, cache: Cache) -> list[str]:
        """Return the versions beside the installed one, the newest first."""
        return [tool.version for tool in self.origin.kept(cache)]

    def forget_version(self, version: str, cache: Cache) -> str:
        """Remove versions that `setup_version` put into the cache."""
        return self.origin.forget(self.language, version, cache)

    @abstractmethod
    def prepare(self, tool: Tool, context: Context) -> None:
        """Make what the tool needs once on a machine."""


@functools.cache
def _installed(origin: Origin) -> Tool | None:
    spec = importlib.util.find_spec(origin.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    program = next(iter(sorted(folder.glob(origin.program))), None)
    try:
        version = metadata.version(origin.package)
    except metadata.PackageNotFoundError:
        version = "unknown"
    return Tool(program, version, folder.parent) if program else None


def _is_of(version: str, wanted: str) -> bool:
    """Whether a version is the one wanted or a release of it.

    >>> _is_of("1.26.6", "1.26"), _is_of("1.26.6", "1.2")
    (True, False)
    """
    return version == wanted or version.startswith(f"{wanted}.")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
