"""Tab completion on the lab's lines: options, languages, worlds, components and instances."""

from __future__ import annotations

import re
from typing import Any, Final

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

from labkernel import _toolchains as toolchains
from labkernel._events import TEMPLATES
from labkernel._lab import Lab
from labkernel._magics import parsers
from labkernel._magics.line import MagicParser
from labkernel._magics.wasm import ACTIONS
from labkernel._values import suggest

__all__ = ["candidates", "complete_for", "wave_candidates"]

_FORMS = {"--clock": ("real", "deny", "fixed:", "step:"), "--random": ("real", "deny", "seed:")}
"""What the values of options begin with, where they are of few forms."""

_BEFORE_ALL_OTHERS: Final = 1000
_LINE: Final = re.compile(
    r"^\s*(?:[\w.]+\s*=\s*)?%%?(wit|wasm|host|instantiate|fire|timings)\b(.*)$", re.DOTALL
)
_PARSERS: Final[dict[tuple[str, bool], MagicParser]] = {
    ("wit", True): parsers.WIT,
    ("wit", False): parsers.WIT_LINE,
    ("wasm", True): parsers.WASM,
    ("wasm", False): parsers.WASM_LINE,
    ("host", True): parsers.HOST,
    ("instantiate", False): parsers.INSTANTIATE,
    ("fire", False): parsers.FIRE,
    ("fire", True): parsers.FIRE,
    ("timings", False): parsers.TIMINGS,
}


def candidates(line: str, lab: Lab) -> list[str]:
    """Return what may stand where the line ends; empty for lines that are none of the lab's."""
    match = _LINE.match(line)
    if match is None:
        return []
    magic, rest = match[1], match[2]
    is_cell = line.lstrip().partition(magic)[0].endswith("%%")
    parser = _PARSERS.get((magic, is_cell))
    if parser is None:
        return []
    before, current = _words(rest)
    if current.startswith("-"):
        return sorted(o for o in parser.options if o.startswith(current))
    return [c for c in _values(magic, is_cell, before, parser, lab) if c.startswith(current)]


def wave_candidates(text: str, lab: Lab) -> tuple[str, list[str]]:
    """Return the word a `%fire` call ends with, and what may stand in its place by the function's types."""
    match = re.match(r"^\s*(?:[\w.]+\s*=\s*)?%?%fire\s+(\S+)\s(.*)$", text, re.DOTALL)
    if match is None or re.search(r"(^|\s)--?[a-z-]*$", match[2]):
        return "", []
    return suggest(match[2], _functions(match[1], lab))


def _words(rest: str) -> tuple[list[str], str]:
    words = rest.split()
    if not rest or rest[-1].isspace():
        return words, ""
    return words[:-1], words[-1]


_WORDS: Final = {
    "--compiler": ["cranelift", "winch", "pulley"],
    "--baseline": ["process"],
    "--policy": ["cold", "warm", "pool:2", "keep-alive:1s"],
    "--arrival": ["constant", "poisson", "burst:10/1s", "trace:"],
}


def _values(magic: str, is_cell: bool, before: list[str], parser: MagicParser, lab: Lab) -> list[str]:
    last = before[-1] if before else ""
    if last == "--world":
        return [w for name, _, world in lab.worlds.all() for w in (name, world.name, world.full_name)]
    if last == "--host":
        return [*lab.hosts]
    if last == "--interface":
        return _imported(lab)
    if last in _WORDS:
        return _WORDS[last]
    plain = [w for w in before[: -1 if last == "--engine" else None] if not w.startswith("-")]
    if last == "--engine":
        language = plain[0] if plain else ""
        return toolchains.get(language).engines(lab.cache) if language in toolchains.languages() else []
    if last == "--language":
        return [*toolchains.languages()]
    if last in _FORMS:
        return list(_FORMS[last])
    if last == "--template":
        return [*TEMPLATES]
    action = parser.options.get(last)
    if action is not None and action.nargs != 0:
        return [str(c) for c in action.choices or ()]
    if magic == "wasm":
        return _wasm_values(is_cell, plain, lab)
    if magic == "wit":
        return (
            list(lab.worlds.packages)
            if plain[:1] == ["show"]
            else ([] if is_cell or plain else ["list", "show", "deps"])
        )
    if magic == "host":
        return []
    if magic == "fire" and plain:
        return _names(_functions(plain[0], lab)) if len(plain) == 1 else []
    return [*lab.builds] if magic == "instantiate" else list(dict.fromkeys([*lab.instances, *lab.builds]))


def _imported(lab: Lab) -> list[str]:
    """Return the interfaces that known worlds import, in short and in full."""
    names = [name for _, _, world in lab.worlds.all() for name in world.imported() if "/" in name]
    return [n for name in names for n in (name.partition("@")[0].rpartition("/")[2], name)]


def _wasm_values(is_cell: bool, plain: list[str], lab: Lab) -> list[str]:
    if is_cell or plain[:1] in (["new"], ["setup"]):
        return list(toolchains.languages()) if len(plain) == (0 if is_cell else 1) else []
    if plain[:1] == ["clean"]:
        return [
            f"{name}@{each}"
            for name, tool in toolchains.toolchains().items()
            for each in tool.kept(lab.cache)
        ]
    if plain[:1] in (["show"], ["save"]):
        return [*lab.builds]
    if plain[:1] in (["trace"], ["peek"]):
        return [*lab.instances]
    return [] if plain else list(ACTIONS)


def _functions(target: str, lab: Lab) -> list[Any]:
    known = lab.instances.get(target) or lab.builds.get(target)
    return list(known.functions) if known else []


def _names(functions: list[Any]) -> list[str]:
    """Return how functions can be named: in full, and plainly where that tells them apart."""
    plain = [f.name for f in functions]
    names = [*(name for name in plain if plain.count(name) == 1), *(f.full_name for f in functions)]
    return list(dict.fromkeys(names))


def complete_for(shell: InteractiveShell, lab: Lab) -> None:
    """Hook the lab's completion into a shell's completer."""
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return

    @context_matcher(identifier="labkernel", priority=_BEFORE_ALL_OTHERS)  # type: ignore[untyped-decorator]
    def matcher(_: CompletionContext) -> SimpleMatcherResult:
        """Return what may stand in place of the word before the cursor; nothing else is offered beside it."""
        line = completer.text_until_cursor or completer.line_buffer
        word, found = wave_candidates(line, lab)
        if not found:
            word, found = _words(line)[1], candidates(line.rpartition("\n")[2], lab)
        return {
            "completions": [SimpleCompletion(each, type="labkernel") for each in found],
            "matched_fragment": word,
            "suppress": bool(found),
        }

    completer.custom_matchers.append(matcher)
