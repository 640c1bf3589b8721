"""Guests by what they were granted: one host process for each set of granted folders, each behind its own wall.

A wall only ever narrows, so a process cannot be given a folder later. Guests without folders share one process;
those with folders share one with guests of the very same folders. It knows no frames.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Final, TypeAlias

from labkernel._host.settings import Called, ColdRun, Fired, Loaded, Start, Started, Startups
from labkernel._host.supervisor import Supervisor

__all__ = ["Guests"]

_MOST: Final = 4
"""How many processes for granted folders live at once; the one used longest ago makes room."""
_APART: Final = 1_000_000
"""Generations of two processes never meet."""
_Key: TypeAlias = tuple[Any, ...]


class Guests(Supervisor):
    """A supervisor that hands an instance with granted folders to a supervisor of those folders."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._how = how
        self._homes: dict[_Key, Supervisor] = {}
        self._made = 0
        self._homes_lock = threading.Lock()

    def is_running(self, started: Started) -> bool:
        """Whether the instance's host process is the one it was started in."""
        home = self._home_of(started)
        return home is not None and home.pid is not None and home.generation == started.generation

    @property
    def pids(self) -> list[int]:
        """The numbers of all host processes of now."""
        return [each.pid for each in (*self._homes.values(), self) if each.pid is not None]

    def _home(self, start: Start) -> Supervisor | None:
        """Return the supervisor for a start, or `None` where this one will do."""
        dirs = [d for d in start.dirs if "\0" not in d[0] and not self.wall.holds(d[0], writable=d[2])]
        network = start.network and not self.wall.network
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
        return Supervisor(**{**self._how, "wall": wall, "generation": self._made * _APART})

    def _home_of(self, started: Started) -> Supervisor | None:
        """Return the supervisor an instance was started by, or `None` where its process has made room."""
        number = started.generation // _APART
        if number == 0:
            return self
        return next((each for each in self._homes.values() if each.generation // _APART == number), None)

    def instantiate(self, loaded: Loaded, start: Start, **how: Any) -> Started:
        """Start an instance; see `Supervisor.instantiate`."""
        home = self._home(start)
        return home.instantiate(loaded, start, **how) if home else super().instantiate(loaded, start, **how)

    def call(self, started: Started, function: str, args: list[Any], **how: Any) -> Called:
        """Call a function; see `Supervisor.call`."""
        home = self._home_of(started) or self
        if home is self:
            return super().call(started, function, args, **how)
        return home.call(started, function, args, **how)

    def fire(self, started: Started, function: str, events: list[list[Any]], **how: Any) -> Fired:
        """Call a function once per event; see `Supervisor.fire`."""
        home = self._home_of(started) or self
        if home is self:
            return super().fire(started, function, events, **how)
        return home.fire(started, function, events, **how)

    def cold(
        self, loaded: Loaded, start: Start, function: str, events: list[list[Any]], **how: Any
    ) -> ColdRun:
        """Call a function in fresh instances; see `Supervisor.cold`."""
        home = self._home(start)
        if home is None:
            return super().cold(loaded, start, function, events, **how)
        return home.cold(loaded, start, function, events, **how)

    def startups(self, code: Path, start: Start, function: str, args: list[Any], **how: Any) -> Startups:
        """Measure whole starts; see `Supervisor.startups`."""
        home = self._home(start)
        if home is None:
            return super().startups(code, start, function, args, **how)
        return home.startups(code, start, function, args, **how)

    def drop(self, started: Started) -> None:
        """End an instance; see `Supervisor.drop`."""
        home = self._home_of(started)
        if home is self:
            super().drop(started)
        elif home is not None:
            home.drop(started)

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
