"""C++ cells: short and full names, every WIT type in and out, errors on the cell's lines, hostile input."""

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
from labkernel._errors import CompileError, Diagnostic, ToolchainMissing, UsageError
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Options, Snippet, zig_binary
from labkernel._toolchains.confine import is_available
from labkernel._toolchains.cpp import Cpp
from labkernel._toolchains.cpp.header import Header
from labkernel._toolchains.cpp.mended import mended
from labkernel._toolchains.cpp.scaffold import short_names
from labkernel._toolchains.cpp.source import Source
from labkernel._toolchains.versions import Origin

Require = Callable[[str, object], None]

SHORT = """std::expected<void, HandlerError> Handle(HandlerEvent event) {
    if (event.event_type == EventType::kObjectAdded) return {};
    return std::unexpected(HandlerError{HandlerError::Unsupported{event.event_type}});
}
"""
FULL = (
    "namespace exports::faas {\n"
    + SHORT.replace("HandlerE", "::faas::HandlerE").replace("EventType::", "::faas::EventType::")
    + "}\n"
)
WANTED = "`std::expected<void, HandlerError> Handle(HandlerEvent event)`"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("cpp"))
    yield kit
    kit.close()


@pytest.fixture(scope="module")
def cpp() -> Cpp:
    """Return the toolchain."""
    return Cpp()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require, cpp: Cpp) -> None:
    """Skip what needs tools that are missing."""
    if "kit" not in request.fixturenames:
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in cpp.check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)


FORMS = {
    "short names": SHORT,
    "full names": FULL,
    "full names in one": SHORT.replace(" Handle(", " exports::faas::Handle(")
    .replace("HandlerE", "::faas::HandlerE")
    .replace("EventType::", "::faas::EventType::"),
    "own include": '#include "faas_cpp.h"\n' + FULL,
    "short function, full types": SHORT.replace("HandlerE", "faas::HandlerE"),
    "static": "static " + SHORT,
    "trailing result": "auto Handle(HandlerEvent event) -> std::expected<void, HandlerError> {\n"
    + SHORT.partition("\n")[2],
    "library": "#include <map>\n#include <string>\nstatic std::map<std::string, int> seen;\n"
    + SHORT.replace(
        "return {}", 'if (++seen[event.event_version.to_string()] && std::string("x") == "x") return {}'
    ),
    "using and literals": "using namespace std;\n"
    + SHORT.replace("std::", "")
    + 'auto text = R"(fn Handle() { "})";\n',
    "templates and lambdas": "template <class T> T twice(T x) { return x + x; }\n"
    + SHORT.replace("return {}", "if ([](auto x) { return twice(x); }(2) == 4) return {}"),
    "Windows line ends": SHORT.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + SHORT,
    "no line end": SHORT.rstrip(),
    "own type of a short name": "struct Datetime { int x; };\n"
    + SHORT.replace("return {}", "if (Datetime{1}.x == 1) return {}"),
    "parameters by other names": SHORT.replace("event.", "e.").replace(
        "HandlerEvent event", "HandlerEvent e"
    ),
    "by reference": SHORT.replace("HandlerEvent event", "const HandlerEvent &event"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cell_does_the_same_job(kit: Kit, cpp: Cpp, name: str) -> None:
    """Each way to write the handler builds without warnings and answers the same."""
    made = kit.build(cpp, FORMS[name], FAAS)
    assert made.diagnostics == ()
    assert set(made.phases) == {"bindings", "compile", "componentize"}
    call = kit.start(made.wasm)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    assert call("handle", ADDED) == ["ok", None]


AWKWARD_CELL = """
using std::optional;
optional<optional<wit::string>> Nested(optional<optional<wit::string>> v) { return v; }
Shape Shapes(Shape v) { return v; }
Perms Perm(Perms v) { return v | Perms::kExec; }
wit::vector<uint8_t> Bytes(wit::vector<uint8_t> v) {
    std::reverse(v.data(), v.data() + v.size());
    return v;
}
std::tuple<wit::string, uint8_t> Pair(std::tuple<uint8_t, wit::string> v) {
    return {std::move(std::get<1>(v)), std::get<0>(v)};
}
wit::vector<Point> Points(wit::vector<Point> v) {
    for (auto &p : v.get_view()) std::swap(p.x, p.y);
    return v;
}
Words Word(Words v) { v.type++; return v; }
Kind Kinds(Kind v) { return v == Kind::kType ? Kind::kStruct : v; }
uint32_t Match(uint32_t type, uint32_t fn) { return type + fn; }
int32_t Default(int32_t value) { return -value; }
std::expected<uint32_t, wit::string> Answer(std::expected<uint32_t, wit::string> v) {
    if (!v) return v;
    return *v + 1;
}
std::expected<void, wit::Void> Both(std::expected<void, wit::Void> v) { return v; }
void Nothing() {}
"""


def test_keywords_and_awkward_types(kit: Kit, cpp: Cpp) -> None:
    """Keywords have an underscore; values of every shape come and go."""
    call = kit.start(kit.build(cpp, AWKWARD_CELL, AWKWARD).wasm)
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function


@pytest.mark.parametrize("opt", ["0", "2"])
def test_wide_worlds(kit: Kit, cpp: Cpp, opt: str) -> None:
    """A hundred cases, sixty fields, twenty parameters, everything nested: what goes in comes out."""
    package, world = kit.world(STRESS)
    text = cpp.bindings(package, world, kit.context)["stress_cpp.h"]
    lines = []
    for function in Header(text, world).exported:
        answer = "{p16, std::move(p17), p18, p19}" if function.name == "Twenty" else "v"
        lines.append(f"{function.text()} {{ return {answer}; }}")
    check_echoes(kit.start(kit.build(cpp, "\n".join(lines), STRESS, opt=opt).wasm), world, n=24)


def test_lists_have_memory_of_their_own(kit: Kit, cpp: Cpp) -> None:
    """Lists of options and variants come and go thousands of times within a few megabytes."""
    wit = """package a:b;
world w {
  variant v { num(u8), text(string), many(list<option<string>>) }
  export f: func(all: list<v>) -> list<v>;
}
"""
    call = kit.start(kit.build(cpp, "wit::vector<V> F(wit::vector<V> all) { return all; }\n", wit).wasm)
    given = [["num", 7], ["text", "x" * 1000], ["many", [None, ["y" * 500], [""]]]] * 100
    for _ in range(2000):
        assert call("f", given) == given


SHOP_CELL = """
#include <string>
void Put(Item item) { Log("put " + item.name.to_string()); }
namespace stock {
std::optional<Item> Get(wit::string name) {
    if (name.get_view() == "x") return Item{std::move(name), 2};
    return std::nullopt;
}
}
wit::vector<wit::string> Names() {
    auto all = wit::vector<wit::string>::allocate(1);
    all.initialize(0, wit::string::from_view(std::to_string(random_random::GetRandomBytes(3).size())));
    return all;
}
namespace exports::test::shop::prices {
std::expected<uint32_t, wit::string> Get(Item item) { return std::unexpected(std::move(item.name)); }
}
wit::string Version() { return wit::string::from_view("1"); }
"""


def test_several_interfaces_and_imports(kit: Kit, cpp: Cpp) -> None:
    """A function that two interfaces have stands in a namespace: the interface's short one or the full one."""
    call = kit.start(kit.build(cpp, SHOP_CELL, SHOP).wasm)
    assert call("version") == "1"
    assert call("test:shop/stock@1.0.0#get", "x") == [["x", 2]]
    assert call("test:shop/stock@1.0.0#names") == ["3"]
    assert call("test:shop/prices@1.0.0#get", ["p", 1]) == ["err", "p"]


RESOURCES = """package t:res;
interface counters {
  resource counter { constructor(start: u32); add: func(by: u32) -> u32; merge: static func(a: counter) -> counter; }
  make: func(n: u32) -> counter;
  total: func(all: list<borrow<counter>>) -> u32;
}
world w { export counters; export hello: func() -> string; }
"""
RESOURCE_CELL = """
struct Counter::State { uint32_t n; };
Counter::Counter(uint32_t start) : state(new State{start}) {}
uint32_t Counter::Add(uint32_t by) { return state->n += by; }
Counter::Owned Counter::Merge(Counter::Owned a) { return a; }
Counter::Owned Make(uint32_t n) { return Counter::New(n); }
uint32_t Total(wit::vector<std::reference_wrapper<const Counter>> all) {
    uint32_t sum = 0;
    for (const Counter &c : all.get_view()) sum += c.state->n;
    return sum;
}
wit::string Hello() { return wit::string::from_view("hi"); }
"""


def test_exported_resources(kit: Kit, cpp: Cpp) -> None:
    """A resource is a class with room for the cell's state; a member that lacks is told by name."""
    assert kit.start(kit.build(cpp, RESOURCE_CELL, RESOURCES).wasm)("hello") == "hi"
    lacking = RESOURCE_CELL.replace("uint32_t Counter::Add(uint32_t by) { return state->n += by; }", "")
    found = only(failure(kit, cpp, lacking, RESOURCES))
    assert found.message == "missing function Add: the world asks for `uint32_t Counter::Add(uint32_t by)`"


def test_imported_resources(kit: Kit, cpp: Cpp) -> None:
    """A resource is a class with methods, ended by its destructor."""
    wit = "package t:t;\nworld w { import wasi:cli/stdout@0.2.0; export run: func() -> result<_, string>; }\n"
    cell = """std::expected<void, wit::string> Run() {
        std::string_view text = "hi\\n";
        auto out = wasi::cli::stdout_::GetStdout();
        if (!out.BlockingWriteAndFlush(std::span((const uint8_t *)text.data(), text.size())))
            return std::unexpected(wit::string::from_view("closed"));
        return {};
    }"""
    call = kit.start(kit.build(cpp, cell, wit).wasm)
    assert call("run") == ["ok", None]
    assert call.output == [("stdout", "hi\n")]


WORLDS = {
    "faas": FAAS, "awkward": AWKWARD, "shop": SHOP, "store": STORE, "stress": STRESS, "resources": RESOURCES,
    "http": "package a:b;\nworld p { include wasi:http/proxy@0.2.0; }\n",
    "command": "package a:b;\nworld c { include wasi:cli/command@0.2.0; }\n",
    "nothing": "package a:b;\nworld n {}\n",
    "inline": "package a:b;\nworld i { import log: interface { enum level { low } at: func(l: level); }\n"
    "  export log2: interface { enum level { a, b } at: func(l: level) -> level; } }\n",
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_the_starter_builds_as_it_stands(kit: Kit, cpp: Cpp, name: str) -> None:
    """A starter cell compiles without a warning for any world, and its answers are valid."""
    wit = WORLDS[name]
    made = kit.build(cpp, cpp.starter(*kit.world(wit), kit.context), wit)
    assert made.diagnostics == ()
    if wit is AWKWARD:
        call = kit.start(made.wasm)
        for function, args, _ in AWKWARD_CALLS:
            call(function, *args)


def failure(kit: Kit, cpp: Cpp, cell: str, wit: str = FAAS, **options: object) -> CompileError:
    """Return the error that a cell gives."""
    with pytest.raises(CompileError) as caught:
        kit.build(cpp, cell, wit, **options)
    assert caught.value.language == "cpp"
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the one diagnostic of an error."""
    (found,) = error.diagnostics
    return found


def test_an_error_is_on_the_cells_line(kit: Kit, cpp: Cpp) -> None:
    """Line, column, text and message are the cell's own, with the compiler's advice."""
    found = only(failure(kit, cpp, "int f() {\n  int foobar = 2; return foobaz; }\n" + SHORT))
    assert (found.file, found.line, found.column, found.end_column) == ("resize.cpp", 2, 26, 32)
    assert found.text == "  int foobar = 2; return foobaz; }"
    assert found.message == "use of undeclared identifier 'foobaz'; did you mean 'foobar'?"
    assert found.hint == "'foobar' declared here (line 2)"


def test_errors_in_the_library_are_where_the_cell_asked_for_them(kit: Kit, cpp: Cpp) -> None:
    """A template that does not fit is told on the cell's line, if anywhere."""
    error = failure(
        kit, cpp, "struct S {};\nstatic std::map<S, int> m;\nint f() {\n    return m[S{}];\n}\n" + SHORT
    )
    assert "requested here (line 4)" in error.diagnostics[0].hint
    assert all(d.file in ("resize.cpp", "") for d in error.diagnostics)


def test_positions_hold_with_tabs_letters_and_line_ends(kit: Kit, cpp: Cpp) -> None:
    """Columns count characters; tabs are one; Windows line ends do not shift lines."""
    cell = f'// é\r\nint f() {{\r\n\tconst char *größe = "ß"; return größe + nope;\r\n}}\r\n{SHORT}'
    found = only(failure(kit, cpp, cell))
    assert (found.line, found.column, found.end_column) == (3, 42, 46)
    assert found.text == '\tconst char *größe = "ß"; return größe + nope;'


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, cpp: Cpp) -> None:
    """The linker's words become the world's; a misspelt name and one in another style are pointed at."""
    found = only(failure(kit, cpp, ""))
    assert found.message == f"missing function Handle: the world asks for {WANTED}"
    for other in ("Handel", "handle"):
        found = only(failure(kit, cpp, SHORT.replace(" Handle(", f" {other}(")))
        assert (found.line, found.column, found.hint) == (
            1,
            35,
            f"rename {other} to Handle, if that is what it is",
        )


def test_every_missing_function_is_told(kit: Kit, cpp: Cpp) -> None:
    """One diagnostic each, and where a function must stand."""
    error = failure(kit, cpp, "uint64_t Size() { return 0; }\n", STORE)
    assert sorted(d.message.split(":")[0] for d in error.diagnostics) == [
        "missing function Get",
        "missing function Put",
    ]
    error = failure(kit, cpp, SHOP_CELL.replace("namespace stock", "namespace shelf"), SHOP)
    assert only(error).message.endswith("in `namespace stock`")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HandlerEvent event", "int event"), ("HandlerEvent event", "HandlerEvent event, int n"),
        ("std::expected<void, HandlerError>", "int"),
    ],
)  # fmt: skip
def test_a_wrong_signature_is_told_where_the_function_is(kit: Kit, cpp: Cpp, old: str, new: str) -> None:
    """The message says what the world asks for, the hint what the compiler found."""
    cell = "\n" + SHORT.partition("\n")[0].replace(old, new) + " abort(); }\n"
    found = failure(kit, cpp, cell).diagnostics[0]
    assert found.message == f"wrong signature of function Handle: the world asks for {WANTED}"
    assert found.line == 2
    assert found.hint


def test_what_is_not_there_is_told(kit: Kit, cpp: Cpp) -> None:
    """A function that is nowhere is named where the cell mentions it; exceptions are refused by the compiler."""
    found = only(failure(kit, cpp, "int foo(int);\n" + SHORT.replace("return {}", "if (foo(1)) return {}")))
    assert (found.line, found.column, found.message) == (1, 5, "foo(int) is declared but nowhere defined")
    found = only(failure(kit, cpp, SHORT.replace("return {}", "throw 1")))
    assert found.message == "cannot use 'throw' with exceptions disabled"


def test_warnings_come_with_success(kit: Kit, cpp: Cpp) -> None:
    """A warning is a diagnostic of the artifact, with its name."""
    made = kit.build(
        cpp, SHORT.replace("return {}", 'printf("%s", 5); return {}').replace("if (", "if (1 || "), FAAS
    )
    assert ("warning", 2, "-Wformat") in [(d.severity, d.line, d.code) for d in made.diagnostics]


def test_further_files(kit: Kit, cpp: Cpp) -> None:
    """Headers and sources of the build's own are compiled along; an error there names that file."""
    cell = '#include "util.h"\n' + SHORT.replace("return {}", "if (util(event)) return {}")
    head = "bool util(const faas::HandlerEvent &event);\n"
    source = (
        '#include "util.h"\n'
        "bool util(const HandlerEvent &event) { return event.event_type == EventType::kObjectAdded; }\n"
    )
    call = kit.start(kit.build(cpp, cell, FAAS, files=[("util.h", head), ("util.cpp", source)]).wasm)
    assert call("handle", ADDED) == ["ok", None]
    found = only(failure(kit, cpp, cell, files=[("util.h", head), ("util.cpp", source.replace("==", "= ="))]))
    assert (found.file, found.line) == ("util.cpp", 2)
    with pytest.raises(UsageError, match="taken"):
        kit.build(cpp, SHORT, FAAS, files=[("faas_cpp.h", "")])


SECRET_READS = {
    "include": '#include "{}"\n',
    "include by a macro": '#define F "{}"\n#include F\n',
    "has include": '#if __has_include("{}")\n#endif\n#include <../../../../../../../../..{}>\n',
    "embed": 'const char x[] = {{\n#embed "{}"\n}};\n',
    "spliced": '#inc\\\nlude "{}"\n',
    "spliced embed": 'const char x[] = {{\n#em\\\nbed "{}"\n}};\n',
    "digraph": '%:include "{}"\n',
    "assembler": 'asm(".incbin \\"{}\\"");\n',
    "assembler in pieces": 'asm(".inc" "bin \\"{}\\"");\n',
    "import": 'import "{}";\n',
    "pragma": '#pragma GCC dependency "{}"\n',
    "behind a raw string": 'auto s = R"(";)";\n#include "{}"\n',
}


@pytest.mark.parametrize("name", SECRET_READS)
def test_the_compiler_reads_no_file_of_the_machine(
    kit: Kit, cpp: Cpp, tmp_path: Path, require: Require, name: str
) -> None:
    """A file outside the build is refused or kept out by the wall; its contents are neither shown nor built in."""
    if name in ("spliced", "spliced embed", "assembler in pieces", "import"):
        require("Landlock", is_available())
    secret = tmp_path / "secret.txt"
    secret.write_text("w0rd_of_honour 17 }", encoding="ascii")
    try:
        shown = kit.build(cpp, SECRET_READS[name].format(secret, secret) + SHORT, FAAS).wasm
    except CompileError as error:
        shown = f"{error}{error.raw}{error.diagnostics}".encode()
    assert b"w0rd_of_honour" not in shown


@pytest.mark.parametrize(
    "flag", ["-o", "-o/tmp/x", "@args", "-include/etc/passwd", "-fplugin=x", "-I/etc", "-Wl,-Map=x", "-Wp,-MD,x",
             "-B/x", "-specs=x", "-MF/tmp/x", "--sysroot=/", "-Xclang", "-DX=$(id)", "-fexceptions",
             "-fmodules", "-std=c11", "-include-pch/x", "-fmodule-file=/x"],
)  # fmt: skip
def test_flags_that_name_files_or_programs_are_refused(kit: Kit, cpp: Cpp, flag: str) -> None:
    """The refusal shows the flag and some that are taken."""
    with pytest.raises(UsageError, match="is not among those"):
        kit.build(cpp, SHORT, FAAS, flags=(flag,))


def test_options_change_the_code(kit: Kit, cpp: Cpp) -> None:
    """Levels and flags reach the compiler; `--verbose` keeps what the commands need."""
    cell = SHORT.replace("return {}", "if (N == 7) return {}")
    call = kit.start(kit.build(cpp, cell, FAAS, flags=("-DN=7",)).wasm)
    assert call("handle", ADDED) == ["ok", None]
    sizes = [len(kit.build(cpp, SHORT, FAAS, opt=level).wasm) for level in ("0", "s")]
    assert sizes[0] > sizes[1]
    assert kit.build(cpp, SHORT, FAAS, release=True).form == "release"
    commands = kit.build(cpp, SHORT, FAAS, verbose=True).commands
    assert os.system(" && ".join(f"({command})" for command in commands) + " > /dev/null 2>&1") == 0


def test_output_of_the_guest_is_whole(kit: Kit, cpp: Cpp) -> None:
    """Each line that `printf` and `std::cout` write arrives."""
    cell = "#include <iostream>\n" + SHORT.replace(
        "return {}",
        '{ printf("héllo %d\\nhi\\n", 5); std::cout << "wörld" << std::endl; return {}; }',
    )
    call = kit.start(kit.build(cpp, cell, FAAS).wasm)
    call("handle", ADDED)
    assert "".join(text for _, text in call.output) == "héllo 5\nhi\nwörld\n"


BOMBS = {
    "templates": "using U = unsigned long long;\ntemplate <int N, U M> struct T { static constexpr U x = "
    "T<N - 1, 2 * M>::x + T<N - 1, 2 * M + 1>::x; };\n"
    "template <U M> struct T<0, M> { static constexpr U x = M; };\nU y = T<24, 1>::x;\n",
    "macros": "#define A0 1,\n"
    + "\n".join(f"#define A{i + 1} A{i} A{i}" for i in range(28))
    + "\nint q[] = { A28 };\n",
    "constant": "constexpr long f(long n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\nconstexpr long x = f(60);\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_build_that_takes_too_long_is_stopped(kit: Kit, cpp: Cpp, name: str) -> None:
    """The limit holds, the error says so, no process is left."""
    kit.build(cpp, SHORT, FAAS)
    started = time.monotonic()
    flags = ("-fconstexpr-steps=2000000000",) if name == "constant" else ()
    if flags:
        kit.build(cpp, SHORT, FAAS, flags=flags)
        started = time.monotonic()
    error = failure(kit, cpp, BOMBS[name] + SHORT, timeout_s=2, flags=flags)
    assert time.monotonic() - started < 4
    assert "time limit" in str(error) or "memory" in str(error)
    assert not [p for p in psutil.Process().children(recursive=True) if p.name() == "zig"]


def test_what_cannot_be_built_is_refused(kit: Kit, cpp: Cpp) -> None:
    """No world, no toolbox, a dependency, an async function: one clear error each."""
    with pytest.raises(UsageError, match="--world"):
        cpp.build(Snippet("cpp", SHORT), None, None, Options(), kit.context)
    package, world = kit.world(FAAS)
    with pytest.raises(ToolchainMissing, match="labkernel setup"):
        cpp.build(Snippet("cpp", SHORT), package, world, Options(), type(kit.context)(kit.cache, kit.scratch))
    with pytest.raises(UsageError, match="--file"):
        kit.build(cpp, SHORT, FAAS, deps=("boost",))
    with pytest.raises(UsageError, match=r"0\.3"):
        kit.build(cpp, "", "package a:b;\nworld w { export f: async func(); }\n")


def test_a_missing_zig_is_told(cpp: Cpp, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor has rows without versions, the identity is empty."""
    monkeypatch.setattr(Origin, "installed", lambda self: None)
    assert cpp.versions() == ""
    assert [row.version for row in cpp.check(cache)] == [None, None]


def test_versions_are_found_by_looking(cpp: Cpp, require: Require) -> None:
    """The identity names the version and costs no process."""
    require("zig", zig_binary())
    assert cpp.versions().startswith("zig 0.")


def test_short_names_are_clear(kit: Kit, cpp: Cpp) -> None:
    """A name is offered where it means one thing; renamings mean the same."""
    package, world = kit.world(FAAS)
    names = short_names(Header(cpp.bindings(package, world, kit.context)["faas_cpp.h"], world))
    assert names["HandlerEvent"] == "faas::HandlerEvent"
    assert names["Datetime"] == "faas::Datetime"
    assert "Handle" not in names


def test_generated_lists_are_mended(kit: Kit) -> None:
    """Each list that is lowered element by element gets memory, and each that arrives so is freed."""
    package, world = kit.world(STRESS)
    text = kit.toolbox.bindings_cpp(package, world.full_name)["stress.cpp"].decode()
    better = mended(text)
    assert "auto&& _iter_elem" in text
    assert text.count("for (size_t i = 0; i < _len") == better.count("= given(") + better.count("= lent(")
    assert better.count("{") == better.count("}")


def test_what_a_cell_defines_is_seen() -> None:
    """Functions by namespace, types, aliases; declarations and calls are none."""
    source = Source(
        "int f(std::function<void(int)> g) noexcept {\n  h(1); if (x) { }\n}\nint h(int);\n"
        "namespace a::b { struct S { void m() {} };\n"
        "auto k() -> int { return 1; } }\nstatic int v = f([](int) { });\nusing T = int; enum class E { x };\n"
        'const char *s = R"(int no() { })"; int n = 1\'000;\nA::A(int) : q{1} {}\n#define M(x) { x\n'
    )
    assert {"f", "a::b::k", "A::A"} <= set(source.functions)
    assert not {"h", "no", "m", "v"} & set(source.functions)
    assert {"f", "h", "T", "E"} <= source.declared
    assert source.spaces == {"a"}


@pytest.mark.parametrize(
    "junk", ["\ud800", "\0", "(" * 5000, "a" * 20_000, "}}", '"', "/*", "\\", "\r", "#", "@"]
)
def test_junk_is_an_error_of_the_cells(kit: Kit, cpp: Cpp, junk: str) -> None:
    """Half characters (a lone surrogate), control characters and masses of brackets break nothing but the cell."""
    for cell in (junk + "\n" + SHORT, SHORT + junk):
        with contextlib.suppress(CompileError):
            kit.build(cpp, cell, FAAS, timeout_s=30)


def test_a_type_nested_a_thousand_times_is_not_shown_whole(kit: Kit, cpp: Cpp) -> None:
    """The message of an endless template can be read; the compiler's own text stays whole behind it."""
    endless = (
        "template <class T> struct L { static int g() { return L<L<T>>::g(); } };\nint z = L<int>::g();\n"
    )
    with pytest.raises(CompileError) as caught:
        kit.build(cpp, SHORT + endless, FAAS)
    assert caught.value.diagnostics
    assert all(max(len(d.message), len(d.hint)) < 1000 for d in caught.value.diagnostics)
    assert len(caught.value.raw) > 1000
