"""What the lab costs a notebook: loading the extension, and the memory of kernel and workers after the quickstart."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec
from row import Row, environment

from labkernel._host import Supervisor, Wall

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "01-quickstart.ipynb"
LOAD = """import time; _t = time.perf_counter()
get_ipython().run_line_magic("load_ext", "labkernel"); print(time.perf_counter() - _t)"""


def run() -> list[Row]:
    """Measure in real kernels."""
    loads = [_in_kernel(_load_time) for _ in range(6)][1:]
    sizes = _in_kernel(_memory)
    starts = [_start_time() for _ in range(12)][1:]
    bare = [_bare_start_time() for _ in range(12)][1:]
    total = sum(sizes.values()) / (1 << 20)
    parts = ", ".join(f"{name} {size / (1 << 20):.0f}" for name, size in sizes.items())
    return [
        Row("%load_ext labkernel", tuple(loads), "s", most=0.3),
        Row(
            "a host process behind its wall, to its first answer",
            tuple(starts),
            "s",
            peer="python -I -S, bare",
            peer_samples=tuple(bare),
        ),
        Row("RSS after the quickstart", (total,), "MiB", most=300, note=parts),
    ]


def _start_time() -> float:
    began = time.perf_counter()
    with Supervisor(name="bench", mac_key=bytes(32), wall=Wall()) as supervisor:
        supervisor.assemble("(module)")
        return time.perf_counter() - began


def _bare_start_time() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
    return time.perf_counter() - began


def _in_kernel(measure):  # type: ignore[no-untyped-def]
    manager = KernelManager()
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=40"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="bench", language="python")
    manager.start_kernel(cwd=str(NOTEBOOK.parent), env=environment())
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        return measure(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


def _execute(client: BlockingKernelClient, code: str) -> str:
    text: list[str] = []

    def hear(message: dict) -> None:  # type: ignore[type-arg]
        if message["msg_type"] == "stream":
            text.append(message["content"]["text"])

    client.execute_interactive(code, output_hook=hear, timeout=600)
    return "".join(text)


def _load_time(manager: KernelManager, client: BlockingKernelClient) -> float:
    return float(_execute(client, LOAD))


def _memory(manager: KernelManager, client: BlockingKernelClient) -> dict[str, int]:
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            _execute(client, cell.source)
    kernel = psutil.Process(int(_execute(client, "import os; print(os.getpid())")))
    sizes = {"kernel": kernel.memory_info().rss}
    for number, child in enumerate(kernel.children(recursive=True)):
        sizes[f"worker {number + 1}"] = child.memory_info().rss
    return sizes
