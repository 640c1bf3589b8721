"""What a compiled component imports and exports, read off the engine's own types as a world.

By C functions and not by the engine's Python package: a component with a dozen WASI imports has a thousand types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import Structure, addressof, c_size_t, c_uint8, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import ComponentError
from labkernel._host.capi import c
from labkernel._host.val import CHARS
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
)

__all__ = ["Reflection", "reflect"]

_KINDS: Final = (
    "bool", "s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "f32", "f64", "char", "string",
    "list", "record", "tuple", "variant", "enum", "option", "result", "flags", "own", "borrow", "future", "stream",
    "error-context", "map",
)  # fmt: skip
_PRIMITIVES: Final = tuple(Primitive(name) for name in _KINDS[:13])
_COMPONENT, _INSTANCE, _MODULE, _FUNC, _RESOURCE, _CORE_FUNC, _TYPE = range(7)


@dataclass(frozen=True, slots=True)
class Reflection:
    """A component's world, with what linking needs beside it.

    `resources` are (interface, name) of those that an import brings itself; `sealed` are imports of whole modules
    or components.
    """

    world: World
    resources: frozenset[tuple[str, str]]
    sealed: tuple[str, ...]


def reflect(engine: int, component: int) -> Reflection:
    """Return what a component imports and exports; records and other types have no names there."""
    reader = _Reader(engine)
    pointer = c.component_type(component)
    try:
        imports = reader.items(pointer, c.component_type_import_count, c.component_type_import_nth)
        brought = frozenset((owner, name) for _, name, owner in reader.resources)
        exports = reader.items(pointer, c.component_type_export_count, c.component_type_export_nth)
    finally:
        c.component_type_delete(pointer)
        reader.close()
    world = World("root", imports=tuple(imports), exports=tuple(exports))
    return Reflection(world, brought, tuple(reader.sealed))


class _Slot(Structure):
    """The engine's `wasmtime_component_valtype_t`, and its `item_t` but for a type in it."""

    _fields_ = (("kind", c_uint8), ("pointer", c_void_p), ("more", c_void_p))
    kind: int
    pointer: int


class _Reader:
    """Reads types, and remembers the resources met so far with the engine's types, to name handles by."""

    def __init__(self, engine: int) -> None:
        self._engine = engine
        self._text = (c_size_t * 2)()
        self._text_at = addressof(self._text)
        self._parts = 0
        self.resources: list[tuple[int, str, str]] = []
        self.sealed: list[str] = []

    def close(self) -> None:
        """Free the resource types."""
        for pointer, _, _ in self.resources:
            c.component_resource_type_delete(pointer)
        self.resources.clear()

    def _name(self) -> str:
        at, size = self._text
        text: str = CHARS[at : at + size].decode()
        return text

    # ------------------------------------------------------------------------------------------------ items

    def items(self, pointer: int, count: Any, nth: Any) -> list[Function | Interface]:
        """Return the imports or exports of a component."""
        found: list[Function | Interface] = []
        for name, item in self._each(pointer, count, nth):
            if item.kind == _FUNC:
                found.append(self._function(name, item.pointer, ""))
            elif item.kind == _INSTANCE:
                found.append(self._interface(name, item.pointer))
            elif item.kind == _RESOURCE:
                self._meet(name, item.pointer, "")
            elif item.kind in (_MODULE, _COMPONENT):
                self.sealed.append(name)
                found.append(Interface(name, docs="a module or component"))
        return found

    def _each(self, pointer: int, count: Any, nth: Any) -> Iterator[tuple[str, _Slot]]:
        item, extern = _Slot(), c_void_p()
        for index in range(count(pointer, self._engine)):
            nth(pointer, self._engine, index, self._text_at, self._text_at + 8, addressof(extern))
            name = self._name()
            c.component_extern_type(extern.value, addressof(item))
            try:
                yield name, item
            finally:
                c.component_item_delete(addressof(item))
                c.component_extern_delete(extern.value)

    def _interface(self, name: str, pointer: int) -> Interface:
        functions, types = [], []
        each = self._each(
            pointer, c.component_instance_type_export_count, c.component_instance_type_export_nth
        )
        for inner, item in each:
            if item.kind == _FUNC:
                functions.append(self._function(inner, item.pointer, name))
            elif item.kind == _RESOURCE:
                self._meet(inner, item.pointer, name)
                types.append(NamedType(inner, OpaqueType("resource")))
            elif item.kind == _TYPE:
                types.append(NamedType(inner, self._type(_at(addressof(item) + 8))))
        return Interface(name, tuple(functions), tuple(types))

    def _function(self, name: str, pointer: int, interface: str) -> Function:
        params = []
        for index in range(c.component_func_type_param_count(pointer)):
            slot = _Slot()
            c.component_func_type_param_nth(pointer, index, self._text_at, self._text_at + 8, addressof(slot))
            param = self._name()
            params.append(Param(param, self._take(slot)))
        result = self._maybe(c.component_func_type_result, pointer)
        is_async = bool(c.component_func_type_async(pointer))
        return Function(name, tuple(params), result, interface, is_async=is_async)

    # ---------------------------------------------------------------------------------------------- resources

    def _meet(self, name: str, pointer: int, owner: str) -> None:
        """Remember a resource, unless it is one of another interface under a name of its own."""
        if self._find(pointer) is None:
            self.resources.append((c.component_resource_type_clone(pointer), name, owner))

    def _find(self, pointer: int) -> tuple[str, str] | None:
        for known, name, owner in self.resources:
            if c.component_resource_type_equal(known, pointer):
                return name, owner
        return None

    def _handle(self, kind: str, pointer: int) -> HandleType:
        name, owner = self._find(pointer) or ("resource", "")
        return HandleType(name, kind, owner)

    # ------------------------------------------------------------------------------------------------- types

    def _take(self, slot: _Slot) -> Type:
        """Return the type in a slot, and free it. Raises `ComponentError` when types grow without bounds."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise ComponentError(
                f"This component's types have more than {MOST_PARTS} parts once written out, expected fewer. "
                "Types that hold each other twice grow without bounds: build it with simpler ones."
            )
        if slot.kind < len(_PRIMITIVES):
            return _PRIMITIVES[slot.kind]
        try:
            return self._type(slot)
        finally:
            c.component_valtype_delete(addressof(slot))

    def _maybe(self, read: Any, pointer: int) -> Type | None:
        slot = _Slot()
        return self._take(slot) if read(pointer, addressof(slot)) else None

    def _one(self, read: Any, pointer: int) -> Type:
        slot = _Slot()
        read(pointer, addressof(slot))
        return self._take(slot)

    def _type(self, slot: _Slot) -> Type:
        kind = _KINDS[slot.kind] if slot.kind < len(_KINDS) else ""
        pointer = slot.pointer
        if slot.kind < len(_PRIMITIVES):
            return _PRIMITIVES[slot.kind]
        if kind in ("own", "borrow"):
            return self._handle(kind, pointer)
        read = _READERS.get(kind)
        return read(self, pointer) if read is not None else OpaqueType(kind or "unknown")

    def _list(self, pointer: int) -> Type:
        return ListType(self._one(c.component_list_type_element, pointer))

    def _option(self, pointer: int) -> Type:
        return OptionType(self._one(c.component_option_type_ty, pointer))

    def _result(self, pointer: int) -> Type:
        return ResultType(
            self._maybe(c.component_result_type_ok, pointer),
            self._maybe(c.component_result_type_err, pointer),
        )

    def _tuple(self, pointer: int) -> Type:
        elements = []
        for index in range(c.component_tuple_type_types_count(pointer)):
            slot = _Slot()
            c.component_tuple_type_types_nth(pointer, index, addressof(slot))
            elements.append(self._take(slot))
        return TupleType(tuple(elements))

    def _record(self, pointer: int) -> Type:
        fields = []
        for index in range(c.component_record_type_field_count(pointer)):
            slot = _Slot()
            c.component_record_type_field_nth(
                pointer, index, self._text_at, self._text_at + 8, addressof(slot)
            )
            name = self._name()
            fields.append(Field(name, self._take(slot)))
        return RecordType(tuple(fields))

    def _variant(self, pointer: int) -> Type:
        cases, has_payload = [], c_uint64()
        for index in range(c.component_variant_type_case_count(pointer)):
            slot = _Slot()
            has_payload.value = 0
            c.component_variant_type_case_nth(
                pointer, index, self._text_at, self._text_at + 8, addressof(has_payload), addressof(slot)
            )
            name = self._name()
            cases.append(Case(name, self._take(slot) if has_payload.value & 0xFF else None))
        return VariantType(tuple(cases))

    def _enum(self, pointer: int) -> Type:
        return EnumType(
            self._names(pointer, c.component_enum_type_names_count, c.component_enum_type_names_nth)
        )

    def _flags(self, pointer: int) -> Type:
        return FlagsType(
            self._names(pointer, c.component_flags_type_names_count, c.component_flags_type_names_nth)
        )

    def _names(self, pointer: int, count: Any, nth: Any) -> tuple[str, ...]:
        names = []
        for index in range(count(pointer)):
            nth(pointer, index, self._text_at, self._text_at + 8)
            names.append(self._name())
        return tuple(names)


def _at(address: int) -> _Slot:
    """Return a copy of the type that lies at an address; it stays the item's to free."""
    slot = _Slot()
    found = _Slot.from_address(address)
    slot.kind, slot.pointer = found.kind, found.pointer
    return slot


_READERS: Final[dict[str, Callable[[_Reader, int], Type]]] = {
    "list": _Reader._list,
    "option": _Reader._option,
    "result": _Reader._result,
    "tuple": _Reader._tuple,
    "record": _Reader._record,
    "variant": _Reader._variant,
    "enum": _Reader._enum,
    "flags": _Reader._flags,
}
