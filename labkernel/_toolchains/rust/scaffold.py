"""The crate root around a cell: bindings, the names the cell counts on, the impls it leaves out, the export.

A cell may implement the generated trait under its own name or an older one, be only functions, or bring
`generate!` and `export!` itself. The cell stays in a file of its own, so that the compiler's positions are
the cell's. This module knows no tool.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

from labkernel._toolchains.rust.names import RustWorld, camel, ident
from labkernel._toolchains.rust.source import Cell, MacroCall, blank, mask, position
from labkernel._wit import Function, Interface

__all__ = ["COMPONENT", "Scaffold", "scaffold"]

#: The type that labkernel implements the traits for where the cell has none.
COMPONENT: Final = "LabkernelComponent"
#: Options of `generate!` that labkernel gives itself; a call with only these is replaced.
_COMMON_OPTIONS: Final = frozenset({"world", "path", "exports", "generate_all"})
_DROPPED_OPTIONS: Final = frozenset({"path", "exports", "debug"})
_OPTION: Final = re.compile(r"\b(\w+)\s*(?=[:,}\s]|$)")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The files of the crate, what the root's lines stand for, the type that is exported (`target`), the module of the
    bindings (`prefix`).

    `functions` maps a line of the root to the function and the trait's key it serves; `origins` maps a line
    of the root to the cell's line it was taken from.
    """

    root: str
    cell: str
    files: tuple[tuple[str, str], ...] = ()
    functions: dict[int, tuple[str, Function]] = field(default_factory=dict)
    origins: dict[int, int] = field(default_factory=dict)
    target: str = ""
    prefix: str = ""

    @property
    def has_own_bindings(self) -> bool:
        """Whether the cell makes its bindings itself."""
        return not any("wit_bindgen::generate!" in text for text in (self.root, *dict(self.files).values()))


class _Root:
    """The lines of the root as they are written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.functions: dict[int, tuple[str, Function]] = {}
        self.origins: dict[int, int] = {}

    def add(self, line: str) -> None:
        self.lines.append(line)


def scaffold(cell: Cell, world: RustWorld, cell_file: str) -> Scaffold:
    """Return the crate around a cell."""
    root = _Root()
    text = _hoist(cell, root)
    own = [m for m in cell.macros if m.name == "generate" and m.path != "macro_rules"]
    text, brings_bindings = _replace_bindings(text, cell, own)
    files: tuple[tuple[str, str], ...] = ()
    if "bindings" in cell.items and re.search(r"\bmod\s+bindings\s*;", cell.masked):
        world = RustWorld(world.world, world.package, prefix="bindings::", export_prefix=world.export_prefix)
        files = (("bindings.rs", generate_call(world, public=True)),)
    elif not brings_bindings:
        root.add(generate_call(world))
    if any(m.depth > 0 for m in own) and brings_bindings:
        root.add(f'include!("{cell_file}");')
        return Scaffold("\n".join(root.lines) + "\n", text, (), {}, root.origins)
    _add_names(root, cell, world)
    root.add(f'include!("{cell_file}");')
    target = _add_exports(root, cell, world)
    return Scaffold(
        "\n".join(root.lines) + "\n", text, files, root.functions, root.origins, target, world.prefix
    )


def generate_call(world: RustWorld, *, public: bool = False) -> str:
    """Return the macro call that makes the bindings."""
    extra = ' pub_export_macro: true, default_bindings_module: "bindings",' if public else ""
    extra += f' export_prefix: "{world.export_prefix}",' if world.export_prefix else ""
    name = json.dumps(world.world.full_name)
    return f'wit_bindgen::generate!({{ world: {name}, path: "wit",{extra} generate_all }});'


def _hoist(cell: Cell, root: _Root) -> str:
    """Move `#![..]` to the root, where the compiler wants it, and turn `//!` into a plain comment."""
    text = cell.text
    for start, end in cell.inner_attributes():
        first = position(text, start)[0]
        for offset, line in enumerate(text[start:end].split("\n")):
            root.add(line.rstrip("\r"))
            root.origins[len(root.lines)] = first + offset
        text = blank(text, start, end)
    code = re.search(r"\S", mask(text))
    head = text[: code.start()] if code else text
    head = re.sub(r"^(\s*)//!", r"\1// ", head, flags=re.MULTILINE)
    return re.sub(r"^(\s*)/\*!", r"\1/* ", head, flags=re.MULTILINE) + text[len(head) :]


def _replace_bindings(text: str, cell: Cell, own: list[MacroCall]) -> tuple[str, bool]:
    """Blank the cell's `generate!` where labkernel's does the same; otherwise drop the options about places.

    Return the text and whether the cell brings its bindings itself.
    """
    brings = False
    for call in own:
        options = set(_OPTION.findall(_top_level(cell.masked[call.inside : call.end - 1])))
        if call.depth == 0 and options <= _COMMON_OPTIONS | {"in"}:
            end = call.end + len(cell.masked[call.end :]) - len(cell.masked[call.end :].lstrip())
            text = blank(text, call.start, end + 1 if cell.masked[end : end + 1] == ";" else call.end)
        else:
            brings = True
            for name in _DROPPED_OPTIONS & options:
                text = _drop_option(text, cell.masked, call, name)
    return text, brings


def _top_level(masked: str) -> str:
    """Return an option list without what is nested in its values, with only the names of its entries."""
    inner = masked.strip()
    if inner.startswith("{"):
        inner = inner[1:].rpartition("}")[0]
    elif '"' in inner:
        return "in"
    kept, depth = [], 0
    for char in inner:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char not in ")]}":
            kept.append(char)
    return "\n".join(entry.partition(":")[0] for entry in "".join(kept).split(","))


def _drop_option(text: str, masked: str, call: MacroCall, name: str) -> str:
    found = re.compile(rf"\b{name}\s*:").search(masked, call.inside, call.end)
    if found is None:
        return text
    at, depth = found.end(), 0
    while at < call.end - 1:
        if masked[at] == "," and depth == 0:
            at += 1
            break
        depth += (masked[at] in "([{") - (masked[at] in ")]}")
        if depth < 0:
            break
        at += 1
    return blank(text, found.start(), at)


def _add_names(root: _Root, cell: Cell, world: RustWorld) -> None:
    """Add what cells count on: older trait names, types and modules of interfaces, older export macros."""
    used = {i.trait for i in cell.impls}
    for alias, key in world.aliases().items():
        if alias in used and alias not in cell.items:
            root.add(f"#[allow(unused_imports)] use {world.trait(key)} as {alias};")
    exported = {i.name for i in world.interfaces}
    imported = [i for i in world.world.imports if isinstance(i, Interface)]
    for interface in world.interfaces:
        _add_types(root, cell, world, interface)
    for interface in (*world.interfaces, *imported):
        module = world.module(interface.name, exported=interface.name in exported)
        name = module.rpartition("::")[2]
        is_used = re.search(rf"(?<![\w:])\s*{name}\s*::", cell.masked)
        if is_used and "::" in module and not _declares(cell, name) and not _has_line(root, name):
            root.add(f"#[allow(unused_imports)] use crate::{module} as {name};")
    for macro in cell.macros:
        if re.fullmatch(r"export_\w+", macro.path) and macro.path not in cell.own_macros:
            root.add(
                f"macro_rules! {macro.path} {{ ($($t:tt)*) => {{ crate::{world.prefix}export!($($t)*); }} }}"
            )


def _declares(cell: Cell, name: str) -> bool:
    """Whether the cell itself gives a name to something, by an item or by `use`."""
    named = re.compile(rf"(?:^|[:{{, ]){name}(?:[}},]|$|::\{{(?:[^}}]*,)?self\b)")
    return name in cell.items or any(named.search(use) for use in cell.uses)


def _has_line(root: _Root, name: str) -> bool:
    return any(line.endswith(f" as {name};") for line in root.lines)


def _add_types(root: _Root, cell: Cell, world: RustWorld, interface: Interface) -> None:
    """Bring those types of an exported interface into scope that the cell uses and that mean one thing."""
    names = {camel(t.name) for t in interface.types if world.is_visible(camel(t.name))}
    names -= {camel(t.name) for t in world.world.types}
    if world.required() == [interface.name]:
        names.add("Guest")
    used = sorted(name for name in names if cell.mentions(name) and not _declares(cell, name))
    if used:
        module = world.module(interface.name, exported=True)
        root.add(f"#[allow(unused_imports)] use crate::{module}::{{{', '.join(used)}}};")


def _add_exports(root: _Root, cell: Cell, world: RustWorld) -> str:
    """Write the impls that the cell leaves to free functions, and the export; return the type they are for."""
    owners = {key: i.type for i in cell.impls for key in [_key_of(i.trait, cell, world)] if key is not None}
    exports = [
        m for m in cell.macros if re.match(r"export(_\w+)?$", m.name) and m.name not in cell.own_macros
    ]
    macro = next(iter(exports), None)
    given = re.match(r"\s*((?:\w+\s*::\s*)*\w+)", cell.masked[macro.inside : macro.end]) if macro else None
    types = set(owners.values())
    if given is not None:
        target = given[1]
    elif len(types) == 1:
        target = next(iter(types))
    else:
        target = COMPONENT
    if "::" not in target and target not in cell.items and not any(target in use for use in cell.uses):
        root.add(f"struct {target};")
    for key in world.required():
        if owners.get(key) != target:
            _add_impl(root, cell, world, key, target, owners.get(key))
    if macro is None and world.required():
        within = f" with_types_in {world.prefix.removesuffix('::')}" if world.prefix else ""
        root.add(f"{world.prefix}export!({target}{within});")
    return target


def _key_of(trait: str, cell: Cell, world: RustWorld) -> str | None:
    """Return which of the world's traits an `impl` names, or `None`."""
    required = world.required()
    if trait in world.aliases() and trait not in cell.items:
        return world.aliases()[trait]
    for key in required:
        if key and (
            ("::" + world.trait(key)).endswith("::" + trait.removeprefix("crate::")) and "::" in trait
        ):
            return key
        module = world.module(key, exported=True) if key else ""
        if key and any(_use_names(use, module, trait) for use in cell.uses):
            return key
    if trait.rpartition("::")[2] != "Guest":
        return None
    if "" in required:
        return ""
    return required[0] if len(required) == 1 else None


def _use_names(use: str, module: str, trait: str) -> bool:
    """Whether `use module::Guest [as trait];` or its form in braces gives the name to the module's trait."""
    short = "::".join(module.split("::")[-2:])
    found = re.search(rf"{re.escape(short)}::(?:Guest|\{{(?:[^}}]*,)?Guest)(?: as (\w+))?(?:[,}}]|$)", use)
    return found is not None and (found[1] or "Guest") == trait


def _add_impl(root: _Root, cell: Cell, world: RustWorld, key: str, target: str, owner: str | None) -> None:
    """Write `impl TRAIT for TARGET`, each function on a line of its own that calls the cell's."""
    root.add(f"impl crate::{world.trait(key)} for {target} {{")
    if world.can_delegate(key):
        for function in world.functions_of(key):
            root.add(f"    {_delegate(cell, world, key, function, owner)}")
            root.functions[len(root.lines)] = (key, function)
    root.add("}")


def _delegate(cell: Cell, world: RustWorld, key: str, function: Function, owner: str | None) -> str:
    signature = world.signature(function, absolute=True)
    name = signature[3:].partition("(")[0]
    raw = f"r#{name.removesuffix('_')}"
    called = f"<{owner} as crate::{world.trait(key)}>::{name}" if owner else name
    if owner is None and name not in cell.functions and raw in cell.functions:
        called = raw
    arguments = ", ".join(ident(p.name) for p in function.params)
    called = called if owner else f"crate::{called}"
    return f"{signature} {{ {called}({arguments}) }}"
