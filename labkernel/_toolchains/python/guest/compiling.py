"""Compiling for cells without running them: what the compiler component does, by the Python of components.

CPython for WebAssembly runs this file; the lab only copies it.
"""

from __future__ import annotations

import importlib.util
import marshal
import os

__all__ = ["check", "compile_folder"]

_UNCHECKED = 1  # a compiled file that is taken without a look at its source (PEP 552)


def check(text: str, file: str) -> tuple[str, int, int, int] | None:
    """Return what is wrong with a text (message, line, column, end of it), or `None`."""
    try:
        compile(text, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        same = error.end_lineno == error.lineno
        return error.msg, error.lineno or 0, error.offset or 0, max(0, error.end_offset or 0) if same else 0
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        return f"{type(error).__name__}: {error}", 0, 0, 0
    return None


def compile_folder(folder: str) -> int:
    """Write the compiled file of every module below a folder, and return how many; what fails stays a text."""
    count = 0
    for root, _, files in os.walk(folder):
        for file in files:
            if file.endswith(".py"):
                count += _compile(f"{root}/{file}")
    return count


def _compile(path: str) -> bool:
    try:
        with open(path, "rb") as source:
            code = compile(source.read(), path, "exec", dont_inherit=True)
        target = importlib.util.cache_from_source(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + bytes(8)
        with open(target, "wb") as compiled:
            compiled.write(head + marshal.dumps(code))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    return True
