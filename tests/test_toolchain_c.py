"""C cells: short and full names, every WIT type in and out, errors on the cell's lines, hostile input."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from test_toolchain_rust import ADDED, AWKWARD_CALLS, EVENT
from toolchain_kit import AWKWARD, SHOP, STORE, Kit
from worlds import FAAS

from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Options, Snippet, zig_binary
from labkernel._toolchains.c import C
from labkernel._toolchains.c.header import Header
from labkernel._toolchains.c.names import short_names
from labkernel._toolchains.confine import is_available
from labkernel._toolchains.versions import Origin
from labkernel._toolchains.zig import find_zig

Require = Callable[[str, object], None]

SHORT = """bool handle(handler_event_t *event, handler_error_t *err) {
    switch (event->event_type) {
    case EVENT_TYPE_OBJECT_ADDED:
        return true;
    default:
        err->tag = HANDLER_ERROR_UNSUPPORTED;
        err->val.unsupported = event->event_type;
        return false;
    }
}
"""
FULL = (
    SHORT.replace("handle(", "exports_faas_handle(")
    .replace("handler_e", "faas_handler_e")
    .replace("EVENT_TYPE", "FAAS_EVENT_TYPE")
    .replace("HANDLER_", "FAAS_HANDLER_")
)
WANTED = "`bool handle(handler_event_t *event, handler_error_t *err)`"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("c"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def c() -> C:
    """Return the toolchain."""
    return C()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require, c: C) -> None:
    """Skip what needs tools that are missing."""
    if "kit" not in request.fixturenames:
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in c.check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)


FORMS = {
    "short names": SHORT,
    "full names": FULL,
    "own include": '#include "faas.h"\n' + FULL,
    "short function, full types": SHORT.replace("handler_e", "faas_handler_e"),
    "library and feature macros": "#define _GNU_SOURCE\n#include <stdio.h>\n#include <string.h>\n#include <math.h>\n"
    'static const void *near(const char *a) { return memmem(a, 3, "b", 1); }\n'
    + SHORT.replace("return true", 'return near("abc") != 0 && sqrt(4.0) == 2.0'),
    "Windows line ends": SHORT.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + SHORT,
    "own type of a short name": "typedef struct { int x; } datetime_t;\n"
    + SHORT.replace("return true", "datetime_t mine = { 1 }; return mine.x"),
    "parameters by other names": SHORT.replace("event->", "e->").replace("*event", "*e"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cell_does_the_same_job(kit: Kit, c: C, name: str) -> None:
    """Each way to write the handler builds without warnings and answers the same."""
    made = kit.build(c, FORMS[name], FAAS)
    assert made.diagnostics == ()
    assert set(made.phases) == {"bindings", "compile", "componentize"}
    call = kit.start(made.wasm)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    assert call("handle", ADDED) == ["ok", None]


AWKWARD_CELL = """
#include <stdlib.h>
#include <string.h>
bool nested(option_string_t *maybe_v, option_string_t *ret) {
    if (!maybe_v) return false;
    *ret = *maybe_v;
    return true;
}
void shapes(shape_t *v, shape_t *ret) { *ret = *v; }
perms_t perm(perms_t v) { return v | PERMS_EXEC; }
void bytes(list_u8_t *v, list_u8_t *ret) {
    ret->len = v->len;
    ret->ptr = malloc(v->len ? v->len : 1);
    for (size_t i = 0; i < v->len; i++) ret->ptr[i] = v->ptr[v->len - 1 - i];
}
void pair(tuple2_u8_string_t *v, tuple2_string_u8_t *ret) { ret->f0 = v->f1; ret->f1 = v->f0; }
void points(list_point_t *v, list_point_t *ret) {
    for (size_t i = 0; i < v->len; i++) {
        int32_t x = v->ptr[i].x;
        v->ptr[i].x = v->ptr[i].y;
        v->ptr[i].y = x;
    }
    *ret = *v;
}
void word(words_t *v, words_t *ret) { *ret = *v; ret->type++; }
kind_t kinds(kind_t v) { return v == KIND_TYPE ? KIND_STRUCT : v; }
uint32_t match(uint32_t type, uint32_t fn) { return type + fn; }
int32_t default_(int32_t value) { return -value; }
bool answer(result_u32_string_t *v, uint32_t *ret, string_t *err) {
    if (v->is_err) { *err = v->val.err; return false; }
    *ret = v->val.ok + 1;
    return true;
}
bool both(result_void_void_t *v) { return !v->is_err; }
void nothing(void) {}
"""


def test_keywords_and_awkward_types(kit: Kit, c: C) -> None:
    """Names that are keywords have an underscore; values of every shape come and go."""
    call = kit.start(kit.build(c, AWKWARD_CELL, AWKWARD).wasm)
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function


def test_several_interfaces_and_imports(kit: Kit, c: C) -> None:
    """A function that two interfaces have is written with the interface's name in front."""
    cell = """
    #include <string.h>
    void put(item_t *item) { string_t s; string_set(&s, "put"); log_(&s); (void)item; }
    bool stock_get(string_t *name, item_t *ret) { ret->name = *name; ret->count = 2; return name->len == 1; }
    void names(list_string_t *ret) { list_u8_t b; random_get_random_bytes(3, &b); ret->len = b.len - 3; ret->ptr = 0; }
    bool prices_get(item_t *item, uint32_t *ret, string_t *err) { (void)ret; *err = item->name; return false; }
    void version(string_t *ret) { string_dup(ret, "1"); }
    """.replace("log_(&s)", "shop_log(&s)")
    call = kit.start(kit.build(c, cell, SHOP).wasm)
    assert call("version") == "1"
    assert call("test:shop/stock@1.0.0#get", "x") == [["x", 2]]
    assert call("test:shop/stock@1.0.0#names") == []
    assert call("test:shop/prices@1.0.0#get", ["p", 1]) == ["err", "p"]


@pytest.mark.parametrize("wit", [FAAS, AWKWARD, SHOP, STORE], ids=["faas", "awkward", "shop", "store"])
def test_the_starter_builds_as_it_stands(kit: Kit, c: C, wit: str) -> None:
    """A starter cell compiles without a warning for any world, and its answers are valid."""
    made = kit.build(c, c.starter(*kit.world(wit), kit.context), wit)
    assert made.diagnostics == ()
    call = kit.start(made.wasm)
    if wit is AWKWARD:
        for function, args, _ in AWKWARD_CALLS:
            call(function, *args)


@pytest.mark.parametrize(("function", "args", "printed"), [
    ("nested", [[["é\"\n"]]], "1"),
    ("nested", [None], "0"),
    ("shapes", [["round", [[1, -2], 0.5]]], "done"),
    ("shapes", [["pair", [7, "x"]]], "done"),
    ("perm", [["read"]], "done"),
    ("bytes", [b"abc"], "done"),
    ("points", [[[1, 2], [3, 4]]], "done"),
    ("word", [[1, "r", [5], b"\x00\xff", -9, "ß"]], "done"),
    ("match", [2, 3], "5"),
    ("answer", [["ok", 1]], "1"),
    ("answer", [["err", "no"]], "0"),
    ("both", [["ok", None]], "1"),
    ("nothing", [], "done"),
])  # fmt: skip
def test_the_same_cell_as_a_native_program(
    kit: Kit, c: C, function: str, args: list[object], printed: str
) -> None:
    """The program calls the function with the values and prints what it returns."""
    package, world = kit.world(AWKWARD)
    wanted = next(f for f in world.functions() if f.name == function)
    made = c.native(Snippet("c", AWKWARD_CELL), package, world, wanted, args, Options(), kit.context)
    assert made is not None
    done = subprocess.run([made.program], capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout == printed + "\n"


def test_the_handler_as_a_native_program(kit: Kit, c: C) -> None:
    """The handler's own answer: false for what it does not support."""
    package, world = kit.world(FAAS)
    for event, printed in ((EVENT, "0\n"), (ADDED, "1\n")):
        made = c.native(
            Snippet("c", SHORT), package, world, next(world.functions()), [event], Options(), kit.context
        )
        assert made is not None
        assert subprocess.run([made.program], capture_output=True, text=True, check=True).stdout == printed


def failure(kit: Kit, c: C, cell: str, wit: str = FAAS, **options: object) -> CompileError:
    """Return the error that a cell gives."""
    with pytest.raises(CompileError) as caught:
        kit.build(c, cell, wit, **options)
    assert caught.value.language == "c"
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the one diagnostic of an error."""
    (found,) = error.diagnostics
    return found


def test_an_error_is_on_the_cells_line(kit: Kit, c: C) -> None:
    """Line, column, text and message are the cell's own, with the compiler's advice."""
    found = only(failure(kit, c, "int f(void) {\n  int foobar = 2; return foobaz; }\n" + SHORT))
    assert (found.file, found.line, found.column, found.end_column) == ("resize.c", 2, 26, 32)
    assert found.text == "  int foobar = 2; return foobaz; }"
    assert found.message == "use of undeclared identifier 'foobaz'; did you mean 'foobar'?"
    assert found.hint == "'foobar' declared here (line 2)"


def test_positions_hold_with_tabs_letters_and_line_ends(kit: Kit, c: C) -> None:
    """Columns count characters; tabs are one; Windows line ends do not shift lines."""
    cell = f'// é\r\nint f(void) {{\r\n\tconst char *größe = "ß"; return größe + nope;\r\n}}\r\n{SHORT}'
    found = only(failure(kit, c, cell))
    assert (found.line, found.column, found.end_column) == (3, 42, 46)
    assert found.text == '\tconst char *größe = "ß"; return größe + nope;'


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, c: C) -> None:
    """The linker's words become the world's; a misspelt name is pointed at."""
    found = only(failure(kit, c, ""))
    assert found.message == f"missing function handle: the world asks for {WANTED}"
    found = only(failure(kit, c, SHORT.replace("handle(", "handel(")))
    assert (found.line, found.column, found.hint) == (1, 6, "rename handel to handle, if that is what it is")


def test_every_missing_function_is_told(kit: Kit, c: C) -> None:
    """One diagnostic each."""
    error = failure(kit, c, "uint64_t size(void) { return 0; }\n", STORE)
    assert sorted(d.message.split(":")[0] for d in error.diagnostics) == [
        "missing function get",
        "missing function put",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bool handle", "int handle"),
        ("handler_error_t *err", "int *err"),
        ("bool handle", "static bool handle"),
    ],
)
def test_a_wrong_signature_is_told_where_the_function_is(kit: Kit, c: C, old: str, new: str) -> None:
    """The world's declaration is compared by the compiler itself."""
    error = failure(kit, c, SHORT.replace(old, new).replace("err->", "((handler_error_t *)err)->"))
    found = error.diagnostics[0]
    assert found.message == f"wrong signature of function handle: the world asks for {WANTED}"
    assert found.line == 1


def test_a_function_that_is_nowhere(kit: Kit, c: C) -> None:
    """It is named where the cell mentions it first."""
    found = only(failure(kit, c, "int foo(int);\n" + SHORT.replace("return true", "return foo(1)")))
    assert (found.line, found.column, found.message) == (1, 5, "function foo is declared but nowhere defined")


def test_warnings_come_with_success(kit: Kit, c: C) -> None:
    """A warning is a diagnostic of the artifact, with its name."""
    made = kit.build(
        c, "#include <stdio.h>\n" + SHORT.replace("return true", 'printf("%s", 5); return true'), FAAS
    )
    assert [(d.severity, d.line, d.code) for d in made.diagnostics] == [("warning", 5, "-Wformat")]


def test_further_files(kit: Kit, c: C) -> None:
    """Headers and sources of the build's own are compiled along; an error there names that file."""
    cell = '#include "util.h"\n' + SHORT.replace("return true", "return util(event)")
    header = '#include "faas.h"\nbool util(faas_handler_event_t *event);\n'
    source = (
        '#include "util.h"\n'
        "bool util(handler_event_t *event) { return event->event_type == EVENT_TYPE_OBJECT_ADDED; }\n"
    )
    call = kit.start(kit.build(c, cell, FAAS, files=[("util.h", header), ("util.c", source)]).wasm)
    assert call("handle", ADDED) == ["ok", None]
    found = only(failure(kit, c, cell, files=[("util.h", header), ("util.c", source.replace("==", "= ="))]))
    assert (found.file, found.line) == ("util.c", 2)


SECRET_READS = {
    "include": '#include "{}"\n',
    "include by a macro": '#define F "{}"\n#include F\n',
    "embed": 'const char x[] = {{\n#embed "{}"\n}};\n',
    "spliced": '#inc\\\nlude "{}"\n',
    "spliced embed": 'const char x[] = {{\n#em\\\nbed "{}"\n}};\n',
    "digraph": '%:include "{}"\n',
    "assembler": '__asm__(".incbin \\"{}\\"");\n',
    "assembler in pieces": '__asm__(".inc" "bin \\"{}\\"");\n',
    "pragma": '#pragma GCC dependency "{}"\n',
}


@pytest.mark.parametrize("name", SECRET_READS)
def test_the_compiler_reads_no_file_of_the_machine(
    kit: Kit, c: C, tmp_path: Path, require: Require, name: str
) -> None:
    """A file outside the build is refused or kept out by the wall; its contents are neither shown nor built in."""
    if name in ("spliced", "spliced embed", "assembler in pieces"):
        require("Landlock", is_available())
    secret = tmp_path / "secret.txt"
    secret.write_text("w0rd_of_honour 17 }", encoding="ascii")
    try:
        shown = kit.build(c, SECRET_READS[name].format(secret) + SHORT, FAAS).wasm
    except CompileError as error:
        shown = f"{error}{error.raw}{error.diagnostics}".encode()
    assert b"w0rd_of_honour" not in shown


@pytest.mark.parametrize(
    "flag", ["-o", "-o/tmp/x", "@args", "-include", "-include/etc/passwd", "-fplugin=x", "-I/etc", "-Wl,-Map=x",
             "-Wp,-MD,x",
             "-B/x", "-specs=x", "-MF/tmp/x", "--sysroot=/", "-Xclang", "-DX=$(id)", "-imacros/etc/passwd"],
)  # fmt: skip
def test_flags_that_name_files_or_programs_are_refused(kit: Kit, c: C, flag: str) -> None:
    """The refusal shows the flag and some that are taken."""
    with pytest.raises(UsageError, match="is not among those"):
        kit.build(c, SHORT, FAAS, flags=(flag,))


def test_options_change_the_code(kit: Kit, c: C) -> None:
    """Levels and flags reach the compiler; `--verbose` keeps what the commands need."""
    cell = SHORT.replace("return true", "return N == 7")
    call = kit.start(kit.build(c, cell, FAAS, flags=("-DN=7",)).wasm)
    assert call("handle", ADDED) == ["ok", None]
    sizes = [len(kit.build(c, SHORT, FAAS, opt=level).wasm) for level in ("0", "s", "3")]
    assert sizes[0] > sizes[1]
    assert kit.build(c, SHORT, FAAS, release=True).form == "release"
    commands = kit.build(c, SHORT, FAAS, verbose=True).commands
    assert os.system(" && ".join(f"({command})" for command in commands) + " > /dev/null 2>&1") == 0


def test_output_of_the_guest_is_whole(kit: Kit, c: C) -> None:
    """Each line that `printf` writes arrives, in every call, and the rest once it is flushed."""
    cell = "#include <stdio.h>\n" + SHORT.replace(
        "return true", 'printf("héllo\\nfrom %d\\n", 5); return true'
    ).replace("return false", 'printf("bye"); fflush(stdout); return false')
    call = kit.start(kit.build(c, cell, FAAS).wasm)
    for event in (ADDED, ADDED, EVENT):
        call("handle", event)
    assert "".join(text for _, text in call.output) == "héllo\nfrom 5\n" * 2 + "bye"


def test_a_build_that_takes_too_long_is_stopped(kit: Kit, c: C) -> None:
    """The limit holds, the error says so, no process is left."""
    nest = "\n".join(f"#define A{i + 1} A{i} A{i}" for i in range(28))
    started = time.monotonic()
    error = failure(kit, c, f"#define A0 1,\n{nest}\nint q[] = {{ A28 }};\n" + SHORT, timeout_s=2)
    assert time.monotonic() - started < 4
    assert "time limit" in str(error) or "memory" in str(error)
    assert not [p for p in psutil.Process().children(recursive=True) if p.name() == "zig"]


def test_what_cannot_be_built_is_refused(kit: Kit, c: C) -> None:
    """No world, no toolbox, a dependency, an async function: one clear error each."""
    with pytest.raises(UsageError, match="--world"):
        c.build(Snippet("c", SHORT), None, None, Options(), kit.context)
    package, world = kit.world(FAAS)
    with pytest.raises(ToolchainMissing, match="labkernel setup"):
        c.build(Snippet("c", SHORT), package, world, Options(), type(kit.context)(kit.cache, kit.scratch))
    with pytest.raises(UsageError, match="--file"):
        kit.build(c, SHORT, FAAS, deps=("zlib",))
    with pytest.raises(UsageError, match=r"0\.3"):
        kit.build(c, "", "package a:b;\nworld w { export f: async func(); }\n")


def test_a_missing_zig_is_told(c: C, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor has rows without versions, the identity is empty."""
    monkeypatch.setattr(Origin, "installed", lambda self: None)
    assert c.versions() == ""
    assert [row.version for row in c.check(cache)] == [None, None]
    with pytest.raises(ToolchainMissing, match="pip install"):
        find_zig("c")


def test_versions_are_found_by_looking(c: C, require: Require) -> None:
    """The identity names the version and costs no process."""
    require("zig", zig_binary())
    assert c.versions().startswith("zig 0.")


def test_short_names_are_clear(kit: Kit) -> None:
    """A name is offered where it means one thing; aliases mean the same."""
    package, world = kit.world(FAAS)
    text = kit.toolbox.bindings_c(package, world.full_name)["faas.h"].decode()
    names = short_names(Header(text, world))
    assert names["handle"] == "exports_faas_handle"
    assert names["datetime_t"] == "faas_datetime_t"
    assert names["wall_clock_now"] == "wasi_clocks_wall_clock_now"
    assert names["EVENT_TYPE_OBJECT_ADDED"] == "FAAS_EVENT_TYPE_OBJECT_ADDED"
    assert "size_t" not in names
