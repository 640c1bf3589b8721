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
from labkernel._errors import ToolchainMissing, UsageError
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
    "explain",
    "find_cargo",
    "find_rustc",
    "installed_toolchains",
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


def find_rustc(engine: str = "") -> Rustc:
    """Return the compiler, or that of a toolchain of rustup's (`1.90`, `nightly`) with `engine`.

    Raises `ToolchainMissing` where there is none.
    """
    if engine:
        return _of_rustup(engine)
    found = find_tool("rustc", language="rust", how=HOW_RUST)
    real = found.resolve()
    if real.name.startswith("rustup"):
        real = _behind_rustup(real)
    return Rustc(real, real.parent.parent)


def _rustup_home() -> Path:
    return Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")


def _installed(name: str) -> Path | None:
    """Return the compiler of the installed toolchain that a name means: itself, or its newest of that version."""
    toolchains = _rustup_home() / "toolchains"
    releases = [f for start in (f"{name}.*", f"{name}-[0-9]*") for f in toolchains.glob(start)]
    releases.sort(key=lambda f: [int(n) for n in re.findall(r"\d+", f.name)[:3]], reverse=True)
    fitting = [*sorted(toolchains.glob(f"{name}-[!0-9]*")), *releases]
    for folder in (toolchains / name, *fitting):
        if (folder / "bin" / "rustc").is_file():
            return (folder / "bin" / "rustc").resolve()
    return None


def installed_toolchains() -> list[str]:
    """Return the names of the toolchains that rustup has here."""
    folders = (_rustup_home() / "toolchains").glob("*")
    return sorted(folder.name for folder in folders if (folder / "bin" / "rustc").is_file())


def _of_rustup(engine: str) -> Rustc:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", engine):
        raise UsageError(
            f"--engine {engine!r} is no Rust toolchain; write for example 1.90, 1.90.0 or nightly."
        )
    path = _installed(engine)
    if path is None:
        known = installed_toolchains()
        detail = f"Installed are: {', '.join(known)}." if known else "rustup has none here."
        how = f"rustup toolchain install {engine} --target {TARGET}"
        raise ToolchainMissing(f"The Rust toolchain {engine}", language="rust", how=how, detail=detail)
    return Rustc(path, path.parent.parent)


def _behind_rustup(rustup: Path) -> Path:
    """Return the compiler that rustup would start, read from its settings (starting it costs 20 ms)."""
    home = _rustup_home()
    name = os.environ.get("RUSTUP_TOOLCHAIN") or ""
    if not name:
        try:
            settings = (home / "settings.toml").read_text(encoding="utf-8")
        except OSError:
            settings = ""
        found = re.search(r'^default_toolchain\s*=\s*"([^"]+)"', settings, re.MULTILINE)
        name = found[1] if found else "stable"
    installed = _installed(name)
    if installed is not None:
        return installed
    done = run([rustup.parent / "rustup", "which", "rustc"], cwd=home.parent, language="rust", how=HOW_RUST)
    path = Path(done.out.decode(errors="replace").strip())
    if done.code != 0 or not path.is_file():
        detail = f"rustup has no toolchain {name!r}."
        raise ToolchainMissing(
            "rustc", language="rust", how=f"rustup toolchain install {name}", detail=detail
        )
    return path.resolve()


def explain(rustc: Rustc, code: str) -> str | None:
    """Return what `rustc --explain` says of a code like `E0308`, or `None`."""
    if not re.fullmatch(r"E\d{4}", code):
        return None
    done = run(
        [rustc.path, "--explain", code],
        cwd=Path("/"),
        language="rust",
        limits=Limits(timeout_s=30),
        how=HOW_RUST,
    )
    return done.out.decode(errors="replace").strip() or None if done.code == 0 else None


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
