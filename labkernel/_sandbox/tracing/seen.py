"""One call as it was seen, before it is put into words: function, values as far as they are known, its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from labkernel._wit import (
    Function,
    HandleType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["Seen", "handles_in"]

#: Errors by which WASI's interfaces refuse what was not granted.
_REFUSALS: Final = frozenset({"access-denied", "access", "not-permitted", "read-only", "HTTP-request-denied"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One call of an import. `args` and `value` are in normal form where `is_whole`, else cut short or `None`."""

    function: Function
    args: list[Any] | None
    value: Any = None
    event: int = -1
    is_whole: bool = True
    has_returned: bool = True
    is_answered: bool = False
    is_virtual: bool = False
    start_ns: int = 0
    ns: int = 0
    texts: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        """Interface and function without the version."""
        return f"{self.function.interface.partition('@')[0]}#{self.function.name}"

    @property
    def has_worked(self) -> bool:
        """Whether it returned, and no error."""
        is_result = isinstance(self.function.result, ResultType)
        return self.has_returned and (not is_result or (bool(self.value) and self.value[0] == "ok"))

    @property
    def is_refused(self) -> bool:
        """Whether it returned an error that says that something is not allowed."""
        if not self.has_returned or not isinstance(self.function.result, ResultType) or not self.value:
            return False
        case, payload = self.value
        code = payload[0] if isinstance(payload, list) and payload else payload
        return case == "err" and code in _REFUSALS

    @property
    def ok(self) -> Any:
        """The payload of a result that is no error, or the result itself."""
        return self.value[1] if isinstance(self.function.result, ResultType) else self.value


def handles_in(value: Any, wit_type: Type | None) -> Iterator[tuple[HandleType, int]]:
    """Yield the handles in a value in normal form, in order, with their types."""
    match wit_type:
        case HandleType():
            yield wit_type, value
        case ListType(element) if not isinstance(value, bytes):
            for each in value:
                yield from handles_in(each, element)
        case OptionType(payload) if value is not None:
            yield from handles_in(value[0], payload)
        case TupleType(elements):
            for each, part in zip(value, elements, strict=True):
                yield from handles_in(each, part)
        case RecordType(fields):
            for each, named in zip(value, fields, strict=True):
                yield from handles_in(each, named.type)
        case ResultType(ok, err):
            yield from handles_in(value[1], ok if value[0] == "ok" else err)
        case VariantType(cases):
            yield from handles_in(value[1], next((c.type for c in cases if c.name == value[0]), None))
