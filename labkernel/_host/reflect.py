"""What a compiled component imports and exports, read off the engine's own types."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import byref
from typing import Any, Final

from wasmtime import _ffi as ffi
from wasmtime.component import _types as engine_types

from labkernel._wit import (
    PRIMITIVES,
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

__all__ = ["Reflection", "parts"]

_PRIMITIVES: Final = {name.capitalize(): Primitive(name) for name in PRIMITIVES}


class _EngineHandle:
    """What the engine's reflection calls want of an engine: its pointer."""

    def __init__(self, pointer: int) -> None:
        self._pointer = ctypes.cast(pointer, ctypes.POINTER(ffi.wasm_engine_t))

    def ptr(self) -> Any:
        return self._pointer


class Reflection:
    """Imports and exports of one component. `resources` holds (the engine's type, name, interface)."""

    def __init__(self, engine: int, component: int) -> None:
        self._engine: Any = _EngineHandle(engine)
        pointer = ctypes.cast(component, ctypes.POINTER(ffi.wasmtime_component_t))
        self._type = engine_types.ComponentType._from_ptr(ffi.wasmtime_component_type(pointer))
        self.resources: list[tuple[Any, str, str]] = []
        self._imports = self._type.imports(self._engine)
        self._exports = self._type.exports(self._engine)
        self._name_resources()

    def world(self) -> World:
        """Return imports and exports as a world; records and other types have no names there."""
        imports = tuple(self._items(self._imports))
        return World("root", imports=imports, exports=tuple(self._items(self._exports)))

    @property
    def import_names(self) -> list[str]:
        """The names of what is imported."""
        return list(self._imports)

    def import_items(self) -> list[tuple[str, Any]]:
        """Return what is imported, by name, as the engine's types."""
        return [(name, extern.ty) for name, extern in self._imports.items()]

    def instance_items(self, instance: Any) -> list[tuple[str, Any]]:
        """Return an imported instance's items, by name, as the engine's types."""
        return [(name, extern.ty) for name, extern in instance.exports(self._engine).items()]

    def _name_resources(self) -> None:
        for items in (self._imports, self._exports):
            for name, extern in items.items():
                item = extern.ty
                if isinstance(item, engine_types.ResourceType):
                    self.resources.append((item, name, ""))
                elif isinstance(item, engine_types.ComponentInstanceType):
                    for inner, inner_extern in item.exports(self._engine).items():
                        found = inner_extern.ty
                        if isinstance(found, engine_types.ResourceType):
                            self.resources.append((found, inner, name))

    def _items(self, externs: dict[str, Any]) -> list[Function | Interface]:
        found: list[Function | Interface] = []
        for name, extern in externs.items():
            item = extern.ty
            if isinstance(item, engine_types.FuncType):
                found.append(self._function(name, item, ""))
            elif isinstance(item, engine_types.ComponentInstanceType):
                found.append(self._interface(name, item))
            elif isinstance(item, engine_types.ModuleType | engine_types.ComponentType):
                found.append(Interface(name, docs="a module or component"))
        return found

    def _interface(self, name: str, instance: Any) -> Interface:
        functions, types = [], []
        for inner, item in self.instance_items(instance):
            if isinstance(item, engine_types.FuncType):
                functions.append(self._function(inner, item, name))
            elif isinstance(item, engine_types.ResourceType):
                types.append(NamedType(inner, OpaqueType("resource")))
            elif isinstance(item, engine_types.ValType):
                types.append(NamedType(inner, self._convert(item)))
        return Interface(name, tuple(functions), tuple(types))

    def _function(self, name: str, item: Any, interface: str) -> Function:
        params = []
        pointer = item.ptr()
        for index in range(ffi.wasmtime_component_func_type_param_count(pointer)):
            text, size = ctypes.POINTER(ctypes.c_char)(), ctypes.c_size_t()
            raw = ffi.wasmtime_component_valtype_t()
            ffi.wasmtime_component_func_type_param_nth(pointer, index, byref(text), byref(size), byref(raw))
            params.append(Param(ctypes.string_at(text, size.value).decode(), self._valtype(raw)))
        raw = ffi.wasmtime_component_valtype_t()
        has_result = ffi.wasmtime_component_func_type_result(pointer, byref(raw))
        result = self._valtype(raw) if has_result else None
        is_async = bool(ffi.wasmtime_component_func_type_async(pointer))
        return Function(name, tuple(params), result, interface, is_async=is_async)

    def _valtype(self, raw: Any) -> Type:
        try:
            return self._convert(engine_types.valtype_from_ptr(raw))
        except TypeError:
            return OpaqueType("a type this engine's Python package does not know")

    def _convert(self, item: Any) -> Type:
        try:
            return self._convert_known(item)
        except TypeError:
            return OpaqueType("a type this engine's Python package does not know")

    def _convert_known(self, item: Any) -> Type:
        kind = type(item).__name__
        if kind in _PRIMITIVES:
            return _PRIMITIVES[kind]
        match kind:
            case "ListType":
                return ListType(self._convert(item.element))
            case "RecordType":
                return RecordType(tuple(Field(name, self._convert(t)) for name, t in item.fields))
            case "TupleType":
                return TupleType(tuple(self._convert(t) for t in item.elements))
            case "VariantType":
                return VariantType(tuple(Case(name, self._maybe(t)) for name, t in item.cases))
            case "EnumType":
                return EnumType(tuple(item.names))
            case "OptionType":
                return OptionType(self._convert(item.payload))
            case "ResultType":
                return ResultType(self._maybe(item.ok), self._maybe(item.err))
            case "FlagsType":
                return FlagsType(tuple(item.names))
            case "OwnType" | "BorrowType":
                name, owner = self.owners(item.ty)
                return HandleType(name, "own" if kind == "OwnType" else "borrow", owner)
            case "FutureType" | "StreamType":
                return OpaqueType(kind.removesuffix("Type").lower())
        return OpaqueType("error-context" if kind == "ErrorContext" else kind)

    def _maybe(self, item: Any) -> Type | None:
        return None if item is None else self._convert(item)

    def owners(self, wanted: Any) -> tuple[str, str]:
        for found, name, owner in self.resources:
            if found == wanted:
                return name, owner
        return "resource", ""


def parts(wit_type: Type) -> Iterator[Type]:
    """Yield the type and every type in it."""
    yield wit_type
    inner: list[Type | None] = []
    match wit_type:
        case ListType(part) | OptionType(part):
            inner = [part]
        case ResultType(ok, err):
            inner = [ok, err]
        case TupleType(elements):
            inner = list(elements)
        case RecordType(fields):
            inner = [f.type for f in fields]
        case VariantType(cases):
            inner = [k.type for k in cases]
    for found in inner:
        if found is not None:
            yield from parts(found)
