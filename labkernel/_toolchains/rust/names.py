"""How wit-bindgen's Rust generator names things: modules, types, functions, and the Rust of a WIT type.

This module knows no tool and no cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    HandleType,
    Interface,
    ListType,
    OptionType,
    Package,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = ["RustWorld", "camel", "ident"]

_KEYWORD_WORDS: Final = """
    as break const continue crate else enum extern false fn for if impl in let loop match mod move mut
    pub ref return self static struct super trait true type unsafe use where while async await dyn
    abstract become box do final macro override priv typeof unsized virtual yield try
"""
KEYWORDS: Final = frozenset(_KEYWORD_WORDS.split())
_PRIMITIVES: Final = {
    "bool": "bool", "char": "char", "f32": "f32", "f64": "f64", "s8": "i8", "s16": "i16",
    "s32": "i32", "s64": "i64", "u8": "u8", "u16": "u16", "u32": "u32", "u64": "u64", "string": "String",
}  # fmt: skip
#: Names that code in a cell takes for granted.
_PRELUDE_WORDS: Final = """
    Option Some None Result Ok Err String Vec Box ToString Into From Clone Copy Drop Fn FnMut FnOnce
    Iterator Default Eq Ord PartialEq PartialOrd Send Sync Sized Extend IntoIterator ToOwned AsRef AsMut
    TryFrom TryInto
"""
PRELUDE: Final = frozenset(_PRELUDE_WORDS.split())
_ABSOLUTE: Final = {
    "String": "::std::string::String", "Vec": "::std::vec::Vec", "Option": "::core::option::Option",
    "Result": "::core::result::Result",
}  # fmt: skip


def ident(name: str) -> str:
    """Return a function's, field's or module's name.

    >>> ident("event-type"), ident("match")
    ('event_type', 'match_')
    """
    snake = re.sub(r"\W+", "_", name).lower()
    return snake + "_" if snake in KEYWORDS else snake


def camel(name: str) -> str:
    """Return a type's or case's name.

    >>> camel("handler-event"), camel("guest")
    ('HandlerEvent', 'Guest_')
    """
    joined = "".join(word[:1].upper() + word[1:].lower() for word in re.split(r"\W+", name) if word)
    return "Guest_" if name == "guest" else joined


@dataclass(frozen=True, slots=True)
class _Id:
    """The parts of `namespace:package/interface@version`; a name in the world has only the last."""

    namespace: str
    package: str
    interface: str
    version: str

    @classmethod
    def parse(cls, name: str) -> _Id:
        path, _, version = name.partition("@")
        package, _, interface = path.rpartition("/")
        namespace, _, package = package.partition(":")
        return cls(namespace, package, interface, version)


class RustWorld:
    """A world as Rust sees it; `prefix` is the module its bindings are in (`bindings::` or nothing).

    `export_prefix` goes before the names under which its functions are exported.
    """

    def __init__(
        self, world: World, package: Package | None = None, *, prefix: str = "", export_prefix: str = ""
    ) -> None:
        self.world = world
        self.export_prefix = export_prefix
        self.package = package
        self.prefix = prefix
        self._versions = _versions(world, package)
        self._exported = {item.name for item in world.exports if isinstance(item, Interface)}
        self._visible = _visible(world)

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions exported by the world itself."""
        return tuple(item for item in self.world.exports if isinstance(item, Function))

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces exported."""
        return tuple(item for item in self.world.exports if isinstance(item, Interface))

    def required(self) -> list[str]:
        """Return the keys of the traits to implement: interface ids, `""` for the world's functions."""
        return ([""] if self.functions else []) + [i.name for i in self.interfaces]

    def functions_of(self, key: str) -> tuple[Function, ...]:
        """Return the functions of a trait."""
        return next((i.functions for i in self.interfaces if i.name == key), ()) if key else self.functions

    def module(self, interface: str, *, exported: bool) -> str:
        """Return the path of an interface's module from the crate's root."""
        parts = _Id.parse(interface)
        lead = f"{self.prefix}exports::" if exported else self.prefix
        if not parts.package:
            return lead + ident(interface)
        return f"{lead}{ident(parts.namespace)}::{self._package_module(parts)}::{ident(parts.interface)}"

    def _package_module(self, parts: _Id) -> str:
        base = ident(parts.package).removesuffix("_")
        if len(self._versions.get(f"{parts.namespace}:{parts.package}", ())) < 2 or not parts.version:
            return base
        return base + re.sub(r"[.+-]", "_", parts.version)

    def trait(self, key: str) -> str:
        """Return the path of the trait to implement."""
        return self.module(key, exported=True) + "::Guest" if key else self.prefix + "Guest"

    def aliases(self) -> dict[str, str]:
        """Return the names that older generators gave to the traits, with the key of each."""
        names: dict[str, str] = {}
        for interface in self.interfaces:
            names[camel(_Id.parse(interface.name).interface or interface.name)] = interface.name
        main = "" if self.functions else self.interfaces[0].name if len(self.interfaces) == 1 else None
        if main is not None:
            package = _Id.parse(self.world.package.replace("@", "/_@") if self.world.package else "")
            names[camel(f"{package.namespace}-{package.package}")] = main
            names[camel(self.world.name)] = main
        names.pop("", None)
        return names

    def type_text(self, wit_type: Type | None, *, absolute: bool) -> str:
        """Return the Rust of a type: by full paths for generated code, short for people."""

        def of(part: Type | None) -> str:
            return self.type_text(part, absolute=absolute)

        match wit_type:
            case None:
                return "()"
            case Primitive(name):
                return _std(_PRIMITIVES[name], absolute)
            case ListType(element):
                return f"{_std('Vec', absolute)}<{of(element)}>"
            case OptionType(payload):
                return f"{_std('Option', absolute)}<{of(payload)}>"
            case ResultType(ok, err):
                return f"{_std('Result', absolute)}<{of(ok)}, {of(err)}>"
            case TupleType(elements):
                return f"({', '.join(map(of, elements))}{',' if len(elements) == 1 else ''})"
            case HandleType(resource, kind, owner):
                if kind == "borrow" and owner in self._exported:
                    return (
                        f"{'crate::' if absolute else ''}{self.owner_path(owner)}{camel(resource)}Borrow<'_>"
                    )
                return ("&" if kind == "borrow" else "") + self._named(resource, owner, absolute)
            case RecordType() | VariantType() | EnumType() | FlagsType():
                return self._named(wit_type.name, wit_type.owner, absolute)
            case _:
                return f"/* {wit_type.text} */"

    def _named(self, name: str, owner: str, absolute: bool) -> str:
        if not absolute and camel(name) in self._visible:
            return camel(name)
        return f"{'crate::' if absolute else ''}{self.owner_path(owner)}{camel(name)}"

    def path(self, wit_type: RecordType | VariantType | EnumType | FlagsType) -> str:
        """Return the full path of a named type."""
        return self._named(wit_type.name, wit_type.owner, True)

    def is_visible(self, name: str) -> bool:
        """Whether a cell can use a type's name without a path."""
        return name in self._visible

    def owner_path(self, owner: str) -> str:
        """Return the module that holds the types of an owner, with its `::`, empty for the root."""
        if owner in ("", self.world.name, self.world.full_name):
            return self.prefix
        return self.module(owner, exported=owner in self._exported) + "::"

    def signature(self, function: Function, *, absolute: bool = False) -> str:
        """Return `fn name(param: Type) -> Type`."""
        params = ", ".join(
            f"{ident(p.name)}: {self.type_text(p.type, absolute=absolute)}" for p in function.params
        )
        result = f" -> {self.type_text(function.result, absolute=absolute)}" if function.result else ""
        return f"fn {ident(function.name)}({params}){result}"

    def resources_of(self, key: str) -> tuple[str, ...]:
        """Return the names of the resources that an exported interface has of its own."""
        interface = next((i for i in self.interfaces if i.name == key), None)
        found = interface.types if interface is not None else ()
        return tuple(t.name for t in found if getattr(t.type, "text", "") == "resource" and not t.alias_of)

    def can_delegate(self, key: str) -> bool:
        """Whether free functions can stand for a trait: not where it has resources or is asynchronous."""
        return not self.resources_of(key) and all(
            "[" not in f.name and not f.is_async for f in self.functions_of(key)
        )


def _visible(world: World) -> frozenset[str]:
    """Return the type names that a cell can use without a path: the world's, the exported interfaces'."""
    own = {camel(t.name) for t in world.types}
    others = Counter(
        camel(t.name) for item in world.exports if isinstance(item, Interface) for t in item.types
    )
    return frozenset(own | {name for name, n in others.items() if n == 1 and name not in PRELUDE})


def _std(name: str, absolute: bool) -> str:
    return _ABSOLUTE.get(name, name) if absolute else name


def _versions(world: World, package: Package | None) -> dict[str, set[str]]:
    """Return the versions of each package in sight, by `namespace:name`."""
    found: dict[str, set[str]] = {}
    for name in _package_names(world, package):
        base, _, version = name.partition("@")
        found.setdefault(base, set()).add(version)
    return found


def _package_names(world: World, package: Package | None) -> Iterator[str]:
    for item in (*world.imports, *world.exports):
        if isinstance(item, Interface) and "/" in item.name:
            path, _, version = item.name.partition("@")
            yield path.partition("/")[0] + (f"@{version}" if version else "")
    for _, text in package.files if package else ():
        yield from re.findall(r"^\s*package\s+([\w:-]+(?:@[\w.+-]+)?)\s*[;{]", text, re.MULTILINE)
