"""Events as platforms send them, mapped onto a function's types by names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from urllib.parse import unquote_plus

import pytest
from event_guests import LENGTH, PLAIN
from test_event_sources import record
from test_events import DATETIME, EVENT_TYPE, HANDLE, STRING, U8, U64

from labkernel import BadEvent, Lab, UsageError
from labkernel._cache import Cache
from labkernel._events import TEMPLATES, EventOptions, open_source
from labkernel._events.moments import read_instant
from labkernel._events.rng import Rng
from labkernel._fire import Answer, Run
from labkernel._wit import EnumType, Function, ListType, OptionType, Param, Primitive, TupleType, Type

F64, U32, BOOL = Primitive("f64"), Primitive("u32"), Primitive("bool")
NEAR = 1_767_225_600


def made(name: str, function: Function, n: int = 20, **options: str) -> list[list[object]]:
    """Return the first events of a template."""
    return list(open_source(function, EventOptions(template=name, **options), n=n, seed=7))  # type: ignore[arg-type]


GOLDEN = {
    "s3": "378d46b28e97e865",
    "sqs": "94eceb687faa8031",
    "http": "588df05e2fd60ae9",
    "sensor": "81347234abb8900e",
    "cloudevents": "414ef0da17d95c3a",
    "cloudevents-batch": "d239003f8ffd71a9",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_seed_gives_the_same_events_everywhere(name: str) -> None:
    """The first 50 events of each template are pinned."""
    events = [TEMPLATES[name].make(Rng.at(7, k), k, None) for k in range(50)]
    assert hashlib.sha256(json.dumps(events).encode()).hexdigest()[:16] == GOLDEN[name]


def test_object_notifications_fit_the_platform_handler() -> None:
    """The lab's own world needs no mapping; every case comes early, and the notes say what came from where."""
    source = open_source(HANDLE, EventOptions(template="s3", near="2026-01-01T00:00:00Z"), n=50, seed=7)
    events = [event[0] for event in source]
    assert [event[0] for event in events[:3]] == list(EVENT_TYPE.cases)
    assert all(abs(event[1][0] - NEAR) <= 86_401 for event in events)
    assert {event[2] for event in events} == {"2.1"}
    assert source.notes[:2] == (
        "events: template s3",
        "mapped: event-type ← Records.0.eventName, event-timestamp ← Records.0.eventTime, "
        "event-version ← Records.0.eventVersion",
    )
    assert "Records.0.s3.bucket.name" in source.left_over
    function = record(
        ("bucket", STRING), ("key", STRING), ("size", OptionType(U64)), ("event-time", DATETIME)
    )
    rows = made("s3", function, 60)
    assert any(" " in unquote_plus(row[0][1]) and not unquote_plus(row[0][1]).isascii() for row in rows)  # type: ignore[index]
    assert {row[0][2] is None for row in rows} == {True, False}  # type: ignore[index]


CASES: list[tuple[str, list[tuple[str, Type]]]] = [
    ("sqs", [("message-id", STRING), ("body", STRING), ("sent-timestamp", U64), ("approximate-receive-count", U32)]),
    ("sqs", [("id", STRING), ("payload", STRING), ("receive-count", U8), ("region", STRING)]),
    ("sqs", [("id", STRING), ("event-timestamp", DATETIME), ("approximate-first-receive-timestamp", DATETIME)]),
    ("http", [("method", EnumType(("get", "post", "put", "delete", "patch", "head", "options"))), ("path", STRING),
              ("headers", ListType(TupleType((STRING, STRING)))), ("body", ListType(U8)), ("url", STRING)]),
    ("sensor", [("sensor-id", STRING), ("timestamp", DATETIME), ("temperature", F64), ("online", BOOL)]),
    ("sensor", [("device", STRING), ("time", STRING), ("value", Primitive("f32")), ("battery", U8)]),
    ("cloudevents", [("id", STRING), ("source", STRING), ("type", STRING), ("time", DATETIME),
                     ("subject", OptionType(STRING)), ("data", STRING), ("dataschema", OptionType(STRING))]),
    ("cloudevents", [("event-type", EVENT_TYPE), ("event-time", DATETIME), ("key", STRING), ("size", OptionType(U64))]),
    ("cloudevents", [("event-type", EVENT_TYPE), ("event-timestamp", DATETIME), ("bucket", STRING), ("size", U32)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields"), CASES)
def test_templates_fit_by_names(name: str, fields: list[tuple[str, Type]]) -> None:
    """Fields by the format's own names, or by those that are usual elsewhere."""
    source = open_source(record(*fields), EventOptions(template=name), n=100, seed=1)
    events = list(source)
    assert len(events) == 100
    assert len({repr(event) for event in events}) == 100
    assert {m.target.split(".")[0] for m in source.mapped} == {field for field, _ in fields}


def test_a_queues_milliseconds_are_a_time() -> None:
    """The digits of a queue's timestamp are milliseconds, and near the time that is asked for."""
    near = "2026-03-01T00:00:00Z"
    source = open_source(record(("timestamp", DATETIME)), EventOptions(template="sqs", near=near), n=50)
    for ((seconds, nanoseconds),) in (event[0] for event in source):
        assert abs(seconds - read_instant(near) // 10**9) <= 86_400
        assert nanoseconds % 1_000_000 == 0


def test_a_body_takes_the_whole_event() -> None:
    """A function of text or bytes gets the JSON, a batch too; a list of records gets the batch's parts."""
    for name in TEMPLATES:
        for wit_type in (STRING, ListType(U8)):
            for event in made(name, Function("f", (Param("raw", wit_type),)), 5):
                text = event[0] if isinstance(event[0], str) else bytes(event[0]).decode()  # type: ignore[call-overload]
                assert isinstance(json.loads(text), list if name == "cloudevents-batch" else dict)
    inner = record(("id", STRING), ("type", STRING)).params[0].type
    batches = made("cloudevents-batch", Function("f", (Param("events", ListType(inner)),)), 30)
    assert {len(batch[0]) for batch in batches} == {1, 2, 3, 4}  # type: ignore[arg-type]


def test_what_a_template_has_not() -> None:
    """It is refused with what there is, and taken from elsewhere when that is said."""
    function = record(("bucket", STRING), ("owner", STRING), ("etag", OptionType(STRING)))
    with pytest.raises(
        BadEvent, match=r"template s3, event 1: owner \(string\) missing; the row has Records"
    ):
        made("s3", function)
    declared = EventOptions(template="s3", map={"owner": "Records.0.userIdentity.principalId"})
    source = open_source(function, declared, n=3)
    assert str(source.mapped[1]) == "owner ← Records.0.userIdentity.principalId"
    assert len(list(open_source(function, EventOptions(template="s3", set={"owner": "me"}), n=3))) == 3
    with pytest.raises(
        UsageError, match=r"Template 'sensr' is not known; known: s3 \(object.*Did you mean 'sensor'"
    ):
        made("sensr", function)
    with pytest.raises(BadEvent, match="leads nowhere"):
        open_source(function, EventOptions(template="s3", map={"owner": "Records.1.x"}))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with two guests."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("lab") / "cache")) as made:
        made.build("wat", PLAIN, name="plain")
        made.build("wat", LENGTH, name="length")
        yield made


def test_templates_are_fired(lab: Lab) -> None:
    """One is an answer with its call; many are a run with its seed, whose events are the same again."""
    one = lab.fire("plain", template="cloudevents")
    assert isinstance(one, Answer)
    assert one.notes[0] == "events: template cloudevents"
    run, again = (lab.fire("plain", template="s3", n=2000, seed=5) for _ in range(2))
    assert isinstance(run, Run)
    assert isinstance(again, Run)
    assert run.seed == 5
    assert run.events == again.events
    assert set(run.results) == {0, 1, 2}
    sizes = lab.fire("length", "size", template="http", n=10)
    assert isinstance(sizes, Run)
    assert min(sizes.results) > 100
