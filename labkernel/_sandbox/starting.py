"""From grants to what the host process is told, and to the nearest `wasmtime run` line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from labkernel._capability import Budgets, Grants, Supplies
from labkernel._host import Start

__all__ = ["HOW_TO_GRANT", "denied_by", "start_of", "wasmtime_line"]

#: What to tell when an import that nobody stands behind is called, by the start of its name.
HOW_TO_GRANT: Final = (
    ("wasi:http/outgoing-handler", "Grant it with --http [METHOD:]HOST[:PORT]."),
    ("wasi:http/types", "Grant it with --http [METHOD:]HOST[:PORT]."),
    ("wasi:http/", "Outgoing HTTP can be granted, and nothing else of it."),
    ("wasi:clocks/", "It was denied with --clock deny; grant it with --clock real, fixed:T or step:D."),
    ("wasi:random/", "It was denied with --random deny; grant it with --random real or seed:N."),
    ("wasi:", "The lab has no such interface; build the component for WASI 0.2."),
    ("", "Nothing stands behind it: implement it in a %%host cell and grant that with --host NAME."),
)
_NO_SUPPLIES: Final = Supplies()


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
        disk_bytes=budgets.disk_bytes,
        hints=HOW_TO_GRANT,
        denied=tuple(denied_by(grants)),
        notebook=tuple(notebook),
    )


def denied_by(grants: Grants) -> Iterator[str]:
    """Yield the beginnings of the names of interfaces that are denied."""
    if grants.clock and grants.clock.mode == "deny":
        yield "wasi:clocks/"
    if grants.random and grants.random.mode == "deny":
        yield "wasi:random/"


def wasmtime_line(grants: Grants, budgets: Budgets, *, component: str, call: str) -> tuple[str, list[str]]:
    """Return the `wasmtime run` line nearest to these grants and budgets, and in what it differs."""
    words = ["wasmtime", "run"]
    for key, value in grants.env:
        words += ["--env", f"{key}={value}"]
    for folder in grants.dirs:
        words += ["--dir", f"{folder.host}::{folder.guest}"]
    if grants.net:
        words += ["-S", "inherit-network", "-S", "allow-ip-name-lookup"]
    if grants.http:
        words += ["-S", "http"]
    words += ["-W", f"timeout={budgets.timeout_s:g}s", "-W", f"max-memory-size={budgets.memory_bytes}"]
    if budgets.fuel:
        words += ["-W", f"fuel={budgets.fuel}"]
    words += ["--invoke", call, component, *grants.args]
    line = shlex.join(words)
    if grants.stdin:
        line = f"printf %s {shlex.quote(grants.stdin.decode('utf-8', 'replace'))} | {line}"
    return line, list(_differences(grants))


def _differences(grants: Grants) -> Iterator[str]:
    for folder in grants.dirs:
        if not folder.writable:
            yield f"wasmtime run makes {folder.guest} writable; here it is read-only"
    if grants.host:
        yield f"wasmtime run has nothing behind the imports of --host {', '.join(grants.host)}"
    if grants.net:
        yield "wasmtime run opens the whole network; here only what was granted"
    if grants.http:
        yield "wasmtime run sends requests to any host; here only to those granted"
    if grants.clock and grants.clock.mode != "real":
        yield f"wasmtime run has the machine's clocks; here --clock {grants.clock.text}"
    if grants.random and grants.random.mode != "real":
        yield f"wasmtime run has the machine's randomness; here --random {grants.random.text}"
