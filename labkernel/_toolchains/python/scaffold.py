"""The app of a world: a module with the classes that the runtime looks for, and a plan of what fills them.

Which classes these are is read off the generated bindings. This module knows no tool.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, Final

from labkernel._errors import CompileError
from labkernel._toolchains.python.names import Export, camel, exports_of, short, snake, split_resource
from labkernel._toolchains.python.plan import answer_types, imports_of
from labkernel._wit import World

__all__ = ["COMMON", "app_of"]

#: Modules that a development runtime has loaded already, since cells use them and loading takes time.
_COMMON_WORDS: Final = """
    base64 bisect calendar cmath collections collections.abc configparser contextlib copy csv dataclasses
    datetime decimal difflib enum fnmatch fractions functools hashlib heapq hmac html io ipaddress itertools
    json logging math operator os pathlib pprint random re secrets shlex statistics string struct tempfile
    textwrap time traceback types typing unicodedata urllib.parse uuid zlib
"""
COMMON: Final = tuple(_COMMON_WORDS.split())
_APP: Final = '''"""The classes of the world {world}, which `prepare` fills."""

import json
import os

from labkernel._toolchains.python.guest.loading import prepare
{classes}

folder = os.path.dirname(__file__)
with open(os.path.join(folder, "plan.json")) as file:
    prepare(globals(), json.load(file), folder)
'''


def app_of(world: World, generated: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the app's text and the plan of what it exports and imports.

    Raises `CompileError` when the bindings have no place for an export.
    """
    places = _Places(generated)
    plan: list[dict[str, Any]] = []
    for export in exports_of(world):
        kind, method = places.of(export)
        plan.append(
            {
                "class": kind,
                "method": method,
                "kind": export.kind,
                "names": list(export.candidates),
                "unwrap": export.unwraps,
                "wit": export.function.text,
                "types": answer_types(export),
            }
        )
    names = sorted({entry["class"] for entry in plan if not entry["kind"]})
    classes = "".join(f"\n\nclass {name}:\n    pass\n" for name in names)
    return _APP.format(world=world.full_name, classes=classes), {
        "exports": plan,
        "imports": imports_of(world),
    }


class _Places:
    """Which class and method of the generated bindings stands for an exported function."""

    def __init__(self, generated: Mapping[str, str]) -> None:
        self._world = _protocols(generated.get("wit_world/__init__.py", ""))
        self._interfaces = _protocols(generated.get("wit_world/exports/__init__.py", ""))
        lead = "wit_world/exports/"
        self._modules = {
            name.removeprefix(lead).removesuffix(".py"): _protocols(text)
            for name, text in generated.items()
            if name.startswith(lead) and not name.endswith("__init__.py")
        }

    def of(self, export: Export) -> tuple[str, str]:
        """Return class and method; for a function of a resource, the class with its module before it."""
        function = export.function
        method = snake(function.name)
        if export.kind:
            kind, method = camel(split_resource(function.name)[1]), export.name.rpartition(".")[2]
            homes = [home for home in _modules_of(function.interface) if home in self._modules]
            found = [f"{home}.{kind}" for home in homes if method in self._modules[home].get(kind, ())]
        elif not function.interface:
            found = [name for name, methods in self._world.items() if method in methods]
        else:
            wanted = export.candidates[0].partition(".")[0]
            found = [
                name for name, methods in self._interfaces.items() if name == wanted and method in methods
            ]
        if len(found) != 1:
            raise CompileError(
                f"componentize-py leaves {function.full_name} out. Where its interface is written inside of the "
                "world, declare it beside the world: interface NAME { ... }, and in the world: export NAME.",
                language="python",
            )
        return found[0], method


def _modules_of(interface: str) -> list[str]:
    """Return the names that the generated module of an interface may have, the usual one first."""
    whole = (interface, interface.partition("@")[0])
    return list(
        dict.fromkeys([snake(short(interface)), *(snake(re.sub(r"[^\w-]", "-", name)) for name in whole)])
    )


def _protocols(text: str) -> dict[str, set[str]]:
    """Return the classes of a module that declare functions, with the names of these."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") == "Protocol" for b in node.bases):
            found[node.name] = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
    return found
