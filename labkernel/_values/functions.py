"""Which exported function a word means: `handle`, `ns:pkg/iface@1.0.0#func`, `iface#func`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labkernel._errors import UsageError
from labkernel._wit import Function

__all__ = ["find_function", "listing"]


def find_function(word: str, functions: Sequence[Function]) -> Function | None:
    """Return the function that `word` means, or `None`. Raises `UsageError` if it could be several.

    >>> f = Function("get", interface="wasi:keyvalue/store@0.2.0")
    >>> [find_function(word, [f]) is f for word in ("get", "store#get", "wasi:keyvalue/store#get")]
    [True, True, True]
    """
    for function in functions:
        if function.full_name == word:
            return function
    for spelling in dict.fromkeys((word, word.replace("_", "-"))):
        found = [f for f in functions if spelling in _spellings(f)]
        if len(found) > 1:
            names = " or ".join(f.full_name for f in found)
            raise UsageError(f"{word!r} could be several functions. Write {names}.")
        if found:
            return found[0]
    return None


def listing(functions: Sequence[Function]) -> str:
    """Return the functions of a target in words, with signatures."""
    if not functions:
        return "the target exports none"
    shown = [f"{f.interface}#{f.text}" if f.interface else f.text for f in functions]
    return f"functions: {'; '.join(shown)}" if len(shown) > 1 else f"the only function is {shown[0]}"


def _spellings(function: Function) -> Iterator[str]:
    """Yield every way to name a function. wasm-wave writes `ns:pkg/iface.func@1.0.0`."""
    name, interface = function.name, function.interface
    yield name
    if not interface:
        return
    path, _, version = interface.partition("@")
    for owner in (path, path.rpartition("/")[2]):
        yield f"{owner}#{name}"
        yield f"{owner}.{name}"
    if version:
        yield f"{path}@{version}.{name}"
        yield f"{path}.{name}@{version}"
