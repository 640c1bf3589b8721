"""`%%wit` and `%wit`: worlds given in a cell, listed and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.magic import magics_class

from labkernel._cards import Card, Code, list_card
from labkernel._errors import UsageError, did_you_mean
from labkernel._magics.base import LabMagics, identifier, magic
from labkernel._magics.line import parse_line, words_only
from labkernel._magics.parsers import WIT, WIT_LINE
from labkernel._wit import Package

__all__ = ["WitMagics"]


@magics_class
class WitMagics(LabMagics):
    """The magics about worlds."""

    @magic("cell", "wit", WIT)
    def wit_cell(self, line: str, cell: str) -> Package:
        """Take the cell as a WIT package and keep it under a name.

        ::

            %%wit faas
            package example-corp:faas-platform@0.0.1;
            world faas { export handle: func(event: string) -> result<_, string>; }

        The card shows the package's worlds, functions and types, and the next cell to paste. WASI's packages
        are at hand in any 0.2 version; WIT without semicolons, as tutorials of 2023 have it, works too.
        """
        parsed = parse_line(WIT, line)
        (name,) = words_only(parsed, WIT, ["NAME"])
        deps = _read_deps(parsed.deps) if parsed.deps else []
        package = self.lab.wit(cell, name=identifier(name, "package"), deps=deps)
        self.bind(name, package)
        self.screen.show(package)
        return package

    @magic("line", "wit", WIT_LINE)
    def wit_line(self, line: str) -> Any:
        """List the known worlds, or show one.

        ::

            %wit list
            %wit show faas
            %wit show faas --language c
        """
        parsed = parse_line(WIT_LINE, line)
        action, name = words_only(parsed, WIT_LINE, ["list|show", "NAME"], optional=1)
        if action == "list":
            rows = [
                (n, w.full_name, ", ".join(f.text for f in w.functions()))
                for n, _, w in self.lab.worlds.all()
            ]
            return self.screen.show(list_card("Worlds", ("package", "world", "exports"), rows))
        if action != "show":
            raise UsageError(
                f"%wit knows no {action!r}; known: list, show.{did_you_mean(action, ['list', 'show'])}"
            )
        package, world = self.lab.worlds.find(name or None)
        if parsed.language:
            title = f"{world.full_name} for {parsed.language}"
            files = self.lab.bindings(parsed.language, package, world)
            sections = tuple(Code(file, text) for file, text in files.items())
            return self.screen.show(Card(title, kind="Bindings", sections=sections))
        return self.screen.show(package)


def _read_deps(folder: str) -> list[dict[str, str]]:
    """Return the packages in a folder: each file is one, each sub-folder is one of several files."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UsageError(f"--deps {folder!r}: there is no such folder; give one that holds .wit files.")
    found = [{path.name: _text(path)} for path in sorted(root.glob("*.wit"))]
    for inner in sorted(p for p in root.iterdir() if p.is_dir()):
        files = {path.name: _text(path) for path in sorted(inner.glob("*.wit"))}
        if files:
            found.append(files)
    if not found:
        raise UsageError(f"--deps {folder!r} holds no .wit file.")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as text ({error}).") from None
