"""The toolbox's messages as the errors of the lab, with the line they are about and the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from labkernel._errors import ComponentError, Diagnostic, GuestTrap, WitError, did_you_mean
from labkernel._wit import PRIMITIVES

__all__ = ["component_error", "panic", "refused", "wit_error"]

_ABSENT: Final = re.compile(r"^[A-Za-z ]*[`']([^`']+)[`'] (?:does not exist|is not one that|not found)")
_PANIC: Final = re.compile(r"panicked at [^\n]*\n([^\n]+)")
_KEYWORDS: Final = r"type|record|variant|enum|flags|resource|interface|world|as"
_DECLARED: Final = re.compile(rf"\b(?:{_KEYWORDS})\s+%?([a-zA-Z][\w-]*)")
_USED: Final = re.compile(r"\.\s*\{([^}]*)\}")


def wit_error(summary: str, diagnostics: Iterable[Any], texts: Mapping[str, str]) -> WitError:
    """Return the error for the toolbox's diagnostics about texts, given by path."""
    return WitError(summary, [_placed(Diagnostic(**_fields(d)), texts) for d in diagnostics])


def component_error(summary: str, diagnostics: Iterable[Any]) -> ComponentError:
    """Return the error for the toolbox's diagnostics about bytes."""
    made = [Diagnostic(**_fields(d)) for d in diagnostics]
    details = "; ".join(f"{d.message} ({d.hint})" if d.hint else d.message for d in made)
    return ComponentError(f"{summary}: {details}.")


def panic(error: GuestTrap) -> str:
    """Return the reason that a generator printed when it gave up, in one line."""
    found = _PANIC.search(error.output)
    return f"its generator gave up ({found[1].strip()})." if found else f"its generator gave up ({error})."


def refused(refusal: Any) -> ComponentError:
    """Return the error for the reason why bytes are no component for this lab."""
    kind, value = refusal
    match kind:
        case "not-wasm":
            return ComponentError(f"This is not a component: it is {value}. Give a .wasm file of WASI 0.2.")
        case "core-module":
            imports = f", which imports from {', '.join(value)}" if value else ""
            return ComponentError(
                f"This is a core module{imports}, and not a component. Make one of it with "
                "`wasm-tools component new`, or build it for wasm32-wasip2."
            )
        case "wit-package":
            return ComponentError(
                "This is a WIT package in binary form: types without code. Give a component."
            )
        case "needs-async":
            return ComponentError(
                f"This component needs async WASI 0.3 ({value}), and the lab runs WASI 0.2. "
                "Build it for WASI 0.2 (the target wasm32-wasip2)."
            )
        case _:
            return ComponentError(f"This component does not validate: {value}. Build it anew.")


def _fields(diagnostic: Any) -> dict[str, Any]:
    names = ("message", "file", "line", "column", "end_column", "hint")
    return dict(zip(names, diagnostic, strict=True))


def _placed(diagnostic: Diagnostic, texts: Mapping[str, str]) -> Diagnostic:
    lines = texts.get(diagnostic.file, "").split("\n")
    text = lines[diagnostic.line - 1].rstrip("\r") if 0 < diagnostic.line <= len(lines) else ""
    hints = (_nearest(diagnostic, texts), diagnostic.hint)
    return replace(diagnostic, text=text[:500], hint=" ".join(filter(None, hints)))


def _nearest(diagnostic: Diagnostic, texts: Mapping[str, str]) -> str:
    absent = _ABSENT.match(diagnostic.message)
    if absent is None:
        return ""
    text = texts.get(diagnostic.file, "")
    used = [name for group in _USED.findall(text) for name in re.findall(r"[a-zA-Z][\w-]*", group)]
    hinted = re.findall(r"[a-z][\w:-]*", diagnostic.hint)
    word = absent[1]
    known = {*_DECLARED.findall(text), *used, *hinted, *PRIMITIVES} - {word}
    return did_you_mean(word, sorted(known)).lstrip()
