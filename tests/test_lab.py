"""The lab without a notebook: build, load, instantiate, fire, measure, and everything that can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worlds import BASICS

from labkernel import (
    BudgetExceeded,
    CapabilityDenied,
    CapabilityError,
    ComponentError,
    GuestTrap,
    Lab,
    UnknownCapability,
    UsageError,
    ValueDoesNotFit,
)
from labkernel._cache import Cache
from labkernel._fire import Answer, Run
from labkernel._timing import Phase


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Return a lab with a cache of its own and the basic component in it."""
    with Lab(cache=Cache(tmp_path / "cache")) as made:
        made.build("wat", BASICS, name="basics")
        yield made


def test_call_from_python(lab: Lab) -> None:
    """A function of an instance is a method; arguments are checked before anything runs."""
    fn = lab.instantiate("basics", name="fn")
    assert fn.double(21) == 42
    assert fn.double(x=4) == 8
    assert fn.fail_at(3) == 3
    assert "double" in dir(fn)
    with pytest.raises(ValueDoesNotFit, match=r"\$: -1 does not fit u32"):
        fn.double(-1)
    with pytest.raises(ValueDoesNotFit, match="True"):
        fn.double(True)
    with pytest.raises(UsageError, match="takes 1 argument, got 2"):
        fn.double(1, 2)
    with pytest.raises(AttributeError, match="Did you mean 'double'"):
        fn.doubel(1)


def test_fire(lab: Lab) -> None:
    """A target is an instance or a component; a call is WAVE, Python values, or generated."""
    answer = lab.fire("basics", "double(4)")
    assert isinstance(answer, Answer)
    assert (answer.value, answer.wave, answer.call) == (8, "8", "double(4)")
    assert answer.ns > 0
    assert lab.fire("basics", "half -inf").value == float("-inf")
    assert lab.fire("basics", "half -1.5e3").value == -750
    assert lab.fire("basics", "double", args=[5]).value == 10
    generated = lab.fire("basics", "double")
    assert generated.call.startswith("double(")
    assert lab.fire("basics", generated.call).value == generated.value
    with pytest.raises(UsageError, match="exports 7 functions"):
        lab.fire("basics")
    with pytest.raises(UsageError, match="Did you mean 'basics'"):
        lab.fire("basic", "double(1)")


def test_an_instance_keeps_its_state_and_a_new_one_does_not(lab: Lab) -> None:
    """Two instances of one component share nothing."""
    one, other = lab.instantiate("basics", name="one"), lab.instantiate("basics", name="other")
    assert [one.count(), one.count(), other.count()] == [1, 2, 1]


def test_a_trap_ends_the_instance_and_nothing_else(lab: Lab) -> None:
    """After a trap the next call starts a new instance and says so; others go on as they were."""
    fn, bystander = lab.instantiate("basics", name="fn"), lab.instantiate("basics", name="bystander")
    assert [fn.count(), bystander.count()] == [1, 1]
    with pytest.raises(GuestTrap, match="unreachable"):
        fn.fail()
    answer = lab.fire("fn", "count()")
    assert answer.value == 1
    assert answer.notes == ("fn was started anew with the same grants: the last one trapped.",)
    assert bystander.count() == 2


def test_an_endless_loop_is_stopped(lab: Lab) -> None:
    """The wall-time budget ends a guest that never returns; fuel does so deterministically."""
    fn, bystander = (
        lab.instantiate("basics", name="fn", timeout="100ms"),
        lab.instantiate("basics", name="by"),
    )
    bystander.count()
    with pytest.raises(BudgetExceeded, match="timeout"):
        fn.spin()
    assert bystander.count() == 2
    fueled = lab.instantiate("basics", name="fueled", fuel=100_000)
    with pytest.raises(BudgetExceeded, match="fuel"):
        fueled.spin()
    assert fueled.double(1) == 2


def test_memory_is_bounded(lab: Lab) -> None:
    """A guest that grows until refused, and then aborts, has exceeded its memory budget."""
    fn = lab.instantiate("basics", name="fn", memory="4MiB")
    with pytest.raises(BudgetExceeded, match="memory"):
        fn.grow()
    assert fn.double(1) == 2


def test_a_run_keeps_what_came_before_the_trap(lab: Lab) -> None:
    """A trap at event k keeps the first k samples and shows event k."""
    fn = lab.instantiate("basics", name="fn")
    run = fn.run(fn.find("fail-at"), n=20, events=[[i] for i in range(20)])
    assert isinstance(run, Run)
    assert len(run) == 7
    assert run.results == list(range(7))
    assert isinstance(run.error, GuestTrap)
    assert run.failing_event == "fail-at(7)"
    assert fn.double(2) == 4


def test_a_run_is_reproducible(lab: Lab) -> None:
    """The same seed fires the same events; another seed others."""
    runs = [lab.fire("basics", "double", n=50, seed=seed) for seed in (7, 7, 8)]
    assert all(isinstance(run, Run) and len(run) == 50 for run in runs)
    first, again, other = (run.events for run in runs)
    assert first == again != other
    assert lab.last_run is runs[-1]
    with pytest.raises(UsageError, match="at least 1"):
        lab.fire("basics", "double", n=0)


def test_rebuilt(lab: Lab) -> None:
    """An instance follows its component's new code, with a line that says so, unless it is pinned."""
    lab.instantiate("basics", name="fn")
    pinned = lab.instantiate("basics", name="pinned", pin=True)
    lab.build("wat", BASICS.replace("(i32.const 2))", "(i32.const 3))", 1), name="basics")
    answer = lab.fire("fn", "double(10)")
    assert answer.value == 30
    assert answer.notes == ("fn was started anew with the same grants: basics has been rebuilt.",)
    assert lab.fire("fn", "double(10)").notes == ()
    assert pinned.double(10) == 20
    lab.build(
        "wat", BASICS.replace('(export "double") (param "x"', '(export "triple") (param "x"'), name="basics"
    )
    assert lab.fire("fn", "triple(10)").value == 20
    assert pinned.double(10) == 20


def test_cache_outlives_the_lab(lab: Lab) -> None:
    """An unchanged snippet is a hit in another lab; a changed one is not."""
    with Lab(cache=lab.cache) as other:
        assert other.build("wat", BASICS, name="basics").cached
        assert not other.build("wat", BASICS + " ", name="basics").cached
        assert not other.build("wat", BASICS, name="basics", force=True).cached
        assert other.instantiate("basics").double(3) == 6


@pytest.mark.parametrize("what", ["component", "code"])
def test_a_damaged_cache_is_made_again(lab: Lab, what: str) -> None:
    """A flipped bit in the cache costs a rebuild, never a wrong answer or a crash."""
    build = lab.builds["basics"]
    path = build.wasm if what == "component" else build.code
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with Lab(cache=lab.cache) as other:
        other.build("wat", BASICS, name="basics")
        assert other.instantiate("basics").double(3) == 6


def test_load_and_save(lab: Lab, tmp_path: Path) -> None:
    """A component goes into a file and comes back the same."""
    path = lab.save("basics", tmp_path / "out.wasm")
    assert path.read_bytes().startswith(b"\0asm")
    loaded = lab.load(path, name="again")
    assert loaded.digest == lab.builds["basics"].digest
    assert lab.instantiate("again").double(2) == 4
    assert lab.fire(str(path), "double(8)").value == 16
    assert lab.save("basics", tmp_path).name == "basics.wasm"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no WebAssembly"),
        (b"hello world", "no WebAssembly"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0d\0\1\0\xff\xff\xff", "."),
    ],
)
def test_what_is_no_component(lab: Lab, tmp_path: Path, data: bytes, message: str) -> None:
    """Bytes that are no component are refused in words, and nothing else changes."""
    path = tmp_path / "x.wasm"
    path.write_bytes(data)
    with pytest.raises(ComponentError, match=message):
        lab.load(path)
    assert lab.fire("basics", "double(1)").value == 2


@pytest.mark.parametrize(
    "function",
    ["(func (result (list string)))", '(func (param "data" (stream u8)) (result (future (result))))'],
)
def test_wasi_03_is_refused_by_name(lab: Lab, tmp_path: Path, function: str) -> None:
    """A component for WASI 0.3 is shown by what it asks for, and refused."""
    path = tmp_path / "new.wat"
    path.write_text(f'(component (import "wasi:cli/new@0.3.0" (instance (export "f" {function}))))')
    with pytest.raises(ComponentError, match=r"wasi:cli/new@0.3.0.*0\.2") as caught:
        lab.load(path)
    assert "0.3" in str(caught.value)
    assert lab.fire("basics", "double(1)").value == 2


def test_a_damaged_build_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A truncated component is refused."""
    data = lab.builds["basics"].read()
    (tmp_path / "cut.wasm").write_bytes(data[: len(data) // 2])
    with pytest.raises(ComponentError):
        lab.load(tmp_path / "cut.wasm")


def test_unknown_names(lab: Lab, tmp_path: Path) -> None:
    """Unknown languages, components, files and grants are named with what is known."""
    with pytest.raises(UsageError, match=r"'rst'.*Did you mean 'rust'"):
        lab.build("rst", "", name="x")
    with pytest.raises(UsageError, match="'nothing' is not known; known: basics"):
        lab.instantiate("nothing")
    with pytest.raises(UsageError, match="cannot be read"):
        lab.load(tmp_path / "absent.wasm")
    with pytest.raises(UnknownCapability, match="Did you mean 'env'"):
        lab.instantiate("basics", emv={"A": "B"})
    with pytest.raises(CapabilityError, match="out of range"):
        lab.instantiate("basics", timeout=0)
    with pytest.raises(UsageError, match="'gcc' is not known"):
        lab.instantiate("basics", compiler="gcc")
    with pytest.raises(UsageError, match="No world is known yet"):
        lab.build("rust", "fn f() {}", name="x")


@pytest.mark.parametrize("compiler", ["cranelift", "winch", "pulley"])
def test_compilers(lab: Lab, compiler: str) -> None:
    """Every tier gives the same answers."""
    assert lab.instantiate("basics", name=f"with_{compiler}", compiler=compiler).double(21) == 42


def _large(code: str = "i32.const 42") -> str:
    """Return a component of more than a megabyte with one function."""
    ballast = "x" * (1 << 20)
    return f"""(component
      (core module $m (memory 20) (data (i32.const 0) "{ballast}")
        (func $of (result i32) i32.const 42) (func (export "of") (result i32) {code}))
      (core instance $i (instantiate $m))
      (func (export "of") (result u32) (canon lift (core func $i "of"))))"""


def test_large_development_builds_take_the_quick_compiler(lab: Lab) -> None:
    """Winch makes what an edit would wait for; a release and whoever asks for it get another compiler."""

    def compiler(**options: object) -> str:
        return lab.build("wat", _large(), name="big", **options).settings.compiler

    assert compiler() == "winch"
    assert compiler() == "winch", "found in the cache"
    assert compiler(compiler="cranelift") == "cranelift"
    assert compiler(release=True) == "cranelift"
    assert compiler() == "winch"
    own, other = lab.instantiate("big"), lab.instantiate("big", name="other", compiler="cranelift")
    assert (own.build.settings.compiler, other.build.settings.compiler) == ("winch", "cranelift")
    fuelled = lab.instantiate("big", name="fuelled", fuel=1000)
    assert fuelled.build.settings.compiler == "winch"
    assert lab.fire(fuelled, "of()").fuel_used
    (warning,) = lab.timings([own, other], samples=3).warnings
    assert "winch: big; cranelift: other" in warning
    assert not lab.timings([other], samples=3).warnings
    lab.build("wat", _large("i32.const 43"), name="big", release=True)
    assert (own.of(), other.of()) == (43, 43)
    assert (own.build.settings.compiler, other.build.settings.compiler) == ("cranelift", "cranelift")


def test_what_winch_cannot_compile_cranelift_does(lab: Lab) -> None:
    """A large component with a tail call is compiled by Cranelift, and its card says so; asked for, Winch fails."""
    build = lab.build("wat", _large("return_call $of"), name="tail")
    assert build.settings.compiler == "cranelift"
    assert "winch cannot compile" in build.notes[-1]
    assert lab.instantiate("tail").of() == 42
    with pytest.raises(ComponentError):
        lab.build("wat", _large("return_call $of"), name="tail", compiler="winch")


def test_strict(lab: Lab) -> None:
    """Under --strict an import that was not granted by name keeps the component from starting."""
    asks = """(component (import "wasi:random/insecure-seed@0.2.0" (instance
      (export "insecure-seed" (func (result (tuple u64 u64)))))))"""
    lab.build("wat", asks, name="asks")
    lab.instantiate("asks")
    with pytest.raises(CapabilityDenied, match=r"wasi:random/insecure-seed@0.2.0: --random real"):
        lab.instantiate("asks", name="s", strict=True)
    lab.instantiate("asks", name="s", strict=True, random="real")


def test_startup_timings(lab: Lab) -> None:
    """Start-up is measured in phases, every one of every start, with a native process beside it."""
    lab.build("wat", BASICS + "  ", name="other")
    result = lab.timings(
        ["basics", "other"], kind="startup", call="double(2)", samples=12, baseline=["process"]
    )
    assert [t.target for t in result.startups] == ["basics", "other"]
    for timing in result.startups:
        for phase in (Phase.DESERIALIZE, Phase.LINK, Phase.INSTANTIATE, Phase.FIRST_CALL):
            assert len(timing.phases[phase]) == 12
            assert min(timing.phases[phase].kept) > 0
        assert timing.total
    (process,) = result.baselines
    assert len(process.samples) == 12
    assert not result.all_warnings


def test_timings_check_answers(lab: Lab) -> None:
    """Targets that answer one event differently are told apart; a target that changes its mind is refused."""
    lab.build("wat", BASICS.replace("(i32.const 2))", "(i32.const 3))", 1), name="tripler")
    result = lab.timings(["basics", "tripler"], kind="latency", call="double(2)", samples=200)
    assert any("differently (4 and 6)" in warning for warning in result.all_warnings)
    assert result.latencies[0].harness
    with pytest.raises(UsageError, match="needs something to measure"):
        lab.timings([])
    with pytest.raises(Exception, match="two answers"):
        lab.timings(["basics"], kind="latency", call="count()", samples=20)


def test_size_timings(lab: Lab, require: Callable[[str, object], None]) -> None:
    """Sizes name the parts of a component and its machine code."""
    (size,) = lab.timings(["basics"], kind="size", call="double(1)").sizes
    assert size.size == lab.builds["basics"].size
    assert size.code_bytes > 0


def test_close_twice(tmp_path: Path) -> None:
    """Closing twice is fine, and leaves no process."""
    lab = Lab(cache=Cache(tmp_path))
    lab.warm()
    lab.close()
    lab.close()
