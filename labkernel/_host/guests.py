"""Guests by what they were granted: one host process for each set of granted folders, each behind its own wall.

A wall only ever narrows, so a process cannot be given a folder later. Guests without folders share one process;
those with folders share one with guests of the very same folders. It knows no frames.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Final, TypeAlias

from labkernel._host.policy import Ledger
from labkernel._host.settings import Called, ColdRun, Fired, Loaded, Start, Started, Startups
from labkernel._host.supervisor import Supervisor

__all__ = ["Guests"]

_MOST: Final = 4
"""How many processes for granted folders live at once; the one used longest ago makes room."""
_APART: Final = 1_000_000
_BESIDE: Final = 10_000
"""Generations of two processes never meet."""
_Key: TypeAlias = tuple[Any, ...]


class Guests(Supervisor):
    """A supervisor that hands an instance with granted folders to a supervisor of those folders."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._how = how
        self._homes: dict[_Key, Supervisor] = {}
        self._made = self._others = 0
        self._latest: Supervisor = self
        self._homes_lock = threading.Lock()

    def is_running(self, started: Started) -> bool:
        """Whether the instance's host process is the one it was started in."""
        home = self._home_of(started)
        return home is not None and home.pid is not None and home.generation == started.generation

    def pid_of(self, started: Started) -> int | None:
        """Return the number of the host process of an instance."""
        home = self._home_of(started)
        return None if home is None else home.pid

    @property
    def pids(self) -> list[int]:
        """The numbers of all host processes of now."""
        return [each.pid for each in (*self._homes.values(), self) if each.pid is not None]

    def host_of(self, start: Start) -> Supervisor:
        """Return the supervisor that starts instances with these grants: this one, or one behind their own wall."""
        return self._home(start) or self

    def another(self, name: str) -> Guests:
        """Return another supervisor of the same kind, for guests that are to run at the same time as these."""
        self._others += 1  # what was loaded here is never taken for what another loaded, by the same number
        return Guests(**{**self._how, "name": name, "generation": self._others * _BESIDE})

    def _home(self, start: Start) -> Supervisor | None:
        """Return the supervisor for a start, or `None` where this one will do."""
        dirs = [d for d in start.dirs if "\0" not in d[0] and not self.wall.holds(d[0], writable=d[2])]
        network = (start.network or start.http) and not self.wall.network
        if not dirs and not network:
            return None
        key = (network, *sorted((str(Path(host).resolve()), *_identity(host), rw) for host, _, rw in dirs))
        with self._homes_lock:
            home = self._homes.pop(key, None) or self._new_home(dirs, network=network)
            self._homes[key] = home
            surplus = [self._homes.pop(next(iter(self._homes))) for _ in range(len(self._homes) - _MOST)]
        for each in surplus:
            each.close()
        return home

    def _new_home(self, dirs: list[tuple[str, str, bool]], *, network: bool) -> Supervisor:
        wall = self.wall.with_more(
            [host for host, _, writable in dirs if not writable],
            [host for host, _, writable in dirs if writable],
            network=network,
        )
        self._made += 1
        home = Supervisor(**{**self._how, "wall": wall, "generation": self._made * _APART})
        home._serving = self._serving  # a guest's call into the notebook reaches none of the others' either
        return home

    def _home_of(self, started: Started) -> Supervisor | None:
        """Return the supervisor an instance was started by, or `None` where its process has made room."""
        number = started.generation // _APART
        if number == 0:
            return self
        return next((each for each in self._homes.values() if each.generation // _APART == number), None)

    def instantiate(self, loaded: Loaded, start: Start, **how: Any) -> Started:
        """Start an instance; see `Supervisor.instantiate`."""
        self._latest = home = self._home(start) or self
        return Supervisor.instantiate(home, loaded, start, **how)

    def _at(self, started: Started) -> Supervisor:
        """Return the supervisor to ask about an instance; this one knows what to say where its process is gone."""
        return self._home_of(started) or self

    def call(self, started: Started, function: str, args: list[Any], **how: Any) -> Called:
        """Call a function; see `Supervisor.call`."""
        return Supervisor.call(self._at(started), started, function, args, **how)

    def fire(self, started: Started, function: str, events: list[list[Any]], **how: Any) -> Fired:
        """Call a function once per event; see `Supervisor.fire`."""
        return Supervisor.fire(self._at(started), started, function, events, **how)

    def release(self, started: Started, handle: int, resource: str, **how: Any) -> None:
        """Drop a resource that the guest made; see `Supervisor.release`."""
        Supervisor.release(self._at(started), started, handle, resource, **how)

    def ledger(self, started: Started | None) -> Ledger:
        """Return what the membrane of an instance has seen; see `Supervisor.ledger`."""
        return Supervisor.ledger(self._latest if started is None else self._at(started), started)

    def cold(
        self, loaded: Loaded, start: Start, function: str, events: list[list[Any]], **how: Any
    ) -> ColdRun:
        """Call a function in fresh instances; see `Supervisor.cold`."""
        return Supervisor.cold(self._home(start) or self, loaded, start, function, events, **how)

    def startups(self, code: Path, start: Start, function: str, args: list[Any], **how: Any) -> Startups:
        """Measure whole starts; see `Supervisor.startups`."""
        return Supervisor.startups(self._home(start) or self, code, start, function, args, **how)

    def peek(self, started: Started, wanted: bytes, *, most: int) -> list[list[Any]]:
        """Look into an instance's memory; see `Supervisor.peek`."""
        home = self._home_of(started) or self
        if home is self:
            return super().peek(started, wanted, most=most)
        return home.peek(started, wanted, most=most)

    def drop(self, started: Started) -> None:
        """End an instance; see `Supervisor.drop`. One whose process has made room is gone already."""
        home = self._home_of(started)
        if home is not None:
            Supervisor.drop(home, started)

    def close(self) -> None:
        """End all processes."""
        with self._homes_lock:
            homes, self._homes = list(self._homes.values()), {}
        for each in homes:
            each.close()
        super().close()


def _identity(path: str) -> tuple[int, int]:
    """A folder that was removed and made again is another one: no wall of the old one lets it through."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
