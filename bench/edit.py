"""From an edited cell to its first answer, everything warm; an unchanged cell in a new kernel; what a release takes.

The peer of an edit is the language's own tools alone: the commands that the build ran, run by a shell for the
same edits. Componentizing, machine code, start and call are the lab's on top of it.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from row import Row, environment
from snippets import CELLS, EVENT, WORLD

from labkernel import Lab
from labkernel import _toolchains as toolchains
from labkernel._errors import LabError

EDITS = 15
RELEASES = 3
RELEASE_GOALS_S = {"python": 12.0, "js": 2.0}
GOALS_S = {
    "wat": 0.05, "python": 0.1, "js": 0.1, "ts": 0.1, "c": 0.25, "zig": 0.25, "rust": 0.4, "go": 1.0, "cpp": 1.2,
}  # fmt: skip
FRESH = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from snippets import CELLS, EVENT, WORLD
from labkernel import Lab
lab = Lab()
lab.warm()
lab.wit(WORLD, name="faas")   # the notebook's first cell
time.sleep(0.5)
begun = time.perf_counter()
build = lab.build({language!r}, CELLS[{language!r}]({n}), name="fn", world="faas")
fn = lab.instantiate(build)
fn.handle(EVENT)
print(time.perf_counter() - begun if build.cached else "miss")
lab.close()
"""


def run() -> list[Row]:
    """Measure every language whose toolchain is there."""
    rows = []
    with Lab() as lab:
        lab.wit(WORLD, name="faas")
        for language in CELLS:
            try:
                edits = _edits(lab, language)
            except LabError as error:
                print(f"{language}: {error}", file=sys.stderr)
                continue
            rows.append(edits)
            if bare := _bare(lab, language):
                note = f"machine code by {lab.builds['fn'].settings.compiler}"
                what = f"edit to first answer beside the tools alone, {language}"
                rows.append(
                    Row(what, edits.samples, "s", "its commands in a shell", bare, most=1.2, note=note)
                )
            rows.append(_unchanged(language))
        rows += [_release(lab, language) for language in RELEASE_GOALS_S if _is_there(language)]
    return rows


def _is_there(language: str) -> bool:
    return bool(toolchains.get(language).versions())


def _release(lab: Lab, language: str) -> Row:
    """Bake a cell that is new each time, and fire it."""
    start = int(time.time()) % 50_000
    samples = []
    for n in range(start, start + RELEASES + 1):
        begun = time.perf_counter()
        lab.build(language, CELLS[language](n), name="fn", world="faas", release=True)
        answer = lab.fire("fn", "handle", args=[EVENT])
        samples.append(time.perf_counter() - begun)
        assert answer.wave == f"err(rejected({n}))", answer.wave
    return Row(
        f"release to first answer, {language}", tuple(samples[1:]), "s", most=RELEASE_GOALS_S[language]
    )


def _edits(lab: Lab, language: str) -> Row:
    start = int(time.time()) % 50_000
    samples = []
    for n in range(start, start + EDITS + 1):
        begun = time.perf_counter()
        lab.build(language, CELLS[language](n), name="fn", world="faas")
        answer = lab.fire("fn", "handle", args=[EVENT])
        samples.append(time.perf_counter() - begun)
        assert answer.wave == f"err(rejected({n}))", answer.wave
    return Row(f"edit to first answer, {language}", tuple(samples[1:]), "s", most=GOALS_S[language])


def _bare(lab: Lab, language: str) -> tuple[float, ...]:
    """Time the commands of a build for the same edits; nothing for a language whose edits start no tool."""
    n = int(time.time()) % 50_000
    build = lab.build(language, CELLS[language](n), name="fn", world="faas", verbose=True, force=True)
    folders = {Path(shlex.split(command)[1]) for command in build.commands if command.startswith("cd ")}
    samples = []
    try:
        for edit in range(n + 1, n + EDITS // 2 if build.commands else 0):
            edited = [file for folder in folders for file in _sources(folder) if _edit(file, edit)]
            assert edited, f"the edit {edit} found no source of {language}"
            begun = time.perf_counter()
            for command in build.commands:
                subprocess.run(command, shell=True, check=True, capture_output=True)
            samples.append(time.perf_counter() - begun)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    return tuple(samples)


def _sources(folder: Path) -> list[Path]:
    """Return the texts of a build's folder that may hold the cell."""
    suffixes = {".c", ".cpp", ".go", ".rs", ".zig"}
    return [path for path in folder.rglob("*") if path.suffix in suffixes and path.is_file()]


def _edit(file: Path, edit: int) -> bool:
    """Write an edit's number in place of the one before; return whether that was there."""
    text = file.read_text()
    file.write_text(text.replace(str(edit - 1), str(edit)))
    return str(edit - 1) in text


def _unchanged(language: str) -> Row:
    """Start new processes that build a cell which the cache has, and take their own time of it."""
    folder = str(Path(__file__).parent)
    code = FRESH.format(folder=folder, language=language, n=4242)
    samples = []
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
        )
        if done.stdout.strip() != "miss":
            samples.append(float(done.stdout))
    note = "a process of its own each; the first one's time is left out, as it compiles Python modules"
    return Row(f"unchanged cell in a new kernel, {language}", tuple(samples[1:]), "s", most=0.05, note=note)
