"""From an edited cell to its first answer, everything warm; and an unchanged cell in a new kernel."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from row import Row, environment
from snippets import CELLS, EVENT, WORLD

from labkernel import Lab
from labkernel._errors import LabError

EDITS = 15
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
                rows.append(_edits(lab, language))
            except LabError as error:
                print(f"{language}: {error}", file=sys.stderr)
                continue
            rows.append(_unchanged(language))
    return rows


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
