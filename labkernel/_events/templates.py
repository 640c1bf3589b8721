"""Events as platforms send them: object notifications, queue messages, HTTP requests, readings, CloudEvents.

Every template is a function of the event's random numbers, its index and a time; the same seed gives the same
events everywhere. Shapes follow the public documentation of each format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from labkernel._errors import UsageError, did_you_mean
from labkernel._events.cloudevents import read_cloud_event, write_cloud_event
from labkernel._events.hints import Hints
from labkernel._events.moments import instant_near, rfc3339
from labkernel._events.rng import Rng
from labkernel._events.words import plausible

__all__ = ["TEMPLATES", "Template", "template"]

Make = Callable[[Rng, int, "int | None"], Any]

_WORD, _KEY, _ID = plausible("name"), plausible("key"), plausible("id")
_TEXT: Final = plausible("")
#: What names of object events mean, in the words that enums have for it.
_OBJECT_CASES: Final = {
    "*ObjectCreated:*": ("added", "created", "put", "uploaded"),
    "*ObjectRemoved:*": ("removed", "deleted", "delete"),
    "*ObjectRestore:*": ("restored", "restore"),
}
_OBJECT_EVENTS: Final = (
    "ObjectCreated:Put", "ObjectRemoved:Delete", "ObjectRestore:Completed", "ObjectCreated:CompleteMultipartUpload",
    "ObjectCreated:Copy", "ObjectRemoved:DeleteMarkerCreated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of event: how it is made and what is known of its parts."""

    name: str
    summary: str
    make: Make
    hints: Hints


def template(name: str) -> Template:
    """Return a template by name; raises `UsageError` that lists them."""
    found = TEMPLATES.get(name)
    if found is None:
        known = "; ".join(f"{t.name} ({t.summary})" for t in TEMPLATES.values())
        raise UsageError(f"Template {name!r} is not known; known: {known}.{did_you_mean(name, TEMPLATES)}")
    return found


def _digits(rng: Rng, count: int) -> str:
    return f"{rng.below(10**count):0{count}d}"


def _hex(rng: Rng, count: int) -> str:
    return f"{rng.next():016x}{rng.next():016x}"[:count]


def _uuid(rng: Rng) -> str:
    text = _hex(rng, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _key(rng: Rng) -> str:
    """Return an object's key; one in eight has a space and letters beyond ASCII."""
    key = _KEY(rng)
    return key if rng.below(8) else f"{key[:-4]} n\u00e9e \u6771{key[-4:]}"


def _s3(rng: Rng, index: int, near_ns: int | None) -> Any:
    name = _OBJECT_EVENTS[index] if index < len(_OBJECT_EVENTS) else rng.choice(_OBJECT_EVENTS)
    when, bucket, key = instant_near(rng, near_ns), f"{_WORD(rng)}-{_WORD(rng)}", _key(rng)
    size = rng.below(1 << (4 + rng.below(28)))
    made: dict[str, Any] = {"key": quote_plus(key, safe="/"), "sequencer": _hex(rng, 16).upper()}
    if name.startswith("ObjectCreated"):
        made |= {"size": size, "eTag": _hex(rng, 32)}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": rfc3339(when // 1_000_000 * 1_000_000),
        "eventName": name,
        "userIdentity": {"principalId": _hex(rng, 20).upper()},
        "requestParameters": {"sourceIPAddress": f"192.0.2.{rng.below(256)}"},
        "responseElements": {"x-amz-request-id": _hex(rng, 16).upper(), "x-amz-id-2": _hex(rng, 32)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": f"{bucket}-events",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": _hex(rng, 14).upper()},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": made,
        },
    }
    return {"Records": [record]}


def _sqs(rng: Rng, index: int, near_ns: int | None) -> Any:
    sent = instant_near(rng, near_ns) // 1_000_000
    body = json.dumps({"order": index, "item": _TEXT(rng), "count": 1 + rng.below(9)}, ensure_ascii=False)
    record = {
        "messageId": _uuid(rng),
        "receiptHandle": _hex(rng, 32),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(1 + rng.size(9) // 4),
            "SentTimestamp": str(sent),
            "SenderId": _digits(rng, 12),
            "ApproximateFirstReceiveTimestamp": str(sent + rng.below(1000)),
        },
        "messageAttributes": {},
        # A queue gives the digest of the body so that a receiver can compare; it guards nothing.
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:{_digits(rng, 12)}:{_WORD(rng)}-queue",
        "awsRegion": "eu-central-1",
    }
    return {"Records": [record]}


def _http(rng: Rng, index: int, near_ns: int | None) -> Any:
    method = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")[
        index if index < 7 else rng.choice((0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6))
    ]
    query = {_WORD(rng): _TEXT(rng) for _ in range(rng.size(4) // 2)}
    path = f"/{_KEY(rng)}"
    has_body = method in ("POST", "PUT", "PATCH")
    body = json.dumps({"id": index, "name": _TEXT(rng)}, ensure_ascii=False) if has_body else ""
    headers = {
        "host": f"{_WORD(rng)}.example",
        "user-agent": "labkernel",
        "x-request-id": _ID(rng),
        "accept": "*/*",
    }
    if has_body:
        headers |= {"content-type": "application/json", "content-length": str(len(body.encode()))}
    search = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in query.items())
    return {
        "method": method,
        "scheme": "https",
        "authority": headers["host"],
        "path": path,
        "query": query,
        "uri": f"{path}?{search}" if search else path,
        "headers": headers,
        "body": body,
        "remoteAddress": f"198.51.100.{rng.below(256)}",
        "time": rfc3339(instant_near(rng, near_ns) // 1_000_000 * 1_000_000),
    }


def _sensor(rng: Rng, index: int, near_ns: int | None) -> Any:
    return {
        "sensorId": f"{_WORD(rng)}-{rng.below(100):02d}",
        "sequence": index,
        "timestamp": rfc3339(instant_near(rng, near_ns) // 1_000_000 * 1_000_000),
        "temperature": (rng.below(9000) - 3000) / 100,
        "humidity": rng.below(1001) / 10,
        "battery": rng.below(101),
        "unit": "celsius",
        "online": rng.below(20) > 0,
    }


def _cloudevent(rng: Rng, index: int, near_ns: int | None) -> Any:
    return read_cloud_event(_written_cloudevent(rng, index, near_ns))


def _written_cloudevent(rng: Rng, index: int, near_ns: int | None) -> dict[str, Any]:
    from datetime import UTC, datetime, timedelta

    kind = ("created", "deleted", "updated")[index if index < 3 else rng.below(3)]
    bucket, key = _WORD(rng), _key(rng)
    instant = instant_near(rng, near_ns) // 1000
    attributes = {
        "specversion": "1.0",
        "id": _uuid(rng),
        "source": f"/storage/{bucket}",
        "type": f"example.storage.object.{kind}",
        "subject": key,
        "time": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant),
        "datacontenttype": "application/json",
    }
    return write_cloud_event(
        attributes, {"bucket": bucket, "key": key, "size": rng.below(1 << 20), "sequence": index}
    )


def _batch(rng: Rng, index: int, near_ns: int | None) -> Any:
    return [_written_cloudevent(rng, 4 * index + i, near_ns) for i in range(1 + rng.below(4))]


def _records(**named: str) -> dict[str, tuple[str, ...]]:
    return {name: (f"Records.0.{path}",) for name, path in named.items()}


TEMPLATES: Final = {
    made.name: made
    for made in (
        Template(
            "s3",
            "object notifications as S3 sends them",
            _s3,
            Hints(
                _records(
                    eventtype="eventName", type="eventName", eventtimestamp="eventTime", timestamp="eventTime",
                    time="eventTime", version="eventVersion", bucket="s3.bucket.name", objectkey="s3.object.key",
                    source="eventSource", region="awsRegion",
                ),
                _OBJECT_CASES, digits=True, as_text=True,
            ),
        ),
        Template(
            "sqs",
            "messages of a queue as SQS hands them to a function",
            _sqs,
            Hints(
                _records(
                    id="messageId", message="body", payload="body",
                    timestamp="attributes.SentTimestamp", time="attributes.SentTimestamp",
                    eventtimestamp="attributes.SentTimestamp", eventtime="attributes.SentTimestamp",
                    receivecount="attributes.ApproximateReceiveCount", source="eventSourceARN",
                    region="awsRegion",
                ),
                digits=True, as_text=True, millis=frozenset({"SentTimestamp", "ApproximateFirstReceiveTimestamp"}),
            ),
        ),
        Template(
            "http",
            "HTTP requests",
            _http,
            Hints(
                {"url": ("uri",), "eventtimestamp": ("time",), "eventtime": ("time",),
                 "host": ("authority",), "timestamp": ("time",), "clientip": ("remoteAddress",)},
                {m: (m.lower(),) for m in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")},
                digits=True, as_text=True,
            ),
        ),
        Template(
            "sensor",
            "readings of a sensor",
            _sensor,
            Hints(
                {"id": ("sensorId",), "eventtimestamp": ("timestamp",), "eventtime": ("timestamp",),
                 "time": ("timestamp",), "value": ("temperature",), "device": ("sensorId",),
                 "reading": ("temperature",)},
                as_text=True,
            ),
        ),
        Template(
            "cloudevents",
            "CloudEvents 1.0, structured JSON",
            _cloudevent,
            Hints(
                {"eventtype": ("type",), "eventtimestamp": ("time",), "timestamp": ("time",), "eventtime": ("time",),
                 "eventversion": ("specversion",), "version": ("specversion",), "eventid": ("id",),
                 "payload": ("data",)},
                {"*.created": ("added", "created"), "*.deleted": ("removed", "deleted"),
                 "*.updated": ("restored", "updated", "changed")},
                digits=True, as_text=True,
            ),
        ),
        Template("cloudevents-batch", "CloudEvents 1.0, batches in JSON, for a list or a body", _batch,
            Hints(digits=True, as_text=True)),
    )
}  # fmt: skip
