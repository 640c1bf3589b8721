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

__all__ = ["WIT_BINDGEN", "Prebuilt", "build_prebuilt", "find_prebuilt"]

WIT_BINDGEN: Final = "0.63.0"
_KIND: Final = "toolchain"
_FORM: Final = "rust prelude 2"
_FILES: Final = ("Cargo.toml", "Cargo.lock", "lib.rs")
_CRATES: Final = 34


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
        "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS": "-Cembed-bitcode=yes", **_linker(host, work),
    }  # fmt: skip

    def cargo(*further: str, online: bool = False) -> Finished:
        return run(
            [*command, *further], cwd=work, language="rust", env=env, limits=Limits(timeout_s=1800), online=online,
            on_line=_Progress(progress),
        )  # fmt: skip

    done = cargo("--offline")
    if done.code != 0 and not offline and re.search(r"offline|download|registry", done.text):
        done = cargo(online=True)
    if done.code != 0:
        raise _failure(done, offline=offline)


class _Progress:
    """Turns cargo's lines into the lab's: which crate, how many so far."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._count = tell, 0

    def __call__(self, line: str) -> None:
        words = line.split()
        if len(words) > 1 and words[0] in ("Compiling", "Downloaded", "Downloading"):
            self._count += words[0] == "Compiling"
            self._tell(f"wit-bindgen for Rust: {words[0].lower()} {words[1]} ({self._count} of {_CRATES})")


def _linker(host: str, work: Path) -> dict[str, str]:
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


def _failure(done: Finished, *, offline: bool) -> CompileError | ToolchainMissing:
    if "linker `cc` not found" in done.text:
        how = f"your system's package of gcc or clang, or {HOW_ZIG}"
        return ToolchainMissing("A C linker", language="rust", how=how)
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
