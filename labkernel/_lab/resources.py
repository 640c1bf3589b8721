"""Resources that a guest made, as Python objects: methods, `with`, dropped exactly once. It starts nothing itself."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from labkernel._errors import UsageError
from labkernel._sandbox import HostCalls, Slot, class_name, slots_of
from labkernel._wit import Function, HandleType

if TYPE_CHECKING:
    from labkernel._lab.instance import Instance

__all__ = ["GuestHandles", "Lending", "Resource", "ResourceMaker", "resource_makers"]


class Resource:
    """A resource in a guest, by its handle: `counter(3)` in WAVE. Its methods are those of the WIT.

    It is dropped once: by `close()`, at the end of a `with`, or, once nothing refers to it, before the next call of
    its instance. After that, after it was given away, and after its instance has ended, every use is a `UsageError`.
    """

    _slots: dict[str, Slot] = {}  # noqa: RUF012 - filled once for each subclass
    _name = ""

    def __init__(self, keeper: GuestHandles, number: int) -> None:
        """Stand for the handle of that number; calls of an instance make these."""
        self._keeper, self._number = keeper, number
        self._gone = ""
        self._lent = 0
        self._forget = weakref.finalize(self, keeper.forgotten.append, (number, self._name))
        self._forget.atexit = False

    def close(self) -> None:
        """Drop the resource, which may run its destructor in the guest. Twice is fine.

        Raises `UsageError` while it is lent to a call that has not returned.
        """
        if self._gone or self._keeper.ended:
            self._end("was dropped")
            return
        if self._lent:
            raise UsageError(f"{self} is lent to a call that has not returned; close it afterwards.")
        self._end("was dropped")
        self._keeper.release(self._number, self._name)

    def _end(self, why: str) -> None:
        self._gone = self._gone or why
        self._forget.detach()

    def _check(self, keeper: GuestHandles) -> None:
        """Raise `UsageError` where the handle is good for nothing on that instance."""
        why = self._gone or self._keeper.ended
        if why:
            raise UsageError(
                f"{self._name}({self._number}) {why} and cannot be used any more. Make another one."
            )
        if self._keeper is not keeper:
            raise UsageError(
                f"{self} is a handle of {self._keeper.instance_name}, and this call is to {keeper.instance_name}. "
                "A handle is good only on the instance that made it."
            )

    def __enter__(self) -> Resource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or not self._keeper.ended:
            self.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        slot = None if name.startswith("_") else self._slots.get(name)
        if slot is None:
            raise AttributeError(
                f"{self._name} has no method {name!r}; it has {', '.join(self._slots) or 'none'}"
            )
        return self._keeper.method(slot.function, self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._slots]

    def __repr__(self) -> str:
        gone = self._gone or self._keeper.ended
        return f"{self._name}({self._number}){', which ' + gone if gone else ''}"


class GuestHandles:
    """The handles of one life of an instance. `ended` says why it is over; `forgotten` waits to be dropped."""

    def __init__(self, instance: Instance, calls: HostCalls) -> None:
        self.instance_name = instance.name
        self.ended = ""
        self.forgotten: list[tuple[int, str]] = []
        self._instance = weakref.ref(instance)
        self.calls = calls
        self._objects: weakref.WeakValueDictionary[int, Resource] = weakref.WeakValueDictionary()
        self._classes: dict[str, type[Resource]] = {}

    def _class(self, resource: str) -> type[Resource]:
        if resource not in self._classes:
            instance = self._instance()
            slots = slots_of(instance.functions if instance is not None else ())
            methods = {s.name: s for s in slots.values() if s.resource == resource and s.kind == "method"}
            self._classes[resource] = type(
                class_name(resource), (Resource,), {"_slots": methods, "_name": resource}
            )
        return self._classes[resource]

    def object_of(self, number: int, wit_type: HandleType) -> Any:
        """Return the object of a handle, the same one as long as anybody holds it."""
        if self.calls.owns(wit_type):
            return self.calls.object_of(number, wit_type)
        made = self._objects.get(number)
        if made is None:
            made = self._objects[number] = self._class(wit_type.resource)(self, number)
        return made

    def end(self, why: str) -> None:
        """Note that the instance's life is over."""
        self.ended = self.ended or why
        self.forgotten.clear()

    def release(self, number: int, resource: str) -> None:
        """Drop a resource in the guest."""
        instance = self._instance()
        if instance is not None:
            instance.release(self, number, resource)

    def method(self, function: Function, resource: Resource) -> Callable[..., Any]:
        """Return a method of a resource, to be called with Python values."""
        instance = self._instance()
        if instance is None:
            raise UsageError(f"The instance of {resource} is gone. Start it again.")
        bound = instance[function.full_name]
        return lambda *args, **named: bound(resource, *args, **named)


class Lending:
    """The handles among the arguments of one call: lent while it runs, or given away by it."""

    def __init__(self, handles: GuestHandles) -> None:
        self._handles = handles
        self._taken: list[tuple[Resource, str]] = []
        self._shown: list[int] = []

    def object_of(self, number: int, wit_type: HandleType) -> Any:
        """Return the object of a handle."""
        return self._handles.object_of(number, wit_type)

    def number_of(self, value: Any, wit_type: HandleType) -> int:
        """Return the number of an object that is an argument. Raises `TypeError`, `UsageError`."""
        calls = self._handles.calls
        if calls.owns(wit_type):
            number = calls.number_of(value, wit_type)
            if wit_type.kind == "borrow":
                self._shown.append(number)
            return number
        if not isinstance(value, Resource) or value._name != wit_type.resource:
            raise TypeError(f"a {wit_type.resource} that a call returned")
        value._check(self._handles)
        uses = [kind for taken, kind in self._taken if taken is value]
        if value._lent > len(uses) and wit_type.kind == "own":
            raise UsageError(f"{value} is lent to a call that has not returned; give it away afterwards.")
        if uses and "own" in (*uses, wit_type.kind):
            raise UsageError(
                f"{value} is given away by this call and used by it once more. Pass it only once."
            )
        self._taken.append((value, wit_type.kind))
        value._lent += 1
        return value._number

    def __enter__(self) -> Lending:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for resource, how in self._taken:
            resource._lent -= 1
            if how == "own" and error is None:
                resource._end("was given away")
        self._handles.calls.forget(self._shown)


class ResourceMaker:
    """A resource that an instance exports: call it to construct one; its static functions are attributes."""

    def __init__(self, instance: Instance, name: str, slots: Sequence[Slot]) -> None:
        self._instance, self._name, self._slots = instance, name, slots

    def __call__(self, *args: Any, **named: Any) -> Any:
        for slot in self._slots:
            if slot.kind == "constructor":
                return self._instance[slot.function.full_name](*args, **named)
        statics = (
            ", ".join(s.name for s in self._slots if s.kind == "static") or "a function that returns one"
        )
        raise UsageError(f"{self._name} has no constructor; it is made by {statics}.")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        for slot in self._slots:
            if slot.kind == "static" and slot.name == name:
                return self._instance[slot.function.full_name]
        raise AttributeError(f"{self._name} has no static function {name!r}")

    def __repr__(self) -> str:
        return f"<resource {self._name}: {'; '.join(s.function.text for s in self._slots)}>"


def resource_makers(instance: Instance, name: str) -> ResourceMaker | None:
    """Return the exported resource that a Python name means, `counter` or `Counter`, or `None`."""
    slots = [
        slot
        for slot in slots_of(instance.functions).values()
        if slot.owner and name in (slot.owner, slot.resource.replace("-", "_"))
    ]
    return ResourceMaker(instance, slots[0].resource, slots) if slots else None
