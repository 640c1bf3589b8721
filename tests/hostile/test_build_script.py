"""Code that a build itself runs, and that never ends, forks, or takes all memory."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from hostile_kit import Arena

from labkernel._errors import CompileError
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Limits, run

ATTACKS = {
    "loops": "while True: pass",
    "forks": "import os\nfor _ in range(7): os.fork()\nwhile True: pass",
    "leaves": "import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass\nimport time; time.sleep(60)",
    "memory": "x = []\nwhile True: x.append(bytearray(1 << 26))",
    "output": "while True: print('x' * 4096)",
    "ignores": "import signal\nfor n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\nwhile True: pass",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_tool_that_misbehaves(arena: Arena, tmp_path: Path, name: str) -> None:
    """As any compiler is run: stopped on time or by its memory, and its whole group with it."""
    wall = Confinement((Path(sys.prefix), Path(sys.base_prefix)), (tmp_path,))
    limits = Limits(timeout_s=1.0, memory_bytes=512 << 20, output_bytes=1 << 20)
    mark = f"attack-{os.getpid()}-{name}"
    command = [sys.executable, "-I", "-S", "-c", ATTACKS[name], mark]
    act = lambda: run(command, cwd=tmp_path, language="test", limits=limits, confinement=wall)  # noqa: E731
    if name == "memory":
        assert act().code != 0
    else:
        arena.fails(CompileError, act, within_s=1.0, match="stopped after 1 s")
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
