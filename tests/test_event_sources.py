"""Events from files and tables: every format read back, and everything that can be wrong with one."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import math
import os
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from event_guests import LENGTH, PLAIN
from hypothesis import given, settings
from hypothesis import strategies as st
from test_events import DATETIME, EVENT, EVENT_TYPE, HANDLE, STRING, U8, U64, digest
from wit_strategies import functions, same, values

from labkernel import BadEvent, Lab, LabError, UsageError, ValueDoesNotFit
from labkernel._cache import Cache
from labkernel._events import (
    EventOptions,
    EventSource,
    Written,
    call_text,
    events,
    open_source,
    sample,
    sources,
)
from labkernel._events.cells import Cell, Gap
from labkernel._events.json_stream import CutShort, json_values
from labkernel._events.mapping import Mapper
from labkernel._events.moments import read_instant, rfc3339, try_instant
from labkernel._events.paths import locate
from labkernel._fire import Answer, Run
from labkernel._host import protocol
from labkernel._values import Packed, events_from_data, events_to_data
from labkernel._wit import (
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

ONE = '{"event-type": "object-added", "event-timestamp": {"seconds": 1, "nanoseconds": 0}, "event-version": "2.1"}'
NORMAL = ["object-added", [1, 0], "2.1"]
U32, F64 = Primitive("u32"), Primitive("f64")


def record(*fields: tuple[str, Type]) -> Function:
    """A function of one record."""
    return Function("take", (Param("it", RecordType(tuple(Field(n, t) for n, t in fields))),))


def source(path: Path, content: str | bytes, function: Function = HANDLE, **options: Any) -> EventSource:
    """Write a file and open it as a source of events."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_source(function, EventOptions(events=path, **options))


def as_json(value: Any, wit_type: Type) -> Any:
    """Return a normal form as JSON has it."""
    match wit_type:
        case OptionType(payload):
            inner = None if value is None else as_json(value[0], payload)
            return {"some": inner} if value is not None and isinstance(payload, OptionType) else inner
        case RecordType(fields):
            return {f.name: as_json(v, f.type) for f, v in zip(fields, value, strict=True)}
        case TupleType(elements):
            return [as_json(v, e) for v, e in zip(value, elements, strict=True)]
        case ListType(Primitive("u8")):
            return list(value)
        case ListType(element):
            return [as_json(v, element) for v in value]
        case ResultType() | VariantType():
            sides = {"ok": wit_type.ok, "err": wit_type.err} if isinstance(wit_type, ResultType) else {
                c.name: c.type for c in wit_type.cases
            }  # fmt: skip
            payload = sides[value[0]]
            return [value[0]] if payload is None else {value[0]: as_json(value[1], payload)}
    return value


@st.composite
def runs(draw: st.DrawFn) -> tuple[Function, list[list[Any]]]:
    """A function and some events of it in normal form."""
    function = draw(functions().filter(lambda f: f.params))
    some = st.tuples(*(values(p.type) for p in function.params)).map(list)
    return function, draw(st.lists(some, min_size=1, max_size=4))


@given(runs())
@settings(max_examples=40, deadline=None)
def test_json_lines_and_arrays_are_read_back(tmp_path_factory: pytest.TempPathFactory, run: Any) -> None:
    """Events written as objects by parameter, one a line or as an array, are the same events again."""
    function, made = run
    rows = [
        {p.name: as_json(v, p.type) for p, v in zip(function.params, event, strict=True)} for event in made
    ]
    if len(function.params) == 1 and isinstance(function.params[0].type, RecordType):
        rows = [row[function.params[0].name] for row in rows]  # the record itself
    folder = tmp_path_factory.mktemp("json")
    for name, text in (
        ("e.jsonl", "\n".join(map(json.dumps, rows))),
        ("e.json", json.dumps(rows, indent=1)),
        ("e.ndjson", "".join(json.dumps(r, ensure_ascii=False) + "\r\n" for r in rows)),
    ):
        assert same(list(source(folder / name, text, function)), made)


@given(runs())
@settings(max_examples=40, deadline=None)
def test_wave_is_read_back(tmp_path_factory: pytest.TempPathFactory, run: Any) -> None:
    """Calls, and argument lists, one a line with comments between, are the same events again."""
    function, made = run
    calls = [call_text(function, event) for event in made]
    bare = [call[len(function.full_name) :] for call in calls]
    for lines in (calls, bare):
        text = "// two\n\n" + "\n   // comments\n".join(lines)
        assert same(list(source(tmp_path_factory.mktemp("wave") / "e.wave", text, function)), made)


CELLS = record(
    ("flag", Primitive("bool")), ("count", Primitive("s64")), ("ratio", F64), ("letter", Primitive("char")),
    ("text", STRING), ("kind", EVENT_TYPE), ("maybe", OptionType(U8)), ("bytes", ListType(U8)),
    ("perms", FlagsType(("r", "w"))), ("at", DATETIME), ("pair", TupleType((U8, STRING))),
    ("texts", ListType(STRING)), ("either", ResultType(STRING, U8)), ("deep", OptionType(OptionType(U8))),
)  # fmt: skip


@given(st.lists(values(CELLS.params[0].type), min_size=1, max_size=4), st.sampled_from(",;\t"))
@settings(max_examples=40, deadline=None)
def test_csv_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], delimiter: str) -> None:
    """Plain cells for plain types, WAVE for what has parts, a header with paths for records."""
    from labkernel._values import wave

    record_type = CELLS.params[0].type
    assert isinstance(record_type, RecordType)

    def cell(value: Any, wit_type: Type) -> str:
        match wit_type:
            case Primitive("bool"):
                return str(value).lower()
            case Primitive() | EnumType():
                return str(value)
            case OptionType(payload):
                return "" if value is None else cell(value[0], payload)
        return wave(value, wit_type)

    def cells(row: list[Any]) -> list[str]:
        made = [cell(v, f.type) for v, f in zip(row, record_type.fields, strict=True) if f.name != "at"]
        return [*made, *map(str, row[9])]

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    names = [f.name for f in record_type.fields if f.name != "at"]
    writer.writerow([*names, "at.seconds", "at.nanoseconds"])
    writer.writerows(map(cells, rows))
    # `some(none)` has no cell of its own: an empty one is `none`.
    wanted = [[[*row[:13], None if row[13] == [None] else row[13]]] for row in rows]
    path = tmp_path_factory.mktemp("csv") / "e.csv"
    assert same(list(source(path, text.getvalue(), CELLS)), wanted)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=6), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_an_array_is_read_in_pieces(made: list[Any], size: int, indent: int | None, is_ascii: bool) -> None:
    """Wherever the pieces of a file begin, its elements are those that `json` reads at once."""
    text = json.dumps(made, indent=indent, ensure_ascii=is_ascii)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert [value for _, value in json_values(pieces, limit=10**6)] == made


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[1,2", CutShort, "ends in the middle of the value that begins in line 1"),
        ('[1,\n{"a": "x', CutShort, "begins in line 2"),
        ('[{"a": 1}', CutShort, "middle"),
        ("[1,]", UsageError, "Expecting value"),
        ("[1,,2]", UsageError, "Expecting value"),
        ("[1 2]", UsageError, "expected ',' or ']', found '2'"),
        ("[1] x", UsageError, "'x' follows the end"),
        ("5", UsageError, "neither an array nor an object, but '5'"),
        ("[\n\n{a: 1}]", UsageError, "Line 3: this is no JSON"),
        ("[" * 100_000, UsageError, "nested too deeply"),
        ("[" + "9" * 5000 + "]", UsageError, "cannot be read"),
        ('["' + "x" * 200_000 + '"]', UsageError, "more than 65,536 characters"),
    ],
)
def test_what_is_wrong_with_an_array(text: str, error: type[UsageError], message: str) -> None:
    """A file that ends early is told from one that is wrong, each with its line."""
    with pytest.raises(UsageError) as caught:
        list(json_values([text[i : i + 1000] for i in range(0, len(text), 1000)], limit=1 << 16))
    assert type(caught.value) is error
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "'{path}' is empty; write one event per line, as JSON or WAVE."),
        ("a.jsonl", "\n \n", "Nothing can be fired from a.jsonl (JSON lines): it holds no events."),
        ("a.jsonl", f"{ONE}\n{ONE[:-1]}, \"more\": ", "a.jsonl, line 2: this is no JSON: the file ends in the middle"),
        ("a.jsonl", f"{ONE}\n{{oops\n", "a.jsonl, line 2: this is no JSON: Expecting property name"),
        ("a.jsonl", ONE.encode() + b'\n{"a": "\xff"}\n', "a.jsonl, line 2: byte 0xff at column 8 is no UTF-8"),
        ("a.json", b'[\n{"a": "\xff"}]', "a.json: line 2: byte 0xff at column 8 is no UTF-8"),
        ("a.json", f"[{ONE},", "a.json: The file ends in the middle"),
        ("a.jsonl", ONE.encode("utf-16"), "'{path}' is UTF-16 text; save it as UTF-8."),
        ("a.jsonl", ONE.replace('"2.1"', "2.1"), "a.jsonl, line 1: $.event-version: 2.1 does not fit string"),
        ("a.jsonl", ONE.replace(": 1,", ": -1,"), "line 1: $.event-timestamp.seconds: -1 does not fit u64"),
        ("a.jsonl", ONE.replace("-added", "-adde"), "no such case). Did you mean 'object-added'?"),
        ("a.jsonl", '{"event-type": "object-added"}', "event-timestamp (datetime), event-version (string) missing"),
        ("a.jsonl", ONE.replace("-version", "-versoin"), "the row has event-type, event-timestamp, event-versoin. "
         "Did you mean 'event-versoin'?"),
        ("a.jsonl", '{"event-type": "object-added", "eventType": "object-added"}', "event-timestamp (datetime), "),
        ("a.csv", "event-type\nobject-added,1\n", "a.csv, line 2: a row of 2 cells under a header of 1."),
        ("a.csv", 'event-type,b\n"object', "a.csv: line 2: the file ends inside quotes."),
        ("a.csv", "a,a\n1,2\n", "the header has 'a' twice; every column needs a name of its own."),
        ("a.csv", "a,,b\n1,2,3\n", "the header has a column without a name"),
        ("a.csv", "a,a.b\n1,2\n", "the header has both 'a' and parts of it ('a.b')"),
        ("a.csv", "a,b\n", "Nothing can be fired from a.csv (CSV): it holds no events."),
        ("a.csv", b"a,b\n1,\xff\n", "a.csv, line 2: byte 0xff at column 3"),
        ("a.wave", "handle({event-type: object-added", "a.wave, line 1: "),
        ("a.wave", "// nothing\n", "it holds no events"),
        ("a.wave", "\nhandle({event-type: x, event-timestamp: {seconds: 1, nanoseconds: 0}, event-version: \"\"})",
         "a.wave, line 2: $.event-type: x does not fit event-type"),
        ("a.txt", "hello there", "begins with 'hello there', which is none of the known formats"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    """File, line, path and value are told, and nothing is fired."""
    with pytest.raises((BadEvent, UsageError)) as caught:
        source(tmp_path / name, content)
    assert message.replace("{path}", str(tmp_path / name)) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The nearest name in its folder is offered; a folder is no file, and neither is a pipe."""
    (tmp_path / "events.jsonl").write_text(ONE)
    with pytest.raises(UsageError, match=r"cannot be read \(No such file.*Did you mean 'events.jsonl'"):
        open_source(HANDLE, EventOptions(events=str(tmp_path / "event.jsonl")))
    with pytest.raises(UsageError, match="no ordinary file"):
        open_source(HANDLE, EventOptions(events=tmp_path))
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError, match="no ordinary file"):
        open_source(HANDLE, EventOptions(events=tmp_path / "pipe.jsonl"))


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("a", ONE, "JSON"),
        ("a.txt", f"\n[{ONE}]", "JSON"),
        ("a.log", f"{ONE}\n{ONE}", "JSON"),
        ("b", "event-type,event-timestamp,event-version\nobject-added,1970-01-01T00:00:01Z,2.1", "CSV"),
        ("c.txt", '// calls\nhandle({event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, '
         'event-version: "2.1"})', "WAVE"),
        ("c", '{event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, '
         'event-version: "2.1"}', "WAVE"),
        ("d.jsonl", b"\xef\xbb\xbf" + ONE.encode(), "JSON lines"),
    ],
)  # fmt: skip
def test_a_format_is_found_by_how_a_file_begins(
    tmp_path: Path, name: str, content: str | bytes, format_: str
) -> None:
    """Where the suffix says nothing; a byte order mark of UTF-8 is no part of the text."""
    made = source(tmp_path / name, content)
    assert [NORMAL] in list(made)
    assert f"({format_})" in made.origin


def test_bad_rows_are_skipped_only_when_asked(tmp_path: Path) -> None:
    """They are counted and the first are shown; when all are bad nothing is left to fire."""
    lines = [ONE, "{", ONE, '{"event-type": 5}', "[]", ONE]
    made = source(tmp_path / "a.jsonl", "\n".join(lines), skip_bad=True)
    assert list(made) == [[NORMAL]] * 3 == list(made)
    assert (len(made), made.skipped) == (3, 3)
    assert "skipped: 3 bad; the first: line 2: this is no JSON" in made.notes[-1]
    with pytest.raises(UsageError, match=r"all 2 rows are bad; the first: line 1"):
        source(tmp_path / "b.jsonl", "{\n{\n", skip_bad=True)
    with pytest.raises(BadEvent, match=r"line 2.*Nothing was fired; --skip-bad leaves such rows out"):
        source(tmp_path / "a.jsonl", "\n".join(lines))


def test_fewer_and_more_events_than_rows(tmp_path: Path) -> None:
    """`n` takes the first ones, or begins again and says so."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(ONE.replace(": 1,", f": {i},") for i in range(5)))
    first = open_source(HANDLE, EventOptions(events=path), n=2)
    assert [event[0][1][0] for event in first] == [0, 1]
    again = open_source(HANDLE, EventOptions(events=path), n=12)
    assert [event[0][1][0] for event in again] == [0, 1, 2, 3, 4] * 2 + [0, 1]
    assert again.notes[-1] == "repeated: 5 events, from the start again up to 12"


def test_a_large_file_is_read_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file over the size that is kept, many lines and one long array alike, only a piece is in memory."""
    monkeypatch.setattr(sources, "_KEPT_BYTES", 1 << 12)
    lines = [ONE.replace(": 1,", f": {number * 7919},") for number in range(5_000)]
    for suffix, text in ((".jsonl", "\n".join(lines)), (".json", f"[{', '.join(lines)}]")):
        path = tmp_path / f"large{suffix}"
        path.write_text(text)
        tracemalloc.start()
        made = open_source(HANDLE, EventOptions(events=path))
        assert sum(1 for _ in made) == len(made) == 5_000
        assert made.kept is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000


def test_the_events_of_a_file_are_kept_packed(tmp_path: Path) -> None:
    """The events of a file are kept in less room than the file takes, and come back as they were read."""
    path = tmp_path / "many.jsonl"
    path.write_text("".join(ONE.replace(": 1,", f": {number * 7919},") + "\n" for number in range(5_000)))
    made = open_source(HANDLE, EventOptions(events=path))
    assert made.kept is not None
    assert made.kept.size_bytes < path.stat().st_size / 5
    assert [event[0][1][0] for event in made] == [number * 7919 for number in range(5_000)]
    assert made.kept[4_321] == [["object-added", [4_321 * 7919, 0], "2.1"]]


@given(st.data())
@settings(max_examples=50)
def test_packed_events_come_back(data: st.DataObject) -> None:
    """Whatever fits a function is the same after it was packed and had travelled."""
    function = data.draw(functions())
    made = [[data.draw(values(p.type)) for p in function.params] for _ in range(3)]
    packed = Packed(made * 200)
    there = events_from_data(protocol.unpack(protocol.pack([0, 0, events_to_data(packed)])[4:])[2])
    assert len(there) == len(packed) == 600
    for index in (0, 255, 256, 599, -1):
        assert same(packed[index], made[index % 3])
        assert same(there[index], made[index % 3])
    with pytest.raises(IndexError, match="event 600 of 600"):
        packed[600]


def test_a_long_line(tmp_path: Path) -> None:
    """Ten megabytes are an event; what is over the limit is a bad row, and the next one is read."""
    path = tmp_path / "long.jsonl"
    long = ONE.replace("2.1", "x" * 10_000_000)
    made = source(path, f"{long}\n{ONE}\n")
    assert [len(event[0][2]) for event in made] == [10_000_000, 3]
    made = source(path, ONE.replace("2.1", "x" * (17 << 20)) + f"\n{ONE}\n", skip_bad=True)
    assert list(made) == [[NORMAL]]
    assert "line 1: a line of more than 16 MiB" in made.notes[-1]
    with pytest.raises(BadEvent, match=r"\$.event-type: 'xxxx.*… does not fit") as caught:
        source(path, ONE.replace("object-added", "x" * 10_000_000))
    assert len(str(caught.value)) < 1000


def test_a_file_that_changes_is_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been checked is what is fired."""
    monkeypatch.setattr(sources, "_KEPT_BYTES", 10)
    path = tmp_path / "a.jsonl"
    made = source(path, f"{ONE}\n" * 600)
    path.write_text(f"{ONE}\n")
    with pytest.raises(BadEvent, match="changed while it was read"):
        next(iter(made))


@dataclasses.dataclass
class Reading:
    """A row as a program has it."""

    sensor_id: str
    value: float
    note: str | None = None


class Point(NamedTuple):
    """Another."""

    sensor_id: str
    value: float


READ = record(("sensor-id", STRING), ("value", F64), ("note", OptionType(STRING)))


def test_rows_of_lists() -> None:
    """Dicts, dataclasses and named tuples are rows by their names."""
    rows = [{"sensorId": "a", "value": 1}, Reading("b", 2.5, "x"), Point("c", math.inf)]
    made = open_source(READ, EventOptions(events=rows))
    assert list(made) == [[["a", 1.0, None]], [["b", 2.5, ["x"]]], [["c", math.inf, None]]]
    assert made.origin == "the rows of a list"
    pair = Function("add", (Param("a", U8), Param("b", U8)))
    assert list(open_source(pair, EventOptions(events=[(1, 2), {"b": 4, "a": 3}]))) == [[1, 2], [3, 4]]
    with pytest.raises(BadEvent, match=r"the rows of a list, row 1: add takes 2 arguments \(a, b\)"):
        open_source(pair, EventOptions(events=[(1, 2), (1, 2, 3)]))
    with pytest.raises(UsageError, match="A value of type generator is no table of events"):
        open_source(pair, EventOptions(events=iter_rows()))


def iter_rows() -> Iterator[int]:
    """Yield what can be gone through only once."""
    yield 1


def test_rows_of_pandas_and_arrow() -> None:
    """Missing values are options without one; times are points in time; whole floats are integers."""
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    function = record(
        ("kind", EVENT_TYPE),
        ("count", OptionType(U32)),
        ("level", F64),
        ("at", DATETIME),
        ("note", OptionType(STRING)),
    )
    frame = pandas.DataFrame(
        {
            "kind": ["object-added", "object-removed"],
            "count": [3, None],
            "level": [0.5, math.nan],
            "at": pandas.to_datetime(["2026-01-01T00:00:00.123456789Z", "1970-01-01T00:00:01.0Z"]),
            "note": ["x", None],
        }
    )
    wanted = [
        [["object-added", [3], 0.5, [1767225600, 123456789], ["x"]]],
        [["object-removed", None, math.nan, [1, 0], None]],
    ]
    assert same(list(open_source(function, EventOptions(events=frame))), wanted)
    table = pyarrow.table(
        {
            "kind": ["object-added", "object-removed"],
            "count": pyarrow.array([3, None], pyarrow.uint32()),
            "level": [0.5, math.nan],
            "at.seconds": [1767225600, 1],
            "at.nanoseconds": [123456789, 0],
            "note": ["x", None],
        }
    )
    assert same(list(open_source(function, EventOptions(events=table))), wanted)
    with pytest.raises(
        BadEvent, match=r"the rows of a DataFrame, row 1: count .u32. missing|row 1: \$.count"
    ):
        open_source(record(("count", U32)), EventOptions(events=frame[["count"]]))


def test_mapping_by_names_and_within() -> None:
    """Case and separators are no matter; what lies within is found where there is one such."""
    function = record(("event-type", STRING), ("bucket-name", STRING), ("size", OptionType(U64)))
    mapper = Mapper(function)
    assert mapper({"eventType": "x", "detail": {"Bucket_Name": "b"}, "extra": {"a": [1]}}) == [
        ["x", "b", None]
    ]
    told = {m.target: (m.source, m.how) for m in mapper.mapped}
    assert told == {
        "event-type": ("eventType", "by name"),
        "bucket-name": ("detail.Bucket_Name", "by name, within"),
        "size": ("", "none, since no row has it"),
    }
    assert mapper.left_over == ("extra",)
    with pytest.raises(
        UsageError, match=r"'size' could come from a.size, b.size; say which: --map size=a.size"
    ):
        mapper({"eventType": "x", "bucketName": "b", "a": {"size": 1}, "b": {"size": 2}})
    declared = Mapper(function, {"size": "b.size", "event_type": "kinds.1"})
    row = {"bucketName": "b", "a": {"size": 1}, "b": {"size": 2}, "kinds": ["p", "q"]}
    assert declared(row) == [["q", "b", [2]]]
    assert declared.left_over == ("a",)


def spelt(value: Any, spell: Any) -> Any:
    """Return JSON with the names of its objects in another spelling."""
    if isinstance(value, dict):
        return {spell(name): spelt(item, spell) for name, item in value.items()}
    return [spelt(item, spell) for item in value] if isinstance(value, list) else value


@given(st.lists(values(EVENT), min_size=1, max_size=3), st.sampled_from([str.upper, str.title, str.swapcase, str]),
       st.sampled_from(["", "_", " ", "."]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_names_of_any_spelling_are_the_same(rows: list[Any], case: Any, separator: str) -> None:
    """`eventType`, `EVENT_TYPE` and `Event Type` are all `event-type`, at any depth."""
    written = [spelt(as_json(row, EVENT), lambda name: case(name).replace("-", separator)) for row in rows]
    assert same(list(open_source(HANDLE, EventOptions(events=written))), [[row] for row in rows])


@pytest.mark.parametrize(
    ("given_map", "message"),
    [
        ({"event-typ": "x"}, "has no field 'event-typ'; its fields: event-type, event-timestamp, event-version. "
         "Did you mean 'event-type'?"),
        ({"event-type": ""}, "'event-type' is mapped to '', which is no path"),
        ({"event-type": "detail.kid"}, "line 1: 'detail.kid' leads nowhere: detail has kind, and no 'kid'. "
         "Did you mean 'kind'?"),
        ({"event-type": "detail.kind.0"}, "leads nowhere: detail.kind is 'made', and no '0'"),
        ({"event-type[made]": "object-ade"}, "Did you mean 'object-added'?"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_refused(tmp_path: Path, given_map: dict[str, str], message: str) -> None:
    """A part that does not exist at once, a source that does not at the first row."""
    row = '{"detail": {"kind": "made"}, "event-timestamp": 1, "event-version": ""}'
    with pytest.raises(LabError) as caught:
        source(tmp_path / "a.jsonl", row, map=given_map)
    assert message in str(caught.value)


def test_values_are_mapped_to_cases(tmp_path: Path) -> None:
    """A glob means a case, on the line or as a dict."""
    row = '{"event-type": "%s", "event-timestamp": "1970-01-01T00:00:01Z", "event-version": "2.1"}'
    text = "\n".join(row % name for name in ("made", "made:twice", "object-restored"))
    for given_map in ({"event-type[made*]": "object-added"}, {"event-type": {"made*": "object-added"}}):
        made = source(tmp_path / "a.jsonl", text, map=given_map)
        assert [event[0][0] for event in made] == ["object-added", "object-added", "object-restored"]


def test_what_is_fixed_needs_no_source(tmp_path: Path) -> None:
    """`set` gives parts that rows have not, whole ones and parts of parts."""
    fixed = {
        "event-type": Written("object-removed"),
        "event-timestamp.seconds": 9,
        "event-version": Written("2 1"),
    }
    row = '{"event-timestamp": {"nanoseconds": 3}}'
    made = source(tmp_path / "a.jsonl", f"{row}\n{row}", set=fixed)
    assert list(made) == [[["object-removed", [9, 3], "2 1"]]] * 2
    with pytest.raises(BadEvent, match=r"event-timestamp.nanoseconds \(u32\) missing"):
        source(tmp_path / "a.jsonl", "{}", set=fixed)


CE = {"id": "1", "source": "/a", "specversion": "1.0", "type": "object-added", "time": "1970-01-01T00:00:01Z"}
CE_MAP = {"event-type": "type", "event-timestamp": "time", "event-version": "data.v"}


def test_cloudevents_of_files(tmp_path: Path) -> None:
    """Structured, a batch, and one a line; data that is JSON, text or base64."""
    one = {**CE, "data": {"v": "2.1"}}
    for name, text in (
        ("a.json", json.dumps(one, indent=2)),
        ("b.json", json.dumps([one, one])),
        ("c.jsonl", f"{json.dumps(one)}\n{json.dumps(one)}\n"),
    ):
        assert [NORMAL] in list(source(tmp_path / name, text, map=CE_MAP))
    body = Function("take", (Param("data", ListType(U8)),))
    encoded = {**CE, "data_base64": base64.b64encode(b"\0\xff").decode()}
    assert list(source(tmp_path / "d.json", json.dumps(encoded), body)) == [[b"\0\xff"]]
    whole = Function("take", (Param("body", STRING),))
    (event,) = source(tmp_path / "e.json", json.dumps(encoded), whole)
    assert json.loads(event[0]) == encoded


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "This CloudEvent has no 'id', which version 1.0 requires."),
        ({"source": ""}, "source: Attribute 'source' must not be None or empty"),
        ({"specversion": "0.3"}, "specversion '0.3' is not supported"),
        ({"time": "yesterday"}, "time 'yesterday' is no RFC 3339 time"),
        ({"time": 5}, "time 5 is no RFC 3339 time"),
        ({"data": {}, "data_base64": "AA=="}, "has both 'data' and 'data_base64'"),
        ({"data_base64": "not base64!"}, "data_base64 'not base64!' is no base64 text"),
        ({"trace-id": "x"}, "Extension attribute 'trace-id' should only contain lowercase"),
        ({"extra": {"a": 1}}, "Attribute 'extra' is {'a': 1}; write text, a number or a truth value"),
        ({"subject": ""}, "Attribute 'subject' must not be empty"),
        ({"specversion": None, "specVersion": "1.0"}, "has no 'specversion', which version 1.0 requires. Did you mean "
         "'specVersion'?"),
    ],
)  # fmt: skip
def test_a_malformed_cloudevent_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """By the SDK, and by what it lets pass."""
    with pytest.raises(BadEvent) as caught:
        source(tmp_path / "a.json", json.dumps({**CE, **change}), map=CE_MAP)
    assert "a.json, line 1: " in str(caught.value)
    assert message in str(caught.value)


def test_rows_are_cloudevents_only_when_they_say_so() -> None:
    """Columns called `id`, `source`, `type` and `data` alone are anybody's."""
    function = record(("id", U8), ("type", STRING), ("data", U8))
    rows = [{"id": 1, "source": 2, "type": "x", "data": 3}]
    assert list(open_source(function, EventOptions(events=rows))) == [[[1, "x", 3]]]


def test_without_the_sdk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudEvents are checked by it; all else does without."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "cloudevents":
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        LabError, match=r"CloudEvents SDK is not installed.*pip install 'labkernel\[events\]'"
    ):
        open_source(HANDLE, EventOptions(template="cloudevents"))
    with pytest.raises(LabError, match="CloudEvents SDK is not installed"):
        open_source(HANDLE, EventOptions(events=[{**CE}], map=CE_MAP))
    assert len(open_source(HANDLE, EventOptions(template="s3"), n=2)) == 2


@given(st.integers(0, 253402300799 * 10**9))
@settings(max_examples=200)
def test_rfc3339_is_read_back(instant_ns: int) -> None:
    """Every nanosecond up to the year 9999."""
    assert try_instant(rfc3339(instant_ns)) == instant_ns


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-01-01T25:00:00Z", "1969-12-31", "", "2026"]
)
def test_what_is_no_time(text: str) -> None:
    """It is refused before anything is made up."""
    with pytest.raises(UsageError, match="is no time from 1970 on"):
        read_instant(text)


def test_shaped_events_are_the_same_everywhere() -> None:
    """Times near one and choices by the seed are pinned, as all that is made up."""
    options = EventOptions(near="2026-01-01T00:00:00Z", set={"event-version": Written("[a, b]")})
    assert digest(open_source(HANDLE, options, n=500, seed=7)) == "b2a92cd6d33cbfa1"


def test_times_lie_near_a_given_one() -> None:
    """Records, numbers and texts that are named for a time; the time itself comes first, all within a day."""
    function = record(
        ("at", DATETIME),
        ("created-time", STRING),
        ("timestamp-ms", U64),
        ("time", OptionType(Primitive("s64"))),
        ("n", U64),
    )
    near = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    options = EventOptions(near="2026-01-01T00:00:00Z")
    made = [event[0] for event in open_source(function, options, n=400, seed=3)]
    assert made[0][0] == [near, 0]
    assert all(abs(event[0][0] - near) <= 86_400 for event in made)
    drawn = made[30:]
    assert sum(abs(event[0][0] - near) <= 60 for event in drawn) > len(drawn) // 2
    assert all(abs((try_instant(event[1]) or 0) // 10**9 - near) <= 86_401 for event in drawn)
    assert all(abs(event[2] // 1000 - near) <= 86_401 for event in drawn)
    assert all(event[3] is None or abs(event[3][0] - near) <= 86_401 for event in drawn)
    assert len({event[4] for event in drawn}) > 50
    assert sample(function, near_ns=near * 10**9)[0][2] // 86_400_000 in range(
        near // 86_400 - 1, near // 86_400 + 2
    )


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("event-type", "object-removed", {"object-removed"}),
        ("event-type", "[object-added, object-removed]", {"object-added", "object-removed"}),
        ("eventType", "object_added", None),
        ("event-version", "2.1", {"2.1"}),
        ("event-version", '"a, b"', {"a, b"}),
        ("event-version", '["1", "2, 3"]', {"1", "2, 3"}),
        ("event-version", "plain words", {"plain words"}),
        ("event-version", '"open', None),
        ("event-timestamp.seconds", "5", None),
        ("event-type", "[]", None),
    ],
)
def test_written_values(path: str, text: str, wanted: set[str] | None) -> None:
    """A value, choices, and text without quotes; anything else is refused before the first event."""
    if path == "event-timestamp.seconds":
        made = [event[0][1][0] for event in events(HANDLE, seed=1, n=20, overrides={path: Written(text)})]
        assert set(made) == {5}
        return
    if wanted is None:
        with pytest.raises((UsageError, ValueDoesNotFit)):
            events(HANDLE, seed=1, n=20, overrides={path: Written(text)})
        return
    index = 0 if path == "event-type" else 2
    assert {
        event[0][index] for event in events(HANDLE, seed=1, n=50, overrides={path: Written(text)})
    } == wanted


def test_a_list_is_a_value_before_it_is_a_choice() -> None:
    """Of a field that is a list, `[1, 2]` is the value, and a choice is a list of lists."""
    function = Function("f", (Param("xs", ListType(U8)), Param("ys", ListType(ListType(U8)))))
    fixed = {"xs": Written("[1, 2]"), "ys": Written("[[1], [2]]")}
    assert list(events(function, seed=1, n=2, overrides=fixed)) == [[b"\1\2", [b"\1", b"\2"]]] * 2
    chosen = events(function, seed=1, n=50, overrides={"xs": Written("[[1], [2]]")})
    assert {event[0] for event in chosen} == {b"\1", b"\2"}


def test_paths() -> None:
    """Tuples by index, names of other languages, the only parameter by name or not; a field's name goes first."""
    pair = Function("f", (Param("pair", TupleType((U8, EVENT))),))
    assert locate(pair, "pair.1.eventTimestamp.seconds").steps == (0, 1, 1, 0)
    assert locate(pair, "1.event_type").path == "1.event-type"
    both = record(("it", U8), ("other", U8))
    assert locate(both, "it").steps == (0, 0)
    assert locate(both, "it.other").steps == (0, 1)
    with pytest.raises(UsageError, match="has no parameter 'p'; it has a, b"):
        locate(Function("f", (Param("a", U8), Param("b", U8))), "p")


def test_options_that_do_not_go_together() -> None:
    """Each is refused with what would go."""
    for options, message in (
        ({"events": "a.jsonl", "template": "s3"}, "a file or table or from a template"),
        ({"map": {"a": "b"}}, "give --events FILE or --template NAME"),
        ({"near": "2026-01-01", "events": []}, "those of a file or table have their times"),
        ({"skip_bad": True}, "made-up ones are never bad"),
    ):
        with pytest.raises(UsageError, match=message):
            EventOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="0 events cannot be fired"):
        open_source(HANDLE, EventOptions(), n=0)


def test_cells_and_gaps() -> None:
    """An option whose cells are all empty is none; a gap is NaN to a float and nothing to an option."""
    inner = RecordType((Field("x", U8), Field("y", STRING)))
    mapper = Mapper(record(("it", OptionType(inner)), ("f", F64), ("g", OptionType(F64))))
    made = mapper({"it": {"x": Cell(""), "y": Cell("")}, "f": Gap(), "g": Gap()})
    assert made[0][0] is None
    assert math.isnan(made[0][1])
    assert made[0][2] is None
    for cell, wit_type in (
        ("", U8),
        ("x", F64),
        ("maybe", Primitive("bool")),
        ("1e3", U32),
        ("[1", ListType(U8)),
    ):
        with pytest.raises(LabError):
            Mapper(record(("v", wit_type)))({"v": Cell(cell)})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with two guests."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("lab") / "cache")) as made:
        made.build("wat", PLAIN, name="plain")
        made.build("wat", LENGTH, name="length")
        yield made


def test_files_and_tables_are_fired(lab: Lab, tmp_path: Path) -> None:
    """A run says where its events came from; nothing is fired from a file with a bad row."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([ONE, ONE.replace("added", "removed")]))
    run = lab.fire("plain", events=path)
    assert isinstance(run, Run)
    assert run.results == [0, 1]
    assert run.seed is None
    assert run.notes == ("events: a.jsonl (JSON lines)", "mapped: all by their own names")
    assert lab.last_run is run
    count = lab.fire("plain", events=path, n=7)
    assert isinstance(count, Run)
    assert len(count) == 7
    path.write_text(f"{ONE}\n{{}}")
    with pytest.raises(BadEvent, match="Nothing was fired"):
        lab.fire("plain", events=path)
    assert lab.last_run is count


def test_any_function_takes_events(lab: Lab, tmp_path: Path) -> None:
    """One parameter that is no record, several, none; JSON text of any length reaches the guest."""
    sizes = lab.fire("length", "size", events=["abc", {"text": "four"}, ""])
    assert isinstance(sizes, Run)
    assert sizes.results == [3, 4, 0]
    sums = lab.fire("length", "sum", events=[[1, 0.5], {"weight": 2, "count": 3}])
    assert isinstance(sums, Run)
    assert sums.results == [1.5, 5.0]
    nothing = lab.fire("length", function="none", events=[{}, {}])
    assert isinstance(nothing, Run)
    assert nothing.results == [7, 7]
    (tmp_path / "long.jsonl").write_text(json.dumps("x" * 10_000_000))
    long = lab.fire("length", "size", events=tmp_path / "long.jsonl")
    assert isinstance(long, Run)
    assert long.results == [10_000_000]


def test_made_up_events_with_fixed_parts(lab: Lab) -> None:
    """One friendly event, or a run; a function of the event's number too."""
    one = lab.fire("plain", set={"event-type": "object-removed"})
    assert isinstance(one, Answer)
    assert one.value == 1
    kinds = EVENT_TYPE.cases
    run = lab.fire("plain", n=9, seed=4, set={"event-type": lambda k: kinds[k % 3]})
    assert isinstance(run, Run)
    assert run.results == [0, 1, 2] * 3
    assert run.seed == 4
    with pytest.raises(UsageError, match="A call has its event written out"):
        lab.fire("plain", "handle({event-type: object-added})", n=3, set={"event-type": "object-removed"})
