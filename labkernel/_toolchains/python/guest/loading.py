"""What runs beside a cell inside its component. CPython for WebAssembly runs this file; the lab only copies it.

While the component is made, `prepare` puts the standard library into memory, since no file of it is there at
run time. At the first call it loads the cell: from a variable of the environment (development) or from what was
baked in (release). Both take the same way, so both behave alike. It knows neither the lab nor the host.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import json
import linecache
import os
import pkgutil
import sys
import traceback
import types
from collections.abc import Callable, Iterable
from typing import Any

from labkernel._toolchains.python.guest.answers import answering, missing
from labkernel._toolchains.python.guest.fitting import check_of, misfit
from labkernel._toolchains.python.guest.objects import bind, stand_in
from labkernel._toolchains.python.guest.shelf import CELL, Cell, Library, packages, standard_library

__all__ = ["prepare"]

SNIPPET_VARIABLE = "LABKERNEL_SNIPPET"
PACKAGES_VARIABLE = "LABKERNEL_PACKAGES"


def prepare(app: dict[str, Any], plan: dict[str, Any], folder: str) -> None:
    """Make everything ready that does not depend on the cell; called by the app's module while it is made.

    `app` holds the classes that the runtime looks for; `folder` is where the app lies.
    """
    sys.meta_path[2:2] = [
        Library("/python", standard_library(f"{folder}/stdlib.bin")),
        *packages(f"{folder}/site"),
    ]
    own = ("/python", "/world", "/bundled", folder)
    sys.path[:] = [path for path in sys.path if path in own]
    prelude = _prelude()
    cell = None
    if plan.get("snippet"):
        cell = Cell(plan["snippet"])
        cell.compile()
    for name in plan["preload"]:
        _try_import(name)
    _check_imports(plan["imports"], prelude)
    loader = _Loader(app, plan["exports"], prelude, cell)
    resources: dict[str, dict[str, Any]] = {}
    for export in plan["exports"]:
        if export["kind"]:
            resources.setdefault(export["class"], {})[export["method"]] = export
        else:
            setattr(app[export["class"]], export["method"], _first_call(loader, export))
    for place, members in resources.items():
        home, _, name = place.partition(".")
        module = sys.modules.setdefault(home, types.ModuleType(home))
        setattr(module, name, stand_in(members, loader))
    sys.excepthook = _show
    gc.collect()
    gc.freeze()


def _try_import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 - whatever it is, it comes again where the cell imports it
        for loaded in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[loaded]


def _prelude() -> dict[str, Any]:
    """Return the names that a cell finds defined: the world's types and imports, `Ok`, `Err` and `Some`."""
    world = importlib.import_module("wit_world")
    common = importlib.import_module("componentize_py_types")
    found: dict[str, Any] = {name: getattr(common, name) for name in ("Ok", "Err", "Some", "Result")}
    for side in ("imports", "exports"):
        try:
            package = importlib.import_module(f"wit_world.{side}")
        except ModuleNotFoundError:
            continue
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            if side == "imports" or info.name not in found:
                found[info.name] = module
            found.update(_types(module))
    found.update(_types(world))
    for name, value in vars(world).items():
        if isinstance(value, types.FunctionType) and value.__module__ == "wit_world":
            found[name] = value
    return found


def _types(module: types.ModuleType) -> dict[str, Any]:
    """Return the types that a generated module declares itself; a variant's is the union of its cases."""
    found = {}
    for name, value in vars(module).items():
        cases = getattr(value, "__args__", None)
        parts = [value] if isinstance(value, type) else cases if isinstance(cases, tuple) else []
        is_own = parts and all(getattr(part, "__module__", "") == module.__name__ for part in parts)
        if is_own and not getattr(value, "_is_protocol", False):
            found[name] = value
    return found


def _check_imports(imports: list[dict[str, Any]], prelude: dict[str, Any]) -> None:
    """Let imported functions refuse arguments that do not fit, where the cell calls them."""
    for entry in imports:
        for name in entry["modules"]:
            module = sys.modules.get(f"wit_world.imports.{name}" if name else "wit_world")
            function = getattr(module, entry["name"], None)
            if isinstance(function, types.FunctionType):
                checked = _checked(function, entry["params"])
                setattr(module, entry["name"], checked)
                if not name:
                    prelude[entry["name"]] = checked


def _checked(function: Callable[..., Any], params: list[list[Any]]) -> Callable[..., Any]:
    checks = [(f"{function.__name__}({name})", check_of(kind)) for name, kind in params]

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        for (where, check), value in zip(checks, arguments, strict=False):
            if problem := check(value):
                raise misfit(where, problem)
        return function(*arguments, **named)

    return call


class _Loader:
    """Loads the cell, once, and puts its functions where the runtime calls them."""

    def __init__(
        self, app: dict[str, Any], exports: list[dict[str, Any]], prelude: dict[str, Any], cell: Cell | None
    ) -> None:
        self.app, self.exports, self.prelude, self.cell = app, exports, prelude, cell
        self.names: dict[str, Any] | None = None

    def need(self) -> dict[str, Any]:
        """Return the cell's names, loading it where that has not happened. Raises whatever the cell raises."""
        if self.names is None:
            try:
                self.load()
            except Exception as error:
                if type(error).__name__ == "Err":
                    raise RuntimeError("The cell raised Err outside of a function.") from error
                raise
        assert self.names is not None
        return self.names

    def load(self) -> None:
        """Run the cell. Raises whatever it raises."""
        cell = self.cell or Cell(json.loads(os.environ[SNIPPET_VARIABLE]))
        packages = os.environ.pop(PACKAGES_VARIABLE, "")
        os.environ.pop(SNIPPET_VARIABLE, None)
        sys.path[:] = [packages] if packages else []
        sys.path_importer_cache.clear()
        sys.meta_path.insert(0, cell)
        spec = cell.find_spec(CELL)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        module.__dict__.update(self.prelude)
        sys.modules[CELL] = module
        linecache.lazycache(cell.file, module.__dict__)
        exec(cell.get_code(CELL), module.__dict__)
        self.names = module.__dict__
        objects: dict[type, Any] = {}
        for export in self.exports:
            if export["kind"]:
                bind(module.__dict__, export)
                continue
            found = _find(module.__dict__, export["names"], objects)
            if found is None:
                found = missing(export)
            setattr(self.app[export["class"]], export["method"], staticmethod(answering(found, export)))


def _first_call(loader: _Loader, export: dict[str, Any]) -> Callable[..., Any]:
    def first(self: Any, *arguments: Any) -> Any:
        loader.need()
        return getattr(self, export["method"])(*arguments)

    return first


def _find(
    names: dict[str, Any], candidates: Iterable[str], objects: dict[type, Any]
) -> Callable[..., Any] | None:
    for candidate in candidates:
        owner, dot, name = candidate.rpartition(".")
        if not dot:
            found = names.get(name)
            if callable(found):
                return found  # type: ignore[no-any-return]
            continue
        kind = names.get(owner)
        if isinstance(kind, type) and kind.__module__ == CELL and hasattr(kind, name):
            if kind not in objects:
                objects[kind] = kind()
            return getattr(objects[kind], name)  # type: ignore[no-any-return]
    return None


def _show(kind: type[BaseException], value: BaseException, trace: types.TracebackType | None) -> None:
    """Print a traceback of the cell's own frames, and end; the runtime would add that it panicked."""
    shown = traceback.TracebackException(kind, value, trace)
    _prune(shown)
    if place := getattr(value, "labkernel_place", None):
        shown.stack.append(traceback.FrameSummary(*place))
    sys.stdout.flush()
    sys.stderr.write("".join(shown.format()))
    sys.stderr.flush()
    os.abort()


def _prune(shown: traceback.TracebackException | None) -> None:
    if shown is None:
        return
    hidden = (os.path.dirname(__file__), "<frozen importlib")
    shown.stack[:] = [frame for frame in shown.stack if not frame.filename.startswith(hidden)]
    for each in (shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())):
        _prune(each)
