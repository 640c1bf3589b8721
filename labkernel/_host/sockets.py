"""Opening the network of an instance: all of it, since the engine knows no less; a membrane decides what passes.

Since release 47 the engine refuses to create TCP and UDP sockets unless told otherwise, and its C functions tell it
so only for name look-up (https://github.com/bytecodealliance/wasmtime/pull/13936). The three switches lie side by
side in its configuration, as three bytes. Turning on the one that has a function shows where they are; the other two
are turned on in place, and only in releases where that was tried and everything looks as it should.
"""

from __future__ import annotations

import ctypes
from typing import Final

from labkernel._errors import ComponentError
from labkernel._host.capi import c
from labkernel._host.settings import engine_version

__all__ = ["open_network"]

_TRIED: Final = ("50.0.",)
_SIZE: Final = 0x120
"""Bytes of the engine's configuration; the allocator says whether it is that large."""
_libc: Final = ctypes.CDLL(None)


def open_network(config: int) -> None:
    """Let the sockets and look-ups of a WASI configuration through. Raises `ComponentError` where that is unknown."""
    c.wasi_config_inherit_network(config)
    before = _image(config)
    c.wasi_config_allow_ip_name_lookup(config, True)
    after = _image(config)
    changed = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    if len(changed) != 1 or after[changed[0] : changed[0] + 3] != b"\1\0\0":
        raise _unknown()
    ctypes.memmove(config + changed[0] + 1, b"\1\1", 2)


def _image(config: int) -> bytes:
    usable = _libc.malloc_usable_size
    usable.restype, usable.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    if not engine_version().startswith(_TRIED) or usable(config) < _SIZE:
        raise _unknown()
    return ctypes.string_at(config, _SIZE)


def _unknown() -> ComponentError:
    return ComponentError(
        f"The engine {engine_version()} opens no sockets through its C functions, expected one of "
        f"{', '.join(version + 'x' for version in _TRIED)}: --net cannot be granted with it. Install that release of "
        "the package wasmtime."
    )
