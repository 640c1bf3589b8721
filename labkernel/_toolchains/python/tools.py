"""componentize-py: where it is, how it is run, and what is made with it once for a machine or a world.

It runs in a process of its own, walled in, with a PATH that leads nowhere: it would otherwise look for the
installed packages of this machine and offer them to the guest. This module knows no cell.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, ToolchainMissing
from labkernel._toolchains.base import Context, Options, identity_of
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._wit import Package, World

__all__ = [
    "APP",
    "GUEST_PYTHON",
    "HOW",
    "bindings",
    "componentize",
    "find_library",
    "identity",
    "installed_version",
    "library_modules",
    "require",
]

HOW: Final = "pip install componentize-py==0.25.1  (or labkernel[python])"
#: The Python inside components, which need not be the lab's own.
GUEST_PYTHON: Final = "3.14"
APP: Final = "labkernel_app"
_FORM: Final = "python 1"
_GUEST: Final = Path(__file__).with_name("guest")
_LIBRARY: Final = "stdlib.bin"
_START: Final = "import sys, componentize_py; sys.argv[0] = 'componentize-py'; componentize_py.script()"


@functools.cache
def _installed() -> Path | None:
    spec = importlib.util.find_spec("componentize_py")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return next(iter(sorted(folder.glob("componentize_py*.so")) or sorted(folder.glob("*.pyd"))), None)


def _binary() -> Path | None:
    found = _installed()
    if found is None:
        _installed.cache_clear()
    return found


def identity() -> str:
    """Return what changes with the tool or with what runs beside the cell; empty where the tool is missing."""
    tool = _tool_identity()
    return f"{tool} {_files_key('guest/*', 'names', 'plan', 'scaffold')}" if tool else ""


def _tool_identity() -> str:
    found = _binary()
    return f"{_FORM} {identity_of(found)}" if found else ""


@functools.cache
def _files_key(*patterns: str) -> str:
    """Return what changes with files of this package, those that decide what is inside a component."""
    paths = (path for pattern in patterns for path in sorted(_GUEST.parent.glob(f"{pattern}.py")))
    return key_of(*(path.read_bytes() for path in paths))[:16]


def installed_version() -> str | None:
    """Return the version of the installed package, or `None`."""
    try:
        return metadata.version("componentize-py") if _binary() else None
    except metadata.PackageNotFoundError:
        return None


def _needed() -> Path:
    found = _binary()
    if found is None:
        raise ToolchainMissing("componentize-py", language="python", how=HOW)
    return found


def _library_key() -> str:
    return key_of("python library", _tool_identity(), _files_key("guest/shelf"))


def find_library(cache: Cache) -> Path | None:
    """Return the folder of the standard library, compiled for components, or `None`."""
    return cache.get("toolchain", _library_key())


def library_modules(cache: Cache) -> frozenset[str]:
    """Return the names of the modules that every component has; empty while they are unknown."""
    found = find_library(cache)
    if found is None:
        return frozenset()
    return frozenset(json.loads((found / "modules.json").read_text(encoding="utf-8")))


def bindings(package: Package, world: World, context: Context) -> dict[str, str]:
    """Return the generated Python modules that describe a world, by file name."""
    key = key_of("bindings-python", _tool_identity(), [list(f) for f in package.files], world.full_name)
    kept = context.cache.read("bindings", key, ".json")
    if kept is None:
        with context.build_folder() as folder:
            _write_wit(folder, package)
            done = _run(folder, ["bindings", "out"], world, Options(timeout_s=60))
            if done.code != 0:
                raise _failed(world, done)
            out = folder / "out"
            found = {
                str(path.relative_to(out)): path.read_text(encoding="utf-8")
                for path in sorted(out.rglob("*.py"))
                if path.relative_to(out).parts[0] in ("wit_world", "componentize_py_types.py")
            }
        context.cache.put("bindings", key, json.dumps(found).encode(), ".json")
        return found
    return dict(json.loads(kept))


def componentize(
    app: Mapping[str, str],
    plan: Mapping[str, Any],
    package: Package,
    world: World,
    context: Context,
    options: Options,
    *,
    site: Path | None = None,
) -> tuple[bytes, Finished]:
    """Return the component of an app (modules by file name) and what was said while it was made.

    `site` is a folder of packages to bake in. Raises `ToolchainMissing`, or `CompileError` when it runs out of time.
    The process failed where its code is not 0; then the bytes are empty.
    """
    with context.build_folder(keep=options.verbose) as folder:
        _write_wit(folder, package)
        work = folder / "app"
        work.mkdir()
        for name, text in {**app, "plan.json": json.dumps(plan)}.items():
            (work / name).write_text(text, encoding="utf-8")
        _write_guest(work)
        library = find_library(context.cache)
        if library is not None:
            shutil.copyfile(library / _LIBRARY, work / _LIBRARY)
        if site is not None:
            shutil.copytree(site, work / "site")
        done = _run(folder, ["componentize", "-p", "app", APP, "-o", "out.wasm"], world, options)
        if done.code != 0:
            return b"", done
        if library is None:
            _keep_library(work, context.cache)
        return (folder / "out.wasm").read_bytes(), done


def _write_guest(work: Path) -> None:
    """Copy what runs beside the cell, in packages of the same names that are empty otherwise."""
    target = work
    for part in __package__.split("."):
        target = target / part
        target.mkdir()
        (target / "__init__.py").touch()
    shutil.copytree(_GUEST, target / _GUEST.name, ignore=shutil.ignore_patterns("__pycache__"))


def _keep_library(work: Path, cache: Cache) -> None:
    """Keep the compiled standard library, which the first component of this machine left behind."""
    with cache.folder("toolchain", _library_key()) as (folder, is_new):
        if is_new:
            shutil.copyfile(work / _LIBRARY, folder / _LIBRARY)
            shutil.copyfile(work / "modules.json", folder / "modules.json")


def _write_wit(folder: Path, package: Package) -> None:
    for name, text in package.files:
        path = folder / "wit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_digestible(text), encoding="utf-8")


def _digestible(text: str) -> str:
    r"""Return WIT of the same meaning without what makes componentize-py write modules that are no Python.

    It copies docs into string literals as they are, and gives methods their `self` beside a parameter of that
    name.

    >>> _digestible("f: func(self: u8, x: u8); // a\\b")
    'f: func(self-arg: u8, x: u8); // a/b'
    """
    text = re.sub(r"//[^\n]*", lambda doc: doc[0].replace("\\", "/").replace('"' * 3, "'" * 3), text)
    return re.sub(
        r"\bfunc\s*\([^)]*\)", lambda params: re.sub(r"(?<=[(,\s])self(?=\s*:)", "self-arg", params[0]), text
    )


def _run(folder: Path, arguments: list[str], world: World, options: Options) -> Finished:
    binary = _needed()
    command = [sys.executable, "-I", "-c", _START, "-d", "wit", "-w", world.full_name, *arguments]
    roots = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent, binary.parent)
    return run(
        command, cwd=folder, language="python",
        env={"PATH": "/nowhere", "TMPDIR": str(folder), "HOME": str(folder)},
        limits=Limits(timeout_s=options.timeout_s), confinement=Confinement(roots, (folder,)), how=HOW,
    )  # fmt: skip


def _failed(world: World, done: Finished) -> CompileError:
    return CompileError(
        f"componentize-py makes no Python bindings of the world {world.name}.",
        language="python",
        raw=done.text,
    )


def require() -> None:
    """Raise `ToolchainMissing` unless the tool is installed."""
    _needed()
