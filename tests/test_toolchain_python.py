"""Python cells: every WIT type in and out, both forms alike, errors on the cell's lines, packages, hostile input."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_toolchain_rust import AWKWARD_CALLS
from toolchain_kit import AWKWARD, SHOP, STORE, Kit
from worlds import EVENT, FAAS, OTHER

from labkernel import Lab
from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, GuestExit, GuestTrap, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Options, Snippet
from labkernel._toolchains.python import Python, tools
from labkernel._toolchains.versions import Origin
from labkernel._values import Variant, err, from_normal, ok

Require = Callable[[str, object], None]

HANDLER = """def handle(event):
    if event.event_type == EventType.OBJECT_ADDED:
        return
    raise Err(HandlerError_Unsupported(event.event_type))
"""
WITS = {"faas": FAAS, "awkward": AWKWARD, "shop": SHOP, "store": STORE}


@pytest.fixture(scope="module")
def python() -> Python:
    """Return the toolchain."""
    return Python()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require, python: Python) -> None:
    """Skip what needs tools that are missing."""
    if not {"lab", "kit"} & set(request.fixturenames):
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    require(f"componentize-py ({tools.HOW})", python.versions())


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return a lab over the user's own cache, where runtimes are made once."""
    with Lab() as lab:
        for name, wit in WITS.items():
            if find_toolbox():
                lab.wit(wit, name=name)
        yield lab


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("python"))
    yield kit
    kit.close()


class Cell:
    """A cell that was built and started. `output` is what it printed."""

    def __init__(self, lab: Lab, text: str, world: str = "faas", **options: Any) -> None:
        grants = {name: options.pop(name) for name in ("env", "stdin", "dirs") if name in options}
        self.build = lab.build("python", text, name="resize", world=world, **options)
        self.output: list[tuple[str, str]] = []
        self.instance = lab.instantiate(self.build, name="resize-one", **grants)

    def __call__(self, function: str, *args: Any) -> Any:
        """Call with values in normal form; return the answer in normal form."""
        found = self.instance.find(function)
        hear = lambda stream, text: self.output.append((stream, text))  # noqa: E731
        return self.instance.call_normal(found, list(args), on_output=hear).normal

    def handle(self, call: str = EVENT) -> Any:
        """Call the handler with WAVE text."""
        hear = lambda stream, text: self.output.append((stream, text))  # noqa: E731
        return self.instance.call_text(f"handle({call})", on_output=hear).value

    def said(self, stream: str = "stdout") -> str:
        """Return what it printed."""
        return "".join(text for each, text in self.output if each == stream)


# ------------------------------------------------------------------------------------------- what a cell does


@pytest.mark.parametrize(
    "text",
    [
        HANDLER,
        HANDLER.replace("raise Err", "return Err"),
        HANDLER.replace("return\n", "return Ok(None)\n"),
        HANDLER.replace("\n", "\r\n"),
        "\ufeff" + HANDLER,
        "from wit_world import EventType, HandlerError_Unsupported\nfrom componentize_py_types import Err\n"
        + HANDLER,
        "class WitWorld:\n    def handle(self, event):\n"
        + "".join(f"    {line}\n" for line in HANDLER.splitlines()[1:]),
        "def answer(event):\n" + HANDLER.partition("\n")[2] + "\nhandle = answer\n",
    ],
    ids=["raise", "return Err", "return Ok", "windows", "bom", "imports", "class", "assigned"],
)
def test_every_form_of_a_cell_does_the_same_job(lab: Lab, text: str) -> None:
    """A cell defines the world's function in any of the ways that Python has."""
    cell = Cell(lab, text)
    assert cell.handle() == ok(None)
    assert cell.handle(OTHER) == err(Variant("unsupported", "object-removed"))


AWKWARD_CELL = """
def nested(v): return v
def shapes(v): return v
def perm(v): return v | Perms.EXEC
def bytes(v): return v[::-1]
def pair(v): return v[1], v[0]
def points(v): return [Point(p.y, p.x) for p in v]
def word(v):
    return Words(v.type + 1, v.result, v.option, v.list, v.int, v.fn)
def kinds(v): return {Kind.TYPE: Kind.STRUCT}[v]
def match(type, fn): return type + fn
def default(int): return -int
def answer(v):
    if isinstance(v, Err):
        return v
    return Ok(v.value + 1)
def both(v): return v
def nothing(): pass
"""


def test_keywords_and_awkward_types(lab: Lab) -> None:
    """Values of every shape come and go, under names that are keywords somewhere."""
    cell = Cell(lab, AWKWARD_CELL, "awkward")
    for function, args, expected in AWKWARD_CALLS:
        assert cell(function, *args) == expected, function


def test_functions_of_one_exported_interface_may_be_bare(lab: Lab) -> None:
    """The types of an exported interface are in scope and its functions are found; state stays."""
    cell = Cell(
        lab,
        "ALL = {}\n"
        "def put(entry):\n    if not entry.key:\n        raise Err(Fault_Broken('no key'))\n"
        "    ALL[entry.key] = entry\n"
        "def get(key):\n    return ALL[key] if key in ALL else Err(Fault_Missing())\n"
        "def size(): return len(ALL)\n",
        "storage",
    )
    assert cell("put", ["", b""]) == ["err", ["broken", "no key"]]
    assert cell("put", ["k", b"\x01"]) == ["ok", None]
    assert cell("get", "k") == ["ok", ["k", b"\x01"]]
    assert cell("get", "q") == ["err", ["missing", None]]
    assert cell("size") == 1


SHOP_FORMS = {
    "functions": """
def put(item): pass
def stock_get(name):
    return stock.Item(name, 2) if name == 'x' else None
def names(): return [str(len(random.get_random_bytes(3)))]
def prices_get(item): raise Err(item.name)
""",
    "classes": """
class Stock:
    def put(self, item): pass
    def get(self, name):
        return Item(name, 2) if name == 'x' else None
    def names(self): return [str(len(random.get_random_bytes(3)))]
class Prices:
    def get(self, item): return Err(item.name)
""",
}


@pytest.mark.parametrize("form", SHOP_FORMS)
def test_several_interfaces_and_imports(lab: Lab, form: str) -> None:
    """Functions of one name in two interfaces are told apart; imports are called as Python functions."""
    cell = Cell(lab, SHOP_FORMS[form] + "def version(): return '1'\n", "shop")
    stock, prices = "test:shop/stock@1.0.0#", "test:shop/prices@1.0.0#"
    assert cell(stock + "get", "x") == [["x", 2]]
    assert cell(stock + "get", "y") is None
    assert cell(stock + "names") == ["3"]
    assert cell(prices + "get", ["tea", 1]) == ["err", "tea"]
    assert cell("version") == "1"


def test_an_import_that_nobody_implements_is_named(lab: Lab) -> None:
    """Calling what was not granted ends the guest with the import's name."""
    text = SHOP_FORMS["functions"] + "def version():\n    log('x')\n    return '1'\n"
    with pytest.raises(Exception, match="log"):
        Cell(lab, text, "shop")("version")


@pytest.mark.parametrize("world", ["faas", "awkward", "shop", "storage"])
def test_the_starter_builds_as_it_stands(lab: Lab, world: str) -> None:
    """The starter cell builds and each of its functions answers."""
    from labkernel._events import sample

    text = lab.starter("python", "fresh", world=world).partition("\n")[2]
    cell = Cell(lab, text, world)
    for function in cell.instance.functions:
        answer = cell(function.full_name, *sample(function, seed=1))
        if function.result is not None:
            from_normal(answer, function.result)


# -------------------------------------------------------------------------------- the two forms are the same

ALIKE = """
import os, sys, json, random, uuid, secrets, datetime
from collections import OrderedDict
STARTED = random.random(), uuid.uuid4().hex, secrets.token_hex(4), os.environ.get("MODE")
print("at start", os.environ.get("MODE"), sorted(os.environ), __name__)
CALLS = 0
def handle(event):
    global CALLS
    CALLS += 1
    if event.event_version == "stdlib":
        import asyncio, csv, email.message, http.client, sqlite3, statistics, tomllib, unittest, urllib.request
        import xml.etree.ElementTree, zipfile, zoneinfo, html.parser, difflib, logging.config, encodings.cp1252
        print(asyncio.run(later()), sqlite3.connect(":memory:").execute("select 1+1").fetchone(), "é".encode("cp1252"))
    elif event.event_version == "fresh":
        print(json.dumps([STARTED, random.random(), os.urandom(4).hex(), CALLS]))
    elif event.event_version == "util":
        import util, data.reader
        print(util.double(21), data.reader.text(), __import__("pkgutil").get_data("cell", "note.txt").decode())
    elif event.event_version == "trace":
        first(event)
    elif event.event_version == "exit":
        sys.exit(7)
    elif event.event_version == "stdin":
        print(sys.stdin.read(), open("/data/in.txt").read(), os.listdir("/data"))
    elif event.event_version == "deep":
        return deep(0)
async def later():
    await __import__("asyncio").sleep(0.001)
    return "later"
def first(event):
    return {}[event.event_type]
def deep(n):
    return deep(n + 1)
"""
FILES = (
    ("util.py", "def double(x):\n    return 2 * x\n"),
    ("data/reader.py", "def text():\n    return 'read'\n"),
    ("note.txt", "a note"),
)


def event(version: str) -> str:
    """Return an event of that version."""
    return EVENT.replace("2.1", version)


@pytest.fixture(scope="module", params=["development", "release"])
def alike(
    request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Cell]:
    """Return a function that starts one cell in one of the two forms."""
    folder = tmp_path_factory.mktemp("granted")
    (folder / "in.txt").write_text("from a file")

    def start() -> Cell:
        return Cell(
            lab, ALIKE, files=FILES, release=request.param == "release", env={"MODE": "test"}, stdin="typed",
            dirs=[f"{folder}::/data"],
        )  # fmt: skip

    assert start().build.form == request.param
    return start


def test_the_whole_standard_library_is_there(alike: Callable[[], Cell]) -> None:
    """Modules import when they are first needed, in both forms."""
    cell = alike()
    assert cell.handle(event("stdlib")) == ok(None)
    assert cell.said().splitlines()[1] == r"later (2,) b'\xe9'"


def test_the_cell_runs_when_the_instance_starts(alike: Callable[[], Cell]) -> None:
    """The top of a cell runs once, at the first call, with what was granted; the lab's own variable is gone."""
    cell = alike()
    cell.handle()
    cell.handle()
    assert cell.said() == "at start test ['MODE'] cell\n"


def test_every_instance_is_random_on_its_own(alike: Callable[[], Cell]) -> None:
    """No instance repeats another's random numbers, at the top of the cell or later."""
    seen = []
    for _ in range(2):
        cell = alike()
        cell.handle(event("fresh"))
        seen.append(cell.said().splitlines()[1])
    assert seen[0] != seen[1]
    for one, other in zip(*(eval(x.replace("null", "None")) for x in seen), strict=True):
        assert one == other == 1 or one != other


def test_further_files_are_modules_and_data(alike: Callable[[], Cell]) -> None:
    """`--file` brings modules, packages and data."""
    cell = alike()
    cell.handle(event("util"))
    assert cell.said().splitlines()[1] == "42 read a note"


def test_a_traceback_shows_the_cells_own_lines(alike: Callable[[], Cell]) -> None:
    """A failure prints file, line and text of the cell, and nothing of what stands around it."""
    cell = alike()
    with pytest.raises(GuestTrap):
        cell.handle(event("trace"))
    line = ALIKE.splitlines().index("    return {}[event.event_type]") + 1
    told = cell.said("stderr")
    assert told.startswith('Traceback (most recent call last):\n  File "resize.py", line ')
    assert f'File "resize.py", line {line}, in first\n    return {{}}[event.event_type]\n' in told
    assert told.rstrip().endswith("KeyError: <EventType.OBJECT_ADDED: 0>")
    assert "labkernel" not in told
    assert "panicked" not in told


def test_exit_stdin_and_folders(alike: Callable[[], Cell]) -> None:
    """A guest that exits has its status told; standard input and granted folders are read."""
    with pytest.raises(GuestExit) as caught:
        alike().handle(event("exit"))
    assert caught.value.status == 1  # WASI 0.2 tells success and failure, no number
    cell = alike()
    cell.handle(event("stdin"))
    assert cell.said().splitlines()[1] == "typed from a file ['in.txt']"


def test_deep_recursion_is_an_error_of_python(alike: Callable[[], Cell]) -> None:
    """Recursion without end is told as Python tells it."""
    cell = alike()
    with pytest.raises(GuestTrap):
        cell.handle(event("deep"))
    assert "RecursionError" in cell.said("stderr")


def test_a_released_component_stands_alone(lab: Lab, tmp_path: Path) -> None:
    """A release build is saved as a file that answers elsewhere; a development build is not."""
    build = lab.build("python", ALIKE, name="resize", world="faas", files=FILES, release=True)
    saved = lab.save("resize", tmp_path)
    again = lab.load(saved, name="again")
    assert again.digest == build.digest
    assert lab.instantiate(again).call_text(f"handle({EVENT})").value == ok(None)
    lab.build("python", HANDLER, name="draft", world="faas")
    with pytest.raises(UsageError, match="--release"):
        lab.save("draft", tmp_path)


# ------------------------------------------------------------------------------------------- the edit loop


def test_an_edit_answers_at_once(lab: Lab) -> None:
    """A changed cell gives its new answer within a tenth of a second, and a new digest."""
    first = lab.build("python", HANDLER, name="edited", world="faas")
    instance = lab.instantiate(first)
    instance.call_text(f"handle({EVENT})")
    took = []
    for code in range(5):
        text = f"# {time.time_ns()}\ndef handle(event):\n    return Err(HandlerError_Rejected({code}))\n"
        began = time.perf_counter()
        build = lab.build("python", text, name="edited", world="faas")
        answer = instance.call_text(f"handle({EVENT})")
        took.append(time.perf_counter() - began)
        assert answer.value == err(Variant("rejected", code))
        assert "rebuilt" in answer.notes[0]
        assert build.digest != first.digest
        assert build.wasm == first.wasm
        assert "codegen" not in build.phases
    assert min(took) < 0.1


def test_the_same_cell_is_not_built_twice(lab: Lab) -> None:
    """An unchanged cell is found again, with its digest."""
    one = lab.build("python", HANDLER, name="same", world="faas")
    two = lab.build("python", HANDLER, name="same", world="faas")
    assert two.cached
    assert one.digest == two.digest


def test_a_grant_of_the_snippets_own_name_changes_nothing(lab: Lab) -> None:
    """A granted variable cannot put another cell in the place of the one that was built."""
    cell = Cell(lab, HANDLER, env={"LABKERNEL_SNIPPET": "{}"})
    assert cell.handle() == ok(None)


def test_a_large_cell_is_handed_over(lab: Lab) -> None:
    """A cell of two megabytes runs."""
    cell = Cell(lab, f"DATA = {'x' * (2 << 20)!r}\ndef handle(event):\n    print(len(DATA))\n")
    cell.handle()
    assert cell.said() == f"{2 << 20}\n"


# ------------------------------------------------------------------------------------- errors on the cell's lines


def failure(kit: Kit, python: Python, text: str, wit: str = FAAS, **options: Any) -> CompileError:
    """Return the error of a cell that does not build."""
    with pytest.raises(CompileError) as caught:
        kit.build(python, text, wit, **options)
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the only diagnostic."""
    (found,) = error.diagnostics
    return found


def test_a_syntax_error_is_on_the_cells_line(kit: Kit, python: Python) -> None:
    """Line, column and text are the cell's, with tabs and letters beyond ASCII before the place."""
    found = only(failure(kit, python, "def handle(event):\n\té = 'ß'; x = = 1\n"))
    assert (found.line, found.column, found.file) == (2, 15, "resize.py")
    assert found.text == "\té = 'ß'; x = = 1"
    assert found.message == "invalid syntax"


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("return 1\n", 1, "'return' outside function"),
        ("def handle(event):\n  x = 1\n y = 2\n", 3, "unindent"),
        ("def handle(event):\r\n    x = (1,\r\n", 2, "'(' was never closed"),
        ("x = '\0'\n", 1, "NUL"),
        ("x = '\ud800'\n", 1, "half of a character"),
        ("def handle(event): await x\n", 1, "'await' outside async function"),
        ("x = " + "(" * 5000, 1, "too many nested parentheses"),
    ],
)
def test_what_is_no_python_is_told(kit: Kit, python: Python, text: str, line: int, part: str) -> None:
    """Whatever Python refuses is an error on its line."""
    found = only(failure(kit, python, text))
    assert found.line == line
    assert part in found.message


def test_a_cell_nested_too_deeply_is_told(kit: Kit, python: Python) -> None:
    """A cell that would exhaust the compiler's stack is refused."""
    failure(kit, python, "x = " + "-" * 200_000 + "1\n")


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, python: Python) -> None:
    """The signature is named, and the nearest name of the cell."""
    found = only(failure(kit, python, "x = 1\ndef handel(event):\n    pass\n"))
    assert found.message.startswith(
        "the world faas asks for the function `handle`, which the cell does not define."
    )
    assert "'handel'" in found.message
    assert (found.line, found.column, found.end_column) == (2, 5, 11)
    assert found.hint == "define it: `def handle(event: HandlerEvent) -> None:`"


def test_every_missing_function_is_told(kit: Kit, python: Python) -> None:
    """One error for each, those of namesakes with the interface in front."""
    error = failure(kit, python, "def size(): return 0\n", STORE)
    assert [d.hint for d in error.diagnostics] == [
        "define it: `def put(entry: Entry) -> None:`",
        "define it: `def get(key: str) -> Entry:`",
    ]
    names = [d.message for d in failure(kit, python, "x = 1\n", SHOP).diagnostics]
    assert any("`stock_get`" in name for name in names)
    assert any("`prices_get`" in name for name in names)


@pytest.mark.parametrize(
    "text",
    [
        "def handle(): pass",
        "def handle(a, b): pass",
        "def handle(event, *, x): pass",
        "async def handle(event): pass",
    ],
)
def test_a_wrong_signature_is_told_where_the_function_is(kit: Kit, python: Python, text: str) -> None:
    """A function that cannot be called as the world calls it is an error on its own line."""
    found = only(failure(kit, python, f"\n{text}\n"))
    assert found.line == 2
    assert "`def handle(event: HandlerEvent) -> None:`" in found.hint


@pytest.mark.parametrize(
    "text",
    [
        "def handle(*events): pass",
        "def handle(event, more=1): pass",
        "try:\n    from nowhere import handle\nexcept ImportError:\n    def handle(event): pass",
        "handle = print",
        "if True:\n    def handle(event): pass",
        "exec('def handle(event): pass')",
        "from functools import partial\nhandle = partial(print, 'x')",
        "class Base:\n    def handle(self, event): pass\nclass WitWorld(Base): pass",
    ],
)
def test_what_defines_the_function_passes(lab: Lab, text: str) -> None:
    """No way of defining the function is refused."""
    assert Cell(lab, text + "\n").handle() == ok(None)


def test_newer_syntax_is_left_to_the_newer_python(lab: Lab) -> None:
    """What only the component's Python knows is no error of the lab's."""
    text = "type Number = int | float\ndef first[T](x: list[T]) -> T:\n    return x[0]\n" + HANDLER
    assert Cell(lab, text).handle() == ok(None)
    with pytest.raises(CompileError) as caught:
        lab.build("python", "type Number = int |\n" + HANDLER, name="resize", world="faas")
    found = only(caught.value)
    assert (found.line, found.column, found.text) == (1, 20, "type Number = int |")


def test_an_unknown_module_is_told(kit: Kit, python: Python, lab: Lab) -> None:
    """A module that nobody has is an error, with the way to bring it; one the cell can do without is none."""
    lab.build("python", HANDLER, name="warm", world="faas")
    found = only(failure(kit, python, "import os, numpy\n" + HANDLER))
    assert found.line == 1
    assert "`numpy`" in found.message
    assert "--dep numpy" in found.hint
    Cell(lab, "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n" + HANDLER).handle()


def test_warnings_come_with_success(kit: Kit, python: Python, lab: Lab) -> None:
    """A warning does not stop the build."""
    lab.build("python", HANDLER, name="warm", world="faas")
    (found,) = kit.build(python, "x = 1 is 1\n" + HANDLER, FAAS).diagnostics
    assert (found.severity, found.line) == ("warning", 1)


MISFITS = [
    ("match", "'x'", "the answer is 'x'; expected a whole number from 0 to 4294967295"),
    ("match", "-1", "the answer is -1; expected"),
    (
        "word",
        "Words(300, '', None, b'', 0, 'a')",
        "the answer.type is 300; expected a whole number from 0 to 255",
    ),
    ("word", "Words(3, '', None, b'', 0, 'ab')", "the answer.fn is 'ab'; expected one character"),
    (
        "shapes",
        "'dot'",
        "the answer is 'dot'; expected one of Shape_Dot, Shape_Round, Shape_Named, Shape_Pair",
    ),
    (
        "shapes",
        "Shape_Round(Point(1, 2))",
        "the answer.value is Point(x=1, y=2); expected Circle(center, radius)",
    ),
    ("kinds", "0", "the answer is 0; expected one of Kind.ENUM, Kind.TYPE, Kind.STRUCT, Kind.STATIC"),
    ("perm", "3", "the answer is 3; expected flags, as in Perms.READ, Perms.WRITE, Perms.EXEC"),
    ("bytes", "'abc'", "the answer is 'abc'; expected bytes"),
    ("pair", "('a',)", "the answer is ('a',); expected a tuple of 2"),
    ("points", "[Point(1, 2), None]", "the answer[1] is None; expected Point(x, y)"),
    ("nested", "'x'", "the answer is 'x'; expected None or Some(...)"),
    ("answer", "Ok('x')", "the answer is 'x'; expected a whole number"),
    ("answer", "Err(4)", "the error returned, Err.value, is 4; expected text"),
]


@pytest.mark.parametrize(("function", "value", "told"), MISFITS, ids=[f"{f}-{v}" for f, v, _ in MISFITS])
def test_an_answer_that_does_not_fit_is_told(lab: Lab, function: str, value: str, told: str) -> None:
    """A wrong answer is an error at the function's line, with the part, its value and what was expected."""
    from labkernel._events import sample

    cell = Cell(lab, f"{AWKWARD_CELL}\ndef {function}(*a): return {value}\n", "awkward")
    with pytest.raises(GuestTrap):
        cell(function, *sample(cell.instance.find(function), seed=1))
    line = AWKWARD_CELL.count("\n") + 2
    assert f'File "resize.py", line {line}, in {function}\n' in cell.said("stderr")
    assert f"TypeError: {told}" in cell.said("stderr")


def test_an_error_and_an_argument_that_do_not_fit_are_told(lab: Lab) -> None:
    """So is what is raised within `Err`, and what an imported function is given."""
    cell = Cell(lab, "def handle(event):\n    raise Err('text')\n")
    with pytest.raises(GuestTrap):
        cell.handle()
    assert "the error raised, Err.value, is 'text'; expected one of HandlerError_Unsupported" in cell.said(
        "stderr"
    )
    cell = Cell(
        lab, SHOP_FORMS["functions"] + "def version():\n    return random.get_random_bytes('x')\n", "shop"
    )
    with pytest.raises(GuestTrap):
        cell("version")
    told = cell.said("stderr")
    assert "    return random.get_random_bytes('x')\n" in told
    assert "TypeError: get_random_bytes(len) is 'x'; expected a whole number" in told


def test_an_error_in_a_file_is_on_its_line(kit: Kit, python: Python) -> None:
    """Further modules are read too."""
    found = only(failure(kit, python, HANDLER, files=[("util.py", "x = 1\ndef (:\n")]))
    assert (found.file, found.line) == ("util.py", 2)


# ------------------------------------------------------------------------------------------------- packages


def wheel(folder: Path, name: str, version: str, files: dict[str, str], tag: str = "py3-none-any") -> None:
    """Write a wheel."""
    info = f"{name}-{version}.dist-info"
    needs = files.pop("needs", "")
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of wheels that stands for the package index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


USES = """
import labgreet, importlib.metadata, importlib.resources
def handle(event):
    print(labgreet.hello(), importlib.metadata.version("labgreet"))
    print(importlib.resources.files("labgreet").joinpath("note.txt").read_text())
"""


@pytest.mark.parametrize("release", [False, True], ids=["development", "release"])
def test_packages_come_along(lab: Lab, index: Path, release: bool) -> None:
    """`--dep` brings a pure-Python package, what it needs, its data and its version, in both forms."""
    mark = f"greets {release}"
    files = {"labgreet/__init__.py": f"import labword\ndef hello():\n    return {mark!r} + labword.WORD\n"}
    wheel(
        index,
        "labgreet",
        "1.2.3",
        {**files, "labgreet/note.txt": "data", "needs": "Requires-Dist: labword>=1\n"},
    )
    wheel(index, "labword", "1.0", {"labword.py": "WORD = '!'\n"})
    version = f"1.2.{3}"
    cell = Cell(lab, USES, deps=(f"labgreet@{version}",), release=release)
    cell.handle()
    assert cell.said().splitlines()[0].endswith("! 1.2.3")
    assert cell.said().splitlines()[1] == "data"
    assert "labword 1.0" in cell.build.tools
    site = next((folder for folder, _ in cell.build.supplies.dirs), None)
    assert release or site is not None
    if site is not None:
        assert [path.name for path in Path(site).rglob("labword*.pyc")] == ["labword.cpython-314.pyc"]
    (index / "labgreet-1.2.3-py3-none-any.whl").unlink()
    assert Cell(lab, USES + "# again\n", deps=("labgreet@1.2.3",), offline=True).handle() == ok(None)


def test_packages_that_cannot_be_had_are_told(
    kit: Kit, python: Python, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown, native and offline are three different messages; a bad name is refused."""
    monkeypatch.setattr(kit, "cache", Cache(tmp_path / "cache"))
    wheel(index, "labnative", "1.0", {"labnative.so": ""}, tag="cp311-cp311-manylinux1_x86_64")
    found = only(failure(kit, python, HANDLER, deps=("labnative",)))
    assert "no pure-Python release" in found.message
    found = only(failure(kit, python, HANDLER, deps=("labnowhere@1",)))
    assert "labnowhere==1" in found.message
    found = only(failure(kit, python, HANDLER, deps=("labnowhere@1",), offline=True))
    assert "--offline" in found.message
    for bad in ("-r/etc/passwd", "../x", "a b", "https://x/y.whl", "x@file:///y", ""):
        with pytest.raises(UsageError):
            kit.build(python, HANDLER, FAAS, deps=(bad,))


def test_a_package_that_leaves_its_folder_is_refused(
    kit: Kit, python: Python, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel with a path that leads out is not unpacked."""
    monkeypatch.setattr(kit, "cache", Cache(tmp_path / "cache"))
    wheel(index, "labevil", "1.0", {"../../evil.py": "x = 1\n"})
    assert "outside" in only(failure(kit, python, HANDLER, deps=("labevil",))).message
    assert not list(tmp_path.rglob("evil.py"))


# -------------------------------------------------------------------------------------------- the tool itself


def test_what_cannot_be_built_is_refused(kit: Kit, python: Python) -> None:
    """No world, flags, levels, taken file names and async functions have a message each."""
    package, world = kit.world(FAAS)
    with pytest.raises(UsageError, match="needs a world"):
        python.build(Snippet("python", HANDLER), None, None, Options(), kit.context)
    for options in (Options(flags=("-x",)), Options(opt="3")):
        with pytest.raises(UsageError, match=r"leave it out|no flags"):
            python.build(Snippet("python", HANDLER), package, world, options, kit.context)
    for name in ("resize.py", "cell.py", "../x.py", "/etc/passwd", "json.py"):
        with pytest.raises(UsageError, match="The file"):
            kit.build(python, HANDLER, FAAS, files=[(name, "")])
    resources = "package a:b; interface i { resource r { get: func() -> u8; } } world w { export i; }"
    with pytest.raises(CompileError, match="asks for the class `R` with `get`"):
        kit.build(python, HANDLER, resources)


def test_bindings_are_readable(lab: Lab) -> None:
    """`%wit show W --language python` shows modules with the world's types."""
    package, world = lab.worlds.find("faas")
    assert package is not None
    assert world is not None
    files = lab.bindings("python", package, world)
    assert "class HandlerEvent:" in files["wit_world/__init__.py"]
    assert "class Err" in files["componentize_py_types.py"]


def test_a_missing_tool_is_told(
    python: Python, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without componentize-py there is the line that installs it, and the doctor's rows say so."""
    from labkernel._toolchains import Context

    monkeypatch.setattr(Origin, "installed", lambda self: None)
    assert python.versions() == ""
    rows = python.check(cache)
    assert [row.version for row in rows] == [None, None]
    with pytest.raises(ToolchainMissing, match="pip install componentize-py"):
        python.setup(Context(cache, tmp_path))


def test_versions_are_found_by_looking(python: Python, require: Require) -> None:
    """What identifies the tool is found without starting it."""
    require("componentize-py", python.versions())
    began = time.perf_counter()
    for _ in range(20):
        python.versions()
    assert (time.perf_counter() - began) / 20 < 0.005


def test_a_build_that_takes_too_long_is_stopped(kit: Kit, python: Python) -> None:
    """The limit of time holds while the component is made, and nothing is left running."""
    began = time.monotonic()
    with pytest.raises(CompileError, match="time limit"):
        kit.build(python, HANDLER, FAAS, release=True, timeout_s=0.5)
    assert time.monotonic() - began < 10


def test_the_machine_is_not_seen_while_a_component_is_made(kit: Kit, python: Python) -> None:
    """Packages installed beside the lab are no part of a component, and files of the machine cannot be read."""
    text = (
        "import sys\nFOUND = [p for p in sys.path]\ndef handle(event):\n    print(FOUND)\n    import pytest\n"
    )
    artifact = kit.build(python, text, FAAS, release=True)
    call = kit.start(artifact.wasm)
    with pytest.raises(GuestTrap):
        call("handle", ["object-added", [1, 0], "2.1"])
    said = "".join(text for _, text in call.output)
    assert said.startswith("[]\n")
    assert "No module named 'pytest'" in said
    assert os.environ["PATH"] not in said


def test_the_card_says_what_is_baked(require: Require) -> None:
    """Where the two forms cannot be as an ordinary Python, the build says so."""
    from labkernel import Lab
    from labkernel._errors import ToolchainMissing

    with Lab() as lab:
        try:
            lab.wit(FAAS, name="faas")
            build = lab.build("python", "def handle(event):\n    return None\n", name="fn")
        except ToolchainMissing as error:
            require(str(error), False)
            return
        assert any("hash()" in note for note in build.notes)
