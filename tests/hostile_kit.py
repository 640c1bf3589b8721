"""What every attack of the gallery is checked with: the lab, its kernel's variables, a bystander, and what is left.

An attack is a function that is expected to end in one error, on time. Afterwards the same process holds the same
variables, another instance goes on counting, and no process, thread or file is left over.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from host_guests import WASI
from hostile_guests import FILES

from labkernel._cache import Cache, default_root
from labkernel._errors import LabError
from labkernel._lab import Build, Instance, Lab

__all__ = ["RUN", "Arena", "own_cache", "plain_string"]

E = TypeVar("E", bound=LabError)
RUN = "package hostile:attack@0.1.0;\nworld attack { export run: func(n: u32) -> u32; }"
"""The world of attacks in C and Rust."""
_SLACK_S = 1.0


def plain_string(address: str, size: str, core: str = "") -> str:
    """Return text of a component whose `f` returns a string at any address and of any size."""
    return f"""(component
  (core module $m (memory (export "m") 1) {core} (func (export "f") (result i32)
    (i32.store (i32.const 8) {address}) (i32.store (i32.const 12) {size}) (i32.const 8)))
  (core instance $i (instantiate $m))
  (func (export "f") (result string) (canon lift (core func $i "f") (memory (core memory $i "m")))))"""


def own_cache(root: Path) -> Cache:
    """Return an empty cache, but for what `labkernel setup` has prepared in the user's own: that takes minutes."""
    root.mkdir(parents=True)
    for prepared in ("toolchain", "toolbox", "versions"):
        if (default_root() / prepared).is_dir():
            (root / prepared).symlink_to(default_root() / prepared)
    return Cache(root)


class Arena:
    """A lab with a bystander, in a folder of its own; only what `labkernel setup` prepared is the user's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.lab = Lab(cache=own_cache(folder / "cache"), on_output=lambda _, text: self.said.append(text))
        self.lab.build("wat", WASI, name="wasi")
        self.lab.build("wat", FILES, name="files")
        self.lab.fire("files", "mkdir", args=["nothing"], dirs=[f"{self._made('empty')}::/data"])
        self.bystander = self.lab.instantiate("wasi", name="bystander")
        self.variables: dict[str, Any] = {"kept": ["kept"], "pid": os.getpid()}
        self.count = self.bystander.count()
        self._left = self._leftovers()

    def _made(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir(exist_ok=True)
        return made

    def wat(self, text: str, name: str = "attack") -> Build:
        """Build an attack from text."""
        return self.lab.build("wat", text, name=name)

    def build(self, language: str, text: str, **options: Any) -> Build:
        """Build an attack in another language, for the world `RUN`."""
        if "attack" not in self.lab.worlds.packages:
            self.lab.wit(RUN, name="attack")
        return self.lab.build(language, text, name="attack", world="attack", **options)

    def start(self, build: Build | str, **given: Any) -> Instance:
        """Start an attack with these grants and budgets."""
        return self.lab.instantiate(build, name="attacker", **given)

    def fails(self, kind: type[E], act: Callable[[], object], *, within_s: float = 5.0, match: str = "") -> E:
        """Return the error in which the attack ends: of this very class, on time, with these words in it.

        On time is the budget and a second, and more where other processes keep the processors busy.
        """
        began = time.monotonic()
        with pytest.raises(LabError) as caught:
            act()
        took, error = time.monotonic() - began, caught.value
        busy = os.getloadavg()[0] / (os.cpu_count() or 1)
        assert took < within_s + _SLACK_S * max(1.0, busy), f"it took {took:.1f} s"
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        assert match in str(error), f"{match!r} is not in {error}"
        return error  # type: ignore[return-value]

    def is_well(self, *, same_process: bool = True) -> None:
        """Check what every attack must leave as it was."""
        assert self.variables == {"kept": ["kept"], "pid": os.getpid()}
        if same_process:
            self.count += 1
            assert self.bystander.count() == self.count
        else:
            self.count = self.bystander.count()
        assert self.lab.fire("files", "unlink", args=["nothing"]).normal != 1000
        deadline = time.monotonic() + 2.0
        while (left := self._leftovers()) != self._left and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == self._left

    def _leftovers(self) -> dict[str, object]:
        children = {p.pid for p in psutil.Process().children(recursive=True)}
        temporary = self.lab.cache.root / "tmp"
        return {
            "processes": len(children - {*self.lab.guests.pids, self.lab.tools.pid}),
            "threads": sorted(t.name for t in threading.enumerate() if t.name.startswith("labkernel")),
            "files": sorted(os.listdir(temporary)) if temporary.is_dir() else [],
            "folders": sorted(n for n in os.listdir(tempfile.gettempdir()) if n.startswith("labkernel-")),
        }

    def close(self) -> None:
        """End the lab."""
        self.lab.close()
