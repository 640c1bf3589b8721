"""componentize-py: where it is, how it is run, and what is made with it once for a machine or a world.

It runs in a process of its own, walled in, with a PATH that leads nowhere: it would otherwise look for the
installed packages of this machine and offer them to the guest. This module knows no cell.
"""

from __future__ import annotations

import functools
import json
import mmap
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError
from labkernel._toolchains.base import Context, Options
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.versions import Origin, Tool
from labkernel._wit import Package, World

__all__ = [
    "APP",
    "COMPONENTIZE_PY",
    "HOW",
    "bindings",
    "componentize",
    "find_library",
    "guest_python",
    "identity",
    "library_modules",
]

HOW: Final = "pip install componentize-py==0.25.1  (or labkernel[python])"
_PROGRAM: Final = "componentize_py*.pyd" if sys.platform == "win32" else "componentize_py*.so"
#: It carries a Python of its own, which need not be the lab's.
COMPONENTIZE_PY: Final = Origin(
    "componentize-py", "componentize-py", "componentize_py", _PROGRAM, HOW, "0.19"
)
APP: Final = "labkernel_app"
_FORM: Final = "python 1"
_GUEST: Final = Path(__file__).with_name("guest")
_LIBRARY: Final = "stdlib.bin"
_START: Final = "import componentize_py; sys.argv[0] = 'componentize-py'; componentize_py.script()"


def identity(tool: Tool) -> str:
    """Return what changes with the tool or with what runs beside the cell."""
    return f"{_tool_identity(tool)} {_files_key('guest/*', 'names', 'plan', 'scaffold')}"


def _tool_identity(tool: Tool) -> str:
    return f"{_FORM} {tool.identity}"


@functools.cache
def _files_key(*patterns: str) -> str:
    """Return what changes with files of this package, those that decide what is inside a component."""
    paths = (path for pattern in patterns for path in sorted(_GUEST.parent.glob(f"{pattern}.py")))
    return key_of(*(path.read_bytes() for path in paths))[:16]


def guest_python(tool: Tool, cache: Cache) -> str:
    """Return the version of the Python inside components, like `3.14`, read off the tool once."""
    key = key_of("python inside", tool.identity)
    kept = cache.get("versions", key)
    if kept is None:
        with open(tool.program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = re.search(rb"python(3\.\d+)", data)
            version = found[1] if found else b"3"
        kept = cache.put("versions", key, version)
    return kept.read_text(encoding="ascii")


def _library_key(tool: Tool) -> str:
    return key_of("python library", _tool_identity(tool), _files_key("guest/shelf"))


def find_library(tool: Tool, cache: Cache) -> Path | None:
    """Return the folder of the standard library, compiled for components, or `None`."""
    return cache.get("toolchain", _library_key(tool))


def library_modules(tool: Tool, cache: Cache) -> frozenset[str]:
    """Return the names of the modules that every component has; empty while they are unknown."""
    found = find_library(tool, cache)
    if found is None:
        return frozenset()
    return frozenset(json.loads((found / "modules.json").read_text(encoding="utf-8")))


def bindings(tool: Tool, package: Package, world: World, context: Context) -> dict[str, str]:
    """Return the generated Python modules that describe a world, by file name."""
    key = key_of("bindings-python", _tool_identity(tool), [list(f) for f in package.files], world.full_name)
    kept = context.cache.read("bindings", key, ".json")
    if kept is None:
        with context.build_folder() as folder:
            _write_wit(folder, package)
            done = _run(tool, folder, ["bindings", "out"], world, Options(timeout_s=60))
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
    tool: Tool,
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
        library = find_library(tool, context.cache)
        if library is not None:
            shutil.copyfile(library / _LIBRARY, work / _LIBRARY)
        if site is not None:
            shutil.copytree(site, work / "site")
        done = _run(tool, folder, ["componentize", "-p", "app", APP, "-o", "out.wasm"], world, options)
        if done.code != 0:
            return b"", done
        if library is None:
            _keep_library(tool, work, context.cache)
        return (folder / "out.wasm").read_bytes(), done


def _write_guest(work: Path) -> None:
    """Copy what runs beside the cell, in packages of the same names that are empty otherwise."""
    target = work
    for part in __package__.split("."):
        target = target / part
        target.mkdir()
        (target / "__init__.py").touch()
    shutil.copytree(_GUEST, target / _GUEST.name, ignore=shutil.ignore_patterns("__pycache__"))


def _keep_library(tool: Tool, work: Path, cache: Cache) -> None:
    """Keep the compiled standard library, which the first component of this machine left behind."""
    with cache.folder("toolchain", _library_key(tool)) as (folder, is_new):
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


def _start(tool: Tool) -> str:
    """Return the Python that starts the tool, and no other version of it."""
    if tool == COMPONENTIZE_PY.installed():
        return f"import sys; {_START}"
    return f"import sys; sys.path.insert(0, {str(tool.folder)!r}); {_START}"


def _run(tool: Tool, folder: Path, arguments: list[str], world: World, options: Options) -> Finished:
    command = [sys.executable, "-I", "-c", _start(tool), "-d", "wit", "-w", world.full_name, *arguments]
    # Its folder must be readable as a whole: Python looks for the package in a list of it.
    roots = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent, tool.folder)
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
