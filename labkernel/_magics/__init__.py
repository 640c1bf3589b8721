"""The magics: they parse a line, call the lab and show what came of it. Only here: IPython."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

from labkernel._lab import Lab
from labkernel._magics.complete import complete_for
from labkernel._magics.fire import FireMagics
from labkernel._magics.host import HostMagics
from labkernel._magics.show import Screen
from labkernel._magics.timings import TimingMagics
from labkernel._magics.wasm import WasmMagics
from labkernel._magics.wit import WitMagics

__all__ = ["load", "unload"]

_loaded: dict[int, tuple[Lab, Screen]] = {}


def load(shell: InteractiveShell) -> Lab:
    """Register the magics with a shell and return its lab; a second time gives the same lab."""
    known = _loaded.get(id(shell))
    if known:
        return known[0]
    screen = Screen(shell)
    lab = Lab(progress=screen.progress, on_output=screen.output)
    for magics in (WitMagics, WasmMagics, FireMagics, HostMagics, TimingMagics):
        shell.register_magics(magics(shell, lab, screen))
    screen.register()
    complete_for(shell, lab)
    lab.warm()
    _loaded[id(shell)] = lab, screen
    return lab


def unload(shell: InteractiveShell) -> None:
    """Close a shell's lab and take its formatters back."""
    lab, screen = _loaded.pop(id(shell), (None, None))
    if lab is not None and screen is not None:
        screen.unregister()
        lab.close()
        for kind, names in {
            "line": ("wit", "wasm", "check", "instantiate", "fire", "timings"),
            "cell": ("wit", "wasm", "fire", "host"),
        }.items():
            for name in names:
                shell.magics_manager.magics[kind].pop(name, None)
