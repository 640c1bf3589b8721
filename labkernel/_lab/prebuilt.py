"""What was made before, found by its source alone: for a machine where the tool that made it is missing.

A cache entry's key holds the versions of tools, which cannot be told where the tools are missing. So each entry
is also remembered under the key of its source. Wheels carry a folder of the lessons' own entries, which
`export` fills; from there they enter the cache when they are asked for.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from labkernel._cache import Cache
from labkernel._errors import CacheDamaged

__all__ = ["FOLDER", "Sources"]

#: The folder that wheels carry.
FOLDER: Final = Path(__file__).parent.parent / "_prebuilt"
_KIND: Final = "source"
_SUFFIXES: Final = ("", ".json")


class Sources:
    """From the key of a source to the key of the cache entry that was made of it."""

    def __init__(self, cache: Cache, folder: Path | None = None) -> None:
        self._cache, self._folder = cache, folder or FOLDER

    def remember(self, source: str, key: str) -> None:
        """Remember that the entry `key` was made of `source`."""
        self._cache.put(_KIND, source, key.encode())

    def find(self, kind: str, source: str) -> str | None:
        """Return the key of the entry made of this source, or `None`."""
        with contextlib.suppress(CacheDamaged):
            key = self._cache.read(_KIND, source)
            if key is not None:
                return key.decode()
        carried = [(suffix, self._folder / f"{kind}-{source}{suffix or '.wasm'}") for suffix in _SUFFIXES]
        if not carried[-1][1].is_file():
            return None
        for suffix, path in carried:
            if path.is_file():
                self._cache.put(kind, source, path.read_bytes(), suffix)
        return source

    def export(self, folder: Path, sources: Iterable[tuple[str, str]]) -> int:
        """Copy the entries made of these sources, given as (kind, source), into a folder; return how many files."""
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for kind, source in sources:
            key = self.find(kind, source)
            for suffix in _SUFFIXES if key else ():
                data = self._cache.read(kind, str(key), suffix)
                if data is not None:
                    data = _without_paths(data) if suffix == ".json" else data
                    (folder / f"{kind}-{source}{suffix or '.wasm'}").write_bytes(data)
                    count += 1
        return count


def _without_paths(facts: bytes) -> bytes:
    """Return a record without what only means something on the machine that made it."""
    kept = {name: value for name, value in json.loads(facts).items() if name not in ("commands", "raw")}
    return json.dumps({**kept, "commands": [], "raw": ""} if "digest" in kept else kept).encode()
