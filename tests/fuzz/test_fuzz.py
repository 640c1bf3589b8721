"""Every door through which somebody else's bytes come in, knocked at with mutations: one clear error or an answer.

A few hundred inputs each run with every test run; `-m soak` runs 100,000 each. See README.md beside this file.
"""

# ruff: noqa: E501 - seeds and words

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_kit import junk, mutants, texts
from host_guests import echo, plain
from hostile_guests import FILES

from labkernel._cache import Cache
from labkernel._errors import (
    BudgetExceeded,
    CacheDamaged,
    ComponentError,
    GuestTrap,
    LabError,
    UsageError,
    ValueDoesNotFit,
    WitError,
)
from labkernel._host import EngineSettings, Start, Supervisor, machine_code, protocol
from labkernel._host.protocol import FrameBuffer, ProtocolError, decode_error
from labkernel._toolbox import Toolbox, find_toolbox
from labkernel._values import parse_call, wave
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

KEY = b"k" * 32
MANY = pytest.param(100_000, marks=pytest.mark.soak, id="many")
TYPES: dict[str, Type] = {
    "u8": Primitive("u8"), "s64": Primitive("s64"), "f32": Primitive("f32"), "char": Primitive("char"),
    "string": Primitive("string"), "bytes": ListType(Primitive("u8")), "bools": ListType(Primitive("bool")),
    "record": RecordType((Field("a", Primitive("u8")), Field("b", OptionType(Primitive("string")))), "r"),
    "variant": VariantType((Case("dot", None), Case("b", TupleType((Primitive("s8"), Primitive("f64"))))), "v"),
    "enum": EnumType(("a", "b"), "e"), "flags": FlagsType(("read", "write"), "f"),
    "result": ResultType(ListType(Primitive("string")), None), "option": OptionType(OptionType(Primitive("u16"))),
}  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Iterator[Supervisor]:
    """Return a host process that all inputs of this module go to."""
    with Supervisor(mac_key=KEY) as made:
        made.assemble("(module)")
        yield made
        assert made.generation == 1, "an input ended the host process"


@pytest.mark.parametrize("n", [500, MANY])
def test_frames(n: int) -> None:
    """What an escaped guest could send: a frame, or a `ProtocolError`, in memory that follows what arrived."""
    error = protocol.encode_error(BudgetExceeded("timeout", "5 s", used="6 s"))
    seeds = [
        protocol.pack([protocol.REPLY, 1, [[1, "two", b"three", None], 1.5]]),
        protocol.pack([protocol.ERROR, 2, error]),
        protocol.pack([protocol.OUTPUT, 3, 0, "text"]) * 3,
        protocol.pack([protocol.PROGRESS, 4, 10, 20]),
    ]
    for data in mutants(seeds, n, 1):
        frames = FrameBuffer()
        with contextlib.suppress(ProtocolError):
            for at in range(0, len(data), 7):
                frames.feed(data[at : at + 7])
                while (frame := frames.next()) is not None:
                    if frame[0] == protocol.ERROR:
                        assert isinstance(decode_error(frame[2]), LabError)


@pytest.mark.parametrize("n", [500, MANY])
def test_cache_files(n: int, tmp_path: Path) -> None:
    """An entry is what was written, or `CacheDamaged`; machine code reaches the engine only as it was written."""
    cache, settings = Cache(tmp_path), EngineSettings().key
    code, target = bytes(range(256)) * 8, tmp_path / "x.cwasm"
    machine_code.write(target, code, key=KEY, settings_key=settings)
    seeds = {target: target.read_bytes()}
    entry = cache.put("component", "ab" * 32, code)
    digest = entry.with_name(f"{entry.name}.sha256")
    written = {entry: code, digest: digest.read_bytes()}
    for number, path in enumerate(random.Random(2).choices([*seeds, *written], k=n)):
        original = (seeds | written)[path]
        for data in mutants([original], 1, number):
            path.write_bytes(data)
        if path in seeds:
            with contextlib.suppress(CacheDamaged):
                machine_code.load_checked(
                    target, lambda link: _same(link, seeds[target]), key=KEY, settings_key=settings
                )
        else:
            with contextlib.suppress(CacheDamaged):
                assert cache.read("component", "ab" * 32) in (code, None)
            for each, data in written.items():
                each.write_bytes(data)
        path.write_bytes(original)


def _same(link: str, code: bytes) -> None:
    assert Path(link).read_bytes() == code, "damaged machine code would have been loaded"


WIT = [
    "package a:b@1.0.0;\ninterface i { record r { a: u8, b: option<string> } f: func(x: r) -> result<list<u8>, string>; }\n"
    "world w { import i; export run: func(n: u32) -> u32; }",
    "package t:u;\ninterface types { variant v { a, b(tuple<u8, char>) } enum e { x, y } flags f { p, q } resource r "
    "{ constructor(n: u32); get: func() -> e; make: static func() -> r; } type t = list<v>; }\n"
    "interface use-it { use types.{v, r as s}; g: func(x: borrow<s>) -> v; }\nworld w { export use-it; include v; }\nworld v {}",
]
WIT_WORDS = ["package ", "world ", "interface ", "{", "}", ";", "func(", ")", "list<", ">", "use ", "include ", "own<", "@", "1.0.0",
             "//", "/*", "*/", "///", "%", "resource ", "a:b/i", "->", ",", ".", "async ", "stream<", "future", "type ", "="]  # fmt: skip


@pytest.mark.parametrize("n", [300, MANY])
def test_wit(n: int, host: Supervisor, require: Callable[[str, object], None]) -> None:
    """A package, or a `WitError`; the toolbox's instance may trap, its process lives."""
    require("the toolbox", find_toolbox(Cache()))
    toolbox = Toolbox(host, Cache())
    for text in texts(WIT, WIT_WORDS, n, 3):
        with contextlib.suppress(WitError):
            toolbox.resolve(text)
    toolbox.close()


FUNCTIONS = [
    Function(name, (Param("x", kind), Param("y", Primitive("u8"))), None) for name, kind in TYPES.items()
]
WAVE = ['record({a: 1, b: some("x")}, 1)', "variant(b((1, 2.5)), 1)", "result(ok([\"a\", \"b\"]), 0)", "flags({read, write}, 3)",
        "option(some(some(3)), 1)", 'char(\'x\', 1)', "f32(-inf, 1)", "f32(-1.5e3, 1)", 'string("\\u{1F600}\\n", 1)', "bytes([1, 2, 3], 1)",
        "bools([true, false], 1)", "enum(a, 1)", "s64(-9223372036854775808, 255)"]  # fmt: skip
WAVE_WORDS = ["(", ")", "[", "]", "{", "}", ",", ":", "some(", "none", "ok(", "err", '"', "'", "\\", "\\u{", "nan", "inf", "-", "1e999",
              "true", "//", "%", "0x1", "a", "ns:pkg/i#f"]  # fmt: skip


@pytest.mark.parametrize("n", [2000, MANY])
def test_wave(n: int) -> None:
    """A call whose values can be written again and read alike, or one short error."""
    for text in texts(WAVE, WAVE_WORDS, n, 4):
        refused: list[LabError] = []
        try:
            function, args = parse_call(text, FUNCTIONS)
        except (UsageError, ValueDoesNotFit) as error:
            refused.append(error)
        if refused:
            assert len(str(refused[0])) < 3000
            continue
        written = ", ".join(
            wave(value, param.type) for value, param in zip(args, function.params, strict=True)
        )
        again = parse_call(f"{function.name}({written})", FUNCTIONS)
        assert repr(again[1]) == repr(args), text


@pytest.mark.parametrize("n", [300, MANY])
def test_components(n: int, host: Supervisor, tmp_path: Path) -> None:
    """Mutations of real components: refused, or compiled, loaded, described and started like any other."""
    small = [plain('(func (export "f") (param i32) (result i32) (local.get 0))', '(param "x" u32) (result u32)'),
             echo(TYPES["variant"]), '(component (import "a:b/c" (instance (export "f" (func)))))']  # fmt: skip
    seeds = [host.assemble(wat) for wat in small] * 8 + [host.assemble(FILES)]
    start = Start(timeout_s=0.5, memory_bytes=64 << 20)
    for number, data in enumerate(mutants(seeds, n, 5)):
        target = tmp_path / f"{number % 50}.cwasm"
        try:
            host.codegen(data, target, timeout_s=20)
            loaded = host.load(target)
            host._request("unload", [loaded.id], patience_s=5)
            host._loaded.clear()
            host.drop(host.instantiate(host.load(target), start))
        except (ComponentError, GuestTrap, BudgetExceeded, UsageError):
            continue
        finally:
            for loaded in host._loaded.values():
                host._request("unload", [loaded.id], patience_s=5)
            host._loaded.clear()


@pytest.mark.parametrize("n", [2000, MANY])
def test_values(n: int, host: Supervisor, tmp_path: Path) -> None:
    """Values of every shape as arguments of every type: an answer that is the argument again, or a misfit."""
    started: dict[str, Any] = {}
    for name, kind in TYPES.items():
        target = tmp_path / f"{name}.cwasm"
        host.codegen(host.assemble(echo(kind)), target)
        started[name] = host.instantiate(host.load(target), Start())
    rng = random.Random(6)
    fits = 0
    for _ in range(n):
        name, value = rng.choice(list(started)), junk(rng)
        try:
            answer = host.call(started[name], "echo", [value, *range(16)]).result
        except (ValueDoesNotFit, UsageError):
            continue
        fits += 1
        if name not in ("f32", "variant", "flags"):
            assert answer[0] == value, name
    assert fits > n / 100


@pytest.mark.parametrize("n", [200, MANY])
def test_requests(n: int, host: Supervisor) -> None:
    """Requests with arguments of any shape: the host process answers each, and lives."""
    rng = random.Random(7)
    operations = [
        "load",
        "unload",
        "instantiate",
        "call",
        "drop",
        "fire",
        "cold",
        "startups",
        "assemble",
        "nothing",
    ]
    for _ in range(n):
        given = [junk(rng) for _ in range(rng.randrange(7))]
        with contextlib.suppress(LabError, RuntimeError):
            host._request(rng.choice(operations), given, patience_s=5)
    assert host.assemble("(module)")
