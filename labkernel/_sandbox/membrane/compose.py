"""A guest behind a membrane, put together as bytes of the component binary format.

The outer component begins with the guest's own imports, byte for byte: so the types that its exports mention have the
names they had. Then come membrane and guest as they are, and instances of both: the guest's imports are the membrane's
exports, the types it imports at its root those of the outer component. The general composer of the toolbox gives such
types no name where they come from an interface, and takes seconds for a component of 20 MB; it is there for
components whose imports don't come first. The format: the Component Model's `Binary.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from labkernel._host.membrane_layout import CLOCK_IMPORT, IMPORT

__all__ = ["Imports", "compose", "import_prefix"]

PREAMBLE: Final = b"\0asm\x0d\0\x01\0"
_CUSTOM, _COMPONENT, _INSTANCE, _ALIAS, _TYPE, _IMPORT, _EXPORT = 0, 4, 5, 6, 7, 10, 11
_FUNC, _TYPE_SORT, _COMPONENT_SORT, _INSTANCE_SORT = 1, 3, 4, 5
_SORTS: Final = (_FUNC, _TYPE_SORT, _COMPONENT_SORT, _INSTANCE_SORT)
_U64, _U32, _S32 = b"\x77", b"\x79", b"\x7a"


class NotPlain(Exception):
    """The bytes have a form that this module does not read; another composer may."""


class _Reader:
    """Reads numbers and names one after the other."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def extern_name(self) -> str:
        if self.byte() > 1:
            raise NotPlain("a name with options")
        return self.text()

    def sort(self) -> int:
        sort = self.byte()
        if sort not in _SORTS:
            raise NotPlain(f"an item of the sort {sort}")
        return sort


@dataclass
class Imports:
    """The beginning of a component up to its last import, and what it defines: `names` gives each import its sort and
    its index, `counts` how many of each sort there are."""

    prefix: bytes
    names: dict[str, tuple[int, int]] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_SORTS, 0))

    def add(self, sort: int, count: int = 1) -> int:
        """Count new items of a sort; return the index of the first."""
        first = self.counts[sort]
        self.counts[sort] += count
        return first


def _sections(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield id, start, start of the content and end of every section."""
    reader = _Reader(data, len(PREAMBLE))
    while reader.at < len(data):
        start = reader.at
        number = reader.byte()
        size = reader.number()
        yield number, start, reader.at, reader.at + size
        reader.at += size


def import_prefix(component: bytes) -> Imports | None:
    """Return the imports of a component, `None` where something else than types stands among them."""
    sections = list(_sections(component))
    last = max((i for i, (number, *_) in enumerate(sections) if number == _IMPORT), default=-1)
    found = Imports(
        PREAMBLE + b"".join(component[s[1] : s[3]] for s in sections[: last + 1] if s[0] != _CUSTOM)
    )
    try:
        for number, _, begin, end in sections[: last + 1]:
            _count(found, number, _Reader(component[begin:end]))
    except NotPlain:
        return None
    return found


def _count(found: Imports, section: int, reader: _Reader) -> None:
    if section == _CUSTOM:
        return
    count = reader.number()
    if section == _TYPE:
        found.add(_TYPE_SORT, count)
    elif section == _IMPORT:
        for _ in range(count):
            name, sort = reader.extern_name(), reader.sort()
            if sort == _TYPE_SORT and reader.byte() == 1:
                raise NotPlain("a resource at the root")
            reader.number()
            found.names[name] = (sort, found.add(sort))
    elif section == _ALIAS:
        for _ in range(count):
            sort, target = reader.sort(), reader.byte()
            reader.number()
            if target == 0:
                reader.text()
            elif target == 2:
                reader.number()
            else:
                raise NotPlain("an alias of a core item")
            found.add(sort)
    else:
        raise NotPlain(f"a section {section} before an import")


def exports(component: bytes) -> list[tuple[str, int]]:
    """Return name and sort of every export of a component. Raises `NotPlain`."""
    made = []
    for number, _, begin, end in _sections(component):
        if number != _EXPORT:
            continue
        reader = _Reader(component[begin:end])
        for _ in range(reader.number()):
            name, sort = reader.extern_name(), reader.sort()
            reader.number()
            if reader.byte():
                _skip_type(reader)
            made.append((name, sort))
    return made


def _skip_type(reader: _Reader) -> None:
    """Skip the type that an export is ascribed."""
    if reader.sort() == _TYPE_SORT and reader.byte() == 1:
        return
    reader.number()


def compose(
    guest: bytes,
    membrane: bytes,
    clock: str,
    *,
    resources: Sequence[tuple[str, str, str]] = (),
    outside: Callable[[str], str] = str,
) -> bytes | None:
    """Return one component: the guest behind the membrane; `None` where the guest is not of the plain form.

    `clock` is the name that the outer component imports WASI's monotonic clock by. `resources` are those that the
    guest imports at its root: name there, interface, and name in the interface. `outside` gives the guest's name for
    an import or export of the membrane's.
    """
    outer, inner = import_prefix(guest), import_prefix(membrane)
    if outer is None or inner is None:
        return None
    try:
        return _Outer(outer, inner, clock, outside).made(guest, membrane, resources)
    except NotPlain:
        return None


class _Outer:
    """The outer component in the making."""

    def __init__(self, outer: Imports, inner: Imports, clock: str, outside: Callable[[str], str]) -> None:
        self.outer, self.inner, self.clock, self.outside = outer, inner, clock, outside
        self.parts = [outer.prefix]

    def made(self, guest: bytes, membrane: bytes, resources: Sequence[tuple[str, str, str]]) -> bytes:
        imports = dict(self.outer.names)
        self._import(IMPORT, _HOST_TYPE)
        time = self._import(self.clock, _CLOCK_TYPE)
        self.parts += [_section(_COMPONENT, membrane), _section(_COMPONENT, guest)]
        first = self.outer.add(_COMPONENT_SORT, 2)
        given = {**self.outer.names, CLOCK_IMPORT: (_INSTANCE_SORT, self._clock(time))}
        membrane_at = self._instantiate(first, {name: given[self.outside(name)] for name in self.inner.names})
        wanted = [(name, sort) for name, sort in exports(membrane) if self.outside(name) in imports]
        passed = zip(wanted, self._aliases(membrane_at, wanted), strict=True)
        arguments = imports | {self.outside(name): item for (name, _), item in passed}
        for name, interface, own in resources:
            arguments[name] = self._aliases(arguments[interface][1], [(own, _TYPE_SORT)])[0]
        guest_at = self._instantiate(first + 1, arguments)
        shown = exports(guest)
        items = [
            b"\0" + _text(name) + _item(*item) + b"\0"
            for (name, _), item in zip(shown, self._aliases(guest_at, shown), strict=True)
        ]
        self.parts.append(_section(_EXPORT, _vector(items)))
        return b"".join(self.parts)

    def _import(self, name: str, instance_type: bytes) -> int:
        """Import an instance and return its index."""
        kind = self.outer.add(_TYPE_SORT)
        index = self.outer.add(_INSTANCE_SORT)
        item = b"\0" + _text(name) + bytes([_INSTANCE_SORT]) + _number(kind)
        self.parts += [_section(_TYPE, _vector([instance_type])), _section(_IMPORT, _vector([item]))]
        self.outer.names[name] = (_INSTANCE_SORT, index)
        return index

    def _clock(self, time: int) -> int:
        """Make the instance that the membrane reads its times from."""
        now = self._aliases(time, [("now", _FUNC)])[0]
        self.parts.append(
            _section(_INSTANCE, _vector([b"\1" + _vector([b"\0" + _text("now") + _item(*now)])]))
        )
        return self.outer.add(_INSTANCE_SORT)

    def _instantiate(self, component: int, arguments: dict[str, tuple[int, int]]) -> int:
        items = [_text(name) + _item(*item) for name, item in arguments.items()]
        self.parts.append(_section(_INSTANCE, _vector([b"\0" + _number(component) + _vector(items)])))
        return self.outer.add(_INSTANCE_SORT)

    def _aliases(self, instance: int, wanted: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
        """Return sort and index of exports of an instance, in an order that lets aliases stand together."""
        items = [bytes([sort]) + b"\0" + _number(instance) + _text(name) for name, sort in wanted]
        self.parts.append(_section(_ALIAS, _vector(items)))
        return [(sort, self.outer.add(sort)) for _, sort in wanted]


def _number(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _text(text: str) -> bytes:
    data = text.encode()
    return _number(len(data)) + data


def _vector(items: Sequence[bytes]) -> bytes:
    return _number(len(items)) + b"".join(items)


def _item(sort: int, index: int) -> bytes:
    return bytes([sort]) + _number(index)


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + _number(len(content)) + content


def _instance_type(functions: dict[str, tuple[list[str], bytes]]) -> bytes:
    """Return an instance's type with functions of `u32` parameters; an empty result is none."""
    declarations = []
    for index, (name, (params, result)) in enumerate(functions.items()):
        function = (
            b"\x40" + _vector([_text(p) + _U32 for p in params]) + (b"\0" + result if result else b"\1\0")
        )
        declarations += [b"\1" + function, b"\4\0" + _text(name) + bytes([_FUNC]) + _number(index)]
    return b"\x42" + _vector(declarations)


_HOST_TYPE: Final = _instance_type(
    {
        "policy": (["mark"], b""),
        "ask": (["function", "at", "space", "capacity"], _S32),
        "tell": (["function", "at"], b""),
        "drain": ([], b""),
    }
)
_CLOCK_TYPE: Final = _instance_type({"now": ([], _U64)})
