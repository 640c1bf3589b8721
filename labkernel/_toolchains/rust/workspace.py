"""The crates of a cell, built once for each set and compiler, so that a cell with them stays one run of rustc.

cargo fetches with the network and runs nothing of the crates; then it builds without, behind the wall: build
scripts and macros read the crates' sources and write the build's folder, within time and memory. What is kept
is the lock file and the libraries. This module knows no cell and no world.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CacheDamaged, CompileError, UsageError
from labkernel._toolchains.base import Context
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.rust import crates
from labkernel._toolchains.rust.crates import ROOT, Wanted
from labkernel._toolchains.rust.prebuilt import Progress, linker, needs_linker
from labkernel._toolchains.rust.tools import HOW_RUST, TARGET, Rustc, find_cargo
from labkernel._toolchains.zig import zig_binary

__all__ = ["NONE", "Crates", "ready"]

_FORM: Final = "rust crates 1"
_KIND: Final = "crates"
#: Lock files are small and stay: the same words mean the same crates until the whole cache is emptied.
_LOCKS: Final = "toolchain"
_LEAST_S: Final = 900.0
_FACTS: Final = "crates.json"


@dataclass(frozen=True, slots=True)
class Crates:
    """Built crates: their folder (`None` for none), `externs` (name in Rust, file), versions of those asked for."""

    folder: Path | None = None
    externs: tuple[tuple[str, str], ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    def arguments(self) -> list[str]:
        """Return what tells rustc about them."""
        if self.folder is None:
            return []
        externs = [
            part for name, file in self.externs for part in ("--extern", f"{name}={self.folder / file}")
        ]
        return [
            *externs,
            "-L",
            f"dependency={self.folder / 'target'}",
            "-L",
            f"dependency={self.folder / 'host'}",
        ]

    def files(self) -> dict[str, str]:
        """Return what macros of the crates look for beside the cell: the manifest."""
        return {} if self.folder is None else {"Cargo.toml": (self.folder / "Cargo.toml").read_text("utf-8")}

    def environment(self) -> dict[str, str]:
        """Return what macros of the crates read of cargo's variables."""
        return (
            {}
            if self.folder is None
            else {"CARGO_PKG_NAME": "cell", "CARGO_PKG_VERSION": "0.0.0", "CARGO_CRATE_NAME": "cell"}
        )


NONE: Final = Crates()


def ready(
    rustc: Rustc, specs: Sequence[str], context: Context, *, offline: bool, timeout_s: float,
    is_native: bool = False,
) -> Crates:  # fmt: skip
    """Return the crates of these `--dep`, built now where they have yet to be, or for this machine (`is_native`).

    Raises `UsageError` for what there is not, `ToolchainMissing` for what cannot be fetched and `CompileError`
    for what does not build.
    """
    if not specs:
        return NONE
    target = rustc.host(context.cache) if is_native else TARGET
    job = _Job(rustc, crates.requests(specs), context, offline, max(timeout_s, _LEAST_S), target)
    return job.find() or job.make()


@dataclass(frozen=True, slots=True)
class _Job:
    """One set of crates for one compiler."""

    rustc: Rustc
    wanted: tuple[Wanted, ...]
    context: Context
    offline: bool
    timeout_s: float
    target: str

    @property
    def _cache(self) -> Cache:
        return self.context.cache

    @property
    def _what(self) -> str:
        return f"crates for Rust ({', '.join(each.name for each in self.wanted)})"

    def _lock_key(self) -> str:
        return key_of(f"{_FORM} lock", self.rustc.verbose_version(self._cache), crates.manifest(self.wanted))

    def _key(self, lock: bytes) -> str:
        digest = hashlib.sha256(lock).hexdigest()
        parts = [self.rustc.verbose_version(self._cache), crates.manifest(self.wanted), digest]
        return key_of(_FORM, *parts, *([] if self.target == TARGET else [self.target]))

    def _lock(self) -> bytes | None:
        with contextlib.suppress(CacheDamaged):
            return self._cache.read(_LOCKS, self._lock_key())
        return None

    def find(self) -> Crates | None:
        """Return what was built before."""
        lock = self._lock()
        folder = self._cache.get(_KIND, self._key(lock)) if lock else None
        return _read(folder) if folder else None

    def make(self) -> Crates:
        """Resolve, fetch and build; two kernels do it once."""
        with self._cache.building(_KIND, self._lock_key()):
            found = self.find()
            if found is not None:
                return found
            with _scratch(self._cache) as work:
                lock = self._fetch(work)
                with self._cache.folder(_KIND, self._key(lock)) as (folder, is_new):
                    if is_new:
                        _collect(self._build(work, lock), self.wanted, work, folder, self.target)
                self._cache.put(_LOCKS, self._lock_key(), lock)
                return _read(self._cache.path(_KIND, self._key(lock)))

    def _cargo(self, work: Path, *arguments: str, online: bool = False, total: int = 0) -> Finished:
        wall = None if arguments[0] == "fetch" else self._wall(work)
        host = self.rustc.host(self._cache)
        env = {
            "RUSTC": str(self.rustc.path), "CARGO_TARGET_DIR": str(work / "out"), "CARGO_TERM_COLOR": "never",
            "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS": "-Cembed-bitcode=yes -Cmetadata=labkernel-crates",
            **linker(host, work),
        }  # fmt: skip
        if wall is not None:
            env |= {"CARGO_HOME": str(_own_home(work)), "HOME": str(work), "TMPDIR": str(work)}
        else:
            env |= {"CARGO_NET_RETRY": "1", "CARGO_HTTP_TIMEOUT": "20"}
        try:
            return run(
                [find_cargo(self.rustc), *arguments], cwd=work, language="rust", env=env, how=HOW_RUST,
                limits=Limits(timeout_s=self.timeout_s, output_bytes=64 << 20), confinement=wall, online=online,
                on_line=Progress(self.context.progress, self._what, total),
            )  # fmt: skip
        except CompileError as error:
            why = f"{self._what}: not ready within {self.timeout_s:g} s. A longer limit: --timeout 30m."
            raise CompileError(why, language="rust", raw=error.raw) from None

    def _fetch(self, work: Path) -> bytes:
        """Fetch the sources and return the lock file: by the one kept before, otherwise the newest that fit."""
        (work / "Cargo.toml").write_text(crates.manifest(self.wanted), encoding="utf-8")
        (work / "lib.rs").write_bytes(b"")
        kept = self._lock()
        if kept:
            (work / "Cargo.lock").write_bytes(kept)
        self.context.progress(f"{self._what}: fetching")
        targets = ["--target", TARGET, "--target", self.rustc.host(self._cache)]
        command = ["fetch", *(["--locked"] if kept else []), *targets]
        is_offline_first = self.offline or kept is not None
        done = self._cargo(
            work, *command, *(["--offline"] if is_offline_first else []), online=not is_offline_first
        )
        if done.code != 0 and not self.offline and crates.is_about_network(done.text):
            second = [] if is_offline_first else ["--offline"]
            again = self._cargo(work, *command, *second, online=is_offline_first)
            done = again if again.code == 0 or is_offline_first else done
        if done.code != 0:
            raise crates.fetch_failure(done.text, self.wanted, offline=self.offline)
        return (work / "Cargo.lock").read_bytes()

    def _build(self, work: Path, lock: bytes) -> list[Mapping[str, Any]]:
        """Build what was fetched, without network, and return cargo's list of what came out."""
        done = self._cargo(
            work, "build", "--release", "--locked", "--offline", "--target", self.target,
            "--message-format=json-render-diagnostics", total=len(tomllib.loads(lock.decode())["package"]) - 1,
        )  # fmt: skip
        said = done.err.decode(errors="replace")
        if done.code != 0:
            raise needs_linker(said) or crates.build_failure(said)
        messages = [json.loads(line) for line in done.out.splitlines() if line.startswith(b"{")]
        return [m for m in messages if m.get("reason") == "compiler-artifact"]

    def _wall(self, work: Path) -> Confinement:
        home = _cargo_home()
        readable = [self.rustc.sysroot, find_cargo(self.rustc).resolve().parent, home / "registry"]
        readable += [home / name for name in ("config.toml", "config")]
        zig = zig_binary()
        readable += [zig.parent] if zig is not None and not shutil.which("cc") else []
        return Confinement(tuple(readable), (work,))


@contextlib.contextmanager
def _scratch(cache: Cache) -> Iterator[Path]:
    work = cache.scratch()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _cargo_home() -> Path:
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def _own_home(work: Path) -> Path:
    """Return a home for cargo that shows it the fetched sources and nothing else of the user's."""
    home = work / "home"
    home.mkdir(exist_ok=True)
    for name in ("registry", "config.toml", "config"):
        real, link = _cargo_home() / name, home / name
        if real.exists() and not link.exists():
            link.symlink_to(real)
    return home


def _read(folder: Path) -> Crates:
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    pairs = {name: tuple((a, b) for a, b in facts[name]) for name in ("externs", "versions")}
    return Crates(folder, pairs["externs"], pairs["versions"])


def _collect(
    built: Sequence[Mapping[str, Any]], wanted: Sequence[Wanted], work: Path, folder: Path, target: str
) -> None:
    """Keep the libraries, the macros, the lock file, and which library is which crate's."""
    for name in ("target", "host"):
        (folder / name).mkdir()
    lock = tomllib.loads((work / "Cargo.lock").read_text(encoding="utf-8"))
    direct = _direct(lock)
    externs: dict[str, tuple[str, str]] = {}
    for artifact in built:
        is_macro = "proc-macro" in artifact["target"]["kind"]
        package = _package_of(artifact["package_id"])
        if package[0] == ROOT:
            continue
        for file in map(Path, artifact["filenames"]):
            is_target = file.is_relative_to(work / "out" / target) and file.suffix == ".rlib"
            if not is_target and not (is_macro and file.suffix in (".so", ".dylib", ".dll")):
                continue
            kept = f"{'target' if is_target else 'host'}/{file.name}"
            shutil.copy2(file, folder / kept)
            if package in direct:
                externs[package[0]] = (artifact["target"]["name"].replace("-", "_"), kept)
    for each in wanted:
        if each.name not in externs:
            raise UsageError(f"--dep {each.name}: the crate is a program and no library; leave it out.")
    facts = {"externs": [externs[each.name] for each in wanted], "versions": sorted(direct)}
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
    for name in ("Cargo.toml", "Cargo.lock"):
        shutil.copy2(work / name, folder)


def _direct(lock: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return name and version of the crates asked for, from the lock file."""
    packages = lock["package"]
    root = next(p for p in packages if p["name"] == ROOT)
    found = set()
    for dependency in root.get("dependencies", ()):
        name, _, version = dependency.partition(" ")
        of_name = [p["version"] for p in packages if p["name"] == name]
        found.add((name, version.partition(" ")[0] or of_name[0]))
    return found


def _package_of(identity: str) -> tuple[str, str]:
    """Return name and version of cargo's id of a package.

    >>> _package_of("registry+https://registry.example.org/index#serde@1.0.2")
    ('serde', '1.0.2')
    """
    path, _, fragment = identity.rpartition("#")
    name, at, version = fragment.rpartition("@")
    return (name, version) if at else (path.rpartition("/")[2], fragment)
