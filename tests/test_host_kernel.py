"""`%%host` in a real kernel: variables, interrupts at any moment, what exceptions look like, what lives on."""

from __future__ import annotations

import random
import time

import pytest
from host_callbacks import STORE
from test_host_functions import WIT
from test_kernel import Kernel, kernel  # noqa: F401 - the fixture is used by its name

CELL = """%%host kv --interface kv
asked = []

def get(key):
    asked.append(key)
    return _found(key)

def _found(key):
    return stock[key]

def add(a, b):
    if a == 1:
        time.sleep(60)
    if a == 2:
        while True:
            pass
    if a == 3:
        raise SystemExit("leave")
    if a == 4:
        raise ZeroDivisionError("by hand")
    if a == 5:
        return other.count()
    return a + b

def log(text):
    print("host:", text)
"""


@pytest.fixture
def store(kernel: Kernel) -> Kernel:  # noqa: F811
    """Return the kernel with the store, its implementation and two instances in it."""
    kernel.run(f"%%wit store\n{WIT}")
    kernel.run(f"%%wasm wat shop\n{STORE}")
    kernel.run("import time\nkept = 'kept'\nget = 'mine'\nstock = {'tea': '3'}")
    assert not kernel.run(CELL)["error"]
    for name in ("fn", "other"):
        got = kernel.run(f"%instantiate shop --as {name} --host kv --timeout 120s")
        assert "granted by the notebook's kv" in got["shown"]
    return kernel


def _works(kernel: Kernel) -> None:  # noqa: F811
    got = kernel.run("%fire fn add(20, 22)")
    assert "Answer: 42" in got["shown"], got
    assert kernel.run("print(kept)")["text"] == "kept\n"


def test_the_notebooks_variables(store: Kernel) -> None:
    """Functions see the notebook's variables as they are; the cell's own names overwrite none of them."""
    assert 'ok("3")' in store.run('%fire fn get("tea")')["shown"]
    assert 'err("milk")' in store.run('%fire fn get("milk")')["shown"]
    store.run("stock['milk'] = '1'")
    assert 'ok("1")' in store.run('%fire fn get("milk")')["shown"]
    assert store.run("print(get, kv.asked)")["text"] == "mine ['tea', 'milk', 'milk']\n"
    assert store.run("print(kv.get('tea'))")["text"] == "3\n"
    assert "NameError" in store.run("print(asked)")["error"]


def test_what_it_prints_is_the_cells(store: Kernel) -> None:
    """A function prints under the cell that fires."""
    assert "host: hello\n" in store.run('%fire fn log("hello")')["text"]


@pytest.mark.parametrize("call", ["add(1, 0)", "add(2, 0)"], ids=["asleep", "busy"])
def test_interrupt_in_the_function(store: Kernel, call: str) -> None:
    """An interrupt is raised in the user's function and ends the call; instances and variables live."""
    assert "Answer: 1" in store.run("%fire other count()")["shown"]
    begun = time.monotonic()
    got = store.run(f"%fire fn {call}", during=store.interrupt_after(0.7))
    assert got["error"] == "KeyboardInterrupt"
    assert "labkernel/" not in got["text"]
    assert time.monotonic() - begun < 10
    _works(store)
    assert "Answer: 2" in store.run("%fire other count()")["shown"]


def test_no_interrupt_is_lost(store: Kernel) -> None:
    """Whenever it falls, in guest, frame or function, an interrupt ends the cell and nothing else."""
    chance = random.Random(7)
    for _ in range(8):
        got = store.run("%fire fn many(4000000000)", during=store.interrupt_after(chance.uniform(0.1, 0.5)))
        assert got["error"] == "KeyboardInterrupt"
        _works(store)


def test_an_exception_shows_the_cells_lines(store: Kernel) -> None:
    """The error names the function and shows the lines of the cell, and none of the lab's."""
    got = store.run("%fire fn add(4, 0)")
    assert got["error"] == "GuestTrap"
    for part in (
        "kv@1.0.0#add raised ZeroDivisionError: by hand",
        "<%%host kv>",
        'raise ZeroDivisionError("by hand")',
    ):
        assert part in got["text"]
    assert "labkernel/" not in got["text"]
    _works(store)


def test_the_kernel_survives_an_exit(store: Kernel) -> None:
    """`SystemExit` in a function ends the guest's call, not the kernel."""
    assert store.run("%fire fn add(3, 0)")["error"] == "GuestTrap"
    _works(store)


def test_a_call_of_a_guest_from_the_function(store: Kernel) -> None:
    """It is refused at once, in words, and both instances live."""
    got = store.run("%fire fn add(5, 0)")
    assert "cannot be called from within it" in got["text"]
    _works(store)
    assert "Answer: 1" in store.run("%fire other count()")["shown"]


def test_a_timeout_in_the_function(store: Kernel) -> None:
    """The guest's budget ends a function that sleeps, and says what was waited for."""
    got = store.run("%fire shop add(1, 0) --host kv --timeout 300ms")
    assert got["error"] == "BudgetExceeded"
    assert "waiting for the host function acme:store/kv@1.0.0#add" in got["text"]
    _works(store)


def test_a_cell_that_does_not_conform(store: Kernel) -> None:
    """The error points into the cell; the implementation of before stays."""
    got = store.run("%%host kv --interface kv\ndef get(key, more):\n    return key\n")
    assert got["error"] == "CompileError"
    assert "cell:1" in got["text"]
    assert "def get(key, more):" in got["text"]
    assert "add is missing" in got["text"]
    _works(store)


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ("def get(key:\n    pass", "CompileError", "cell:1:8"),
        ("x = 1\ny = x / 0", "ZeroDivisionError", "y = x / 0"),
        ("import nowhere_to_be_found", "ModuleNotFoundError", "nowhere_to_be_found"),
    ],
)
def test_a_cell_that_does_not_run(store: Kernel, body: str, error: str, said: str) -> None:
    """What is no Python, or raises, is shown with the cell's line and none of the lab's."""
    got = store.run(f"%%host kv --interface kv\n{body}\n")
    assert got["error"] == error
    assert said in got["text"]
    assert "labkernel/" not in got["text"]
    _works(store)
