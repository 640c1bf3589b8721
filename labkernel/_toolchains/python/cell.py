"""What can be told of a Python cell without running it: its syntax, the functions it defines, what it imports.

The lab's own Python reads the cell; the one inside the component is newer. So what may be newer syntax is left
to that one to judge, and then nobody here knows what the cell defines. This module knows no tool.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from labkernel._errors import CompileError, Diagnostic, did_you_mean
from labkernel._toolchains.python.names import Export, signature

__all__ = ["Cell", "read"]

MAX_SIZE: Final = 4 << 20
_LINES: Final = re.compile(r"\r\n|\r|\n")
#: Where the Python of components takes what an older one refuses: PEP 649, 695, 696, 701, 750, 758.
_NEWER: Final = re.compile(
    r"^\s*type\s+\w+|\b(?:def|class)\s+\w+\s*\[|\b[rRbB]?[fFtT][rRbB]?['\"]|^\s*except\*?\s+[\w.]+\s*,"
)
_GUEST_VERSION: Final = (3, 14)
#: Calls at the top of a cell after which nobody can tell what it defines.
_OPAQUE: Final = frozenset({"exec", "globals", "vars", "locals", "setattr", "eval"})


Judge: TypeAlias = Callable[[str, str], tuple[str, int, int, int] | None]


def _no_judge(text: str, file: str) -> None:
    return None


@dataclass(slots=True)
class Cell:
    """A cell that was read. `tree` is `None` where only the component's Python can tell."""

    file: str
    lines: list[str]
    tree: ast.Module | None = None
    warnings: tuple[Diagnostic, ...] = ()
    names: dict[str, ast.AST] = field(default_factory=dict)
    is_opaque: bool = False

    def place(
        self, message: str, node: ast.AST | None, *, hint: str = "", severity: str = "error"
    ) -> Diagnostic:
        """Return a diagnostic at a node of the cell."""
        line = getattr(node, "lineno", 0)
        if not line:
            return Diagnostic(message, severity, self.file, hint=hint)
        text = self.lines[line - 1]
        start = _column(text, getattr(node, "col_offset", 0))
        end = getattr(node, "end_col_offset", None)
        same = end is not None and getattr(node, "end_lineno", line) == line
        stop = _column(text, end) if same and end is not None else 0
        return Diagnostic(message, severity, self.file, line, start, stop, text, hint)

    def missing(self, exports: Sequence[Export], world: str) -> list[Diagnostic]:
        """Return what is wrong with the functions that the world asks for."""
        found: list[Diagnostic] = []
        for export in exports:
            bare = not export.params
            found_here = (self._definition(c, is_plain=bare) for c in reversed(export.candidates))
            node = next((each for each in found_here if each), None)
            if node is not None:
                found += self._misfit(node, export)
            elif not self.is_opaque:
                owner, _, name = export.name.rpartition(".")
                near = "" if owner in self.names else did_you_mean(owner or name, self.names)
                what = f"class `{owner}` with `{name}`" if export.kind else f"function `{export.name}`"
                wanted = f"the world {world} asks for the {what}"
                other = re.search(r"'(.+)'", near)
                lead = "@staticmethod` and `" if export.kind == "static" else ""
                found.append(
                    self.place(
                        f"{wanted}, which the cell does not define.{near}",
                        _head(self.names.get(other[1] if other else owner)),
                        hint=f"define it{f' in class {owner}' if owner else ''}: `{lead}{signature(export)}:`",
                    )
                )
        return found

    def _definition(self, candidate: str, *, is_plain: bool) -> ast.AST | None:
        """Return what defines a function; without parameters (`is_plain`), a constructor needs no definition."""
        owner, dot, name = candidate.rpartition(".")
        if not dot:
            return self.names.get(name)
        kind = self.names.get(owner)
        if not isinstance(kind, ast.ClassDef):
            return None
        inside = {n.name: n for n in kind.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        is_given = kind.bases or kind.keywords or (name == "__init__" and (kind.decorator_list or is_plain))
        return inside.get(name) or (kind if is_given else None)

    def _misfit(self, node: ast.AST, export: Export) -> Iterator[Diagnostic]:
        hint = f"the world hands it {_count(len(export.params))}: `{signature(export)}:`"
        if isinstance(node, ast.AsyncFunctionDef):
            yield self.place(
                "the world's function is called like a plain one; leave `async` out.", _head(node), hint=hint
            )
        if not isinstance(node, ast.FunctionDef) or node.decorator_list:
            return
        is_method = self.names.get(node.name) is not node and export.kind != "static"
        given = len(export.params) + is_method
        args = node.args
        positional = [*args.posonlyargs, *args.args]
        least = len(positional) - len(args.defaults)
        needed = [a.arg for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is None]
        if needed or given < least or (given > len(positional) and args.vararg is None):
            takes = _count(max(0, len(positional) + len(needed) - is_method))
            yield self.place(f"`{node.name}` takes {takes}.", _head(node), hint=hint)

    def imports(self) -> Iterator[tuple[str, ast.AST, bool]]:
        """Yield every module that the cell imports, where, and whether the cell cannot do without it."""
        if self.tree is None:
            return
        certain = {id(node) for node in self.tree.body}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node, id(node) in certain) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module, node, id(node) in certain


def read(text: str, file: str, judge: Judge = _no_judge) -> Cell:
    """Return a cell's contents; raise `CompileError` for one that is no Python.

    `judge` tells what the Python inside components says to a text: message, line, column and its end, or `None`.
    """
    cell = Cell(file, _LINES.split(text))
    problem = _unreadable(text, cell)
    if problem:
        raise _error(problem)
    heard: list[warnings.WarningMessage]
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            cell.tree = ast.parse(text, file)
            compile(cell.tree, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        if sys.version_info < _GUEST_VERSION and _may_be_newer(error, cell.lines):
            said = judge(text, file)
            if said is not None:
                raise _error(_located(*said, cell)) from None
            cell.is_opaque, cell.tree = True, None
            return cell
        raise _error(_syntax(error, cell)) from None
    except (RecursionError, MemoryError, ValueError, OverflowError) as error:
        raise _error(
            Diagnostic(f"the cell is nested too deeply or holds what no Python takes ({error})", file=file)
        ) from None
    cell.warnings = tuple(_warning(each, cell) for each in heard)
    for name, node in _defined(cell.tree.body):
        if name in ("*", ""):
            cell.is_opaque = True
        else:
            cell.names[name] = node
    return cell


def _error(diagnostic: Diagnostic) -> CompileError:
    return CompileError("The cell is not valid Python: 1 error.", language="python", diagnostics=[diagnostic])


def _unreadable(text: str, cell: Cell) -> Diagnostic | None:
    if len(text) > MAX_SIZE:
        return Diagnostic(
            f"the cell has {len(text)} characters, at most {MAX_SIZE} are taken", file=cell.file
        )
    for number, line in enumerate(cell.lines, 1):
        for column, character in enumerate(line, 1):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                what = "a NUL character" if character == "\0" else "half of a character"
                shown = line.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
                return Diagnostic(f"the line holds {what}", "error", cell.file, number, column, 0, shown)
    return None


def _syntax(error: SyntaxError, cell: Cell) -> Diagnostic:
    end = error.end_offset or 0 if error.end_lineno == error.lineno else 0
    kind = "" if type(error) is SyntaxError else f"{type(error).__name__}: "
    return _located(f"{kind}{error.msg}", error.lineno or 0, error.offset or 0, end, cell)


def _located(message: str, line: int, column: int, end: int, cell: Cell) -> Diagnostic:
    text = cell.lines[line - 1] if 0 < line <= len(cell.lines) else ""
    return Diagnostic(message, "error", cell.file, line if text else 0, column, end, text)


def _may_be_newer(error: SyntaxError, lines: Sequence[str]) -> bool:
    """Whether the line of the error, or one shortly before, uses syntax that an older Python does not know."""
    line = error.lineno or 0
    return any(_NEWER.search(text) for text in lines[max(0, line - 3) : line])


def _warning(heard: warnings.WarningMessage, cell: Cell) -> Diagnostic:
    line = heard.lineno if 0 < heard.lineno <= len(cell.lines) else 0
    text = cell.lines[line - 1] if line else ""
    return Diagnostic(
        str(heard.message), "warning", cell.file, line, 0, 0, text, code=heard.category.__name__
    )


def _defined(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names that statements at the top of a cell define; `*` for what nobody can tell."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (((alias.asname or alias.name).partition(".")[0], node) for alias in names)
            case _:
                yield from _bound(node)
                for part in ("body", "orelse", "finalbody"):
                    yield from _defined(getattr(node, part, ()))
                for inner in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                    yield from _defined(inner.body)


def _bound(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names that a statement binds itself, without the statements within it."""
    todo: list[ast.AST] = [node]
    while todo:
        here = todo.pop()
        if isinstance(here, ast.Name) and isinstance(here.ctx, ast.Store):
            yield here.id, node
        if isinstance(here, ast.Call) and isinstance(here.func, ast.Name) and here.func.id in _OPAQUE:
            yield "*", node
        todo += [
            child
            for child in ast.iter_child_nodes(here)
            if not isinstance(child, ast.stmt | ast.Lambda | ast.excepthandler | ast.match_case)
        ]


def _head(node: ast.AST | None) -> ast.AST | None:
    """Return a place on the first line of a definition: its name."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        word = {ast.FunctionDef: "def ", ast.AsyncFunctionDef: "async def "}.get(type(node), "class ")
        start = node.col_offset + len(word)
        return ast.Name(
            node.name, ast.Load(), lineno=node.lineno, col_offset=start, end_lineno=node.lineno,
            end_col_offset=start + len(node.name.encode()),
        )  # fmt: skip
    return node


def _count(number: int) -> str:
    return f"{number or 'no'} argument{'' if number == 1 else 's'}"


def _column(text: str, offset: int) -> int:
    """Return the column (from 1, in characters) of an offset in bytes."""
    return len(text.encode()[:offset].decode(errors="ignore")) + 1
