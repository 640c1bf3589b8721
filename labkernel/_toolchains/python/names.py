"""From WIT to Python: the names that generated bindings use, and how a function is written in a cell.

This module knows no tool.
"""

from __future__ import annotations

import keyword
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
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = [
    "Export",
    "camel",
    "case_class",
    "exports_of",
    "shouty",
    "signature",
    "snake",
    "split_resource",
    "type_hint",
]

_PRIMITIVES: Final = {"bool": "bool", "char": "str", "string": "str", "f32": "float", "f64": "float"}


def snake(name: str) -> str:
    """Return a function's, parameter's or field's name.

    >>> snake("event-type"), snake("class")
    ('event_type', 'class_')
    """
    return _escaped(name.lower().replace("-", "_"))


def camel(name: str) -> str:
    """Return a type's name.

    >>> camel("handler-error"), camel("none")
    ('HandlerError', 'None_')
    """
    return _escaped("".join(word[:1].upper() + word[1:].lower() for word in name.split("-")))


def shouty(name: str) -> str:
    """Return the name of an enum's case or of a flag.

    >>> shouty("object-added")
    'OBJECT_ADDED'
    """
    return _escaped(name.upper().replace("-", "_"))


def case_class(variant: str, case: str) -> str:
    """Return the class of a variant's case.

    >>> case_class("handler-error", "unknown")
    'HandlerError_Unknown'
    """
    return f"{camel(variant)}_{camel(case)}"


def _escaped(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


@dataclass(frozen=True, slots=True)
class Export:
    """A function that a cell is to define. `candidates` are the names it may have there, best last.

    `Class.method` stands for a method of a class of the cell. A function of a resource has its `kind`
    (`constructor`, `method` or `static`) and is always one: the class stands for the resource.
    """

    function: Function
    candidates: tuple[str, ...]
    kind: str = ""

    @property
    def name(self) -> str:
        """The name that the starter cell and messages use."""
        return self.candidates[-1]

    @property
    def params(self) -> tuple[Param, ...]:
        """What the function is handed; a method's object is not among it."""
        return self.function.params[1:] if self.kind == "method" else self.function.params

    @property
    def unwraps(self) -> bool:
        """Whether `Ok(x)` and `Err(x)`, returned, mean the result and not a value within it."""
        result = self.function.result
        return isinstance(result, ResultType) and not isinstance(result.ok, ResultType)


def exports_of(world: World) -> list[Export]:
    """Return what a cell for the world is to define.

    A function of an interface is known by its plain name where no other export has that, otherwise as
    `interface_function`, and always as a method of a class named like the interface. Where two interfaces are
    namesakes, package and version go before the name. A resource's functions are methods of a class of its name,
    with the interface's before it where two resources are namesakes.
    """
    plain = Counter(snake(function.name) for function in world.functions())
    homes = Counter(
        resource for _, resource in {(f.interface, split_resource(f.name)[1]) for f in world.functions()}
    )
    found = []
    for function, owner in _owned(world):
        kind, resource, member = split_resource(function.name)
        if kind:
            classes = [camel(owner) + camel(resource), *([camel(resource)] if homes[resource] == 1 else [])]
            method = "__init__" if kind == "constructor" else snake(member)
            found.append(Export(function, tuple(f"{each}.{method}" for each in classes), kind))
            continue
        name = snake(function.name)
        candidates = [f"{camel(owner)}.{name}", f"{snake(owner)}_{name}"] if owner else [f"WitWorld.{name}"]
        if plain[name] == 1 or not owner:
            candidates.append(name)
        found.append(Export(function, tuple(candidates)))
    return found


def split_resource(name: str) -> tuple[str, str, str]:
    """Return kind, resource and member of a resource's function; nothing of another function.

    >>> split_resource("[method]account.deposit"), split_resource("[constructor]account"), split_resource("total")
    (('method', 'account', 'deposit'), ('constructor', 'account', ''), ('', '', ''))
    """
    if not name.startswith("["):
        return "", "", ""
    kind, _, rest = name[1:].partition("]")
    resource, _, member = rest.partition(".")
    return kind, resource, member


def _owned(world: World) -> Iterator[tuple[Function, str]]:
    """Yield every exported function with the name of its interface, as short as is clear."""
    interfaces = [item for item in world.exports if isinstance(item, Interface)]
    shorts = Counter(short(item.name) for item in interfaces)
    for item in world.exports:
        if isinstance(item, Interface):
            name = short(item.name)
            clear = name if shorts[name] == 1 else re.sub(r"[^\w-]", "-", item.name)
            yield from ((function, clear) for function in item.functions)
        else:
            yield item, ""


def short(interface: str) -> str:
    """Return an interface's name without package and version.

    >>> short("test:shop/stock@1.0.0")
    'stock'
    """
    return interface.partition("@")[0].rpartition("/")[2]


def signature(export: Export, *, hints: bool = True) -> str:
    """Return the line that begins the function's definition, without its colon."""
    function = export.function
    params = [f"{snake(p.name)}: {type_hint(p.type)}" if hints else snake(p.name) for p in export.params]
    owner, _, name = export.name.rpartition(".")
    lead = ["self"] if owner and export.kind != "static" else []
    answer = ""
    if hints and export.kind == "constructor":
        answer = " -> None"
    elif hints:
        result = function.result
        answer = f" -> {type_hint(result.ok if isinstance(result, ResultType) else result)}"
    return f"def {name}({', '.join(lead + params)}){answer}"


def type_hint(wit_type: Type | None) -> str:
    """Return a type as Python writes it.

    >>> type_hint(ListType(OptionType(Primitive("u8"))))
    'list[int | None]'
    """
    match wit_type:
        case None:
            return "None"
        case Primitive(name):
            return _PRIMITIVES.get(name, "int")
        case ListType(element):
            return "bytes" if element == Primitive("u8") else f"list[{type_hint(element)}]"
        case OptionType(payload):
            inner = type_hint(payload)
            return f"Some[{inner}] | None" if isinstance(payload, OptionType) else f"{inner} | None"
        case ResultType(ok, err):
            return f"Ok[{type_hint(ok)}] | Err[{type_hint(err)}]"
        case TupleType(elements):
            return f"tuple[{', '.join(map(type_hint, elements)) or '()'}]"
        case RecordType() | VariantType() | EnumType() | FlagsType():
            return camel(wit_type.name) if wit_type.name else "object"
        case HandleType(resource):
            return camel(resource)
        case _:
            return "object"
