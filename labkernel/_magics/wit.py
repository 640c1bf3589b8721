"""`%%wit` and `%wit`: worlds given in a cell, listed and shown."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import magics_class

from labkernel._cards import Card, Code, list_card
from labkernel._errors import UsageError, did_you_mean
from labkernel._magics.base import LabMagics, identifier, magic
from labkernel._magics.line import parse_line, words_only
from labkernel._magics.parsers import WIT, WIT_LINE
from labkernel._registry import deps_of
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
        A cell may hold several packages, the further ones in braces, and may refer to those of earlier cells;
        `--deps FOLDER` gives it the packages of a folder, checked where `%wit deps` has locked them.
        """
        parsed = parse_line(WIT, line)
        (name,) = words_only(parsed, WIT, ["NAME"])
        deps = deps_of(parsed.deps) if parsed.deps else []
        package = self.lab.wit(cell, name=identifier(name, "package"), deps=deps)
        self.bind(name, package)
        self.screen.show(package)
        return package

    @magic("line", "wit", WIT_LINE)
    def wit_line(self, line: str) -> Any:
        """List the known worlds, show one, or fetch the packages that a folder's `deps.toml` asks for.

        ::

            %wit list
            %wit show faas
            %wit show faas --language c
            %wit deps ./wit

        `deps.toml` has lines such as `"wasi:http" = "0.2"` (bundled with the lab), `mine = "./shared"` (a local
        folder), `other = "https://host/other.tar.gz"`, or
        `"acme:types" = { version = "^1.2", registry = "127.0.0.1:5000" }` (an OCI registry). `%wit deps` writes
        them to the folder's `deps/`, and to `deps.lock` what they are; later runs hold to that lock.
        """
        parsed = parse_line(WIT_LINE, line)
        action, name = words_only(parsed, WIT_LINE, ["list|show|deps", "NAME"], optional=1)
        if action == "list":
            parsed.words = parsed.words[1:]
            words_only(parsed, WIT_LINE, [])
            return self.screen.show(list_card("Worlds", ("package", "world", "exports"), self._worlds()))
        if action == "deps":
            record = self.lab.wit_deps(name or None, offline=parsed.offline, update=parsed.update)
            return self.screen.show(record)
        if action != "show":
            known = ["list", "show", "deps"]
            raise UsageError(
                f"%wit knows no {action!r}; known: {', '.join(known)}.{did_you_mean(action, known)}"
            )
        package, world = self.lab.worlds.find(name or None)
        if parsed.language:
            title = f"{world.full_name} for {parsed.language}"
            files = self.lab.bindings(parsed.language, package, world)
            sections = tuple(Code(file, text) for file, text in files.items())
            return self.screen.show(Card(title, kind="Bindings", sections=sections))
        return self.screen.show(package)

    def _worlds(self) -> list[tuple[str, str, str]]:
        """Return a row for each function that a world exports; the world is named in its first."""
        rows = []
        for name, _, world in self.lab.worlds.all():
            for index, function in enumerate(world.functions() or (None,)):
                text = function.text if function else "nothing"
                rows.append((name, world.full_name, text) if not index else ("", "", text))
        return rows
