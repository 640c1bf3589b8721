"""Hypothesis strategies: WIT types of bounded depth, values in normal form, functions with arguments.

Importing it loads a profile without deadlines: a slow machine is no wrong answer.
"""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

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

settings.register_profile("lab", deadline=None)
settings.load_profile("lab")

KEYWORDS = ("true", "false", "inf", "nan", "some", "none", "ok", "err")

labels = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3}){0,2}", fullmatch=True),
    st.from_regex(r"[A-Z][A-Z0-9]{0,3}(-[a-z0-9]{1,3})?", fullmatch=True),
    st.sampled_from(KEYWORDS),
)


def _essence(label: str) -> str:
    return label.lower().replace("-", "")


def names(max_size: int) -> st.SearchStrategy[list[str]]:
    """One to `max_size` labels that differ in more than case and hyphens, as WIT demands."""
    return st.lists(labels, min_size=1, max_size=max_size, unique_by=_essence)


primitives = st.sampled_from(
    ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"]
).map(Primitive)

_leaves = st.one_of(
    primitives,
    primitives,
    names(6).map(lambda n: EnumType(tuple(n), name="an-enum")),
    names(12).map(lambda n: FlagsType(tuple(n), name="some-flags")),
)


def _compound(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    maybe = st.none() | inner
    return st.one_of(
        inner.map(ListType),
        inner.map(OptionType),
        st.builds(ResultType, maybe, maybe),
        st.lists(inner, min_size=1, max_size=4).map(lambda e: TupleType(tuple(e))),
        names(5).flatmap(
            lambda n: st.tuples(*[inner] * len(n)).map(
                lambda types: RecordType(tuple(map(Field, n, types)), name="a-record")
            )
        ),
        names(5).flatmap(
            lambda n: st.tuples(*[maybe] * len(n)).map(
                lambda types: VariantType(tuple(map(Case, n, types)), name="a-variant")
            )
        ),
    )


types: st.SearchStrategy[Type] = st.recursive(_leaves, _compound, max_leaves=8)

_scalar_values: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "f32": st.integers(0, 2**32 - 1).map(lambda bits: struct.unpack("<f", struct.pack("<I", bits))[0])
    | st.floats(width=32),
    "f64": st.floats(),
    "char": st.characters(exclude_categories=["Cs"]),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    **{f"u{b}": st.integers(0, 2**b - 1) for b in (8, 16, 32, 64)},
    **{f"s{b}": st.integers(-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in (8, 16, 32, 64)},
}


def values(wit_type: Type) -> st.SearchStrategy[Any]:
    """Values of a type in normal form."""
    match wit_type:
        case Primitive(name):
            return _scalar_values[name]
        case ListType(Primitive("u8")):
            return st.binary(max_size=20)
        case ListType(element):
            return st.lists(values(element), max_size=5)
        case TupleType(elements):
            return st.tuples(*map(values, elements)).map(list)
        case RecordType(fields):
            return st.tuples(*(values(f.type) for f in fields)).map(list)
        case OptionType(payload):
            return st.none() | values(payload).map(lambda v: [v])
        case ResultType(ok, err):
            return _case("ok", ok) | _case("err", err)
        case VariantType(cases):
            return st.one_of(*(_case(c.name, c.type) for c in cases))
        case EnumType(cases):
            return st.sampled_from(cases)
        case FlagsType(names):
            return st.sets(st.sampled_from(names)).map(lambda s: [n for n in names if n in s])
    raise AssertionError(wit_type)


def _case(name: str, wit_type: Type | None) -> st.SearchStrategy[Any]:
    payload = st.none() if wit_type is None else values(wit_type)
    return payload.map(lambda v: [name, v])


typed_values = types.flatmap(lambda t: st.tuples(st.just(t), values(t)))


@st.composite
def functions(draw: st.DrawFn) -> Function:
    """A function of up to four parameters, of the world or of an interface."""
    params = draw(names(4)) if draw(st.booleans()) else []
    made = tuple(Param(name, draw(types)) for name in params)
    interface = draw(
        st.sampled_from(["", "ns:pkg/iface", "wasi:clocks/wall-clock@0.2.12", "a:b/c@1.0.0-rc.1+x"])
    )
    return Function(draw(labels), made, draw(st.none() | types), interface)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Function, list[Any]]:
    """A function and arguments for it in normal form."""
    function = draw(functions())
    return function, [draw(values(p.type)) for p in function.params]


def same(one: Any, other: Any) -> bool:
    """Whether two normal forms are the same value: NaN is NaN, and -0.0 is not 0.0."""
    return repr(one) == repr(other)
