"""From go's text to diagnostics on the cell's own lines.

What is wrong between the cell and the bindings is told in the world's words: which function is missing or has
another signature. This module knows no tool and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.go.names import Exported, GoWorld
from labkernel._toolchains.go.scaffold import CHECKS, Scaffold
from labkernel._toolchains.go.source import Source
from labkernel._toolchains.go.starter import resource_function
from labkernel._wit import Interface

__all__ = ["Reader"]

_HEAD: Final = re.compile(
    r"^(?:\S+: )?(?:\./)?(?P<file>[^:\s]+):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<text>.*)$"
)
_HAS: Final = re.compile(
    r"^cannot use \w+ \((?:value|variable) of type (.*)\) as func\(.*\).* value in variable declaration$"
)
_LACKS: Final = re.compile(r"(?:undefined: export_\w+\.(\w+)|has no field or method (\w+))")


@dataclass(frozen=True, slots=True)
class Reader:
    """Places messages in one cell. `sources` are the user's files by name, the cell's first."""

    world: GoWorld
    sources: Mapping[str, Source]
    scaffold: Scaffold

    def reason(self, text: str) -> str:
        """Return what go said last, where it said nothing about a place."""
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return f" It said: {self._plain(lines[-1])}" if lines else ""

    def diagnostics(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what is wrong with the user's files: the compiler's errors, then what the cell lacks."""
        found = [*self._compiler(text), *map(self._missing, self.scaffold.missing)]
        return tuple(dict.fromkeys(found))

    def _compiler(self, text: str) -> Iterator[Diagnostic]:
        current: Diagnostic | None = None
        for line in text.splitlines():
            head = _HEAD.match(line)
            if line.startswith("\t") and current is not None:
                more = self._elsewhere(self._plain(line.strip()))
                current = replace(current, hint=f"{current.hint}, {more}" if current.hint else more)
            elif head is not None:
                if current is not None:
                    yield current
                current = self._placed(head)
        if current is not None:
            yield current

    def _placed(self, head: re.Match[str]) -> Diagnostic | None:
        if head["text"].startswith("too many errors"):
            return None
        name = head["file"].removeprefix(f"{self.world.home}/")
        source = self.sources.get(name)
        message = self._plain(head["text"])
        if source is None:
            return self._of_the_scaffold(head, message)
        lines = source.text.rstrip().count("\n") + 1
        line, text = min(lines, int(head["line"])), source.line(min(lines, int(head["line"])))
        is_behind = int(head["line"]) > lines
        column = len(text) + 1 if is_behind else _characters(text, int(head["column"] or 0))
        return Diagnostic(
            message, file=name, line=line, column=column, text=text,
            end_column=column + _width(text, column) if column else 0,
        )  # fmt: skip

    def _plain(self, text: str) -> str:
        """Return a message with names as the cell writes them."""
        text = re.sub(r"\b(?:witTypes|wit_types|wit_world)\.", "", text)
        text = re.sub(rf"\b{re.escape(self.world.home)}\.", "", text)
        text = re.sub(r"\[/[^\]]*\]", "", text)
        text = re.sub(r"(?<!\S)/[^\s:]*/(?=labkernel_)", "", text)
        text = re.sub(rf"\b{re.escape(self.world.home)}/", "", text)
        return re.sub(r" \(/\S*/go/src/[^)]*\)", "", text)

    def _elsewhere(self, text: str) -> str:
        """Return what the compiler adds about another place: with its line in a file of the user's, or without."""
        found = re.match(r"(\S+?):(\d+):\d+: (.*)$", text)
        if found is None:
            return text
        return f"{found[3]} (line {found[2]})" if found[1] in self.sources else found[3]

    def _of_the_scaffold(self, head: re.Match[str], message: str) -> Diagnostic | None:
        """Say what the world asks for where the cell does not agree with it."""
        if head["file"].endswith(CHECKS):
            exported = self.scaffold.checked.get(int(head["line"]))
            if exported is not None:
                return self._wrong(exported, message)
        lacks = _LACKS.search(head["text"])
        if lacks is not None:
            return self._missing_of_resource(lacks[1] or lacks[2])
        return Diagnostic(message)

    def _wrong(self, exported: Exported, message: str) -> Diagnostic:
        wanted = self.world.signature(exported)
        has = _HAS.match(message)
        plain = Diagnostic(
            f"wrong signature of function {exported.name}: the world asks for `{wanted}`",
            hint=f"yours is `{has[1]}`" if has else message,
        )
        name = next((n for n in exported.names for s in self.sources.values() if n in s.functions), "")
        return self._at(plain, name)

    def _at(self, plain: Diagnostic, name: str) -> Diagnostic:
        """Return the diagnostic at the function of that name."""
        for file, source in self.sources.items():
            if name in source.functions:
                line, column = source.place(source.functions[name])
                end = column + len(name)
                return replace(
                    plain, file=file, line=line, column=column, end_column=end, text=source.line(line)
                )
        return plain

    def _missing(self, exported: Exported) -> Diagnostic:
        message = f"missing function {exported.name}: the world asks for `{self.world.signature(exported)}`"
        own = {n for e in self.world.exports for n in e.names}
        others = [n for s in self.sources.values() for n in s.functions if n not in own]
        lower = next((n for n in others if n.lower() == exported.name.lower()), "")
        near = did_you_mean(exported.name, others)
        other = lower or (near.split("'")[1] if near else "")
        if not other:
            return Diagnostic(message, hint="write it in the cell")
        return self._at(
            Diagnostic(message, hint=f"rename {other} to {exported.name}, if that is what it is"), other
        )

    def _missing_of_resource(self, name: str) -> Diagnostic:
        """Name a method, a constructor or a type of a resource that the cell must have."""
        for item in self.world.world.exports:
            for function in item.functions if isinstance(item, Interface) else ():
                found = resource_function(self.world, function)
                if found is not None and re.search(rf"\b{name}\(", found[1]):
                    return Diagnostic(f"missing function {name}: the world asks for `{found[1]}`")
        return Diagnostic(
            f"missing type {name}: the world asks for a resource, `type {name} struct {{ Resource }}`"
        )


def _characters(text: str, column: int) -> int:
    """Return a column in characters for one in bytes."""
    return (
        len(text.encode(errors="surrogatepass")[: column - 1].decode(errors="replace")) + 1 if column else 0
    )


def _width(text: str, column: int) -> int:
    found = re.match(r"\w+|\"[^\"]*\"", text[column - 1 :])
    return len(found.group()) if found else 1
