"""The rooms of the house, their rows and their fences, read from the source by AST."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "labkernel"

#: Rooms by row, lowest first; a module imports only from lower rows (and from its own room).
ROWS: list[set[str]] = [
    {"_errors"},
    {"_wit", "_capability", "_timing", "_cache"},
    {"_values", "_events"},
    {"_host"},
    {"_toolbox"},
    {"_toolchains", "_sandbox", "_fire", "_baselines", "_registry"},
    {"_lab", "_setup"},
    {"_plot", "_cards"},
    {"_panel"},
    {"_magics", "_cli"},
    {"__init__", "language"},
]
#: Within a row, these few look at a neighbour: values are what events are made of.
NEIGHBOURS = {("_events", "_values"), ("_setup", "_lab"), ("_lab", "_setup"), ("_cli", "_magics")}
#: Outside packages that only some rooms may import.
FENCES: dict[str, set[str]] = {
    "wasmtime": {"_host"},
    "plotly": {"_plot"},
    "ipywidgets": {"_panel"},
    "IPython": {"_magics"},
    "subprocess": {"_toolchains", "_toolbox", "_host", "_baselines", "_cli"},
    "nbclient": {"_cli"},
    "hdrh": {"_fire"},
    "pandas": {"_fire"},
    "multiprocessing": set(),
    "pickle": set(),
}
LIGHT = {"wasmtime", "plotly", "ipywidgets", "IPython", "nbclient"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the room a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def row_of(room: str) -> int:
    """Return the row of a room."""
    return next(i for i, rooms in enumerate(ROWS) if room in rooms)


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module a file imports, lazily or for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                is_room = node.module == "labkernel"
                yield f"{node.module}.{alias.name}" if is_room else str(node.module)


def ids(path: Path) -> str:
    """Name a test case after its file."""
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_rows(path: Path) -> None:
    """A module imports only from lower rows or from its own room."""
    room = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "labkernel" or len(parts) < 2 or not parts[1].startswith("_"):
            continue
        other = parts[1]
        assert other == room or (room, other) in NEIGHBOURS or row_of(other) < row_of(room), (
            f"{room} (row {row_of(room)}) imports {name} (row {row_of(other)})"
        )


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_fences(path: Path) -> None:
    """Outside packages are imported only by the rooms that own them."""
    for name in imports(path):
        owners = FENCES.get(name.split(".")[0])
        assert owners is None or room_of(path) in owners, f"{ids(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_size(path: Path) -> None:
    """No module is over 400 lines and no function over 60."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = (first.end_lineno or first.lineno) if is_doc else node.lineno
            assert (node.end_lineno or 0) - start <= 60, f"{node.name} is too long"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_habits(path: Path) -> None:
    """A module has a docstring, explicit exports, no bare `except`, no `sys.exit` but in the command line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "bare except"
        if isinstance(node, ast.FunctionDef):
            assert node.returns is not None, f"{node.name} has no return annotation"
    if room_of(path) not in ("_cli", "_host"):
        assert "sys.exit" not in path.read_text(encoding="utf-8")


def test_no_toolchain_imports_its_sibling() -> None:
    """The languages, a folder each, know nothing of each other."""
    room = PACKAGE / "_toolchains"
    languages = {folder.name for folder in room.iterdir() if (folder / "__init__.py").is_file()}
    assert {"rust", "c", "wat"} <= languages
    for path in room.rglob("*.py"):
        own = path.relative_to(room).parts[0]
        for name in imports(path):
            other = name.removeprefix("labkernel._toolchains.").split(".")[0]
            if own in languages and name.startswith("labkernel._toolchains."):
                assert other not in languages or other == own, f"{ids(path)} imports {name}"


def test_import_is_light() -> None:
    """`import labkernel` loads no engine, no plots, no widgets."""
    code = f"import sys, labkernel; print(sorted({LIGHT!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "tool", [["mypy"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]], ids=" ".join
)
def test_types_and_lint(tool: list[str]) -> None:
    """The package passes mypy --strict, ruff's rules and ruff's format."""
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
