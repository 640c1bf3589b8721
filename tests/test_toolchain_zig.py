"""Zig cells: natural types in and out, errors on the cell's lines, hostile input, the world's own module."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from test_toolchain_resources import PROVIDER
from test_toolchain_rust import ADDED, AWKWARD_CALLS, EVENT
from toolchain_kit import AWKWARD, SHOP, STORE, Kit
from toolchain_stress import STRESS, check_echoes
from worlds import FAAS

from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, GuestTrap, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Options, Snippet, zig_binary
from labkernel._toolchains.confine import is_available
from labkernel._toolchains.versions import Origin
from labkernel._toolchains.zig_lang import Zig
from labkernel._toolchains.zig_lang.names import ZigWorld
from labkernel._toolchains.zig_lang.source import Source

Require = Callable[[str, object], None]

HANDLE = """fn handle(event: HandlerEvent) Result(void, HandlerError) {
    return switch (event.event_type) {
        .object_added => .ok,
        else => .{ .err = .{ .unsupported = event.event_type } },
    };
}
"""
WANTED = "`fn handle(event: HandlerEvent) Result(void, HandlerError)`"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("zig"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def zig() -> Zig:
    """Return the toolchain."""
    return Zig()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require, zig: Zig) -> None:
    """Skip what needs tools that are missing."""
    if "kit" not in request.fixturenames:
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in zig.check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)


FORMS = {
    "bare names": HANDLE,
    "public": "pub " + HANDLE,
    "names of the module": 'const world = @import("world");\n'
    + HANDLE.replace("HandlerE", "world.HandlerE").replace("Result", "world.Result"),
    "the module without import": HANDLE.replace("HandlerE", "world.HandlerE"),
    "inferred types": HANDLE.replace("event: HandlerEvent", "event: anytype"),
    "errors of Zig": HANDLE.replace("Result(void, HandlerError)", "!Result(void, HandlerError)"),
    "own type of the world's name": "const Datetime = struct { x: u8 };\n"
    + HANDLE.replace(".ok,", "if ((Datetime{ .x = 1 }).x == 1) .ok else unreachable,"),
    "a local of a function's name": HANDLE.replace("return", "const now = 1;\n    _ = now;\n    return"),
    "Windows line ends": HANDLE.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + HANDLE,
    "no line end": HANDLE.rstrip(),
    "doc comments and tests": "//! What it does.\n/// The handler.\n" + HANDLE + 'test "x" {}\n',
    "an alias": "const impl = struct {\n    "
    + HANDLE.replace("\n", "\n    ")
    + "};\nconst handle = impl.handle;\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cell_does_the_same_job(kit: Kit, zig: Zig, name: str) -> None:
    """Each way to write the handler builds and answers the same."""
    made = kit.build(zig, FORMS[name], FAAS)
    assert made.diagnostics == ()
    assert set(made.phases) == {"bindings", "compile", "componentize"}
    call = kit.start(made.wasm)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    assert call("handle", ADDED) == ["ok", None]


AWKWARD_CELL = """const std = @import("std");
fn nested(v: ??[]const u8) ??[]const u8 { return v; }
fn shapes(v: Shape) Shape { return v; }
fn perm(v: Perms) Perms { var p = v; p.exec = true; return p; }
fn bytes(v: []const u8) ![]const u8 {
    const copy = try allocator.dupe(u8, v);
    std.mem.reverse(u8, copy);
    return copy;
}
fn pair(v: struct { u8, []const u8 }) struct { []const u8, u8 } { return .{ v[1], v[0] }; }
fn points(v: []const Point) ![]const Point {
    const out = try allocator.alloc(Point, v.len);
    for (v, out) |from, *to| to.* = .{ .x = from.y, .y = from.x };
    return out;
}
fn word(v: Words) Words { var w = v; w.type += 1; return w; }
fn kinds(v: Kind) Kind { return if (v == .type) .@"struct" else v; }
fn match(@"type": u32, @"fn": u32) u32 { return @"type" + @"fn"; }
fn default(int: i32) i32 { return -int; }
fn answer(v: Result(u32, []const u8)) Result(u32, []const u8) {
    return switch (v) { .ok => |n| .{ .ok = n + 1 }, .err => v };
}
fn both(v: Result(void, void)) Result(void, void) { return v; }
fn nothing() void {}
"""


def test_keywords_and_awkward_types(kit: Kit, zig: Zig) -> None:
    """Keywords are written with `@""`; values of every shape come and go."""
    call = kit.start(kit.build(zig, AWKWARD_CELL, AWKWARD).wasm)
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function


@pytest.mark.parametrize("opt", ["0", "1", "3", "s"])
def test_wide_worlds_at_every_level(kit: Kit, zig: Zig, opt: str) -> None:
    """A hundred cases, sixty fields, twenty parameters, everything nested: what goes in comes out."""
    _, world = kit.world(STRESS)
    bound = ZigWorld(world)
    lines = [f"{bound.signature(e)} {{ return v; }}" for e in bound.exports if e.name != "twenty"]
    rest = ", ".join(f"p{i}" for i in range(16))
    twenty = (
        f"{bound.signature(bound.exports[-1])} {{ _ = .{{ {rest} }}; return .{{ p16, p17, p18, p19 }}; }}"
    )
    check_echoes(kit.start(kit.build(zig, "\n".join([*lines, twenty]), STRESS, opt=opt).wasm), world)


STORE_CELL = """const std = @import("std");
const keep = std.heap.wasm_allocator;
var all: std.StringHashMapUnmanaged([]const u8) = .empty;
fn put(entry: Entry) !void {
    if (entry.key.len == 0) return error.Missing;
    std.debug.print("put {s}\\n", .{entry.key});
    try all.put(keep, try keep.dupe(u8, entry.key), try keep.dupe(u8, entry.value));
}
fn get(key: []const u8) Result(Entry, Fault) {
    const value = all.get(key) orelse return .{ .err = .missing };
    return .{ .ok = .{ .key = key, .value = value } };
}
fn size() u64 {
    return all.count();
}
"""


def test_state_errors_and_output(kit: Kit, zig: Zig) -> None:
    """What a cell keeps stays, an error of Zig is the case of its name, prints arrive whole."""
    call = kit.start(kit.build(zig, STORE_CELL, STORE).wasm)
    name = "test:store/store@1.0.0#{}".format
    assert call(name("put"), ["", b""]) == ["err", ["missing", None]]
    for i in range(200):
        assert call(name("put"), [f"k{i}é", b"\x01" * 1000 * i]) == ["ok", None]
    assert call(name("get"), "k3é") == ["ok", ["k3é", b"\x01" * 3000]]
    assert call(name("get"), "q") == ["err", ["missing", None]]
    assert call(name("size")) == 200
    assert "".join(text for stream, text in call.output if stream == "stderr").startswith(
        "put k0é\nput k1é\n"
    )


def test_the_memory_of_a_call_is_used_again(kit: Kit, zig: Zig) -> None:
    """Half a thousand megabytes in all, of arguments and of the cell's own, fit in the memory of a few calls."""
    cell = AWKWARD_CELL.replace(
        "fn nothing() void {}", "fn nothing() void { _ = allocator.alloc(u8, 8 << 20) catch {}; }"
    )
    call = kit.start(kit.build(zig, cell, AWKWARD).wasm)
    for round_number in range(60):
        if round_number % 6 == 0:
            assert len(call("bytes", b"x" * (1 << 20))) == 1 << 20
        call("nothing")


SHOP_CELL = """const std = @import("std");
fn put(item: Item) void { log(item.name); }
fn names() ![]const []const u8 {
    const all = try allocator.alloc([]const u8, 1);
    all[0] = try std.fmt.allocPrint(allocator, "{d}", .{random.getRandomBytes(3).len});
    return all;
}
const stock = struct {
    fn get(name: []const u8) ?Item { return if (std.mem.eql(u8, name, "x")) .{ .name = name, .count = 2 } else null; }
};
const prices = struct {
    fn get(item: Item) Result(u32, []const u8) { return .{ .err = item.name }; }
};
fn version() []const u8 { return "1"; }
"""


def test_several_interfaces_and_imports(kit: Kit, zig: Zig) -> None:
    """A function that two interfaces have stands in a namespace of the interface's name."""
    call = kit.start(kit.build(zig, SHOP_CELL, SHOP).wasm)
    assert call("version") == "1"
    assert call("test:shop/stock@1.0.0#get", "x") == [["x", 2]]
    assert call("test:shop/stock@1.0.0#names") == ["3"]
    assert call("test:shop/prices@1.0.0#get", ["p", 1]) == ["err", "p"]


def test_imported_resources(kit: Kit, zig: Zig) -> None:
    """A resource is a struct with methods, made by functions, ended by `deinit`."""
    wit = "package t:t;\nworld w { import wasi:cli/stdout@0.2.0; export run: func() -> result<_, string>; }\n"
    cell = """fn run() Result(void, []const u8) {
        const out = stdout.getStdout();
        defer out.deinit();
        return switch (out.blockingWriteAndFlush("hi\\n")) { .ok => .ok, .err => .{ .err = "closed" } };
    }"""
    call = kit.start(kit.build(zig, cell, wit).wasm)
    assert call("run") == ["ok", None]
    assert call.output == [("stdout", "hi\n")]


WORLDS = {
    "faas": FAAS, "awkward": AWKWARD, "shop": SHOP, "store": STORE, "stress": STRESS,
    "resources": PROVIDER,
    "http": "package a:b;\nworld p { include wasi:http/proxy@0.2.0; }\n",
    "command": "package a:b;\nworld c { include wasi:cli/command@0.2.0; }\n",
    "nothing": "package a:b;\nworld n {}\n",
    "inline": "package a:b;\nworld i { import log: interface { enum level { low } at: func(l: level); }\n"
    "  export log2: interface { enum level { a, b } at: func(l: level) -> level; } }\n",
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_the_starter_builds_as_it_stands(kit: Kit, zig: Zig, name: str) -> None:
    """A starter cell compiles for any world, and its answers are valid."""
    wit = WORLDS[name]
    made = kit.build(zig, zig.starter(*kit.world(wit), kit.context), wit)
    if wit is AWKWARD:
        call = kit.start(made.wasm)
        for function, args, _ in AWKWARD_CALLS:
            call(function, *args)


def test_a_resource_that_lacks_is_told(kit: Kit, zig: Zig) -> None:
    """The struct is asked for by name, and its functions where they belong."""
    found = failure(kit, zig, "", PROVIDER).diagnostics[0]
    assert found.message == "missing resource Counter: write `const Counter = struct { ... };`"
    cell = zig.starter(*kit.world(PROVIDER)).replace("fn add(", "fn ad(")
    found = only(failure(kit, zig, cell, PROVIDER))
    assert found.message.endswith(
        "`fn add(self: *Counter, by: u32) u32` in `const Counter = struct { ... };`"
    )
    assert found.hint == "rename ad to add, if that is what it is"


def test_the_bindings_can_be_read(kit: Kit, zig: Zig) -> None:
    """The module shows the world's types as Zig has them, with their docs."""
    package, world = kit.world(SHOP)
    text = zig.bindings(package, world, kit.context)["world.zig"]
    assert "    /// What is there.\n    pub const Item = struct {\n        name: []const u8,\n" in text
    assert "pub fn log(text: []const u8) void {" in text
    assert zig.signature_hint(next(iter(world.functions())), world).startswith("fn ")


def failure(kit: Kit, zig: Zig, cell: str, wit: str = FAAS, **options: object) -> CompileError:
    """Return the error that a cell gives."""
    with pytest.raises(CompileError) as caught:
        kit.build(zig, cell, wit, **options)
    assert caught.value.language == "zig"
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the one diagnostic of an error."""
    (found,) = error.diagnostics
    return found


def test_an_error_is_on_the_cells_line(kit: Kit, zig: Zig) -> None:
    """Line, column, text and message are the cell's own."""
    found = only(failure(kit, zig, HANDLE.replace(".object_added => .ok", ".object_added => retrun")))
    assert (found.file, found.line, found.column, found.end_column) == ("resize.zig", 3, 26, 32)
    assert found.text == "        .object_added => retrun,"
    assert found.message == "use of undeclared identifier 'retrun'"


def test_an_error_of_types_has_its_note(kit: Kit, zig: Zig) -> None:
    """The compiler's note about the cell is advice."""
    cell = "fn f(x: u8) u8 { return x; }\n" + HANDLE.replace(
        "return switch", "_ = f(event.event_version);\n return switch"
    )
    found = only(failure(kit, zig, cell))
    assert (found.line, found.message) == (3, "expected type 'u8', found '[]const u8'")
    assert found.hint == "parameter type declared here (line 1)"


def test_positions_hold_with_tabs_letters_and_line_ends(kit: Kit, zig: Zig) -> None:
    """Columns count characters; tabs are one; Windows line ends do not shift lines."""
    cell = '// é\r\nfn f() u8 {\r\n\tconst s = "ßß"; return s.len + nope;\r\n}\r\n' + HANDLE.replace(
        ".ok", "{ _ = f(); }"
    )
    found = failure(kit, zig, cell).diagnostics[0]
    assert (found.line, found.column, found.end_column) == (3, 33, 37)
    assert found.text == '\tconst s = "ßß"; return s.len + nope;'


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, zig: Zig) -> None:
    """A misspelt name and one in another style are pointed at."""
    found = only(failure(kit, zig, ""))
    assert found.message == f"missing function handle: the world asks for {WANTED}"
    found = only(failure(kit, zig, HANDLE.replace("handle(", "handel(")))
    assert (found.line, found.column, found.hint) == (1, 4, "rename handel to handle, if that is what it is")
    wit = "package a:b;\nworld w { export do-it: func(); }\n"
    found = only(failure(kit, zig, "fn do_it() void {}\n", wit))
    assert found.hint == "rename do_it to doIt, if that is what it is"


def test_every_missing_function_is_told(kit: Kit, zig: Zig) -> None:
    """One diagnostic each, and where a function must stand."""
    error = failure(kit, zig, "fn size() u64 { return 0; }\n", STORE)
    assert [d.message.split(":")[0] for d in error.diagnostics] == [
        "missing function put",
        "missing function get",
    ]
    error = failure(kit, zig, SHOP_CELL.replace("const stock", "const shelf"), SHOP)
    assert only(error).message.endswith("in `const stock = struct { ... };`")


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("event: HandlerEvent", "event: u8", "expected type 'u8'"),
        ("event: HandlerEvent", "event: HandlerEvent, _: u8", "expected 2 argument(s), found 1"),
        ("Result(void, HandlerError)", "u8", "expected type 'Result(void,HandlerError)', found 'u8'"),
    ],
)
def test_a_wrong_signature_is_told_where_the_function_is(
    kit: Kit, zig: Zig, old: str, new: str, hint: str
) -> None:
    """The message says what the world asks for, the hint what the compiler found."""
    body = "fn handle(event: HandlerEvent) Result(void, HandlerError) { _ = event; return undefined; }\n"
    found = failure(kit, zig, "\n" + body.replace(old, new)).diagnostics[0]
    assert found.message == f"wrong signature of function handle: the world asks for {WANTED}"
    assert (found.line, found.column) == (2, 4)
    assert hint in found.hint


def test_an_open_brace_is_at_the_cells_end(kit: Kit, zig: Zig) -> None:
    """What is written behind the cell does not show."""
    found = failure(kit, zig, HANDLE.rstrip().removesuffix("}")).diagnostics[0]
    assert found.line <= 6
    assert "labkernel" not in str(found)


def test_panics_say_what_went_wrong(kit: Kit, zig: Zig) -> None:
    """In the development form an index out of bounds is told on stderr, then the call traps."""
    cell = "var list: [3]u8 = undefined;\n" + HANDLE.replace(
        "return switch", "list[event.event_version.len] = 1;\n return switch"
    )
    call = kit.start(kit.build(zig, cell, FAAS).wasm)
    with pytest.raises(GuestTrap):
        call("handle", ADDED)
    assert "".join(text for _, text in call.output) == "panic: index out of bounds: index 3, len 3\n"


def test_further_files(kit: Kit, zig: Zig) -> None:
    """Sources and data of the build's own are at hand; an error there names that file."""
    cell = 'const util = @import("util.zig");\nconst word = @embedFile("word.txt");\n' + HANDLE.replace(
        ".ok", "if (util.yes(event) and word.len == 2) .ok else unreachable"
    )
    source = (
        'const w = @import("world");\n'
        "pub fn yes(e: w.HandlerEvent) bool { return e.event_type == .object_added; }\n"
    )
    files = [("util.zig", source), ("word.txt", "hi")]
    assert kit.start(kit.build(zig, cell, FAAS, files=files).wasm)("handle", ADDED) == ["ok", None]
    broken = [("util.zig", source.replace("bool", "boll")), files[1]]
    found = failure(kit, zig, cell, files=broken).diagnostics[0]
    assert (found.file, found.line) == ("util.zig", 2)
    with pytest.raises(UsageError, match="taken"):
        kit.build(zig, HANDLE, FAAS, files=[("labkernel-world/world.zig", "")])


SECRET_READS = {
    "embed": 'const x = @embedFile("{}");\ncomptime {{ @compileError(x); }}\n',
    "embed by a constant": 'const p = "{}";\nconst x = @embedFile(p);\ncomptime {{ @compileError(x); }}\n',
    "import": 'comptime {{ _ = @import("{}"); }}\n',
    "relative": 'const x = @embedFile("../../../../../../../../../..{}");\ncomptime {{ @compileError(x); }}\n',
    "assembler": 'comptime {{ asm (".incbin \\"{}\\""); }}\n',
    "assembler in pieces": 'comptime {{ asm (".inc" ++ "bin \\"{}\\""); }}\n',
}


@pytest.mark.parametrize("name", SECRET_READS)
def test_the_compiler_reads_no_file_of_the_machine(
    kit: Kit, zig: Zig, tmp_path: Path, require: Require, name: str
) -> None:
    """A file outside the build is refused or kept out by the wall; its contents are neither shown nor built in."""
    if "pieces" in name:
        require("Landlock", is_available())
    secret = tmp_path / "secret.zig"
    secret.write_text("w0rd_of_honour 17 }", encoding="ascii")
    try:
        shown = kit.build(zig, SECRET_READS[name].format(secret) + HANDLE, FAAS).wasm
    except CompileError as error:
        shown = f"{error}{error.raw}{error.diagnostics}".encode()
    assert b"w0rd_of_honour" not in shown


@pytest.mark.parametrize(
    "flag",
    ["-o", "-femit-bin=/tmp/x", "@args", "-I/etc", "-L/x", "-lc", "--libc", "-Mx=/etc/passwd", "--zig-lib-dir",
     "/etc/x.c", "-cflags", "-fPIC --verbose", "-target", "--cache-dir"],
)  # fmt: skip
def test_flags_that_name_files_or_programs_are_refused(kit: Kit, zig: Zig, flag: str) -> None:
    """The refusal shows the flag and some that are taken."""
    with pytest.raises(UsageError, match="is not among those"):
        kit.build(zig, HANDLE, FAAS, flags=(flag,))


def test_options_change_the_code(kit: Kit, zig: Zig) -> None:
    """Levels and flags reach the compiler; `--verbose` keeps what the command needs."""
    sizes = [len(kit.build(zig, STORE_CELL, STORE, opt=level).wasm) for level in ("0", "1", "s")]
    assert sizes[0] > sizes[1] > sizes[2]
    assert kit.build(zig, HANDLE, FAAS, release=True).form == "release"
    flagged = len(kit.build(zig, STORE_CELL, STORE, flags=("-OReleaseSmall",)).wasm)
    assert flagged == sizes[2]
    made = kit.build(zig, HANDLE, FAAS, verbose=True)
    assert os.system(f"({made.commands[0]}) > /dev/null 2>&1") == 0
    assert made.tool_versions["zig"].startswith("0.")


BOMBS = {
    "endless evaluation": "fn f() u32 { @setEvalBranchQuota(4000000000); var i: u32 = 0; while (true) i +%= 1; "
    "return i; }\n"
    "const bomb = blk: { @setEvalBranchQuota(4000000000); break :blk f(); };\ncomptime { _ = bomb; }\n",
    "doubling types": "fn T(comptime n: u32, comptime m: u64) type { return if (n == 0) [m % 97]u8 else struct "
    "{ a: T(n - 1, m * 2), b: T(n - 1, m * 2 + 1) }; }\ncomptime { _ = @sizeOf(T(40, 1)); }\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_build_that_takes_too_long_is_stopped(kit: Kit, zig: Zig, name: str) -> None:
    """The limit holds, the error says so, no process is left."""
    started = time.monotonic()
    error = failure(kit, zig, BOMBS[name] + HANDLE, timeout_s=2)
    assert time.monotonic() - started < 4
    assert "time limit" in str(error) or "memory" in str(error)
    assert not [p for p in psutil.Process().children(recursive=True) if p.name() == "zig"]


def test_what_cannot_be_built_is_refused(kit: Kit, zig: Zig) -> None:
    """No world, no toolbox, a dependency, an async function: one clear error each."""
    with pytest.raises(UsageError, match="--world"):
        zig.build(Snippet("zig", HANDLE), None, None, Options(), kit.context)
    package, world = kit.world(FAAS)
    with pytest.raises(ToolchainMissing, match="labkernel setup"):
        zig.build(
            Snippet("zig", HANDLE), package, world, Options(), type(kit.context)(kit.cache, kit.scratch)
        )
    with pytest.raises(UsageError, match="--file"):
        kit.build(zig, HANDLE, FAAS, deps=("zlib",))
    with pytest.raises(UsageError, match=r"0\.3"):
        kit.build(zig, "", "package a:b;\nworld w { export f: async func(); }\n")


def test_a_missing_zig_is_told(zig: Zig, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor has rows without versions, the identity is empty."""
    monkeypatch.setattr(Origin, "installed", lambda self: None)
    assert zig.versions() == ""
    assert [row.version for row in zig.check(cache)] == [None, None]


def test_versions_are_found_by_looking(zig: Zig, require: Require) -> None:
    """The identity names the version and costs no process."""
    require("zig", zig_binary())
    assert zig.versions().startswith("zig 0.")


def test_what_a_cell_declares_is_seen() -> None:
    """Declarations at the top and in namespaces, words that are used, names that are local."""
    source = Source(
        'const a = "fn no() void";\n// fn nor() void\nfn f(p: []const T) void { const q = 1; g(q); x.y(); }\n'
        "const s = struct { fn inner() void {} };\n\\\\ fn neither\nvar @\"error\": u8 = '\\'';\n"
    )
    assert [(d.name, d.inside) for d in source.declarations] == [
        ("a", ""), ("f", ""), ("s", ""), ("inner", "s"), ("error", ""),
    ]  # fmt: skip
    assert {"p", "q"} <= source.locals
    assert {"g", "T", "x"} <= source.words
    assert "y" not in source.words


@pytest.mark.parametrize(
    "junk", ["\ud800", "\0", "(" * 5000, "a" * 20_000, "}}", '"', "/*", "\\", "\r", "#", "@"]
)
def test_junk_is_an_error_of_the_cells(kit: Kit, zig: Zig, junk: str) -> None:
    """Half characters (a lone surrogate), control characters and masses of brackets break nothing but the cell."""
    for cell in (junk + "\n" + HANDLE, HANDLE + junk):
        with contextlib.suppress(CompileError):
            kit.build(zig, cell, FAAS, timeout_s=30)
