"""A world as JavaScript sees it: names in camel case, one object for each exported interface, classes for
resources.

This module knows no tool and no cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from labkernel._errors import UsageError
from labkernel._toolchains.refusals import refuse_async
from labkernel._wit import Function, Interface, World

__all__ = ["RESERVED", "Exported", "JsWorld", "camel", "method_of", "pascal", "short_name"]

_RESERVED_WORDS: Final = """
    arguments await break case catch class const continue debugger default delete do else enum eval export
    extends false finally for function if implements import in instanceof interface let new null package
    private protected public return static super switch this throw true try typeof undefined var void while
    with yield
"""
RESERVED: Final = frozenset(_RESERVED_WORDS.split())
_METHOD: Final = re.compile(r"\[(constructor|method|static)\]([^.]+)(?:\.(.+))?")


def camel(name: str) -> str:
    """Return a function's, field's or parameter's name.

    >>> camel("event-type"), camel("GET-it"), camel("x2-y")
    ('eventType', 'getIt', 'x2Y')
    """
    joined = pascal(name)
    return joined[:1].lower() + joined[1:]


def pascal(name: str) -> str:
    """Return a type's or class's name.

    >>> pascal("handler-event")
    'HandlerEvent'
    """
    return "".join(word[:1].upper() + word[1:].lower() for word in re.split(r"\W+", name) if word)


def short_name(interface: str) -> str:
    """Return an interface's own name.

    >>> short_name("test:shop/stock@1.0.0"), short_name("inner")
    ('stock', 'inner')
    """
    return interface.rpartition("/")[2].partition("@")[0]


def method_of(function: Function) -> tuple[str, str, str] | None:
    """Return kind, resource and name where the function belongs to a resource.

    >>> method_of(Function("[method]counter.inc"))
    ('method', 'counter', 'inc')
    """
    found = _METHOD.fullmatch(function.name)
    return (found[1], found[2], found[3] or "") if found else None


@dataclass(frozen=True, slots=True)
class Exported:
    """What the module of a cell is asked for under one name: a function, or an object for an interface."""

    name: str
    functions: tuple[Function, ...] = ()
    is_interface: bool = False
    classes: dict[str, tuple[Function, ...]] = field(default_factory=dict)


class JsWorld:
    """A world with the names that its parts have in JavaScript.

    Raises `UsageError` for a world that the engine cannot serve.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.exports = tuple(_merged(world))
        owners = {camel(f.name): each for each in self.exports for f in each.functions}
        counted = Counter(camel(f.name) for each in self.exports for f in each.functions)
        taken = {each.name: each for each in self.exports}
        self._flat = {
            name for name, count in counted.items() if count == 1 and taken.get(name) in (None, owners[name])
        }
        _refuse_what_is_not_served(world)

    def is_flat(self, function: Function) -> bool:
        """Whether a cell may write an interface's function as one of its own: the name means one thing."""
        return camel(function.name) in self._flat

    @property
    def import_functions(self) -> tuple[Function, ...]:
        """The functions that the world imports itself."""
        return tuple(item for item in self.world.imports if isinstance(item, Function))

    @property
    def import_interfaces(self) -> tuple[Interface, ...]:
        """The interfaces it imports that have anything to call: others are no modules."""
        return tuple(i for i in self.world.imports if isinstance(i, Interface) and i.functions)


def _refuse_what_is_not_served(world: World) -> None:
    if not world.exports:
        raise UsageError(
            f"The world {world.name} exports nothing, so that nothing of a JavaScript cell could ever be called. "
            "Give it an export, like `export run: func();`."
        )
    refuse_async(world.functions())


def _merged(world: World) -> Iterator[Exported]:
    """Yield what is exported by JavaScript's name; interfaces of one short name share an object."""
    found: dict[str, Exported] = {}
    for item in world.exports:
        if isinstance(item, Function):
            found[f"{camel(item.name)}()"] = Exported(camel(item.name), (item,))
            continue
        name = camel(short_name(item.name))
        before = found.get(name, Exported(name, is_interface=True))
        plain = tuple(f for f in item.functions if method_of(f) is None)
        clash = {f.name for f in plain} & {f.name for f in before.functions}
        if clash:
            raise UsageError(
                f"The world exports two interfaces called {short_name(item.name)!r} that both have "
                f"{sorted(clash)[0]!r}; JavaScript tells interfaces apart by that name alone."
            )
        if plain or _classes(item) or before.functions:
            found[name] = Exported(
                name, (*before.functions, *plain), True, {**before.classes, **_classes(item)}
            )
    yield from found.values()


def _classes(interface: Interface) -> dict[str, tuple[Function, ...]]:
    """Return the functions of each resource that the interface declares."""
    found: dict[str, list[Function]] = {}
    for function in interface.functions:
        method = method_of(function)
        if method:
            found.setdefault(method[1], []).append(function)
    for named in interface.types:
        if getattr(named.type, "text", "") == "resource" and not named.alias_of:
            found.setdefault(named.name, [])
    return {name: tuple(functions) for name, functions in found.items()}
