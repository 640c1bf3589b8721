"""Runs cargo on the toolbox's crate. Only the standard library: the wheel's build hook loads it alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

__all__ = ["CargoFailed", "CargoMissing", "build"]

TARGET: Final = "wasm32-wasip2"
ARTIFACT: Final = "labkernel_toolbox.wasm"
_COUNT: Final = re.compile(r"Building \[[^\]]*\] (\d+)/(\d+)")
_TALK_EVERY_S: Final = 2.0
_KEPT_LINES: Final = 200
_TERMINAL: Final = {"COLOR": "never", "PROGRESS_WHEN": "always", "PROGRESS_WIDTH": "80"}


class CargoMissing(Exception):
    """A tool is not there; the arguments are its name and how to install it."""


class CargoFailed(Exception):
    """Cargo ended with an error; the argument is the end of what it printed."""


def build(crate: Path, target_dir: Path, progress: Callable[[str], None]) -> Path:
    """Build the toolbox and return the component's path within `target_dir`.

    Raises `CargoMissing` or `CargoFailed`. An interrupt ends cargo and all it started.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise CargoMissing("cargo", "https://rustup.rs")
    _ensure_target(progress)
    command = [
        cargo, "build", "--release", "--locked", "--ignore-rust-version",
        "--target", TARGET, "--manifest-path", str(crate / "Cargo.toml"), "--target-dir", str(target_dir),
    ]  # fmt: skip
    _run(command, _environment(crate), progress)
    made = target_dir / TARGET / "release" / ARTIFACT
    if not made.is_file():
        raise CargoFailed(f"cargo ended well, and yet {made.name} is not there")
    return made


def _ensure_target(progress: Callable[[str], None]) -> None:
    """Add the compile target where rustup can; a rustc without it fails late and unclearly."""
    rustc = shutil.which("rustc")
    if rustc is None:
        raise CargoMissing("rustc", "https://rustup.rs")
    asked = [rustc, "--print", "target-libdir", "--target", TARGET]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if answer and Path(answer).is_dir():
        return
    rustup = shutil.which("rustup")
    if rustup is None:
        raise CargoMissing(f"Rust's target {TARGET}", f"rustup target add {TARGET}")
    progress(f"adding Rust's target {TARGET}")
    _run([rustup, "target", "add", TARGET], dict(os.environ), progress)


def _environment(crate: Path) -> dict[str, str]:
    """Return the environment: progress that can be read, and no path of this machine in the component."""
    env = dict(os.environ)
    home = Path(env.get("CARGO_HOME") or Path.home() / ".cargo")
    flags = env.get("CARGO_ENCODED_RUSTFLAGS", "").split("\x1f") if "CARGO_ENCODED_RUSTFLAGS" in env else []
    flags = flags or env.get("RUSTFLAGS", "").split()
    flags += [f"--remap-path-prefix={home}=/cargo", f"--remap-path-prefix={crate}=/toolbox"]
    env["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(filter(None, flags))
    return env | {f"CARGO_TERM_{name}": value for name, value in _TERMINAL.items()}


def _run(command: list[str], env: dict[str, str], progress: Callable[[str], None]) -> None:
    """Run a command to its end in a process group of its own, which an exception ends with it."""
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    kept: list[str] = []
    try:
        with process.stderr:
            for line in _told(process.stderr, kept):
                progress(line)
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    if status:
        raise CargoFailed("\n".join(kept[-40:]))


def _told(stderr: IO[bytes], kept: list[str]) -> Iterator[str]:
    """Yield one line now and then of how far it is; keep the tool's own lines for an error."""
    start = spoken = time.monotonic()
    for line in _lines(stderr):
        count = _COUNT.search(line)
        if count is None:
            kept.append(line)
            del kept[:-_KEPT_LINES]
            if line.lstrip().startswith(("Updating", "Downloading", "info:")):
                yield line.strip()
        elif time.monotonic() - spoken >= _TALK_EVERY_S:
            spoken = time.monotonic()
            yield f"crate {count[1]} of {count[2]}, {spoken - start:.0f} s"


def _lines(stderr: IO[bytes]) -> Iterator[str]:
    """Yield what stands between line breaks and carriage returns, as it comes."""
    rest = b""
    while chunk := os.read(stderr.fileno(), 65536):
        *whole, rest = re.split(rb"[\r\n]+", rest + chunk)
        yield from (text for text in (w.decode(errors="replace") for w in whole) if text.strip())
    if rest.strip():
        yield rest.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: politely first, and then whoever is left of it."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sign)
            process.wait(timeout=3)
    process.wait()
