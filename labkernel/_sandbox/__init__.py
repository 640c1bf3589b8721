"""From grants to what the engine is told, and what that leaves standing behind each import.

It knows the interfaces of WASI 0.2 and what the engine does with each; it starts nothing itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from labkernel._capability import Budgets, Grants, Standing, Supplies
from labkernel._errors import CapabilityDenied, ComponentError
from labkernel._host import Start
from labkernel._sandbox.answering import HostCalls
from labkernel._sandbox.contract import Slot, class_name, slots_of
from labkernel._sandbox.implementation import HostImplementation, import_of
from labkernel._wit import Function, Interface, World

__all__ = [
    "HostCalls",
    "HostImplementation",
    "Slot",
    "class_name",
    "import_of",
    "refuse_other_wasi",
    "refuse_ungranted",
    "slots_of",
    "standings",
    "start_of",
    "wasmtime_line",
]

#: What to tell when an import that nobody stands behind is called, by the start of its name.
HOW_TO_GRANT: Final = (
    ("wasi:http/", "Outgoing HTTP is not granted, and this version has no option that grants it."),
    ("wasi:sockets/", "Sockets are not granted, and this version has no option that grants them."),
    ("wasi:", "The lab has no such interface; build the component for WASI 0.2."),
    ("", "Nothing stands behind it: implement it in a %%host cell and grant that with --host NAME."),
)
_NO_SUPPLIES: Final = Supplies()
_NOBODY: Final[Mapping[str, str]] = {}
_SOCKETS: Final = "refused at the call: no network is granted"


def start_of(
    grants: Grants, budgets: Budgets, supplies: Supplies = _NO_SUPPLIES, *, notebook: Iterable[str] = ()
) -> Start:
    """Return how the host process is to start an instance with these grants and budgets.

    A variable that is both granted and supplied has the supplied value; `notebook` names the imports that a
    `%%host` cell stands behind.
    """
    supplied = {name for name, _ in supplies.env}
    return Start(
        env=(*(pair for pair in grants.env if pair[0] not in supplied), *supplies.env),
        args=grants.args,
        stdin=grants.stdin,
        dirs=(
            *((d.host, d.guest, d.writable) for d in grants.dirs),
            *((host, guest, False) for host, guest in supplies.dirs),
        ),
        memory_bytes=budgets.memory_bytes,
        table_elements=budgets.table_elements,
        instances=budgets.instances,
        output_bytes=budgets.output_bytes,
        fuel=budgets.fuel,
        timeout_s=budgets.timeout_s,
        hints=HOW_TO_GRANT,
        notebook=tuple(notebook),
    )


def standings(world: World, grants: Grants, behind: Mapping[str, str] = _NOBODY) -> list[Standing]:
    """Say of each import of a component what stands behind it under these grants.

    `behind` maps imports to the `%%host` implementations that were granted for them.
    """
    return [_standing(item, grants, behind) for item in world.imports]


def _standing(item: Function | Interface, grants: Grants, behind: Mapping[str, str]) -> Standing:
    name = item.name
    if name in behind:
        return Standing(name, "granted", f"granted by the notebook's {behind[name]}")
    if isinstance(item, Interface) and not item.functions:
        return Standing(name, "types", "types only: nothing can be called")
    if not name.startswith("wasi:"):
        return Standing(name, "refused", "traps at the call", "--host NAME, once a %%host cell implements it")
    interface = name.partition("@")[0].removeprefix("wasi:")
    version = name.partition("@")[2]
    if version and not version.startswith("0.2."):
        return Standing(name, "refused", f"WASI {version}: this lab runs WASI 0.2")
    return _wasi_standing(name, interface, grants)


def _wasi_standing(name: str, interface: str, grants: Grants) -> Standing:
    package = interface.partition("/")[0]
    if interface == "cli/environment":
        words = _count(len(grants.env), "variable") + ", " + _count(len(grants.args), "argument")
        given = bool(grants.env or grants.args)
        return Standing(name, "granted" if given else "empty", words, "--env NAME=VALUE, --arg TEXT")
    if interface == "cli/stdin":
        words = f"{len(grants.stdin)} bytes" if grants.stdin else "at its end"
        return Standing(name, "granted" if grants.stdin else "empty", words, "--stdin TEXT")
    if package == "filesystem":
        words = (
            ", ".join(f"{d.guest} ({'rw' if d.writable else 'ro'})" for d in grants.dirs) or "no directory"
        )
        return Standing(name, "granted" if grants.dirs else "empty", words, "--dir HOST::GUEST[:rw]")
    if package == "sockets":
        return Standing(name, "refused", _SOCKETS)
    if package == "http":
        return Standing(name, "refused", "traps at the call: no host is granted")
    if package in ("clocks", "random"):
        option = "clock" if package == "clocks" else "random"
        named = getattr(grants, option)
        words = "the machine's" if named else "the machine's, as runtimes need it to start"
        return Standing(name, "granted" if named else "real", words, f"--{option} real")
    if interface in ("cli/stdout", "cli/stderr"):
        return Standing(name, "captured", "shown under the cell, up to the output budget")
    if interface.startswith("cli/terminal"):
        return Standing(name, "empty", "no terminal")
    if interface == "cli/exit":
        return Standing(name, "real", "ends the guest, and nothing else")
    if package == "io":
        return Standing(name, "real", "what other interfaces read, write and wait with")
    return Standing(name, "real", "as the engine has it")


def refuse_other_wasi(world: World) -> None:
    """Refuse a component that asks for another WASI than 0.2, by the names of what it asks for.

    Raises `ComponentError`.
    """
    other = [name for name in world.imported() if name.startswith("wasi:") and not _is_wasi_02(name)]
    if other:
        raise ComponentError(
            f"The component asks for {', '.join(other)}, expected WASI 0.2: this lab does not run WASI 0.3 yet. "
            "Build it for a 0.2 world."
        )


def _is_wasi_02(name: str) -> bool:
    version = name.partition("@")[2]
    return not version or version.startswith("0.2.")


def _count(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'' if n == 1 else 's'}"


def refuse_ungranted(world: World, grants: Grants, behind: Mapping[str, str] = _NOBODY) -> None:
    """Under `--strict`, refuse every import that was not granted by name.

    Types, captured output and plumbing (`wasi:io`, `wasi:cli/exit`) give no access and need no grant.

    Raises `CapabilityDenied` that lists all of them with the options that grant them.
    """
    if not grants.strict:
        return
    missing = [s for s in standings(world, grants, behind) if s.state not in ("granted", "types", "captured")]
    missing = [s for s in missing if not s.import_name.startswith(("wasi:io/", "wasi:cli/exit"))]
    missing = [s for s in missing if not s.import_name.startswith("wasi:cli/terminal")]
    if missing:
        lines = [
            f"  {s.import_name}: {s.how_to_grant or 'cannot be granted in this version'}" for s in missing
        ]
        raise CapabilityDenied(
            f"--strict refuses {len(missing)} imports that were not granted by name:\n"
            + "\n".join(lines)
            + "\nGrant each, or leave --strict out.",
            import_name=missing[0].import_name,
            how_to_grant=missing[0].how_to_grant,
        )


def wasmtime_line(grants: Grants, budgets: Budgets, *, component: str, call: str) -> tuple[str, list[str]]:
    """Return the `wasmtime run` line nearest to these grants and budgets, and in what it differs."""
    words = ["wasmtime", "run"]
    notes = []
    for key, value in grants.env:
        words += ["--env", f"{key}={value}"]
    for folder in grants.dirs:
        words += ["--dir", f"{folder.host}::{folder.guest}"]
        if not folder.writable:
            notes.append(f"wasmtime run makes {folder.guest} writable; here it is read-only")
    if grants.host:
        notes.append(f"wasmtime run has nothing behind the imports of --host {', '.join(grants.host)}")
    words += ["-W", f"timeout={budgets.timeout_s:g}s", "-W", f"max-memory-size={budgets.memory_bytes}"]
    if budgets.fuel:
        words += ["-W", f"fuel={budgets.fuel}"]
    words += ["--invoke", call, component, *grants.args]
    line = shlex.join(words)
    if grants.stdin:
        line = f"printf %s {shlex.quote(grants.stdin.decode('utf-8', 'replace'))} | {line}"
    return line, notes
