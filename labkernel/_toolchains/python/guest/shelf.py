"""Modules in memory: the standard library and packages as compressed code, the cell as text.

No file of the standard library is there at run time, so all of it is put into memory while the component is
made. CPython for WebAssembly runs this file; the lab only copies it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import marshal
import os
import re
import sys
import types
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["CELL", "Cell", "Library", "Shelf", "packages", "standard_library"]

CELL = "cell"
#: Parts of the standard library that need a screen, a test suite or pip: not carried.
LEFT_OUT = frozenset(
    {"__pycache__", "test", "tests", "tkinter", "idlelib", "turtledemo", "ensurepip", "site-packages"}
)


class Shelf(importlib.abc.InspectLoader, importlib.abc.MetaPathFinder):
    """Modules in memory, found by name. Each is a text, or the compressed code of one; `files` holds the rest."""

    def __init__(
        self, root: str, modules: dict[str, tuple[bool, str | bytes]], files: dict[str, bytes] | None = None
    ) -> None:
        self.root, self.modules, self.files = root, modules, files or {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module is, or `None`."""
        if fullname not in self.modules:
            return None
        where = self.get_filename(fullname)
        inside = [os.path.dirname(where)] if self.is_package(fullname) else None
        return importlib.util.spec_from_file_location(
            fullname, where, loader=self, submodule_search_locations=inside
        )

    def is_package(self, fullname: str) -> bool:
        """Whether a module holds others."""
        return self.modules[fullname][0]

    def get_filename(self, fullname: str) -> str:
        """Return the name that tracebacks show."""
        path = fullname.replace(".", "/") + ("/__init__.py" if self.is_package(fullname) else ".py")
        return f"{self.root}/{path}"

    def get_source(self, fullname: str) -> str | None:
        """Return a module's text where there is one."""
        content = self.modules[fullname][1]
        return content if isinstance(content, str) else None

    def get_code(self, fullname: str) -> types.CodeType:
        """Return a module's code."""
        content = self.modules[fullname][1]
        if isinstance(content, str):
            return compile(content, self.get_filename(fullname), "exec", dont_inherit=True)
        code: types.CodeType = marshal.loads(zlib.decompress(content))
        return code

    def get_data(self, path: str) -> bytes:
        """Return a file that is no module."""
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def get_resource_reader(self, fullname: str) -> Any:
        """Return what `importlib.resources` reads a package's files with."""
        return _Reader(Resource(self.files, os.path.dirname(self.get_filename(fullname))))

    def find_distributions(self, context: Any) -> Iterator[Any]:
        """Yield what `importlib.metadata` knows of the packages here."""
        wanted = None if context.name is None else re.sub(r"[-_.]+", "_", context.name).lower()
        for path in self.files:
            folder, _, file = path.rpartition("/")
            if file == "METADATA" and folder.endswith(".dist-info"):
                name = re.sub(r"[-_.]+", "_", os.path.basename(folder).split("-")[0]).lower()
                if wanted in (None, name):
                    yield _distribution(self.files, folder)


class Library(Shelf):
    """The standard library. `asyncio` runs without the pair of sockets that would wake its loop from outside."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run a module, and mend what the component has no means for."""
        super().exec_module(module)
        if module.__name__ == "asyncio.selector_events":
            loop = module.BaseSelectorEventLoop
            loop._make_self_pipe = _no_self_pipe
            loop._close_self_pipe = lambda self: None


def _no_self_pipe(loop: Any) -> None:
    loop._ssock = loop._csock = None


class Resource:
    """A file or folder on a shelf, as `importlib.resources` hands it out."""

    def __init__(self, files: dict[str, bytes], path: str) -> None:
        self._files, self._path = files, path
        self.name = os.path.basename(path)

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._path in self._files

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return any(path.startswith(f"{self._path}/") for path in self._files)

    def iterdir(self) -> Iterator[Resource]:
        """Yield what is in the folder."""
        start = f"{self._path}/"
        names = {path[len(start) :].partition("/")[0] for path in self._files if path.startswith(start)}
        return (self.joinpath(name) for name in sorted(names))

    def joinpath(self, *parts: str) -> Resource:
        """Return what lies below."""
        return Resource(self._files, "/".join((self._path, *parts)))

    __truediv__ = joinpath

    def read_bytes(self) -> bytes:
        """Return the file's bytes."""
        try:
            return self._files[self._path]
        except KeyError:
            raise FileNotFoundError(self._path) from None

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """Return the file's text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def open(self, mode: str = "r", **how: Any) -> Any:
        """Open the file for reading."""
        binary = io.BytesIO(self.read_bytes())
        return binary if "b" in mode else io.TextIOWrapper(binary, **{"encoding": "utf-8", **how})


class _Reader:
    def __init__(self, top: Resource) -> None:
        self._top = top

    def files(self) -> Resource:
        return self._top


def _distribution(files: dict[str, bytes], folder: str) -> Any:
    from importlib.metadata import Distribution

    class Shelved(Distribution):
        def read_text(self, filename: Any) -> str | None:
            data = files.get(f"{folder}/{filename}")
            return None if data is None else data.decode()

        def locate_file(self, path: Any) -> Any:
            return Resource(files, os.path.dirname(folder)).joinpath(str(path))

    return Shelved()


class Cell(Shelf):
    """The cell and the files beside it. `code` is what was compiled when the component was made."""

    def __init__(self, snippet: dict[str, Any]) -> None:
        modules: dict[str, tuple[bool, str | bytes]] = {}
        files = {}
        for name, text in snippet["files"]:
            if name.endswith(".py"):
                parts = name.removesuffix(".py").split("/")
                is_package = parts[-1] == "__init__"
                modules[".".join(parts[:-1] if is_package else parts)] = (is_package, text)
            else:
                files[f"/{name}"] = text.encode()
        for name in list(modules):
            for depth in range(1, name.count(".") + 1):
                modules.setdefault(name.rsplit(".", depth)[0], (True, ""))
        modules[CELL] = (False, snippet["text"])
        super().__init__("", modules, files)
        self.file = snippet["file"]
        self.code: dict[str, types.CodeType] = {}

    def get_filename(self, fullname: str) -> str:
        """Return the name that tracebacks show."""
        return self.file if fullname == CELL else super().get_filename(fullname).removeprefix("/")

    def get_code(self, fullname: str) -> types.CodeType:
        """Return a module's code."""
        return self.code.get(fullname) or super().get_code(fullname)

    def compile(self) -> None:
        """Compile everything now. Raises `SyntaxError`."""
        self.code = {name: super(Cell, self).get_code(name) for name in self.modules}


def packages(folder: str) -> list[Shelf]:
    """Return a shelf with the packages in a folder, or nothing where there is none."""
    if not os.path.isdir(folder):
        return []
    found: dict[str, tuple[bool, str | bytes]] = {}
    for name, is_package, path, where in _modules(folder, "/site"):
        found[name] = (is_package, _packed(path, where))
    return [Shelf("/site", found, dict(_data(folder, "/site")))]


def standard_library(kept: str) -> dict[str, tuple[bool, str | bytes]]:
    """Return the standard library's modules, compiled once for all worlds and kept in a file."""
    try:
        with open(kept, "rb") as file:
            found: dict[str, tuple[bool, str | bytes]] = marshal.load(file)
            return found
    except FileNotFoundError:
        made: dict[str, tuple[bool, str | bytes]] = {}
        for name, is_package, path, where in _modules("/python", "/python"):
            made[name] = (is_package, _packed(path, where))
        with open(kept, "wb") as file:
            marshal.dump(made, file)
        with open(os.path.join(os.path.dirname(kept), "modules.json"), "w") as listing:
            json.dump(sorted({*made, *sys.builtin_module_names}), listing)
        return made


def _modules(folder: str, shown: str) -> Iterator[tuple[str, bool, str, str]]:
    """Yield name, whether it is a package, path and shown path of every module below a folder."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if each not in LEFT_OUT and each.isidentifier())
        inner = root[len(folder) :].strip("/")
        package = inner.replace("/", ".")
        if package and "__init__.py" not in files:
            yield package, True, "", f"{shown}/{inner}/__init__.py"
        for file in sorted(files):
            stem = file.removesuffix(".py")
            if stem == file or not stem.replace("-", "_").isidentifier():
                continue
            where = f"{shown}/{inner}/{file}" if inner else f"{shown}/{file}"
            if stem != "__init__":
                yield (f"{package}.{stem}" if package else stem), False, f"{root}/{file}", where
            elif package:
                yield package, True, f"{root}/{file}", where


def _packed(path: str, where: str) -> bytes:
    """Return the compressed code of a module; one that does not compile raises when it is imported."""
    source = b""
    if path:
        with open(path, "rb") as file:
            source = file.read()
    try:
        code = compile(source, where, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        code = compile(f"raise SyntaxError({str(error)!r})", where, "exec", dont_inherit=True)
    return zlib.compress(marshal.dumps(code), 6)


def _data(folder: str, shown: str) -> Iterator[tuple[str, bytes]]:
    for root, _, files in os.walk(folder):
        for file in files:
            if not file.endswith((".py", ".pyc", ".pyi")):
                with open(f"{root}/{file}", "rb") as opened:
                    yield f"{shown}{root[len(folder) :]}/{file}", opened.read()
