"""The README as it stands: every cell in it runs in a real kernel, from top to bottom, and the Python beside it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from test_kernel import Kernel, kernel  # noqa: F401 - the fixture is used by its name

from labkernel import _toolchains as toolchains

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: A new cell begins after an empty line at a magic or at an assignment.
CELL = re.compile(r"\n\n(?=%|\w+ = \[)")


def blocks(language: str) -> list[str]:
    """Return the README's blocks of a language; cells of a notebook stand in blocks of none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def test_every_cell_runs(kernel: Kernel, require: Callable[[str, object], None]) -> None:  # noqa: F811
    """A newcomer who types the README's cells in their order sees no error, and the answers it promises."""
    require("rustc", shutil.which("rustc"))
    require("zig", toolchains.zig_binary())
    shown: dict[str, str] = {}
    for cell in [cell for block in blocks("") for cell in CELL.split(block)]:
        got = kernel.run(cell)
        assert not got["error"], f"{cell}\n{got}"
        shown[cell.strip()] = got["shown"]
    assert "ok(320)" in next(text for cell, text in shown.items() if "cat.png" in cell)
    assert "nothing granted" not in shown["%wasm trace seen"]
    assert "ok(4)" in shown['%fire till total(["tea", "milk"])']
    assert 'err("gold")' in shown['%fire till total(["tea", "gold"])']
    (python,) = blocks("python")
    files = {"faas.wit": "%%wit faas", "resize.rs": "%%wasm rust resize"}
    for name, start in files.items():
        body = next(cell for cell in shown if cell.startswith(start + "\n")).partition("\n")[2]
        assert not kernel.run(f"from pathlib import Path\nPath({name!r}).write_text({body!r})")["error"]
    got = kernel.run(f"{python}print(answer)")
    assert "ok(320)" in got["text"] + got["shown"]


def test_its_links_lead_somewhere() -> None:
    """Every link to a file of this repository has one."""
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 4
    assert not [link for link in links if not (ROOT / link).exists()]
