"""What the engine's own WASI is given for one store: output, variables, arguments, input, folders, network."""

from __future__ import annotations

import ctypes
from ctypes import addressof, c_char_p
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._host import capi
from labkernel._host.capi import c
from labkernel._host.settings import Start
from labkernel._host.sockets import open_network

__all__ = ["wasi_of"]

_NO_FINALIZER: Final = capi.FINALIZER(0)
_WRITE: Final = ctypes.cast(ctypes.CDLL(None).write, capi.OUTPUT_CALLBACK)
"""libc's `write(fd, bytes, count)` has the shape of the engine's output callback, with the descriptor for
data: so guests' output never enters Python on the engine's threads."""


def wasi_of(start: Start, stdout: int, stderr: int) -> int:
    """Return a configuration, which the store takes over. Raises `UsageError` for a grant that cannot be given."""
    config: int = c.wasi_config_new()
    try:
        _grant(config, start)
    except BaseException:
        c.wasi_config_delete(config)
        raise
    c.wasi_config_set_stdout_custom(config, _WRITE, stdout, _NO_FINALIZER)
    c.wasi_config_set_stderr_custom(config, _WRITE, stderr, _NO_FINALIZER)
    return config


def _grant(config: int, start: Start) -> None:
    if start.args:
        argv = _strings(start.args, "argument")
        c.wasi_config_set_argv(config, len(start.args), argv)
    if start.env:
        names = _strings([key for key, _ in start.env], "variable")
        for key, _ in start.env:
            if not key or "=" in key:
                raise UsageError(f"The variable {key!r} is no name, expected one without '='.")
        values = _strings([value for _, value in start.env], "variable")
        c.wasi_config_set_env(config, len(start.env), names, values)
    if start.stdin:
        vec = capi.ByteVec()
        c.wasm_byte_vec_new(addressof(vec), len(start.stdin), start.stdin)
        c.wasi_config_set_stdin_bytes(config, addressof(vec))
    for host, guest, writable in start.dirs:
        _strings([host, guest], "directory")
        if not c.wasi_config_preopen_dir(config, host.encode(), guest.encode(), bool(writable)):
            raise UsageError(f"The directory {host!r} cannot be opened; grant one that exists.")
    if start.network:
        open_network(config)


def _strings(texts: Any, what: str) -> Any:
    """Return the texts as a C array of strings. Raises `UsageError` for a NUL in them."""
    for text in texts:
        if "\0" in text:
            raise UsageError(f"The {what} {text!r} has a NUL character, expected text without one.")
    return (c_char_p * len(texts))(*[text.encode() for text in texts])
