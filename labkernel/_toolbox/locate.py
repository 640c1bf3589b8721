"""Where the toolbox component is, and making it from source where it is nowhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from labkernel._cache import Cache
from labkernel._errors import LabError, ToolchainMissing
from labkernel._toolbox import cargo

__all__ = ["build_toolbox", "crate_folder", "find_toolbox"]

_BUNDLED: Final = Path(__file__).with_name("toolbox.wasm")
_KIND: Final = "toolbox"


def crate_folder() -> Path | None:
    """Return the folder of the toolbox's sources, or `None` where the lab was installed without them."""
    folder = Path(__file__).parents[2] / "toolbox"
    return folder if (folder / "Cargo.toml").is_file() else None


def find_toolbox(cache: Cache | None = None) -> Path | None:
    """Return the path of the toolbox component, or `None` where it has yet to be built.

    Looked for in this order: the file that `LABKERNEL_TOOLBOX` names, the one that wheels carry, the one that
    was built from these very sources, in the given cache or the user's own.
    """
    given = os.environ.get("LABKERNEL_TOOLBOX")
    if given:
        path = Path(given).expanduser()
        if not path.is_file():
            raise LabError(f"LABKERNEL_TOOLBOX names {given!r}, which is no file. Correct it, or unset it.")
        return path
    if _BUNDLED.is_file():
        return _BUNDLED
    crate = crate_folder()
    if crate is None:
        return None
    key = _digest(crate)
    places = (each.get(_KIND, key, ".wasm") for each in (cache, Cache()) if each is not None)
    return next((place for place in places if place is not None), None)


def build_toolbox(progress: Callable[[str], None], *, cache: Cache | None = None) -> Path:
    """Build the toolbox from source unless it is there, and return its path.

    `progress` gets a line every two seconds. Takes minutes once, seconds after a change of the sources.
    Raises `ToolchainMissing` without sources or without Rust, `LabError` when cargo fails. An interrupt ends
    cargo and all it started.
    """
    cache = cache or Cache()
    found = find_toolbox(cache)
    if found is not None:
        return found
    crate = crate_folder()
    if crate is None:
        raise ToolchainMissing(
            "The toolbox component",
            how="pip install --force-reinstall --only-binary :all: labkernel",
            detail="This installation has neither the component nor its sources.",
        )
    key = _digest(crate)
    with cache.building(_KIND, key):
        found = cache.get(_KIND, key, ".wasm")
        return found or cache.put(_KIND, key, _build(crate, progress).read_bytes(), ".wasm")


def _build(crate: Path, progress: Callable[[str], None]) -> Path:
    progress("building the toolbox, once: about three minutes")
    try:
        return cargo.build(crate, crate / "target", progress)
    except cargo.CargoMissing as error:
        tool, how = error.args
        detail = "The toolbox is built with it, once."
        raise ToolchainMissing(tool, language="the toolbox", how=how, detail=detail) from None
    except cargo.CargoFailed as error:
        raise LabError(f"cargo could not build the toolbox. The end of what it printed:\n{error}") from None


def _digest(crate: Path) -> str:
    """Return a key that changes with any file the component is built from."""
    state = hashlib.sha256()
    files = [crate / name for name in ("Cargo.toml", "Cargo.lock", "build.rs")]
    files += [*sorted((crate / "src").glob("*.rs")), crate.parent / "wit" / "toolbox.wit"]
    for file in files:
        data = file.read_bytes() if file.is_file() else b""
        state.update(f"{file.name}:{len(data)}:".encode() + data)
    return state.hexdigest()
