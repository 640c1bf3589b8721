"""wit-bindgen, built once for each compiler, so that a cell costs one run of rustc and no Cargo project.

The package in `prelude/` pins it by a lock file. What is kept of the build are the libraries for WebAssembly and for
this machine, and the macros that the compiler loads. This module knows no cell and no world.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, ToolchainMissing
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.rust.tools import HOW_SETUP, TARGET, Rustc, check_minimum, find_cargo
from labkernel._toolchains.zig import HOW_ZIG, zig_binary

__all__ = [
    "WIT_BINDGEN",
    "Prebuilt",
    "Progress",
    "build_prebuilt",
    "find_prebuilt",
    "linker",
    "needs_linker",
]

WIT_BINDGEN: Final = "0.63.0"
_KIND: Final = "toolchain"
_FORM: Final = "rust prelude 2"
_FILES: Final = ("Cargo.toml", "Cargo.lock", "lib.rs")
_CRATES: Final = 34
_TOLD: Final = ("Compiling", "Downloaded", "Downloading")


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """The folder with the libraries (`target/`, `native/`) and the macros (`host/`)."""

    folder: Path

    def arguments(self, *, is_native: bool = False) -> list[str]:
        """Return what tells rustc about them, for WebAssembly or for this machine."""
        folder = self.folder / ("native" if is_native else "target")
        library = next(folder.glob("libwit_bindgen-*.rlib"))
        return [
            "--extern", f"wit_bindgen={library}",
            "-L", f"dependency={folder}", "-L", f"dependency={self.folder / 'host'}",
        ]  # fmt: skip


def _text(name: str) -> bytes:
    return resources.files(__package__).joinpath("prelude", name).read_bytes()


def _key(rustc: Rustc, cache: Cache) -> str:
    return key_of(_FORM, rustc.verbose_version(cache), *map(_text, _FILES))


def find_prebuilt(rustc: Rustc, cache: Cache) -> Prebuilt | None:
    """Return what was built for this compiler, or `None`."""
    found = cache.get(_KIND, _key(rustc, cache))
    return Prebuilt(found) if found else None


def build_prebuilt(rustc: Rustc, cache: Cache, progress: Callable[[str], None], *, offline: bool) -> Prebuilt:
    """Build wit-bindgen for this compiler (half a minute to two), or return what is there."""
    check_minimum(rustc, cache)
    key = _key(rustc, cache)
    with cache.folder(_KIND, key) as (folder, is_new):
        if is_new:
            work = cache.scratch()
            try:
                _build(rustc, rustc.host(cache), work, progress, offline=offline)
                _collect(work / "out", rustc.host(cache), folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return Prebuilt(cache.path(_KIND, key))


def _build(rustc: Rustc, host: str, work: Path, progress: Callable[[str], None], *, offline: bool) -> None:
    """Run cargo: offline first, since the crates may be there, then with the network unless that is off."""
    for name in _FILES:
        (work / name).write_bytes(_text(name))
    targets = [part for target in (TARGET, host) for part in ("--target", target)]
    command: list[str | Path] = [
        find_cargo(rustc),
        "build",
        "--release",
        *targets,
        "--locked",
        "--ignore-rust-version",
    ]
    env = {
        "RUSTC": str(rustc.path), "CARGO_TARGET_DIR": str(work / "out"), "CARGO_TERM_COLOR": "never",
        "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS": "-Cembed-bitcode=yes", **linker(host, work),
    }  # fmt: skip

    def cargo(*further: str, online: bool = False) -> Finished:
        return run(
            [*command, *further], cwd=work, language="rust", env=env, limits=Limits(timeout_s=1800), online=online,
            on_line=Progress(progress, "wit-bindgen for Rust", _CRATES),
        )  # fmt: skip

    done = cargo("--offline")
    if done.code != 0 and not offline and re.search(r"offline|download|registry", done.text):
        done = cargo(online=True)
    if done.code != 0:
        raise _failure(done, offline=offline)


class Progress:
    """Turns cargo's lines into the lab's: what is made, which crate, how many so far."""

    def __init__(self, tell: Callable[[str], None], what: str, total: int) -> None:
        self._tell, self._what, self._total, self._count = tell, what, total, 0

    def __call__(self, line: str) -> None:
        """Tell a line of cargo's error stream."""
        words = line.split()
        if len(words) > 1 and words[0] in _TOLD and not words[1].startswith("labkernel"):
            self._count += words[0] == "Compiling"
            far = f" ({min(self._count, self._total)} of {self._total})" if self._total else ""
            self._tell(f"{self._what}: {words[0].lower()} {words[1]}{far}")


def linker(host: str, work: Path) -> dict[str, str]:
    """Return what lets zig link the macros, on a machine without a C compiler."""
    zig = zig_binary()
    if shutil.which("cc") or zig is None:
        return {}
    script = work / "cc"
    script.write_text(f'#!/bin/sh\nexec "{zig}" cc "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    cache = str(work / "zig")
    name = host.upper().replace("-", "_")
    return {
        f"CARGO_TARGET_{name}_LINKER": str(script), "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache,
    }  # fmt: skip


def needs_linker(said: str) -> ToolchainMissing | None:
    """Return the error for a machine that links no macros, if that is what cargo said."""
    if "linker `cc` not found" not in said:
        return None
    how = f"your system's package of gcc or clang, or {HOW_ZIG}"
    return ToolchainMissing("A C linker", language="rust", how=how)


def _failure(done: Finished, *, offline: bool) -> CompileError | ToolchainMissing:
    unlinked = needs_linker(done.text)
    if unlinked is not None:
        return unlinked
    if offline and "offline" in done.text:
        detail = "Its crates are not on this machine and fetching is off."
        how = f"{HOW_SETUP} (once, with a network)"
        return ToolchainMissing("wit-bindgen", language="rust", how=how, detail=detail)
    return CompileError("wit-bindgen does not build with this rustc.", language="rust", raw=done.text)


def _collect(out: Path, host: str, folder: Path) -> None:
    """Keep the libraries and the macros."""
    for name, target in (("target", TARGET), ("native", host)):
        (folder / name).mkdir()
        for file in (out / target / "release" / "deps").glob("*.rlib"):
            if "labkernel" not in file.name:
                shutil.copy2(file, folder / name)
    (folder / "host").mkdir()
    for pattern in ("*.so", "*.dylib", "*.dll"):
        for file in (out / "release" / "deps").glob(pattern):
            shutil.copy2(file, folder / "host")
