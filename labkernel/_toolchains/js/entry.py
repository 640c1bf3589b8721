"""The modules around a cell: the guest's own, and the entry that joins them with one world.

This module knows no tool.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from labkernel._toolchains.js.names import JsWorld, camel
from labkernel._toolchains.js.shapes import world_shape
from labkernel._toolchains.js.tools import data

__all__ = [
    "CELL",
    "ENTRY",
    "HOST_IMPORTS",
    "PACKAGES",
    "VARIABLE",
    "cell_module",
    "entry_module",
    "guest_modules",
]

#: The environment variable that a development build carries its cell in (`VARIABLE` in `guest.js`).
VARIABLE: Final = "LABKERNEL_CELL"
ENTRY: Final = "entry.js"
CELL: Final = "cell.js"
PACKAGES: Final = "packages.js"
#: What the guest needs beside the world's own imports. The engine imports all but the second itself.
HOST_IMPORTS: Final = (
    "wasi:cli/environment",
    "wasi:random/random",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:clocks/monotonic-clock",
)
_GUEST: Final = ("guest.js", "values.js", "show.js", "trace.js", "promise.js", "web.js")


@functools.cache
def guest_modules() -> Mapping[str, str]:
    """Return the guest's own modules by file name."""
    return {name: data("guest", name) for name in _GUEST}


def entry_module(
    world: JsWorld, files: Iterable[tuple[str, str]], *, engine: str, wide: str, baked: bool, packages: bool
) -> str:
    """Return the module that the engine starts with.

    `files` is the WIT with the host's imports added, `wide` how the engine passes 64 bits (`values.js`).
    """
    text = "\n".join(content for _, content in files)
    host = {name.rpartition("-")[2].rpartition("/")[2]: _versioned(name, text) for name in HOST_IMPORTS}
    imported = [item.name for item in world.import_interfaces]
    lines = [f"import * as h_{name} from {json.dumps(full)};" for name, full in host.items()]
    lines += [f"import * as m{i} from {json.dumps(name)};" for i, name in enumerate(imported)]
    lines += ["import { Lab } from './guest.js';"]
    foreign = engine != "quickjs"
    own = [f.name for f in world.import_functions] if foreign else []
    lines += [f"import g{i} from {json.dumps(name)};" for i, name in enumerate(own)]
    if baked:
        lines.append(f"import cell from './{CELL}';")
    if packages:
        lines.append(f"import packages from './{PACKAGES}';")
    shape = world_shape(world)
    exports = shape.pop("exports")
    lines += [
        f"const lab = new Lab({{ {', '.join(f'{n}: h_{n}' for n in host)} }}, {json.dumps(shape)}, "
        f"{json.dumps({'wide': wide, 'foreign': foreign})});",
        f"lab.takeImports({_object(map(camel, own), 'g') if foreign else 'globalThis'}, {_object(imported, 'm')});",
        f"lab.packages = {'packages' if packages else '{}'};",
    ]
    if baked:
        lines.append("lab.take(cell);")
    lines += [*_exports(exports)]
    return "\n".join(lines) + "\n"


def _object(names: Iterable[str], lead: str) -> str:
    """Return an object of the imports numbered under `lead`."""
    return f"{{ {', '.join(f'{json.dumps(name)}: {lead}{i}' for i, name in enumerate(names))} }}"


def _versioned(name: str, text: str) -> str:
    """Return an interface's full id, with the version that a WIT text imports it by."""
    found = re.search(rf"\bimport {re.escape(name)}@([^;\s]+);", text)
    return f"{name}@{found[1]}" if found else name


def _exports(exports: list[dict[str, Any]]) -> Iterable[str]:
    names = []
    for i, each in enumerate(exports):
        name = json.dumps(each.pop("name"))
        if "sig" in each:
            yield f"const e{i} = lab.exportedFunction({name}, {json.dumps(each['sig'])});"
        else:
            yield f"const e{i} = lab.exportedInterface({name}, {json.dumps(each)});"
        names.append(f"e{i} as {json.loads(name)}")
    if names:
        yield f"export {{ {', '.join(names)} }};"


def cell_module(cell: Mapping[str, Any]) -> str:
    """Return a prepared cell as a module."""
    return f"export default {json.dumps(cell)};\n"
