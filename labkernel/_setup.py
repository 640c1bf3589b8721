"""Doctor and setup: which tools are there, what each is for, what installs it, and getting them ready.

Languages know their own tools; this module asks them, adds what the lab itself stands on, and prepares. It
knows no notebook and no plot.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

from labkernel import _toolchains as toolchains
from labkernel._cache import SIZE_VARIABLE, Cache
from labkernel._errors import LabError, UsageError, did_you_mean
from labkernel._host import Supervisor, Wall
from labkernel._timing import format_bytes
from labkernel._toolbox import build_toolbox, find_toolbox
from labkernel._toolchains import Context, ToolStatus
from labkernel._toolchains.confine import walls

__all__ = ["Doctor", "doctor", "estimate", "forget", "prepare", "prepare_for_demo", "setup", "warm"]

TOOLBOX: Final = "toolbox"
DEMO: Final = (TOOLBOX, "rust", "c")
_TOOLBOX_MINUTES: Final = 3.0
_WARM: Final = "starter"
_WALLS: Final = "Linux 5.13 or later, where the container leaves Landlock and seccomp to programs"
#: What the lab stands on: package, purpose, extra that brings it.
_PACKAGES: Final = (
    ("wasmtime", "runs components", ""),
    ("msgpack", "talks to the process that runs components", ""),
    ("ipython", "the magics", ""),
    ("jupyterlab", "notebooks in the browser", "lab"),
    ("ipywidgets", "the panel", "lab"),
    ("plotly", "figures", "plot"),
    ("nbval", "checks lessons", "test"),
)


class Doctor(tuple[ToolStatus, ...]):
    """What the doctor found, a row for each tool."""

    __slots__ = ()

    @property
    def missing(self) -> tuple[ToolStatus, ...]:
        """The rows of what is missing."""
        return tuple(row for row in self if not row.is_ready)

    def __repr__(self) -> str:
        missing = ", ".join(row.tool for row in self.missing)
        return f"<Doctor: {len(self)} tools, missing: {missing or 'none'}>"


class _Builder(Protocol):
    def context(self) -> Context: ...

    def warm_toolbox(self) -> None: ...


class _Lab(Protocol):
    """What setup needs of a lab."""

    cache: Cache

    @property
    def builder(self) -> _Builder: ...


class _Maker(_Lab, Protocol):
    """What it needs of one to build for a world."""

    builds: dict[str, Any]

    def starter(self, language: str, name: str, *, world: str | None = None) -> str: ...

    def build(
        self, language: str, text: str, *, name: str, world: str | None = None, engine: str = ""
    ) -> Any: ...


def doctor(cache: Cache | None = None, languages: Iterable[str] = ()) -> Doctor:
    """Return a row for each tool the lab uses, or of the languages named; what is missing never raises."""
    cache = cache or Cache()
    wanted = [toolchains.get(name).language for name in languages]
    rows = [] if wanted else [_package_row(*package) for package in _PACKAGES]
    rows += [] if wanted else _wall_rows()
    rows.append(_toolbox_row(cache))
    for language, toolchain in toolchains.toolchains().items():
        if not wanted or language in wanted:
            rows += _rows_of(toolchain, cache)
    if not wanted:
        rows += [_broken_row(language, why) for language, why in toolchains.broken().items()]
        rows += [_labextension_row(), _cache_row(cache)]
    return Doctor(rows)


def _cache_row(cache: Cache) -> ToolStatus:
    """Say what the cache takes, of which machine code, and what it may take."""
    sizes = {each.kind: each.size for each in cache.summary()}
    total, most = format_bytes(sum(sizes.values())), format_bytes(cache.max_size)
    largest = sorted(sizes, key=lambda kind: -sizes[kind])[:3]
    parts = ", ".join(f"{format_bytes(sizes[kind])} {kind}" for kind in largest)
    purpose = f"keeps what was built in {cache.root}{': ' if parts else ''}{parts}"
    how = f"%wasm clean empties it, {SIZE_VARIABLE} sets the most (bytes)"
    return ToolStatus("cache", f"{total} of {most}", purpose, how)


def _broken_row(language: str, why: str) -> ToolStatus:
    how = "update or remove its package"
    return ToolStatus(
        language, None, "a language of another package that does not load", how, language, why, 1.0
    )


def _labextension_row() -> ToolStatus:
    """Say whether JupyterLab finds what colours cells: carried by the wheel, or built in the source tree."""
    folder = Path(__file__).parent.parent / "labextension"
    is_source = (folder / "package.json").is_file()
    places = [Path(place) for place in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if place]
    places += [Path(sys.prefix) / "share" / "jupyter", Path.home() / ".local" / "share" / "jupyter"]
    inner = Path("labextensions") / "labkernel" / "install.json"
    version = "carried by the wheel" if any((place / inner).is_file() for place in places) else None
    if is_source and (folder / "build" / inner).is_file():
        version = "built in the source tree"
    how = "labkernel setup labextension" if is_source else "pip install --force-reinstall labkernel"
    return ToolStatus(
        "labextension", version, "colours %%wasm and %%wit cells in JupyterLab", how, minutes=1.0
    )


def _package_row(package: str, purpose: str, extra: str) -> ToolStatus:
    try:
        version: str | None = metadata.version(package)
    except metadata.PackageNotFoundError:
        version = None
    how = f"pip install 'labkernel[{extra}]'" if extra else f"pip install {package}"
    return ToolStatus(package, version, purpose, how, minutes=1.0)


def _wall_rows() -> list[ToolStatus]:
    """Return what stands around guests, as a host process says it, and around compilers."""
    keeps = "holds what escapes from the engine", "keeps builds from the home folder and the network"
    with Supervisor(name="doctor", mac_key=bytes(32), wall=Wall()) as supervisor:
        try:
            supervisor.assemble("(module)")
            found: str | None = ", ".join(supervisor.walls)
        except LabError:
            found = None
    return [
        ToolStatus("wall of guests", found, keeps[0], _WALLS),
        ToolStatus("wall of compilers", ", ".join(walls()), keeps[1], _WALLS),
    ]


def _toolbox_row(cache: Cache) -> ToolStatus:
    purpose, how = "resolves WIT, writes bindings, makes components", "labkernel setup"
    try:
        found = find_toolbox(cache)
    except (LabError, OSError) as error:
        return ToolStatus(TOOLBOX, None, purpose, how, note=str(error), minutes=_TOOLBOX_MINUTES)
    return ToolStatus(TOOLBOX, "built" if found else None, purpose, how, minutes=_TOOLBOX_MINUTES)


def _rows_of(toolchain: toolchains.Toolchain, cache: Cache) -> list[ToolStatus]:
    try:
        return toolchain.check(cache)
    except Exception as error:  # noqa: BLE001 - a third party's toolchain must not take the doctor down
        return [
            ToolStatus(
                toolchain.language, None, toolchain.title, note=str(error), language=toolchain.language
            )
        ]


def estimate(names: Sequence[str], cache: Cache) -> float:
    """Return about how many minutes it takes to prepare what these names need and lack."""
    rows = doctor(cache, [name.partition("@")[0] for name in names if name != TOOLBOX])
    return sum(row.minutes for row in rows.missing if row.tool != TOOLBOX or TOOLBOX in names)


def setup(names: Iterable[str], context: Context) -> None:
    """Prepare the toolbox and languages by name.

    `go@1.26` is another version beside the installed one. Without names, the toolbox and every language whose own
    tools are installed. Raises `UsageError` for a
    name that is neither, and `ToolchainMissing` where a named one cannot be prepared.
    """
    chosen = _chosen(names, context.cache)
    minutes = estimate(chosen, context.cache)
    if minutes:
        context.progress(
            f"preparing {', '.join(chosen)}: about {max(1, round(minutes))} min, once on this machine"
        )
    for name in chosen:
        _prepare_one(name, context)


def _chosen(names: Iterable[str], cache: Cache) -> list[str]:
    given = list(dict.fromkeys(names))
    if given and given != ["all"]:
        known = [TOOLBOX, *toolchains.languages()]
        for each in given:
            name = each.partition("@")[0]
            if name not in known and not _is_language(name):
                raise UsageError(f"Unknown {name!r}; known: {', '.join(known)}.{did_you_mean(name, known)}")
        return [_full(name) for name in given]
    ready = [language for language, chain in toolchains.toolchains().items() if chain.versions()]
    return [TOOLBOX, *ready]


def _full(given: str) -> str:
    """Return a name as `setup` was given it (`golang@1.26`) with the language's own name (`go@1.26`)."""
    name, at, version = given.partition("@")
    return given if name == TOOLBOX else f"{toolchains.get(name).language}{at}{version}"


def _is_language(name: str) -> bool:
    try:
        toolchains.get(name)
    except UsageError:
        return False
    return True


def forget(names: Iterable[str], cache: Cache) -> list[str]:
    """Remove versions that `setup` keeps, named as it was given them (`go@1.26`); return what is gone, in words.

    Raises `UsageError` for a name without a version, and for a version that is not kept.
    """
    gone = []
    for given in names:
        language, _, version = given.partition("@")
        if not version:
            raise UsageError(
                f"{given!r} names no version; write one like go@1.26. `%wasm clean --all` removes all tools."
            )
        gone.append(toolchains.get(language).forget_version(version, cache))
    return gone


def _prepare_one(name: str, context: Context) -> None:
    started = time.monotonic()
    language, _, version = name.partition("@")
    if name == TOOLBOX:
        build_toolbox(context.progress, cache=context.cache)
    elif version:
        toolchains.get(language).setup_version(version, context)
    else:
        toolchains.get(language).setup(context)
    context.progress(f"{name} is ready ({time.monotonic() - started:.0f} s)")


def prepare(names: Iterable[str], lab: _Lab, *, progress: Callable[[str], None]) -> None:
    """Prepare what is named for a lab; see `setup`."""
    setup(names, replace(lab.builder.context(), progress=progress))
    lab.builder.warm_toolbox()


def warm(
    names: Iterable[str], world: str | None, lab: _Maker, *, progress: Callable[[str], None]
) -> list[str]:
    """Build each language's starter cell for a world, so that nobody waits for what is made once for it.

    That is bindings, headers, a JavaScript or Python runtime, and their machine code. Returns the languages.
    Raises what a build raises.
    """
    chosen = [name for name in _chosen(names, lab.cache) if name != TOOLBOX]
    for name in chosen:
        language, _, engine = name.partition("@")
        started = time.monotonic()
        text = lab.starter(language, _WARM, world=world).partition("\n")[2]
        lab.build(language, text, name=_WARM, world=world, engine=engine)
        lab.builds.pop(_WARM, None)
        progress(f"{name} is warm for the world ({time.monotonic() - started:.0f} s)")
    return chosen


def prepare_for_demo(lab: _Lab, *, progress: Callable[[str], None]) -> None:
    """Prepare what the quickstart uses; what cannot be prepared is told, and the rest goes on."""
    context = replace(lab.builder.context(), progress=progress)
    minutes = estimate(DEMO, context.cache)
    if minutes:
        progress(f"preparing {', '.join(DEMO)}: about {max(1, round(minutes))} min, once on this machine")
    for name in DEMO:
        try:
            _prepare_one(name, context)
        except LabError as error:
            progress(f"{name} cannot be prepared: {error}")
    lab.builder.warm_toolbox()
