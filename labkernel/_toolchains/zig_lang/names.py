"""What a world's things are called in Zig: types in TitleCase, functions in camelCase, fields in snake_case.

Each interface is a namespace of the module `world`. A cell may write a type without its namespace where the
name means one thing. This module knows no cell and no tool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from labkernel._toolchains.zig_lang.spelling import (
    PLAIN,
    camel,
    method_name,
    quoted,
    resource_of,
    snake,
    title,
)
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    HandleType,
    Interface,
    ListType,
    NamedType,
    OpaqueType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = ["Exported", "Space", "ZigWorld"]

#: Names of the module itself, which nothing of a world may take.
_OWN: Final = frozenset({"world", "allocator", "debug_io", "panic", "Result", "glue", "runtime", "std"})


@dataclass(frozen=True, slots=True)
class Space:
    """What is declared in one place: an interface's or the world's own types and imported functions.

    `name` is empty for the world itself, `key` the interface's full name.
    """

    key: str
    name: str
    types: tuple[NamedType, ...] = ()
    imports: tuple[Function, ...] = ()
    docs: str = ""

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources that are declared here."""
        return tuple(t.name for t in self.types if isinstance(t.type, OpaqueType) and not t.alias_of)


@dataclass(frozen=True, slots=True)
class Exported:
    """A function the cell is asked for: its name, and the namespace in which it may or must be.

    For a function of a resource that namespace is the resource's own struct.
    """

    function: Function
    name: str
    space: str
    is_clear: bool
    resource: str = ""


class ZigWorld:
    """A world with the names that its things have in Zig."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._names: dict[str, str] = {}
        self.own_resources = self.resources()
        self.spaces = tuple(self._spaces())
        self.imports = tuple(self._imports())
        self.exports = tuple(self._exports())
        self.visible = self._visible()

    def _spaces(self) -> Iterator[Space]:
        world = self.world
        merged: dict[str, Space] = {}
        own = [f for f in world.imports if isinstance(f, Function)]
        yield Space("", "", tuple(_placed_name(t, "") for t in world.types), tuple(own), world.docs)
        for item, is_import in [*((i, True) for i in world.imports), *((e, False) for e in world.exports)]:
            if isinstance(item, Interface):
                known = merged.get(item.name)
                types = tuple(_placed_name(t, item.name) for t in item.types)
                functions = tuple(_placed_function(f, item.name) for f in item.functions) if is_import else ()
                merged[item.name] = (
                    replace(known, imports=known.imports or functions)
                    if known
                    else Space(item.name, "", types, functions, item.docs)
                )
        taken = {camel(f.name) for f in own} | _OWN
        for key, space in merged.items():
            name = next(n for n in _space_names(key) if n not in taken)
            taken.add(name)
            self._names[key] = name
            yield replace(space, name=name)

    def _imports(self) -> Iterator[tuple[str, Function]]:
        """Yield what is imported, with the key of its interface: functions, and each resource's end."""
        for space in self.spaces:
            yield from ((space.key, f) for f in space.imports)
            for name in space.resources if space.imports else ():
                handle = HandleType(name, "own", space.key)
                yield space.key, Function(f"[resource-drop]{name}", (Param("self", handle),))

    def _exports(self) -> Iterator[Exported]:
        found = []
        for item in self.world.exports:
            if isinstance(item, Function):
                found.append((item, ""))
            else:
                found += [(_placed_function(f, item.name), self._names[item.name]) for f in item.functions]
        times = Counter(camel(f.name) for f, _ in found)
        for function, space in found:
            resource = resource_of(function)
            if resource:
                yield Exported(function, method_name(function), title(resource), False, title(resource))
            else:
                name = camel(function.name)
                yield Exported(function, name, space, times[name] == 1)

    def resources(self) -> tuple[tuple[str, str], ...]:
        """Return interface and name of each resource that the cell must have."""
        return tuple(
            (item.name, named.name)
            for item in self.world.exports
            for named in (item.types if isinstance(item, Interface) else ())
            if named.type == OpaqueType("resource") and not named.alias_of
        )

    def _visible(self) -> dict[str, str]:
        """Return what a cell may write without a path: name -> path within the module."""
        found: dict[str, set[str]] = {}
        for space in self.spaces:
            for named in space.types:
                path = self.path_of(named.type, space, named)
                found.setdefault(title(named.name), set()).add(path)
        names = {name: next(iter(paths)) for name, paths in found.items() if len(paths) == 1}
        for space in self.spaces:
            if space.name:
                names.setdefault(space.name, quoted(space.name))
        for function in self.spaces[0].imports:
            names.setdefault(camel(function.name), quoted(camel(function.name)))
        names["allocator"] = "allocator"
        names.setdefault("Result", "Result")
        return names

    def path_of(self, wit_type: Type, space: Space, named: NamedType) -> str:
        """Return the path of a declared type, aliases followed to where they end."""
        if isinstance(wit_type, RecordType | VariantType | EnumType | FlagsType) and wit_type.name:
            return self._path(wit_type.owner, wit_type.name)
        if isinstance(wit_type, OpaqueType) and named.alias_of:
            path, _, version = named.alias_of.partition("@")
            owner, _, name = path.rpartition(".")
            return self._path(f"{owner}@{version}" if version else owner, name)
        return self._path(space.key, named.name)

    def _path(self, owner: str, name: str) -> str:
        space = self._names.get(owner, "")
        return f"{quoted(space)}.{title(name)}" if space else title(name)

    def type_text(self, wit_type: Type | None, root: str = "") -> str:
        """Return a type; with `root` named types by their whole path behind it, otherwise as a cell writes them."""
        match wit_type:
            case None:
                return "void"
            case Primitive(name):
                return PLAIN[name]
            case ListType(element):
                return f"[]const {self.type_text(element, root)}"
            case OptionType(payload):
                return f"?{self.type_text(payload, root)}"
            case ResultType(ok, err):
                return f"{root}Result({self.type_text(ok, root)}, {self.type_text(err, root)})"
            case TupleType(elements):
                inner = ", ".join(self.type_text(e, root) for e in elements)
                return f"struct {{ {inner} }}" if inner else "struct {}"
            case HandleType(resource, kind, owner):
                is_lent = kind == "borrow" and (owner, resource) in self.own_resources
                return ("*" if is_lent else "") + self._named(owner, resource, root)
            case RecordType() | VariantType() | EnumType() | FlagsType():
                return self._named(wit_type.owner, wit_type.name, root)
            case _:
                raise ValueError(f"{wit_type} has no form in Zig")

    def _named(self, owner: str, name: str, root: str) -> str:
        path = self._path(owner, name)
        if root:
            return root + path
        return title(name) if self.visible.get(title(name)) == path else path

    def signature(self, exported: Exported) -> str:
        """Return `fn name(param: Type) Type`, as a cell writes it."""
        params = ", ".join(
            f"{quoted(self.param_name(p.name))}: {self.type_text(p.type)}" for p in exported.function.params
        )
        return f"fn {quoted(exported.name)}({params}) {self.type_text(exported.function.result)}"

    def param_name(self, name: str) -> str:
        """Return a parameter's name, which nothing at the top of a file may have as well."""
        made = snake(name)
        taken = made in self.visible or made in _OWN or any(e.name == made for e in self.exports)
        return f"{made}_" if taken else made


def _space_names(key: str) -> Iterator[str]:
    """Yield names for an interface's namespace, short ones first.

    >>> list(_space_names("wasi:http/types@0.2.0"))[:3]
    ['types', 'http_types', 'wasi_http_types']
    """
    path, _, version = key.partition("@")
    package, _, name = path.rpartition("/")
    yield snake(name)
    if package:
        yield f"{snake(package.rpartition(':')[2])}_{snake(name)}"
        yield f"{snake(package)}_{snake(name)}"
        yield f"{snake(package)}_{snake(name)}_{snake(version)}"
    yield from (f"{snake(name)}_{n}" for n in range(2, 1000))


def _placed_name(named: NamedType, key: str) -> NamedType:
    return replace(named, type=_placed(named.type, key))


def _placed_function(function: Function, key: str) -> Function:
    params = tuple(Param(p.name, _placed(p.type, key)) for p in function.params)
    result = None if function.result is None else _placed(function.result, key)
    return replace(function, params=params, result=result)


def _placed(wit_type: Type, key: str) -> Type:
    """Return the type with an owner for what an interface without a name of its own declares."""

    def some(inner: Type | None) -> Type | None:
        return None if inner is None else _placed(inner, key)

    match wit_type:
        case ListType(element):
            return ListType(_placed(element, key))
        case OptionType(payload):
            return OptionType(_placed(payload, key))
        case ResultType(ok, err):
            return ResultType(some(ok), some(err))
        case TupleType(elements):
            return TupleType(tuple(_placed(e, key) for e in elements))
        case RecordType(fields, _, owner):
            made = tuple(Field(f.name, _placed(f.type, key), f.docs) for f in fields)
            return replace(wit_type, fields=made, owner=owner or key)
        case VariantType(cases, _, owner):
            inner = tuple(Case(c.name, some(c.type), c.docs) for c in cases)
            return replace(wit_type, cases=inner, owner=owner or key)
        case EnumType() | FlagsType() | HandleType():
            return replace(wit_type, owner=wit_type.owner or key)
        case _:
            return wit_type
