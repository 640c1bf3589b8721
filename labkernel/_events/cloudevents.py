"""CloudEvents 1.0 in JSON, structured and batch: checked and written by the CNCF's Python SDK.

What the SDK lets pass, and the specification does not, is refused here: it makes up a missing `id`, takes any
ISO 8601 text for a time, and skips characters that are no base64.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from labkernel._errors import ToolchainMissing, UsageError, did_you_mean
from labkernel._events.moments import try_instant
from labkernel._events.paths import essence

__all__ = ["CloudEventRow", "is_cloud_event", "read_cloud_event", "write_cloud_event"]

_REQUIRED: Final = ("id", "source", "specversion", "type")
_KNOWN: Final = (*_REQUIRED, "datacontenttype", "dataschema", "subject", "time", "data", "data_base64")


class CloudEventRow(dict[str, Any]):
    """The attributes and the data of an event that has been checked; `written` is its JSON as it came."""

    __slots__ = ("written",)

    def __init__(self, parts: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        super().__init__(parts)
        self.written = dict(written)


def is_cloud_event(row: Any) -> bool:
    """Whether a row says that it is a CloudEvent, be it with a name that is misspelt."""
    return isinstance(row, Mapping) and any(isinstance(k, str) and essence(k) == "specversion" for k in row)


def read_cloud_event(row: Mapping[str, Any]) -> CloudEventRow:
    """Return the parts of a CloudEvent: attributes by name, and `data` as a value, text or bytes.

    Raises `UsageError` for what the specification does not allow, `ToolchainMissing` without the SDK.
    """
    given = {name: value for name, value in row.items() if value is not None or name == "data"}
    for name in _REQUIRED:
        if name not in given:
            near = did_you_mean(name, [key for key in given if key not in _KNOWN])
            raise UsageError(f"This CloudEvent has no {name!r}, which version 1.0 requires.{near}")
    _check_values(given)
    parts = {name: value for name, value in given.items() if name != "data_base64"}
    if "data_base64" in given:
        if "data" in given:
            raise UsageError("This CloudEvent has both 'data' and 'data_base64'; version 1.0 allows one.")
        parts["data"] = _decoded(given["data_base64"])
    _check_by_sdk(given)
    return CloudEventRow(parts, row)


def write_cloud_event(attributes: dict[str, Any], data: Any) -> dict[str, Any]:
    """Return an event in structured JSON form, made and written by the SDK."""
    event_class, json_format, _ = _sdk()
    written: dict[str, Any] = json.loads(json_format().write(event_class(attributes, data)))
    return written


def _check_values(given: Mapping[str, Any]) -> None:
    if given["specversion"] != "1.0":
        raise UsageError(
            f"specversion {given['specversion']!r} is not supported; events of version '1.0' are."
        )
    for name, value in given.items():
        if name not in ("data", "data_base64") and not isinstance(value, bool | int | str):
            raise UsageError(f"Attribute {name!r} is {value!r:.60}; write text, a number or a truth value.")
    time = given.get("time")
    if time is not None and (not isinstance(time, str) or try_instant(time) is None):
        raise UsageError(f"time {time!r:.60} is no RFC 3339 time, such as '2026-01-01T00:00:00Z'.")


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UsageError(f"data_base64 {text!r:.60} is no base64 text.") from None


def _check_by_sdk(given: Mapping[str, Any]) -> None:
    event_class, json_format, failures = _sdk()
    try:
        json_format().read(event_class, json.dumps(dict(given)))
    except failures as error:
        said = str(error).rpartition("validation errors:")[2].strip(" :") or str(error)
        raise UsageError(f"This is no CloudEvent of version 1.0: {said}.") from None


def _sdk() -> tuple[Any, Any, tuple[type[Exception], ...]]:
    """Return the SDK's event, its JSON format, and what both may raise; they load when first used."""
    try:
        from cloudevents.core.exceptions import BaseCloudEventException
        from cloudevents.core.formats.json import JSONFormat
        from cloudevents.core.v1.event import CloudEvent
    except ImportError:
        raise ToolchainMissing(
            "The CloudEvents SDK",
            how="pip install 'labkernel[events]'",
            detail="CloudEvents are checked by it.",
        ) from None
    return CloudEvent, JSONFormat, (BaseCloudEventException, ValueError, TypeError, OverflowError)
