"""The engine's C functions, bound once with plain integers for pointers. Only worker-side modules import it.

The library is the one inside the `wasmtime` package, loaded without the package: that saves 50 ms of each start.
Integers instead of ctypes pointers save half a microsecond a call. A null pointer arrives as `None`.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import (
    CFUNCTYPE,
    c_bool,
    c_int,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any, Final

__all__ = [
    "DTOR_CALLBACK",
    "FINALIZER",
    "FUNC_CALLBACK",
    "OUTPUT_CALLBACK",
    "ByteVec",
    "EngineFailure",
    "Func",
    "Instance",
    "c",
    "error_parts",
    "read_bytes",
    "take_error",
]

P: Final = c_void_p
Z: Final = c_size_t

OUTPUT_CALLBACK: Final = CFUNCTYPE(c_ssize_t, c_void_p, c_void_p, c_size_t)
FINALIZER: Final = CFUNCTYPE(None, c_void_p)
FUNC_CALLBACK: Final = CFUNCTYPE(c_size_t, P, P, P, P, Z, P, Z)
DTOR_CALLBACK: Final = CFUNCTYPE(c_size_t, P, P, c_uint32)

_PROTOTYPES: Final[dict[str, tuple[Any, ...]]] = {
    "wasm_config_new": (P,),
    "wasm_engine_new_with_config": (P, P),
    "wasmtime_config_epoch_interruption_set": (None, P, c_bool),
    "wasmtime_config_consume_fuel_set": (None, P, c_bool),
    "wasmtime_config_strategy_set": (None, P, c_uint8),
    "wasmtime_config_concurrency_support_set": (None, P, c_bool),
    "wasmtime_config_max_wasm_stack_set": (None, P, Z),
    "wasmtime_config_target_set": (P, P, ctypes.c_char_p),
    "wasmtime_engine_increment_epoch": (None, P),
    "wasmtime_store_new": (P, P, P, FINALIZER),
    "wasmtime_store_context": (P, P),
    "wasmtime_store_limiter": (None, P, c_int64, c_int64, c_int64, c_int64, c_int64),
    "wasmtime_store_delete": (None, P),
    "wasmtime_context_set_fuel": (P, P, c_uint64),
    "wasmtime_context_get_fuel": (P, P, P),
    "wasmtime_context_set_wasi": (P, P, P),
    "wasmtime_context_set_wasi_http": (None, P),
    "wasmtime_context_set_epoch_deadline": (None, P, c_uint64),
    "wasi_config_new": (P,),
    "wasi_config_set_argv": (c_bool, P, Z, P),
    "wasi_config_set_env": (c_bool, P, Z, P, P),
    "wasi_config_set_stdin_bytes": (None, P, P),
    "wasi_config_set_stdout_custom": (None, P, OUTPUT_CALLBACK, P, FINALIZER),
    "wasi_config_set_stderr_custom": (None, P, OUTPUT_CALLBACK, P, FINALIZER),
    "wasi_config_preopen_dir": (c_bool, P, ctypes.c_char_p, ctypes.c_char_p, c_bool),
    "wasi_config_inherit_network": (None, P),
    "wasi_config_allow_ip_name_lookup": (None, P, c_bool),
    "wasi_config_delete": (None, P),
    "wasm_byte_vec_new": (None, P, Z, ctypes.c_char_p),
    "wasm_byte_vec_delete": (None, P),
    "wasmtime_wat2wasm": (P, ctypes.c_char_p, Z, P),
    "wasmtime_component_new": (P, P, ctypes.c_char_p, Z, P),
    "wasmtime_component_serialize": (P, P, P),
    "wasmtime_component_deserialize_file": (P, P, ctypes.c_char_p, P),
    "wasmtime_component_delete": (None, P),
    "wasmtime_component_get_export_index": (P, P, P, ctypes.c_char_p, Z),
    "wasmtime_component_export_index_delete": (None, P),
    "wasmtime_component_linker_new": (P, P),
    "wasmtime_component_linker_delete": (None, P),
    "wasmtime_component_linker_add_wasip2": (P, P),
    "wasmtime_component_linker_add_wasi_http": (P, P),
    "wasmtime_component_linker_root": (P, P),
    "wasmtime_component_linker_allow_shadowing": (None, P, c_bool),
    "wasmtime_component_linker_instance_add_instance": (P, P, ctypes.c_char_p, Z, P),
    "wasmtime_component_linker_instance_add_func": (P, P, ctypes.c_char_p, Z, FUNC_CALLBACK, P, FINALIZER),
    "wasmtime_component_linker_instance_add_resource": (
        P,
        P,
        ctypes.c_char_p,
        Z,
        P,
        DTOR_CALLBACK,
        P,
        FINALIZER,
    ),
    "wasmtime_component_linker_instance_delete": (None, P),
    "wasmtime_component_linker_instantiate": (P, P, P, P, P),
    "wasmtime_component_instance_get_func": (c_bool, P, P, P, P),
    "wasmtime_component_func_call": (P, P, P, P, Z, P, Z),
    "wasmtime_component_val_delete": (None, P),
    "wasmtime_component_val_clone": (None, P, P),
    "wasmtime_component_resource_type_new_host": (P, c_uint32),
    "wasmtime_component_resource_type_clone": (P, P),
    "wasmtime_component_resource_type_equal": (c_bool, P, P),
    "wasmtime_component_resource_type_delete": (None, P),
    "wasmtime_component_resource_any_clone": (P, P),
    "wasmtime_component_resource_any_drop": (P, P, P),
    "wasmtime_component_resource_any_delete": (None, P),
    "wasmtime_component_resource_any_to_host": (P, P, P, P),
    "wasmtime_component_resource_host_new": (P, c_bool, c_uint32, c_uint32),
    "wasmtime_component_resource_host_rep": (c_uint32, P),
    "wasmtime_component_resource_host_to_any": (P, P, P, P),
    "wasmtime_component_resource_host_delete": (None, P),
    "wasmtime_component_type": (P, P),
    "wasmtime_component_type_delete": (None, P),
    "wasmtime_component_type_import_count": (Z, P, P),
    "wasmtime_component_type_import_nth": (c_bool, P, P, Z, P, P, P),
    "wasmtime_component_type_export_count": (Z, P, P),
    "wasmtime_component_type_export_nth": (c_bool, P, P, Z, P, P, P),
    "wasmtime_component_instance_type_export_count": (Z, P, P),
    "wasmtime_component_instance_type_export_nth": (c_bool, P, P, Z, P, P, P),
    "wasmtime_component_extern_type": (None, P, P),
    "wasmtime_component_extern_delete": (None, P),
    "wasmtime_component_item_delete": (None, P),
    "wasmtime_component_func_type_param_count": (Z, P),
    "wasmtime_component_func_type_param_nth": (c_bool, P, Z, P, P, P),
    "wasmtime_component_func_type_result": (c_bool, P, P),
    "wasmtime_component_func_type_async": (c_bool, P),
    "wasmtime_component_valtype_delete": (None, P),
    "wasmtime_component_list_type_element": (None, P, P),
    "wasmtime_component_option_type_ty": (None, P, P),
    "wasmtime_component_result_type_ok": (c_bool, P, P),
    "wasmtime_component_result_type_err": (c_bool, P, P),
    "wasmtime_component_tuple_type_types_count": (Z, P),
    "wasmtime_component_tuple_type_types_nth": (c_bool, P, Z, P),
    "wasmtime_component_record_type_field_count": (Z, P),
    "wasmtime_component_record_type_field_nth": (c_bool, P, Z, P, P, P),
    "wasmtime_component_variant_type_case_count": (Z, P),
    "wasmtime_component_variant_type_case_nth": (c_bool, P, Z, P, P, P, P),
    "wasmtime_component_enum_type_names_count": (Z, P),
    "wasmtime_component_enum_type_names_nth": (c_bool, P, Z, P, P),
    "wasmtime_component_flags_type_names_count": (Z, P),
    "wasmtime_component_flags_type_names_nth": (c_bool, P, Z, P, P),
    "wasmtime_error_new": (P, ctypes.c_char_p),
    "wasmtime_error_message": (None, P, P),
    "wasmtime_error_exit_status": (c_bool, P, P),
    "wasmtime_error_delete": (None, P),
}


def _load() -> ctypes.CDLL:
    spec = importlib.util.find_spec("wasmtime")
    if spec is None or spec.origin is None:
        raise ImportError("the package wasmtime is not installed; install it with: pip install wasmtime")
    for name in ("_libwasmtime.so", "_libwasmtime.dylib", "_wasmtime.dll"):
        for found in Path(spec.origin).parent.glob(f"*/{name}"):
            return ctypes.CDLL(str(found))
    raise ImportError(f"the package wasmtime in {Path(spec.origin).parent} has no library of this machine")


_library: Final = _load()


class _Functions:
    """The bound functions, by their C name without the prefix `wasmtime_`."""

    def __init__(self) -> None:
        for name, (result, *arguments) in _PROTOTYPES.items():
            function = _library[name]
            function.restype = result
            function.argtypes = arguments
            setattr(self, name.removeprefix("wasmtime_"), function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"wasmtime has no C function {name!r} in this table")


c: Final = _Functions()


class ByteVec(ctypes.Structure):
    """`wasm_byte_vec_t`."""

    _fields_ = (("size", c_size_t), ("data", c_void_p))
    size: int
    data: int | None


class Func(ctypes.Structure):
    """`wasmtime_component_func_t`."""

    _fields_ = (("words", c_uint64 * 4),)


class Instance(ctypes.Structure):
    """`wasmtime_component_instance_t`."""

    _fields_ = (("store_id", c_uint64), ("private", c_uint32))


def read_bytes(vec: ByteVec) -> bytes:
    """Return a copy of the vector's bytes."""
    return ctypes.string_at(vec.data, vec.size) if vec.size and vec.data else b""


def error_parts(error: int) -> tuple[str, int | None]:
    """Return an engine error's text and, when it stands for an exit, its status. The error is freed."""
    status = c_int(0)
    is_exit = c.error_exit_status(error, ctypes.addressof(status))
    vec = ByteVec()
    c.error_message(error, ctypes.addressof(vec))
    text = read_bytes(vec).decode("utf-8", "replace")
    c.wasm_byte_vec_delete(ctypes.addressof(vec))
    c.error_delete(error)
    return text, status.value if is_exit else None


class EngineFailure(Exception):
    """An engine function failed where no guest is to blame, or before it is known who is."""

    def __init__(self, text: str, exit_status: int | None) -> None:
        super().__init__(text)
        self.text = text
        self.exit_status = exit_status


def take_error(error: int | None) -> None:
    """Raise `EngineFailure` if an engine function returned an error."""
    if error:
        raise EngineFailure(*error_parts(error))
