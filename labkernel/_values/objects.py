"""What a guest's values become in Python. This module owns the classes users hold, and knows no types.

A record is a dict that also answers to attributes, a variant or result keeps its case's name, flags are a
frozenset in WIT's order, `Some` tells `some(none)` from `none`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Flags", "Record", "Some", "Variant", "WitErr", "err", "ok"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One case of a variant or of a result, with its payload (`None` where the case has none).

    >>> match Variant("unsupported", "object-removed"):
    ...     case Variant("unsupported", what):
    ...         print(what)
    object-removed
    """

    case: str
    payload: Any = None

    @property
    def is_ok(self) -> bool:
        """Whether this is the `ok` side of a result."""
        return self.case == "ok"

    def __repr__(self) -> str:
        payload = "" if self.payload is None else repr(self.payload)
        if self.case in ("ok", "err"):
            return f"{self.case}({payload})"
        return f"Variant({self.case!r}{', ' if payload else ''}{payload})"


def ok(payload: Any = None) -> Variant:
    """Return the `ok` side of a result.

    >>> ok(5), ok(), ok(5).is_ok
    (ok(5), ok(), True)
    """
    return Variant("ok", payload)


def err(payload: Any = None) -> Variant:
    """Return the `err` side of a result.

    >>> err(Variant("unsupported", "object-removed"))
    err(Variant('unsupported', 'object-removed'))
    """
    return Variant("err", payload)


class WitErr(Exception):
    """Raised in a host function, it answers the guest with the `err` side of the function's result.

    >>> str(WitErr(Variant("unsupported", "object-removed")))
    "Variant('unsupported', 'object-removed')"
    """

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value


@dataclass(frozen=True, slots=True)
class Some:
    """A present value of an option; needed only where an option holds an option.

    >>> Some(None)
    Some(None)
    """

    value: Any

    def __repr__(self) -> str:
        return f"Some({self.value!r})"


class Record(dict[str, Any]):
    """A record: a dict with WIT's field names as keys, and the same fields as attributes in snake_case.

    >>> r = Record({"event-type": "object-added"})
    >>> r["event-type"], r.event_type, r == {"event-type": "object-added"}
    ('object-added', 'object-added', True)
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        key = self._key(name)
        if key is None:
            known = ", ".join(_snake(k) for k in self)
            raise AttributeError(f"record has no field {name!r}; fields: {known}")
        return self[key]

    def __setattr__(self, name: str, value: Any) -> None:
        key = self._key(name)
        if key is None:
            raise AttributeError(f"record has no field {name!r}; fields: {', '.join(map(_snake, self))}")
        self[key] = value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(_snake(k) for k in self if _snake(k).isidentifier())})

    def _key(self, name: str) -> str | None:
        kebab = name.rstrip("_").replace("_", "-")
        return kebab if kebab in self else name if name in self else None


def _snake(name: str) -> str:
    return name.replace("-", "_")


class Flags(frozenset[str]):
    """Flags that are set, in the order of their declaration; compares like any set.

    >>> Flags(["write", "read"]), Flags(["write"]) == {"write"}
    (Flags({'write', 'read'}), True)
    """

    _order: tuple[str, ...]

    def __new__(cls, names: Iterable[str] = ()) -> Flags:
        """Keep `names` and their order."""
        order = tuple(dict.fromkeys(names))
        made = super().__new__(cls, order)
        made._order = order
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __repr__(self) -> str:
        return f"Flags({{{', '.join(map(repr, self._order))}}})" if self._order else "Flags()"

    def __reduce__(self) -> tuple[Any, ...]:
        return Flags, (self._order,)
