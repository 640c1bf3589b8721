"""What a Go cell may call a world's things, and how it declares the world's functions.

The cell is one package. A type goes by its bare name where that means one thing, otherwise by its
interface's package. This module knows no cell and no tool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from labkernel._toolchains.go.generated import WORLD, Bindings, snake, title
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    HandleType,
    Interface,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = ["LIBRARY", "Exported", "GoWorld", "param_name"]

_KEYWORD_WORDS: Final = """
    break case chan const continue default defer else fallthrough for func go goto if import interface map
    package range return select struct switch type var
"""
_KEYWORDS: Final = frozenset(_KEYWORD_WORDS.split())
_PLAIN: Final = {
    "bool": "bool", "s8": "int8", "u8": "uint8", "s16": "int16", "u16": "uint16", "s32": "int32",
    "u32": "uint32", "s64": "int64", "u64": "uint64", "f32": "float32", "f64": "float64", "char": "rune",
    "string": "string",
}  # fmt: skip
#: Types of the bindings' own library, which a cell has by these names.
LIBRARY: Final = ("Option", "Unit", *(f"Tuple{n}" for n in range(1, 17)))


@dataclass(frozen=True, slots=True)
class Exported:
    """A function the cell is asked for. `names` are those it may have, the plainest first."""

    function: Function
    package: str
    go_name: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The plainest name it may have."""
        return self.names[0]


class GoWorld:
    """A world with the names that its things have in Go."""

    def __init__(self, world: World, bindings: Bindings) -> None:
        self.world = world
        self.bindings = bindings
        self.places = {key: self._place(key) for key in self._interfaces()}
        self.exports = tuple(self._exports())
        self.home = self._home()
        self.short = self._short()
        self.visible = self._visible()
        self.result = ""
        self.result = self._only_result()

    def _interfaces(self) -> Iterator[str]:
        for item in (*self.world.imports, *self.world.exports):
            if isinstance(item, Interface):
                yield item.name

    def _place(self, key: str) -> str:
        """Return the package of an interface, which has the version in it where there are several."""
        path, _, version = key.partition("@")
        package, _, name = path.rpartition("/")
        space, _, base = package.partition(":")
        plain = f"{snake(space)}_{snake(base)}_{snake(name)}" if package else snake(name)
        plain = f"{plain}_" if plain in _KEYWORDS else plain
        known = [*self.bindings.packages, *self.bindings.files["wit_exports.go"].split('"')]
        mark = version.translate({ord(c): "_" for c in ".-+"})
        long = f"{snake(space)}_{snake(base)}_{mark}_{snake(name)}"
        is_long = version and any(k in (long, f"wit_component/export_{long}") for k in known)
        return long if is_long else plain

    def _exports(self) -> Iterator[Exported]:
        found = []
        for item in self.world.exports:
            if isinstance(item, Function):
                found.append((item, WORLD, ""))
            else:
                stem = title(item.name.partition("@")[0].rpartition("/")[2])
                found += [(f, self.places[item.name], stem) for f in item.functions if "[" not in f.name]
        times = Counter(title(f.name) for f, _, _ in found)
        for function, package, stem in found:
            plain = title(function.name)
            names = [stem + plain] if stem else [plain]
            if stem and times[plain] == 1:
                names.insert(0, plain)
            yield Exported(function, package, plain, tuple(names))

    def _home(self) -> str:
        """Return the package that the cell is: the one that has resources, or the first that is asked for."""
        with_resources = [self.places[key] for key, _ in self.resources()]
        places = [e.package for e in self.exports]
        chosen = with_resources or [p for p in places if p == WORLD] or places or [WORLD]
        return f"export_{chosen[0]}"

    def resources(self) -> Iterator[tuple[str, str]]:
        """Yield interface and name of each resource that the cell must have."""
        for item in self.world.exports:
            for named in item.types if isinstance(item, Interface) else ():
                if named.type == OpaqueType("resource") and not named.alias_of:
                    yield item.name, named.name

    def _short(self) -> dict[str, str]:
        """Return the short name of each package -> its name: what a cell may write without an import."""
        found: dict[str, set[str]] = {}
        for key, package in self.places.items():
            path = key.partition("@")[0]
            name = snake(path.rpartition("/")[2])
            prefix = snake(path.rpartition("/")[0].rpartition(":")[2])
            for short in (name, name.replace("_", ""), f"{prefix}_{name}"):
                found.setdefault(short, set()).add(package)
        names = {s: next(iter(p)) for s, p in found.items() if len(p) == 1 and s not in _KEYWORDS}
        names |= {package: package for package in self.bindings.packages}
        return {s: p for s, p in names.items() if p in self.bindings.packages}

    def _visible(self) -> dict[str, tuple[str, str]]:
        """Return the types that a cell may write bare -> package and name."""
        found: dict[str, set[tuple[str, str]]] = {}
        own: set[str] = set()
        for package in self.bindings.packages.values():
            if package.name.startswith("export_") and package.name != self.home:
                continue
            for name in package.types:
                found.setdefault(name, set()).add(self.bindings.end_of(package.name, name))
                if package.name == WORLD:
                    own.add(name)
        taken = {n for e in self.exports for n in e.names}
        names = {}
        for name, ends in found.items():
            chosen = {self.bindings.end_of(WORLD, name)} if name in own else ends
            if len(chosen) == 1 and name not in taken:
                names[name] = next(iter(chosen))
        return names

    def _only_result(self) -> str:
        """Return the result type of all exported functions, if it is but one."""
        results = [e.function.result for e in self.exports if isinstance(e.function.result, ResultType)]
        found = {self.type_text(result, is_full=True) for result in results}
        return next(iter(found)) if len(found) == 1 and "Result" not in self.visible else ""

    # -------------------------------------------------------------------------------------------------- types

    def type_text(self, wit_type: Type | None, *, is_full: bool = False) -> str:
        """Return a type as the cell writes it; with `is_full` every name with its package."""
        match wit_type:
            case None:
                return self._library("Unit", is_full)
            case Primitive(name):
                return _PLAIN[name]
            case ListType(element):
                return f"[]{self.type_text(element, is_full=is_full)}"
            case OptionType(payload):
                return self._generic("Option", (payload,), is_full)
            case ResultType(ok, err):
                is_it = not is_full and self.result == self.type_text(wit_type, is_full=True)
                return "Result" if is_it else self._generic("Result", (ok, err), is_full)
            case TupleType(elements):
                return self._generic(f"Tuple{len(elements)}", elements, is_full)
            case HandleType(resource, _, owner):
                return f"*{self._named(owner, resource, is_full)}"
            case RecordType() | VariantType() | EnumType() | FlagsType():
                return self._named(wit_type.owner, wit_type.name, is_full)
            case _:
                raise ValueError(f"{wit_type} has no form in Go")

    def _generic(self, name: str, parts: Iterable[Type | None], is_full: bool) -> str:
        inner = ", ".join(self.type_text(part, is_full=is_full) for part in parts)
        return f"{self._library(name, is_full)}[{inner}]"

    def _library(self, name: str, is_full: bool) -> str:
        return f"witTypes.{name}" if is_full or name in self.visible else name

    def _named(self, owner: str, name: str, is_full: bool) -> str:
        end = self.bindings.end_of(self.package_of(owner, title(name)), title(name))
        is_bare = end[0] == self.home or (not is_full and self.visible.get(end[1]) == end)
        if is_bare:
            return end[1]
        return f"{end[0] if is_full else self.short_of(end[0])}.{end[1]}"

    def package_of(self, owner: str, name: str) -> str:
        """Return the package that has a type: its own, or that of the cell's side where it holds resources."""
        if owner == "" or owner not in self.places:
            inner = [p for p in self.places.values() if self._has(p, name)]
            return inner[0] if owner == "" and inner else WORLD
        plain = self.places[owner]
        has_own = any(self.places[key] == plain for key, _ in self.resources())
        return f"export_{plain}" if has_own and not self._has(plain, name) else plain

    def _has(self, package: str, name: str) -> bool:
        known = self.bindings.packages.get(package)
        return known is not None and name in known.types

    def short_of(self, package: str) -> str:
        """Return the shortest name that a cell may write for a package."""
        return min((s for s, p in self.short.items() if p == package), key=len, default=package)

    def results_text(self, wit_type: Type | None, *, is_full: bool = False) -> str:
        """Return what a function answers, as it stands behind its parameters: tuples are several values."""
        if wit_type is None:
            return ""
        if isinstance(wit_type, TupleType):
            return f" ({', '.join(self.type_text(e, is_full=is_full) for e in wit_type.elements)})"
        return f" {self.type_text(wit_type, is_full=is_full)}"

    def params(self, function: Function, *, is_full: bool = False) -> list[tuple[str, str]]:
        """Return names and types of a function's parameters."""
        return [(param_name(p.name), self.type_text(p.type, is_full=is_full)) for p in function.params]

    def signature(self, exported: Exported) -> str:
        """Return `func Name(param Type) Type`, as a cell writes it."""
        params = ", ".join(f"{name} {text}" for name, text in self.params(exported.function))
        return f"func {exported.name}({params}){self.results_text(exported.function.result)}"


def param_name(name: str) -> str:
    """Return a kebab name as a parameter of Go.

    >>> param_name("event-type"), param_name("type")
    ('eventType', 'type_')
    """
    made = title(name)
    made = made[:1].lower() + made[1:]
    return f"{made}_" if made in _KEYWORDS or made in _PLAIN.values() else made
