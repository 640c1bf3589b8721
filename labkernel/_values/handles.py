"""Handles to resources in Python: numbers in normal form, and objects in the hands of users.

What object stands for a handle is its owner's business: an instance for resources its guest made, a host
implementation for its own. Owners say so with `owned_by` around the conversion of values. It knows no instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

from labkernel._values.misfit import Misfit, not_a
from labkernel._values.scalars import Check
from labkernel._wit import HandleType

__all__ = ["Handle", "HandleOwner", "handle_check", "handle_maker", "owned_by"]


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle without its owner: the resource's name and the number it has in normal form."""

    resource: str
    number: int

    def __repr__(self) -> str:
        return f"{self.resource}({self.number})"


class HandleOwner(Protocol):
    """Knows the objects behind handles."""

    def number_of(self, value: Any, wit_type: HandleType) -> int:
        """Return the number of an object. Raises `TypeError`, with what is expected, for one that is no such handle."""

    def object_of(self, number: int, wit_type: HandleType) -> Any:
        """Return the object of a number."""


_owner: Final[ContextVar[HandleOwner | None]] = ContextVar("_owner", default=None)


@contextmanager
def owned_by(owner: HandleOwner) -> Iterator[None]:
    """Let handles in values that are converted inside be this owner's."""
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)


def handle_check(wit_type: HandleType) -> Check:
    """Return the checker of a handle from Python."""

    def check(value: Any) -> int:
        owner = _owner.get()
        if owner is not None:
            try:
                return owner.number_of(value, wit_type)
            except TypeError as error:
                raise Misfit(value, wit_type, not_a(value, str(error))) from None
        if isinstance(value, Handle) and value.resource == wit_type.resource:
            return value.number
        raise Misfit(value, wit_type, not_a(value, f"a {wit_type.resource} that a call returned"))

    return check


def handle_maker(wit_type: HandleType) -> Callable[[int], Any]:
    """Return what turns a handle's number into its object."""

    def make(number: int) -> Any:
        owner = _owner.get()
        return Handle(wit_type.resource, number) if owner is None else owner.object_of(number, wit_type)

    return make
