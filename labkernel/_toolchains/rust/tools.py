"""Rust's tools on this machine: where rustc is, what it is, whether it has the target, the prebuilt wit-
bindgen.

This module knows no cell and no world.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import ToolchainMissing
from labkernel._toolchains.base import identity_of
from labkernel._toolchains.process import Limits, find_tool, run

__all__ = [
    "HOW_RUST",
    "HOW_SETUP",
    "MINIMUM",
    "TARGET",
    "Rustc",
    "add_target",
    "check_minimum",
    "find_cargo",
    "find_rustc",
]

TARGET: Final = "wasm32-wasip2"
#: What the crates that cells are built against declare as their minimum; this lab was run with 1.95.
MINIMUM: Final = (1, 88)
HOW_RUST: Final = "https://rustup.rs (curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh)"
HOW_SETUP: Final = "labkernel setup rust"


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

    def host(self, cache: Cache) -> str:
        """Return the target triple of this machine."""
        found = re.search(r"^host: (\S+)", self.verbose_version(cache), re.MULTILINE)
        return found[1] if found else ""

    def version(self, cache: Cache) -> str:
        """Return the release, like `1.95.0`."""
        found = re.search(r"^release: (\S+)", self.verbose_version(cache), re.MULTILINE)
        return found[1] if found else "unknown"


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


def find_cargo(rustc: Rustc) -> Path:
    """Return the cargo beside the compiler, or the one on PATH."""
    beside = rustc.path.parent / "cargo"
    return beside if beside.is_file() else find_tool("cargo", language="rust", how=HOW_RUST)
