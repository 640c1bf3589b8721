"""The command line, as it is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from worlds import BASICS

from labkernel import _cli as cli
from labkernel._fire import Run

COMMAND = [sys.executable, "-c", "import sys; from labkernel._cli import main; sys.exit(main())"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def test_build_and_run(tmp_path: Path) -> None:
    """A snippet is built into a file, and the file is fired at."""
    (tmp_path / "basics.wat").write_text(BASICS)
    built = run("build", "wat", "basics.wat", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    assert "written to basics.wasm" in built.stdout
    fired = run("run", "basics.wasm", "double(21)", cwd=tmp_path)
    assert (fired.returncode, fired.stdout) == (0, "42\n")
    many = run("run", "basics.wasm", "double", "-n", "50", "--seed", "7", cwd=tmp_path)
    assert "50 events" in many.stdout


def test_errors_have_a_status(tmp_path: Path) -> None:
    """An error is one line on standard error and status 1."""
    (tmp_path / "basics.wat").write_text(BASICS)
    run("build", "wat", "basics.wat", cwd=tmp_path)
    failed = run("run", "basics.wasm", "fail()", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith("GuestTrap: ")
    assert "Traceback" not in failed.stderr
    missing = run("build", "wat", "absent.wat", cwd=tmp_path)
    assert missing.returncode == 1
    assert "absent.wat" in missing.stderr


def test_doctor(tmp_path: Path) -> None:
    """The doctor lists tools with version, purpose and the line that installs them, as JSON too."""
    text = run("doctor", cwd=tmp_path)
    assert text.returncode == 0
    assert "wasmtime" in text.stdout
    rows = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)
    assert {"tool", "version", "purpose", "install"} <= set(rows[0])


def test_lessons_are_copied_once(tmp_path: Path) -> None:
    """`labkernel lab` copies the lessons and keeps what was changed there."""
    assert cli.copy_lessons(tmp_path / "lessons") >= 1
    changed = tmp_path / "lessons" / "01-quickstart.ipynb"
    changed.write_text("mine")
    assert cli.copy_lessons(tmp_path / "lessons") == 0
    assert changed.read_text() == "mine"


def test_the_lab_gets_further_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `labkernel lab` does not know goes to JupyterLab in order, and the first lesson is what it opens."""
    commands: list[list[str]] = []

    def call(command: list[str], *_: object) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr("labkernel._cli._become", call)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab", "--no-browser", "--folder", "mine", "--port", "8890"]) == 0
    (command,) = commands
    assert command[-3:] == ["--no-browser", "--port", "8890"]
    assert "--LabApp.default_url=/lab/tree/01-quickstart.ipynb" in command


def test_ending_the_command_ends_jupyterlab(tmp_path: Path) -> None:
    """`labkernel lab` becomes JupyterLab: no server outlives the command that started it."""
    line = [*COMMAND, "lab", "--no-browser", "--folder", "mine", "--port", "0", "--allow-root"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        waited = 0.0
        while b"http://" not in (tmp_path / "log").read_bytes() and waited < 60:
            time.sleep(0.1)
            waited += 0.1
        assert b"http://" in (tmp_path / "log").read_bytes()
        assert psutil.Process(process.pid).cmdline()[1:3] == ["-m", "jupyterlab"]
    finally:
        process.terminate()
        process.wait(20)


def test_load_from_the_command_line(tmp_path: Path) -> None:
    """The options of load are those of `%fire`; the run is saved; what cannot be meant is an error."""
    (tmp_path / "basics.wat").write_text(BASICS)
    options = ["-n", "30", "--rate", "1000/s", "--policy", "pool:2", "-c", "1", "--save", "run.json"]
    done = run("run", "basics.wat", "double(2)", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "open loop, 1000/s constant" in done.stdout
    assert len(Run.load(tmp_path / "run.json")) == 30
    wrong = run("run", "basics.wat", "double(2)", "--rate", "0/s", "-n", "1", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "--rate 0/s is out of range" in wrong.stderr


def test_messages_speak_of_the_command_line(tmp_path: Path) -> None:
    """Next steps are commands, not magics."""
    (tmp_path / "basics.wat").write_text(BASICS)
    built = run("build", "wat", "basics.wat", cwd=tmp_path)
    assert "Next: labkernel run basics.wasm" in built.stdout
    assert "%" not in built.stdout
    several = run("run", "basics.wasm", cwd=tmp_path)
    assert "as in labkernel run basics.wasm " in several.stderr
    generated = run("run", "basics.wasm", "double", cwd=tmp_path)
    assert generated.stderr.startswith("double(")
    worldless = run("build", "c", "basics.wat", cwd=tmp_path)
    assert "--wit" in worldless.stderr
    assert "no notebook" in run("demo", "--notebook", "absent.ipynb", cwd=tmp_path).stderr


def test_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command shows the known ones."""
    with pytest.raises(SystemExit):
        cli.main(["nonsense"])
    assert "doctor" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--nonsense"])
    assert "--nonsense" in capsys.readouterr().err
