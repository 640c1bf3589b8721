"""The layouts that the host process assumes are those that the engine's own package declares."""

from __future__ import annotations

import ctypes

import pytest
from wasmtime import _ffi as ffi

from labkernel._host import capi, val


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (capi.ByteVec, ffi.wasm_byte_vec_t),
        (capi.Func, ffi.wasmtime_component_func_t),
        (capi.Instance, ffi.wasmtime_component_instance_t),
    ],
)
def test_structures_have_the_same_size(ours: type[ctypes.Structure], theirs: type[ctypes.Structure]) -> None:
    """The engine writes into ours."""
    assert ctypes.sizeof(ours) == ctypes.sizeof(theirs)
    assert ctypes.alignment(ours) == ctypes.alignment(theirs)


def test_values_have_the_same_layout() -> None:
    """Sizes, offsets and kinds."""
    assert ctypes.sizeof(ffi.wasmtime_component_val_t) == val.VAL
    assert ffi.wasmtime_component_val_t.of.offset == 8
    assert ctypes.sizeof(ffi.wasmtime_component_valrecord_entry) == val.ENTRY
    assert ffi.wasmtime_component_valrecord_entry.val.offset == 16
    assert ffi.wasmtime_component_valvariant.val.offset == 16
    assert ffi.wasmtime_component_valresult.val.offset == 8
    for name, (kind, _) in val.NUMBERS.items():
        assert kind == getattr(ffi, f"WASMTIME_COMPONENT_{name.upper()}").value
    for name, kind in vars(val.Kind).items():
        if not name.startswith("_"):
            assert kind == getattr(ffi, f"WASMTIME_COMPONENT_{name}").value


def test_type_kinds_are_in_order() -> None:
    """The engine's numbers for kinds of types."""
    from labkernel._host.reflect import _KINDS

    for name, kind in vars(ffi).items():
        if name.startswith("WASMTIME_COMPONENT_VALTYPE_"):
            expected = name.removeprefix("WASMTIME_COMPONENT_VALTYPE_").lower().replace("_", "-")
            assert _KINDS[kind.value] == expected


def test_prototypes_agree() -> None:
    """Every function has the number of arguments and the kind of result that the engine's package declares."""
    for name, (result, *arguments) in capi._PROTOTYPES.items():
        declared = getattr(ffi, f"_{name}", None) or getattr(__import__("wasmtime")._bindings, f"_{name}")
        assert len(arguments) == len(declared.argtypes), name
        assert (result is None) == (declared.restype is None), name
        for ours, theirs in zip(arguments, declared.argtypes, strict=True):
            assert ctypes.sizeof(ours) == ctypes.sizeof(theirs), name
