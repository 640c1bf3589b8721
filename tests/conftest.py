"""What every test shares: a cache of its own, and skips that say what is missing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkernel._cache import Cache


@pytest.fixture(autouse=True)
def _own_ipython_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the user's IPython profile."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.getbasetemp() / "ipython"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    return Cache(tmp_path / "cache")


@pytest.fixture
def require() -> Callable[[str, object], None]:
    """Return a function that skips the test, or fails it under LABKERNEL_REQUIRE=all, where a tool is missing."""

    def check(what: str, there: object) -> None:
        if there:
            return
        if os.environ.get("LABKERNEL_REQUIRE") == "all":
            pytest.fail(f"{what} is missing, and LABKERNEL_REQUIRE=all asks for everything")
        pytest.skip(f"{what} is missing")

    return check


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> None:
    """Let SIGINT raise: a shell that starts the tests in the background has it ignored, here and in all children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_process_left() -> Iterator[None]:
    """Fail the run when a test leaves a child process behind."""
    import psutil

    before = {p.pid for p in psutil.Process().children(recursive=True)}
    yield
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    left = [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not left, f"processes left behind: {[' '.join(p.cmdline()) for p in left]}"
