"""npm packages that a cell asks for by `--dep`: installed and locked once for each set, then bundled.

This module knows no cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import key_of
from labkernel._errors import CompileError, Diagnostic, UsageError
from labkernel._toolchains.base import Context
from labkernel._toolchains.js import tools
from labkernel._toolchains.js.server import Server

__all__ = ["NONE", "Dependencies", "dependencies"]

_SPEC: Final = re.compile(
    r"(?P<name>(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)(?:@(?P<range>[\w.^~<>=*+|-]+))?"
)
_KIND: Final = "toolchain"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Installed packages: their folder (`None` where there are none) and their versions by name."""

    folder: Path | None = None
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """The packages' names."""
        return [name for name, _ in self.versions]

    def bundle(
        self, wanted: Sequence[str], server: Server, context: Context, *, timeout_s: float, lower: bool
    ) -> str:
        """Return one module with what these specifiers (`semver`, `semver/functions/gt`) export.

        `lower` takes async functions out, for an engine that runs no jobs.
        Raises `CompileError` where a package cannot live in a component.
        """
        key = key_of("npm bundle 2", str(self.folder), list(wanted), lower, tools.package_version("esbuild"))
        kept = context.cache.get("bundle", key)
        if kept is not None:
            return kept.read_text(encoding="utf-8")
        with context.build_folder() as folder:
            output = folder / "packages.js"
            said = server.request(
                "bundle",
                timeout_s=timeout_s,
                folder=str(self.folder),
                wanted=list(wanted),
                output=str(output),
            )
            if said["errors"]:
                raise _refusal(said["errors"])
            made = output.read_bytes()
        context.cache.put("bundle", key, made)
        return made.decode()


NONE: Final = Dependencies()


def dependencies(given: Sequence[str], context: Context, *, offline: bool) -> Dependencies:
    """Return the packages asked for, installed now where this set was not before.

    Raises `UsageError` for something else than a name with a version, and `ToolchainMissing` where a package
    cannot be had.
    """
    if not given:
        return NONE
    wanted = sorted({_checked(each) for each in given})
    key = key_of("npm dependencies 1", wanted)
    with context.cache.folder(_KIND, key) as (folder, is_new):
        if is_new:
            context.progress(f"npm packages {', '.join(wanted)}: installing")
            (folder / "package.json").write_text('{"private": true}\n', encoding="ascii")
            tools.npm_install(tools.find_node(context.cache), folder, wanted, offline=offline)
    folder = context.cache.path(_KIND, key)
    return Dependencies(folder, _locked(folder, wanted))


def _checked(given: str) -> str:
    if not _SPEC.fullmatch(given):
        raise UsageError(f"--dep {given} is no npm package; give a name and a version, like semver@7.")
    return given


def _locked(folder: Path, wanted: Sequence[str]) -> tuple[tuple[str, str], ...]:
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    names = [found["name"] for each in wanted if (found := _SPEC.fullmatch(each))]
    return tuple((name, str(lock[f"node_modules/{name}"]["version"])) for name in names)


def _refusal(errors: Sequence[dict[str, str]]) -> CompileError:
    found = []
    for error in errors:
        text = error["text"]
        lost = re.match(r'Could not resolve "(?:node:)?([^"]+)"', text)
        hint = "a package that needs a module of Node cannot live in a component" if lost else ""
        file = re.sub(r"^.*node_modules/", "", error["file"])
        found.append(Diagnostic(f"{file}: {text}" if file else text, hint=hint))
    return CompileError("The packages cannot be bundled.", language="js", diagnostics=found)
