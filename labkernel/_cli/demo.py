"""A notebook run in a real kernel from the terminal: a line per cell, and what each cell shows as text."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkernel._lab import Lab

__all__ = ["build_cells", "run_notebook"]

Say = Callable[[str], None]


def run_notebook(path: Path, *, say: Say, timeout_s: int = 600) -> int:
    """Run a notebook's cells in a kernel of this very Python and say what each one shows.

    Returns how many cells failed that were not meant to (tag `raises-exception`); stops at the first.
    """
    import nbformat
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    kernel = AsyncKernelManager()
    # A kernelspec named python3 may belong to another Python: start this one.
    kernel._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=40"],
        display_name="labkernel demo",
        language="python",
    )
    teller = _Teller(notebook, say)
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=timeout_s,
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=teller.started,
        on_cell_executed=teller.done,
    )
    say(f"Running {path.name} in a kernel of its own.")
    client.execute()
    return teller.failed


def build_cells(path: Path, lab: Lab) -> None:
    """Do what a notebook's `%%wit` and `%%wasm` cells do, and nothing else; cells meant to fail are left out."""
    import nbformat

    from labkernel._magics.line import parse_line
    from labkernel._magics.parsers import WASM, WIT

    for cell in nbformat.read(path, as_version=4).cells:
        first, _, body = str(cell.source).partition("\n")
        if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", ()):
            continue
        if first.startswith("%%wit "):
            lab.wit(body, name=parse_line(WIT, first.removeprefix("%%wit")).words[0])
        elif first.startswith("%%wasm "):
            line = parse_line(WASM, first.removeprefix("%%wasm"))
            lab.build(
                line.words[0], body, name=line.words[1], world=line.world, release=line.release, opt=line.opt
            )


class _Teller:
    """Says what each cell did."""

    def __init__(self, notebook: Any, say: Say) -> None:
        self.say = say
        self.failed = 0
        self.cells = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        self.begun = time.monotonic()

    def started(self, cell: Any, cell_index: int) -> None:
        """Remember when a cell began."""
        self.begun = time.monotonic()

    def done(self, cell: Any, cell_index: int, **_: Any) -> None:
        """Say how a cell ended, then what it shows."""
        meant = "raises-exception" in cell.metadata.get("tags", ())
        error = next((o for o in cell.outputs if o.output_type == "error"), None)
        state = "ok" if error is None else "fails, as it should" if meant else "FAILED"
        if meant and error is None:
            state = "FAILED: it should have raised"
        self.failed += state.startswith("FAILED")
        first = cell.source.strip().splitlines()[0] if cell.source.strip() else "(empty)"
        number = f"[{self.cells.index(cell_index) + 1}/{len(self.cells)}]"
        self.say(f"\n{number} {first}   {state}, {time.monotonic() - self.begun:.1f} s")
        for output in cell.outputs:
            text = _text_of(output)
            if text.strip():
                self.say("\n".join(f"    {line}" for line in text.rstrip().splitlines()))


def _text_of(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
    return str(output.data.get("text/plain", ""))
