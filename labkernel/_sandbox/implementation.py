"""`HostImplementation`: an import written in Python, checked against its WIT when it is made."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from labkernel._errors import CapabilityError, CompileError, UsageError, did_you_mean
from labkernel._sandbox.contract import Slot, conforms, implementation_of, slots_of
from labkernel._wit import Function, HandleType, Interface, OpaqueType, World, has_handle, parts

__all__ = ["HostImplementation", "import_of"]

_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)$")


class HostImplementation:
    """Python functions that stand behind an import of a world.

    `interface` is the full id of the imported interface, empty for functions that the world itself imports.
    Its names are attributes: `kv.get("key")` calls the implementation directly, without a guest.
    """

    def __init__(
        self, name: str, implementation: Any, *, world: World, interface: Interface, source: str = ""
    ) -> None:
        """Take a module, a class, a dict or any object with the functions as attributes.

        Raises `CompileError` with every function that is missing, superfluous or takes other parameters.
        """
        self.name, self.interface, self.world, self.source = name, interface.name, world.full_name, source
        self.slots = slots_of(interface.functions)
        self._names, public = _names_of(implementation, source)
        self._refuse_foreign_resources(interface)
        problems = conforms(self.slots, self._names, public, source=source)
        if problems:
            what = self.interface or f"the functions that {self.world} imports"
            raise CompileError(f"{name} does not implement {what}.", language="python", diagnostics=problems)

    def _refuse_foreign_resources(self, interface: Interface) -> None:
        resources = {t.name for t in interface.types if t.type == OpaqueType("resource")}
        resources |= {slot.resource for slot in self.slots.values()}
        for slot in self.slots.values():
            function = slot.function
            for wit_type in [*(p.type for p in function.params), function.result]:
                for part in parts(wit_type) if wit_type is not None else ():
                    if isinstance(part, HandleType) and part.resource not in resources:
                        raise UsageError(
                            f"{function.full_name} uses the resource {part.resource!r} of {part.owner}, which another "
                            "host makes. A host function takes values and resources of its own interface."
                        )

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions it implements."""
        return tuple(slot.function for slot in self.slots.values())

    def implementation(self, name: str) -> Any:
        """Return what implements a function, by its name in the WIT."""
        return implementation_of(self.slots[name], self._names)

    def class_of(self, resource: str) -> type | None:
        """Return the class of a resource, by the resource's name in the WIT."""
        found = next((self._names.get(s.owner) for s in self.slots.values() if s.resource == resource), None)
        return found if isinstance(found, type) else None

    def stands_for(self, item: Function | Interface) -> bool:
        """Whether it implements this import: by name, and by a version that is compatible as semver has it."""
        if isinstance(item, Function):
            return not self.interface and item.name in self.slots
        return bool(self.interface) and _compatible(self.interface, item.name)

    def check(self, item: Function | Interface) -> None:
        """Raise `CapabilityError` if a component imports it with other functions or types than it was written for."""
        for function in (item,) if isinstance(item, Function) else item.functions:
            slot = self.slots.get(function.name)
            if slot is None:
                raise CapabilityError(
                    f"--host {self.name} lacks {function.full_name}, which the component imports; it was written for "
                    f"{self.interface or self.world}. Give it the component's own WIT."
                )
            if not _same(slot, function):
                raise CapabilityError(
                    f"--host {self.name} was written for {slot.function.text!r}, and the component imports "
                    f"{function.text!r}. Give it the component's own WIT."
                )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"{self.name!r} has no {name!r}")
        return self._names[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(n for n in self._names if not n.startswith("_"))]

    def __repr__(self) -> str:
        return f"HostImplementation({self.name!r} of {self.interface or self.world})"


def _names_of(implementation: Any, source: str) -> tuple[Mapping[str, Any], list[str]]:
    """Return the names in an implementation, and which of them were made to implement something."""
    if isinstance(implementation, Mapping):
        names = implementation
        public = [n for n in names if not n.startswith("_") and callable(names[n])]
    elif isinstance(implementation, ModuleType):
        names = vars(implementation)
        public = [n for n, v in names.items() if getattr(v, "__module__", "") == implementation.__name__]
    else:
        owner = implementation if isinstance(implementation, type) else type(implementation)
        names = {n: getattr(implementation, n) for n in dir(implementation) if not n.startswith("_")}
        public = [n for n, v in vars(owner).items() if callable(getattr(v, "__func__", v))]
    if source:
        made = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        public = [node.name for node in ast.parse(source).body if isinstance(node, made)]
    return names, [n for n in public if not n.startswith("_") and not inspect.ismodule(names.get(n))]


def import_of(world: World, wanted: str | None) -> Interface:
    """Return the imported interface that `wanted` means; the world's own functions are one without a name.

    Without `wanted`: the world's own functions, where it imports some, otherwise the only interface that is not
    WASI's. Raises `UsageError` when none or several fit.
    """
    own = tuple(item for item in world.imports if isinstance(item, Function))
    interfaces = [item for item in world.imports if isinstance(item, Interface) and item.functions]
    if wanted is None:
        fitting = [] if own else [i for i in interfaces if not i.name.startswith("wasi:")]
    else:
        fitting = [i for i in interfaces if _means(wanted, i.name)]
    if len(fitting) == 1:
        return fitting[0]
    if wanted is None and own:
        return Interface("", own)
    names = [i.name for i in interfaces]
    near = did_you_mean(wanted or "", [*names, *map(_short, names)])
    what = (
        f"Interface {wanted!r} is not among what" if wanted else "Say with --interface which is meant of what"
    )
    raise UsageError(
        f"{what} {world.full_name} imports: {', '.join(names) or 'no interface with functions'}.{near}"
    )


def _means(wanted: str, name: str) -> bool:
    return wanted in (name, name.partition("@")[0], _short(name))


def _short(name: str) -> str:
    return name.partition("@")[0].rpartition("/")[2]


def _compatible(written: str, imported: str) -> bool:
    (path, _, ours), (other, _, theirs) = written.partition("@"), imported.partition("@")
    if path != other or ours == theirs:
        return path == other
    mine, its = _SEMVER.match(ours), _SEMVER.match(theirs)
    if mine is None or its is None:
        return False
    count = 1 if mine[1] != "0" else 2 if mine[2] != "0" else 3
    return mine.groups()[:count] == its.groups()[:count]


def _same(slot: Slot, function: Function) -> bool:
    """Whether a component's function has the types of the one that was written for; handles are told by name."""
    mine = [*(p.type for p in slot.function.params), slot.function.result]
    its = [*(p.type for p in function.params), function.result]
    if len(mine) != len(its):
        return False
    return all(a == b or (has_handle(a) and has_handle(b)) for a, b in zip(mine, its, strict=True))
