"""What is wrong with bytes or text that the engine refused: noise, a cut file, a core module, a typo.

Of binaries it reads headers and import names only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from labkernel._errors import CompileError, ComponentError, Diagnostic

__all__ = ["component_error", "import_names", "wat_error"]

_COMPONENT: Final = b"\x0d\x00\x01\x00"
_MODULE: Final = b"\x01\x00\x00\x00"
_ASYNC_WASI: Final = re.compile(r"^wasi:[a-z0-9-]+/[a-z0-9-]+@0\.3\.")


def component_error(wasm: bytes, why: str) -> ComponentError:
    """Return the error for bytes that the engine refused with the text `why`."""
    if wasm[:4] != b"\0asm":
        shown = wasm[:8].hex(" ") or "nothing"
        return ComponentError(
            f"These {len(wasm)} bytes are no WebAssembly: they start with {shown}, expected 00 61 73 6d. "
            "Pass a .wasm component, or use %%wasm wat for text."
        )
    if wasm[4:8] == _MODULE:
        return ComponentError(
            "This is a core module, expected a component. Build it with a world (%%wasm wat NAME --world W "
            "wraps a core module), or componentize it with the preview1 adapter."
        )
    if wasm[4:8] != _COMPONENT:
        return ComponentError(
            f"This WebAssembly has the version {wasm[4:8].hex(' ') or 'nothing'}, expected a component "
            f"({_COMPONENT.hex(' ')}). Make it again with current tools."
        )
    names, whole = _read_names(wasm)
    asynchronous = [name for name in names if _ASYNC_WASI.match(name)]
    if asynchronous or "component model async" in why:
        named = f" It imports {', '.join(asynchronous[:4])}." if asynchronous else ""
        return ComponentError(
            f"This component is for the asynchronous WASI 0.3, expected WASI 0.2.{named} "
            "Build it for wasm32-wasip2 with a 0.2 world."
        )
    if not whole or "unexpected end" in why:
        return ComponentError(
            f"This component is cut off after {len(wasm)} bytes, expected more of it. Copy or build it again."
        )
    return ComponentError(
        f"This is no valid component: {_reason(why)} Build it again, or check it with its maker."
    )


def _reason(why: str) -> str:
    lines = [line.strip() for line in why.splitlines() if line.strip() and line.strip() != "Caused by:"]
    text = re.sub(r"^\d+: ", "", lines[-1]) if lines else "the engine gave no reason"
    return text if text.endswith(".") else f"{text}."


def import_names(wasm: bytes) -> list[str]:
    """Return the names a component imports, as far as they can be read."""
    return _read_names(wasm)[0]


def _read_names(wasm: bytes) -> tuple[list[str], bool]:
    names: list[str] = []
    try:
        for section, start, end in _sections(wasm):
            if section == 10:
                names += _imports(wasm, start, end)
    except (IndexError, ValueError):
        return names, False
    return names, True


def _sections(wasm: bytes) -> Iterator[tuple[int, int, int]]:
    at = 8
    while at < len(wasm):
        section = wasm[at]
        size, start = _leb(wasm, at + 1)
        if start + size > len(wasm):
            raise ValueError("cut off")
        yield section, start, start + size
        at = start + size


def _imports(wasm: bytes, at: int, end: int) -> Iterator[str]:
    """Yield the name of the section's imports up to the first whose description is not understood."""
    count, at = _leb(wasm, at)
    for _ in range(min(count, end - at)):
        at += 1  # 0x00 or 0x01: a plain or versioned name
        size, at = _leb(wasm, at)
        yield wasm[at : at + size].decode("utf-8", "replace")
        sort, at = wasm[at + size], at + size + 1
        if sort == 0x00:
            at += 1
        elif sort in (0x02, 0x03) and wasm[at] in (0x00, 0x01):
            at += 1
            if sort == 0x03 and wasm[at - 1] == 0x01:
                continue
        _, at = _leb(wasm, at)


def _leb(wasm: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = wasm[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 35:
            raise ValueError("a number is too long")


_PLACE: Final = re.compile(r"-->\s*.*?:(\d+):(\d+)")


def wat_error(text: str, wat: str) -> CompileError:
    """Return the error for text that does not parse, at its line and column."""
    message = text.splitlines()[0].strip() if text else "it does not parse"
    match = _PLACE.search(text)
    line, column = (int(match[1]), int(match[2])) if match else (0, 0)
    lines = wat.splitlines()
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    diagnostic = Diagnostic(message, file="cell", line=line, column=column, text=source)
    return CompileError("The text is no WebAssembly.", language="wat", diagnostics=(diagnostic,), raw=text)
