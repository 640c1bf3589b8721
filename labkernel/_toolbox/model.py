"""The toolbox's model of WIT, lists that refer to each other by index, as the records of `_wit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from labkernel._errors import Diagnostic, WitError
from labkernel._wit import (
    MOST_PARTS,
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
    type_text,
)

__all__ = ["Model"]

_DECLARED: Final = frozenset({"record", "variant", "enum", "flags", "resource"})


class Model:
    """Reads one `model` of the toolbox's interface, in normal form."""

    def __init__(self, normal: Any) -> None:
        self._packages, self._interfaces, self._worlds, self._types, self._main = normal
        self._made: dict[int, Type] = {}
        self._sizes: dict[int, int] = {}
        self._written = 0

    @property
    def name(self) -> str:
        """The full id of the main package."""
        return str(self._packages[self._main][0])

    @property
    def docs(self) -> str:
        """The documentation of the main package."""
        return str(self._packages[self._main][1])

    def worlds(self) -> tuple[World, ...]:
        """Return the worlds of the main package."""
        return tuple(self._world(self._worlds[i]) for i in self._packages[self._main][3])

    def interfaces(self) -> tuple[Interface, ...]:
        """Return the interfaces of the main package, each under its full id."""
        chosen = (self._interfaces[i] for i in self._packages[self._main][2])
        return tuple(self._interface(interface[0], interface) for interface in chosen)

    def _world(self, world: Any) -> World:
        name, package, imports, exports, docs, _ = world
        here = World(name, package).full_name
        types = [self._named(item[1], here) for _, item in imports if item[0] == "type"]
        return World(
            name,
            package,
            tuple(self._extern(*e) for e in imports if e[1][0] != "type"),
            tuple(self._extern(*e) for e in exports if e[1][0] != "type"),
            tuple(types),
            docs,
        )

    def _extern(self, name: str, item: Any) -> Function | Interface:
        kind, value = item
        if kind == "function":
            return self._function(value, "")
        return self._interface(name, self._interfaces[value])

    def _interface(self, name: str, interface: Any) -> Interface:
        full_id, types, functions, docs, _ = interface
        return Interface(
            name,
            tuple(self._function(f, name) for f in functions),
            tuple(self._named(index, full_id) for index in types),
            docs,
        )

    def _function(self, function: Any, interface: str) -> Function:
        name, params, result, docs, is_async, _ = function
        made = tuple(Param(param, self._mention(index)) for param, index, _ in params)
        returned = None if result is None else self._mention(result[0])
        return Function(name, made, returned, interface, docs, is_async)

    def _named(self, index: int, here: str) -> NamedType:
        name, _, docs, line, (kind, value) = self._types[index]
        wit_type = self.type(index)
        if kind == "alias":
            alias_of = self._target(value, here)
            docs = docs or self._types[value][2]
        else:
            alias_of = "" if kind in _DECLARED else type_text(wit_type)
        return NamedType(name, wit_type, docs, alias_of, line)

    def _target(self, index: int, here: str) -> str:
        name, owner, *_ = self._types[index]
        if not name or owner in ("", here):
            return name or type_text(self.type(index))
        path, _, version = owner.partition("@")
        return f"{path}.{name}@{version}" if version else f"{path}.{name}"

    def type(self, index: int) -> Type:
        """Return the type of that index, aliases followed. Raises `WitError` when it grows without bounds."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self._make(index)
            self._sizes[index] = size = 1 + sum(self._sizes[part] for part in _parts(*self._types[index][4]))
            self._refuse_over(size, index)
        return made

    def _mention(self, index: int) -> Type:
        """Return a type of a function's, of which all that its function mentions is written out."""
        made = self.type(index)
        self._written += self._sizes[index]
        self._refuse_over(self._written, index)
        return made

    def _refuse_over(self, size: int, index: int) -> None:
        if size > MOST_PARTS:
            name, _, _, line, _ = self._types[index]
            what = f"Types have more than {MOST_PARTS} parts once written out, expected fewer"
            hint = "types that hold each other twice grow without bounds"
            where = Diagnostic(f"{name or 'this type'} is one part too many", line=line, hint=hint)
            raise WitError(f"{what}.", [where])

    def _maybe(self, index: list[int] | None) -> Type | None:
        return None if index is None else self.type(index[0])

    def _make(self, index: int) -> Type:
        name, owner, docs, _, (kind, value) = self._types[index]
        if kind in ("record", "variant", "enum", "flags"):
            return self._declared(kind, value, (name, owner, docs))
        return _PLAIN[kind](self, value)

    def _declared(self, kind: str, parts: Any, named: tuple[str, str, str]) -> Type:
        match kind:
            case "record":
                return RecordType(tuple(Field(n, self.type(i), d) for n, i, d in parts), *named)
            case "variant":
                return VariantType(tuple(Case(n, self._maybe(i), d) for n, i, d in parts), *named)
            case "enum":
                return EnumType(tuple(n for n, _, _ in parts), *named)
            case _:
                return FlagsType(tuple(n for n, _, _ in parts), *named)

    def _handle(self, index: int, kind: str) -> Type:
        while self._types[index][4][0] == "alias":
            index = self._types[index][4][1]
        return HandleType(self._types[index][0], kind, self._types[index][1])


def _parts(kind: str, value: Any) -> list[int]:
    """Return the indexes of the types that a type is made of."""
    match kind:
        case "record":
            return [index for _, index, _ in value]
        case "variant":
            return [index[0] for _, index, _ in value if index is not None]
        case "alias" | "list" | "option":
            return [value]
        case "result":
            return [side[0] for side in value if side is not None]
        case "tuple":
            return list(value)
        case _:
            return []


_PLAIN: Final[dict[str, Callable[[Model, Any], Type]]] = {
    "primitive": lambda _, keyword: Primitive(keyword),
    "alias": Model.type,
    "list": lambda model, index: ListType(model.type(index)),
    "option": lambda model, index: OptionType(model.type(index)),
    "result": lambda model, sides: ResultType(model._maybe(sides[0]), model._maybe(sides[1])),
    "tuple": lambda model, indexes: TupleType(tuple(map(model.type, indexes))),
    "own": lambda model, index: model._handle(index, "own"),
    "borrow": lambda model, index: model._handle(index, "borrow"),
    "resource": lambda _model, _: OpaqueType("resource"),
    "opaque": lambda _, text: OpaqueType(text),
}
