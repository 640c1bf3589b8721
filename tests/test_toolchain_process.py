"""Running tools: limits, interrupts, nothing left behind, a clean environment, the wall around them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from labkernel._errors import CompileError, ToolchainMissing
from labkernel._toolchains.confine import Confinement, is_available
from labkernel._toolchains.process import Finished, Limits, clean_environment, run

Require = Callable[[str, object], None]


def sh(script: str, folder: Path, **options: object) -> Finished:
    """Run a shell script."""
    return run(["/bin/sh", "-c", script], cwd=folder, language="test", **options)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process runs."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_both_streams_status_and_command(tmp_path: Path) -> None:
    """What a tool says and how it ends is told apart."""
    done = sh("echo out; echo err >&2; exit 3", tmp_path, env={"A": "b c"})
    assert (done.code, done.out, done.err) == (3, b"out\n", b"err\n")
    assert done.command.startswith(f"cd {tmp_path} && A='b c' /bin/sh -c ")
    assert done.ns > 0


def test_a_signal_is_a_negative_status(tmp_path: Path) -> None:
    """As everywhere in Python."""
    assert sh("kill -9 $$", tmp_path).code == -9


def test_output_is_cut_at_the_cap(tmp_path: Path) -> None:
    """A flood is read and dropped."""
    done = sh("head -c 3000000 /dev/zero", tmp_path, limits=Limits(output_bytes=1000))
    assert len(done.out) == 1000
    assert done.cut


def test_a_tool_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    """Time is up: the whole group goes, and the error says which limit it was."""
    started = time.monotonic()
    with pytest.raises(CompileError, match=r"after 0\.5 s"):
        sh("sleep 100 & echo $! > pid; sleep 100", tmp_path, limits=Limits(timeout_s=0.5))
    assert time.monotonic() - started < 2
    assert not alive(int((tmp_path / "pid").read_text()))


def test_nothing_in_the_background_outlives_a_tool(tmp_path: Path) -> None:
    """A child that holds the pipes open neither delays the answer nor survives."""
    started = time.monotonic()
    assert sh("sleep 100 & echo $! > pid", tmp_path).code == 0
    assert time.monotonic() - started < 2
    assert not alive(int((tmp_path / "pid").read_text()))


def test_an_interrupt_takes_the_tool_along(tmp_path: Path) -> None:
    """KeyboardInterrupt comes through in under a second."""
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sh("echo $$ > pid; sleep 100 & wait", tmp_path)
    assert time.monotonic() - started < 1.5
    assert not alive(int((tmp_path / "pid").read_text()))


def test_lines_come_as_they_are_written(tmp_path: Path) -> None:
    """Progress is told while the tool runs."""
    heard: list[tuple[str, float]] = []
    sh(
        "echo a >&2; sleep 0.4; echo b >&2",
        tmp_path,
        on_line=lambda line: heard.append((line, time.monotonic())),
    )
    assert [line for line, _ in heard] == ["a", "b"]
    assert heard[1][1] - heard[0][1] > 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set from outside on Linux only")
def test_memory_and_files_are_bounded(tmp_path: Path) -> None:
    """A tool that takes more fails by itself."""
    limits = Limits(memory_bytes=256 << 20, file_bytes=1 << 20)
    hog = [sys.executable, "-c", "import time; time.sleep(0.2); x = bytearray(1 << 30)"]
    assert run(hog, cwd=tmp_path, language="test", limits=limits).code != 0
    assert sh("sleep 0.2; head -c 3000000 /dev/zero > big", tmp_path, limits=limits).code != 0
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    """With what it is for and what installs it; a missing folder is another matter."""
    with pytest.raises(
        ToolchainMissing, match=r"nowhere is not installed \(needed for test\)\. Install it with: magic"
    ):
        run(["/nowhere"], cwd=tmp_path, language="test", how="magic")
    with pytest.raises(FileNotFoundError):
        run(["/bin/sh"], cwd=tmp_path / "none", language="test")


def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A few names and what is given, nothing else; the proxy only where something may be fetched."""
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("HTTPS_PROXY", "p")
    assert {"SECRET", "HTTPS_PROXY"}.isdisjoint(clean_environment())
    assert clean_environment(online=True)["HTTPS_PROXY"] == "p"
    assert b"SECRET" not in sh("env", tmp_path).out


def test_a_confined_tool_touches_its_folder_only(tmp_path: Path, require: Require) -> None:
    """Reading, listing and writing elsewhere is refused, children included; this process stays free."""
    require("Landlock", is_available())
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("s3cret")
    (inside / "link").symlink_to(outside / "secret")
    wall = Confinement((), (inside,))
    script = (
        f"cat {outside}/secret; cat link; ls {outside}; ls /root; cat /etc/passwd; echo x > {outside}/new; "
        f"rm {outside}/secret; mv {outside}/secret here; cat /proc/{os.getpid()}/environ; echo y > mine; cat mine"
    )
    done = sh(script, inside, confinement=wall)
    assert done.out == b"y\n"
    assert done.err.count(b"ermission denied") >= 7
    assert (outside / "secret").read_text() == "s3cret"
    assert not (outside / "new").exists()
    assert Path("/etc/passwd").read_text()


def test_a_confined_tool_has_no_network(tmp_path: Path, require: Require) -> None:
    """Connecting is refused where the kernel can do that."""
    require("Landlock", is_available())
    code = "import socket\ntry:\n socket.create_connection(('127.0.0.1', 9))\nexcept OSError as e:\n"
    code += " print(type(e).__name__)"
    wall = Confinement((Path(sys.prefix), Path(sys.base_prefix)), (tmp_path,))
    done = run([sys.executable, "-I", "-c", code], cwd=tmp_path, language="test", confinement=wall)
    assert done.out in (b"PermissionError\n", b"ConnectionRefusedError\n")


def test_a_missing_program_is_told_behind_the_wall_too(tmp_path: Path) -> None:
    """The error is the same."""
    with pytest.raises(ToolchainMissing):
        run(["/nowhere"], cwd=tmp_path, language="test", confinement=Confinement((), (tmp_path,)))
