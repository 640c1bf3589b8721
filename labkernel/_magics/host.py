"""`%%host`: an import of a world, written in Python in a cell."""

from __future__ import annotations

import linecache
from typing import Any, Final

from IPython.core.magic import magics_class

from labkernel._errors import CompileError, Diagnostic
from labkernel._magics.base import LabMagics, identifier, magic
from labkernel._magics.line import parse_line, words_only
from labkernel._magics.parsers import HOST
from labkernel._sandbox import HostImplementation, own_traceback

__all__ = ["HostMagics"]


_KEPT: Final[tuple[str, ...]] = ("__name__", "__builtins__")


class CellNames(dict[str, Any]):
    """The names a cell defines. What it does not define itself it finds among the notebook's, as they are then."""

    def __init__(self, notebook: dict[str, Any]) -> None:
        super().__init__({name: notebook[name] for name in _KEPT if name in notebook})
        self._notebook = notebook

    def __missing__(self, name: str) -> Any:
        return self._notebook[name]


@magics_class
class HostMagics(LabMagics):
    """The magic about host functions."""

    @magic("cell", "host", HOST)
    def host_cell(self, line: str, cell: str) -> HostImplementation:
        """Implement an imported interface in Python; grant it with --host NAME.

        ::

            %%host kv --world shop --interface store
            def get(key):
                return stock[key]
            def put(key, value):
                stock[key] = value

        A function for each of the interface's, by its name with underscores for hyphens; without --interface the
        functions that the world itself imports, or its only interface. A resource is a class named in CamelCase:
        its constructor is `__init__`, its static functions are `@staticmethod`s, and a method `close` that the WIT
        does not have is called once when the guest drops the object. All of it is checked against the WIT when the
        cell runs. Helpers take a name that begins with `_`.

        Values are those of the lab: records with attributes, `None` for no option, bytes for `list<u8>`. For a
        `result`, what is returned is the `ok` side; `raise labkernel.WitErr(value)` answers with the `err` side, and
        where that is a string so does any exception, with its text. Everything else that is raised, and a value of
        another type, ends the guest's call as a trap that shows the Python traceback.

        The functions run in the notebook: they see its variables as they are at the call, may print, plot and change
        objects; an interrupt reaches them. What the cell itself defines stays in the cell, as `kv.NAME`, and
        overwrites no variable. The time they take counts against the guest's --timeout. They cannot call guests.
        """
        parsed = parse_line(HOST, line)
        (name,) = words_only(parsed, HOST, ["NAME"])
        identifier(name, "host implementation")
        names = _run(cell, f"<%%host {name}>", CellNames(self.shell.user_ns))
        made = self.lab.host(name, names, world=parsed.world, interface=parsed.interface, source=cell)
        self.bind(name, made)
        self.screen.show(made)
        return made


def _run(cell: str, file: str, names: CellNames) -> CellNames:
    """Run a cell and return what it defines. Raises `CompileError` where it is no Python, and what it raises."""
    try:
        code = compile(cell, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        place = Diagnostic(
            error.msg, line=error.lineno or 0, column=error.offset or 0, text=(error.text or "").rstrip("\n")
        )
        raise CompileError("The cell is no Python.", language="python", diagnostics=[place]) from None
    linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
    try:
        exec(code, names)
    except Exception as error:
        lines = own_traceback(error).splitlines()
        error.__dict__["_render_traceback_"] = lambda: lines
        raise
    return names
