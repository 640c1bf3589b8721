"""The codec against the engine: any value of any type comes back from a component that returns it."""

from __future__ import annotations

import math
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host_guests import PADDING, echo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkernel._errors import ValueDoesNotFit
from labkernel._host import Start, Started, Supervisor
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    type_text,
)

PAD = [7] * PADDING
RANGES = {f"{sign}{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign == "s" else (0, 2**bits - 1)
          for sign in "su" for bits in (8, 16, 32, 64)}  # fmt: skip
NAMES = st.sampled_from(
    ["a", "b", "c", "long-name-with-parts", "x1", "y", "other", "none", "ok", "err", "some"]
)


def p(name: str) -> Primitive:
    """A primitive type."""
    return Primitive(name)


def unique_names(most: int) -> st.SearchStrategy[list[str]]:
    """Names for fields, cases and flags."""
    return st.lists(NAMES, min_size=1, max_size=most, unique=True)


def types() -> st.SearchStrategy[Type]:
    """Every value type, small and nested."""
    leaves = st.one_of(
        st.sampled_from([*map(Primitive, [*RANGES, "bool", "f32", "f64", "char", "string"])]),
        unique_names(5).map(lambda names: EnumType(tuple(names))),
        st.integers(1, 32).map(lambda n: FlagsType(tuple(f"f{i}" for i in range(n)))),
        st.just(ListType(p("u8"))),
        st.just(ResultType()),
    )
    return st.recursive(leaves, compound, max_leaves=6)


def compound(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    """Types made of other types."""
    maybe = st.one_of(st.none(), inner)
    several = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        inner.map(ListType),
        inner.map(OptionType),
        several.map(lambda ts: TupleType(tuple(ts))),
        st.builds(ResultType, maybe, maybe),
        st.builds(
            lambda names, ts: RecordType(tuple(Field(n, t) for n, t in zip(names, ts * 5, strict=False))),
            unique_names(5), several,
        ),
        st.builds(
            lambda names, ts: VariantType(tuple(Case(n, t) for n, t in zip(names, ts * 5, strict=False))),
            unique_names(5), st.lists(maybe, min_size=1, max_size=3),
        ),
    )  # fmt: skip


def values(wit_type: Type) -> st.SearchStrategy[Any]:
    """Normal forms of values of a type."""
    match wit_type:
        case Primitive("bool"):
            return st.booleans()
        case Primitive("f32"):
            return st.floats(width=32)
        case Primitive("f64"):
            return st.floats()
        case Primitive("char"):
            return st.characters(exclude_categories=["Cs"])
        case Primitive("string"):
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
        case Primitive(name):
            return st.integers(*RANGES[name])
        case ListType(Primitive("u8")):
            return st.binary(max_size=40)
        case ListType(element):
            return st.lists(values(element), max_size=4)
        case OptionType(some):
            return st.one_of(st.none(), values(some).map(lambda v: [v]))
        case TupleType(elements):
            return st.tuples(*map(values, elements)).map(list)
        case RecordType(fields):
            return st.tuples(*(values(f.type) for f in fields)).map(list)
        case ResultType(ok, err):
            return st.one_of(*(with_payload(case, t) for case, t in (("ok", ok), ("err", err))))
        case VariantType(cases):
            return st.one_of(*(with_payload(k.name, k.type) for k in cases))
        case EnumType(names):
            return st.sampled_from(names)
        case FlagsType(names):
            return st.sets(st.sampled_from(names)).map(lambda found: [n for n in names if n in found])
    raise TypeError(wit_type)


def with_payload(case: str, wit_type: Type | None) -> st.SearchStrategy[Any]:
    """A case with its payload."""
    return st.just([case, None]) if wit_type is None else values(wit_type).map(lambda v: [case, v])


def same(left: Any, right: Any) -> bool:
    """Equality that takes types, the sign of zero and NaN into account."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


class Echoes:
    """Components that return what they get, one per type."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        self.supervisor = supervisor
        self._folder = folder
        self._started: dict[str, Started] = {}
        self.functions: dict[str, Function] = {}

    def __call__(self, wit_type: Type, value: Any) -> Any:
        """Return what comes back."""
        return self.supervisor.call(self.start(wit_type), "echo", [value, *PAD]).result

    def start(self, wit_type: Type) -> Started:
        """Return the instance for a type."""
        text = type_text(wit_type)
        if text not in self._started:
            target = self._folder / f"{len(self._started)}.cwasm"
            self.supervisor.codegen(self.supervisor.assemble(echo(wit_type)), target)
            loaded = self.supervisor.load(target)
            self.functions[text] = next(loaded.world.functions())
            self._started[text] = self.supervisor.instantiate(loaded, Start())
        return self._started[text]


@pytest.fixture(scope="module")
def echoes() -> Iterator[Echoes]:
    """One host process for all of this file."""
    with tempfile.TemporaryDirectory() as folder, Supervisor(mac_key=b"k" * 32) as supervisor:
        yield Echoes(supervisor, Path(folder))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_every_value_of_every_type_comes_back(echoes: Echoes, data: st.DataObject) -> None:
    """Types and values are drawn; reflection knows the type, and what comes back is what was sent."""
    wit_type = data.draw(types())
    supervisor, started = echoes.supervisor, echoes.start(wit_type)
    assert echoes.functions[type_text(wit_type)].params[0].type == wit_type
    for _ in range(4):
        value = data.draw(values(wit_type))
        back = supervisor.call(started, "echo", [value, *PAD]).result
        assert same(back, [value, 7]), (type_text(wit_type), value, back)


ALIKE = VariantType(
    (Case("a", p("string")), Case("b", p("string")), Case("none"), Case("c", OptionType(p("string"))))
)
EDGES: list[tuple[Type, Any]] = [
    *((p(name), edge) for name, span in RANGES.items() for edge in span),
    (p("f32"), 0.10000000149011612), (p("f32"), -math.inf), (p("f64"), -0.0), (p("f64"), 5e-324),
    (p("f32"), math.nan), (p("f64"), math.nan),
    (p("char"), "\0"), (p("char"), "\U0010ffff"), (p("char"), "\ud7ff"), (p("char"), "\ue000"),
    (p("string"), ""), (p("string"), "\0"), (p("string"), "grüße 🦀" * 1000),
    (ListType(p("u8")), b""), (ListType(p("u8")), bytes(range(256)) * 100), (ListType(p("s8")), [-128, 127]),
    (ListType(p("f64")), [math.nan, -0.0, 1.5]), (ListType(p("u64")), [2**64 - 1] * 3), (ListType(p("string")), []),
    (ListType(p("bool")), [True, False]), (ListType(p("char")), ["a", "🦀"]),
    (ListType(ListType(p("u8"))), [b"", b"a"]), (ListType(ListType(p("u16"))), [[], [1, 2]]),
    (OptionType(OptionType(p("u8"))), None), (OptionType(OptionType(p("u8"))), [None]),
    (OptionType(OptionType(p("u8"))), [[0]]), (OptionType(OptionType(OptionType(ResultType()))), [[[["ok", None]]]]),
    (ALIKE, ["a", "x"]), (ALIKE, ["b", "x"]), (ALIKE, ["none", None]), (ALIKE, ["c", None]), (ALIKE, ["c", ["x"]]),
    (ResultType(p("u8"), p("u8")), ["err", 3]), (ResultType(None, p("string")), ["ok", None]),
    (ResultType(OptionType(p("u8")), None), ["ok", None]), (ResultType(OptionType(p("u8")), None), ["err", None]),
    (FlagsType(tuple(f"f{i}" for i in range(32))), [f"f{i}" for i in range(0, 32, 3)]),
    (FlagsType(tuple(f"f{i}" for i in range(9))), []),
    (EnumType(tuple(f"e{i}" for i in range(300))), "e299"),
    (ListType(RecordType((Field("a", ListType(RecordType((Field("b", p("s16")), Field("c", p("string")))))),))),
     [[[]], [[[-1, "x"], [2, ""]]]]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wit_type", "value"),
    EDGES,
    ids=lambda item: str(item)[:30] if not isinstance(item, str) else repr(item)[:30],
)
def test_the_edges_come_back(echoes: Echoes, wit_type: Type, value: Any) -> None:
    """Smallest and largest values, empty ones, look-alikes."""
    assert same(echoes(wit_type, value), [value, 7])


MISFITS: list[tuple[Type, Any]] = [
    (p("u8"), 256), (p("u8"), -1), (p("u8"), "1"), (p("u8"), None), (p("s64"), 2**63), (p("bool"), 1),
    (p("char"), "ab"), (p("char"), ""), (p("char"), "\ud800"), (p("string"), "\udfff"), (p("string"), 3),
    (p("f32"), 1e300), (ListType(p("u8")), [1]), (ListType(p("u16")), [70000]), (ListType(p("string")), "ab"),
    (TupleType((p("u8"),)), [1, 2]), (OptionType(p("u8")), 1), (OptionType(p("u8")), []),
    (EnumType(("a",)), "b"), (FlagsType(("a",)), ["b"]), (ALIKE, ["d", None]), (ALIKE, ["none", 1]), (ALIKE, "a"),
    (ResultType(), ["maybe", None]), (ResultType(), ["ok", 1]),
]  # fmt: skip


@pytest.mark.parametrize(("wit_type", "value"), MISFITS, ids=lambda item: repr(item)[-30:])
def test_a_value_of_another_shape_is_refused(echoes: Echoes, wit_type: Type, value: Any) -> None:
    """Lowering names the parameter and never sends what does not fit; the instance lives on."""
    with pytest.raises(ValueDoesNotFit, match=r"\$"):
        echoes(wit_type, value)


def test_the_wrong_number_of_arguments_is_refused(echoes: Echoes) -> None:
    """One argument too few."""
    with pytest.raises(ValueDoesNotFit, match="17 arguments"):
        echoes.supervisor.call(echoes.start(p("u8")), "echo", [1])


def test_nothing_leaks(echoes: Echoes) -> None:
    """A hundred thousand calls leave the host process as large as it was."""
    wit_type = VariantType((Case("a", ListType(p("string"))), Case("b", OptionType(EnumType(("x", "y"))))))
    started, supervisor = echoes.start(wit_type), echoes.supervisor
    events = [[value, *PAD] for value in (["a", ["text", ""]], ["b", None], ["b", ["y"]])] * 500

    def resident() -> int:
        return int(Path(f"/proc/{supervisor.pid}/statm").read_text().split()[1]) * 4096

    def fire(times: int) -> None:
        for _ in range(times):
            assert supervisor.fire(started, "echo", events, keep_results=False).error is None

    fire(10)
    before = resident()
    fire(67)
    assert resident() - before < 3 << 20
