"""Runs lessons and stores the outputs of their checked cells: `python notebooks/refresh.py [FILE]...`.

A learner predicts before running a cell, so a lesson shows no outputs but those that its test compares.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def _is_only_html(output: nbformat.NotebookNode) -> bool:
    """Tell whether an output is a card's look alone, which no test compares."""
    return set(output.get("data", {"text/plain": ""})) <= {"text/html"}


def refresh(path: Path) -> None:
    """Run one lesson and write it back."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        if "nbval-check-output" not in cell.metadata.get("tags", ()):
            cell.outputs, cell.execution_count = [], None
        cell.outputs = [output for output in cell.outputs if not _is_only_html(output)]
        for output in cell.outputs:
            output.get("data", {}).pop("text/html", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    os.environ["LABKERNEL_PROGRESS_AFTER_S"] = "3600"
    here = Path(__file__).parent
    for each in [Path(name) for name in sys.argv[1:]] or sorted(here.glob("*.ipynb")):
        refresh(each)
