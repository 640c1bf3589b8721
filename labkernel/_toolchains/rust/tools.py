"""Rust's tools on this machine: where rustc is, what it is, whether it has the target, the prebuilt wit-
bindgen.

This module knows no cell and no world.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, ToolchainMissing
from labkernel._toolchains.base import identity_of
from labkernel._toolchains.process import Limits, find_tool, run

__all__ = [
    "HOW_RUST", "HOW_SETUP", "MINIMUM", "TARGET", "WIT_BINDGEN", "Prelude", "Rustc", "add_target",
    "build_prelude", "check_minimum", "find_prelude", "find_rustc",
]  # fmt: skip

TARGET: Final = "wasm32-wasip2"
#: What the crates of the prelude declare as their minimum.
MINIMUM: Final = (1, 88)
HOW_RUST: Final = "https://rustup.rs (curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh)"
HOW_SETUP: Final = "labkernel setup rust"
WIT_BINDGEN: Final = "0.63.0"
_KIND: Final = "toolchain"
_FILES: Final = ("Cargo.toml", "Cargo.lock", "lib.rs")
_CRATES: Final = 34


@dataclass(frozen=True, slots=True)
class Rustc:
    """The compiler itself (not rustup's stand-in), and the folder of its toolchain."""

    path: Path
    sysroot: Path

    @property
    def identity(self) -> str:
        """What changes with the compiler, found without starting it."""
        return identity_of(self.path, self.sysroot / "lib")

    @property
    def has_target(self) -> bool:
        """Whether the standard library for WebAssembly is there."""
        return (self.sysroot / "lib" / "rustlib" / TARGET / "lib").is_dir()

    def verbose_version(self, cache: Cache) -> str:
        """Return what `rustc -vV` prints; asked once per compiler."""
        key = key_of("rustc -vV", self.identity)
        kept = cache.get("versions", key)
        if kept is not None:
            return kept.read_text(encoding="utf-8")
        done = run(
            [self.path, "-vV"], cwd=Path("/"), language="rust", limits=Limits(timeout_s=30), how=HOW_RUST
        )
        if done.code != 0:
            raise ToolchainMissing("rustc", language="rust", how=HOW_RUST, detail=done.text.strip()[:300])
        return cache.put("versions", key, done.out).read_text(encoding="utf-8")

    def version(self, cache: Cache) -> str:
        """Return the release, like `1.95.0`."""
        found = re.search(r"^release: (\S+)", self.verbose_version(cache), re.MULTILINE)
        return found[1] if found else "unknown"


@dataclass(frozen=True, slots=True)
class Prelude:
    """The prebuilt wit-bindgen: its library and the folders where its dependencies and its macro are."""

    folder: Path

    @property
    def library(self) -> Path:
        """The library that cells are compiled against."""
        return next((self.folder / "target").glob("libwit_bindgen-*.rlib"))

    def arguments(self) -> list[str]:
        """Return what tells rustc about it."""
        return [
            "--extern", f"wit_bindgen={self.library}",
            "-L", f"dependency={self.folder / 'target'}", "-L", f"dependency={self.folder / 'host'}",
        ]  # fmt: skip


def find_rustc() -> Rustc:
    """Return the compiler; raise `ToolchainMissing` where there is none."""
    found = find_tool("rustc", language="rust", how=HOW_RUST)
    real = found.resolve()
    if real.name.startswith("rustup"):
        real = _behind_rustup(real)
    return Rustc(real, real.parent.parent)


def _behind_rustup(rustup: Path) -> Path:
    """Return the compiler that rustup would start, read from its settings (starting it costs 20 ms)."""
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    name = os.environ.get("RUSTUP_TOOLCHAIN") or ""
    if not name:
        try:
            settings = (home / "settings.toml").read_text(encoding="utf-8")
        except OSError:
            settings = ""
        found = re.search(r'^default_toolchain\s*=\s*"([^"]+)"', settings, re.MULTILINE)
        name = found[1] if found else "stable"
    for folder in (home / "toolchains" / name, *sorted((home / "toolchains").glob(f"{name}-*"))):
        if (folder / "bin" / "rustc").is_file():
            return (folder / "bin" / "rustc").resolve()
    done = run([rustup.parent / "rustup", "which", "rustc"], cwd=home.parent, language="rust", how=HOW_RUST)
    path = Path(done.out.decode(errors="replace").strip())
    if done.code != 0 or not path.is_file():
        detail = f"rustup has no toolchain {name!r}."
        raise ToolchainMissing(
            "rustc", language="rust", how=f"rustup toolchain install {name}", detail=detail
        )
    return path.resolve()


def _prelude_text(name: str) -> bytes:
    return resources.files(__package__).joinpath("prelude", name).read_bytes()


def _prelude_key(rustc: Rustc, cache: Cache) -> str:
    return key_of("rust prelude", rustc.verbose_version(cache), *map(_prelude_text, _FILES))


def find_prelude(rustc: Rustc, cache: Cache) -> Prelude | None:
    """Return the prebuilt wit-bindgen for this compiler, or `None`."""
    found = cache.get(_KIND, _prelude_key(rustc, cache))
    return Prelude(found) if found else None


def build_prelude(rustc: Rustc, cache: Cache, progress: Callable[[str], None], *, offline: bool) -> Prelude:
    """Build wit-bindgen for this compiler (one to three minutes), or return the one that is there."""
    check_minimum(rustc, cache)
    key = _prelude_key(rustc, cache)
    with cache.folder(_KIND, key) as (folder, is_new):
        if is_new:
            work = cache.scratch()
            try:
                _cargo_build(rustc, work, progress, offline=offline)
                _collect(work / "out", folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return Prelude(cache.path(_KIND, key))


def add_target(rustc: Rustc) -> None:
    """Let rustup add the target; raise `ToolchainMissing` where there is no rustup."""
    rustup = find_tool("rustup", language="rust", how=HOW_RUST)
    toolchain = rustc.sysroot.name
    command: list[str | Path] = [rustup, "target", "add", TARGET, "--toolchain", toolchain]
    done = run(command, cwd=Path.home(), language="rust", limits=Limits(timeout_s=900), online=True)
    if done.code != 0 or not rustc.has_target:
        detail = done.text.strip()[-300:]
        raise ToolchainMissing(
            f"The Rust target {TARGET}", language="rust", how=f"rustup target add {TARGET}", detail=detail
        )


def check_minimum(rustc: Rustc, cache: Cache) -> None:
    """Raise `ToolchainMissing` for a compiler that is too old."""
    release = rustc.version(cache)
    numbers = tuple(int(n) for n in re.findall(r"\d+", release)[:2])
    if numbers and numbers < MINIMUM:
        detail = f"The rustc here is {release}."
        raise ToolchainMissing(
            f"rustc {MINIMUM[0]}.{MINIMUM[1]} or newer", language="rust", how="rustup update", detail=detail
        )


def _cargo_build(rustc: Rustc, work: Path, progress: Callable[[str], None], *, offline: bool) -> None:
    for name in _FILES:
        (work / name).write_bytes(_prelude_text(name))
    command: list[str | Path] = [
        _cargo(rustc),
        "build",
        "--release",
        "--target",
        TARGET,
        "--locked",
        "--ignore-rust-version",
    ]
    env = {
        "RUSTC": str(rustc.path), "CARGO_TARGET_DIR": str(work / "out"), "CARGO_TERM_COLOR": "never",
        "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS": "-Cembed-bitcode=yes",
    }  # fmt: skip
    counted = 0

    def tell(line: str) -> None:
        nonlocal counted
        words = line.split()
        if len(words) > 1 and words[0] in ("Compiling", "Downloaded", "Downloading"):
            counted += words[0] == "Compiling"
            progress(f"wit-bindgen for Rust: {words[0].lower()} {words[1]} ({counted} of {_CRATES})")

    limits = Limits(timeout_s=1800)
    done = run([*command, "--offline"], cwd=work, language="rust", env=env, limits=limits, on_line=tell)
    if done.code != 0 and not offline and re.search(r"offline|download|registry", done.text):
        counted = 0
        done = run(command, cwd=work, language="rust", env=env, limits=limits, online=True, on_line=tell)
    if done.code != 0:
        if offline and "offline" in done.text:
            detail = "Its crates are not on this machine and fetching is off."
            raise ToolchainMissing(
                "wit-bindgen", language="rust", how=f"{HOW_SETUP} (once, with a network)", detail=detail
            )
        raise CompileError("wit-bindgen does not build with this rustc.", language="rust", raw=done.text)


def _cargo(rustc: Rustc) -> Path:
    beside = rustc.path.parent / "cargo"
    return beside if beside.is_file() else find_tool("cargo", language="rust", how=HOW_RUST)


def _collect(out: Path, folder: Path) -> None:
    """Keep the libraries for the target and the macros for the host."""
    (folder / "target").mkdir()
    (folder / "host").mkdir()
    for file in (out / TARGET / "release" / "deps").glob("*.rlib"):
        if "labkernel" not in file.name:
            shutil.copy2(file, folder / "target")
    for pattern in ("*.so", "*.dylib", "*.dll"):
        for file in (out / "release" / "deps").glob(pattern):
            shutil.copy2(file, folder / "host")
