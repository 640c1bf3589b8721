"""Runs as files and tables: JSON with a version, CSV, pandas, HdrHistogram's log."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from labkernel import _errors
from labkernel._capability import Budgets
from labkernel._errors import LabError, ToolchainMissing, UsageError
from labkernel._fire.collect import ErrorKind, Point
from labkernel._fire.cycle import Cycle, Written
from labkernel._fire.plan import Plan
from labkernel._fire.records import Target, call_of
from labkernel._fire.run import LoadFacts, Run
from labkernel._fire.shrink import Shrunk
from labkernel._fire.timeline import Timeline
from labkernel._timing import Histogram, Machine
from labkernel._values import parse_call, parse_wave
from labkernel._wit import Function

__all__ = ["load", "save", "to_csv", "to_hdr_log", "to_json", "to_pandas"]

FORMAT: Final = "labkernel-run-2"
OLDER: Final = "labkernel-run-1"
_LONGEST_NS: Final = 24 * 3600 * 10**9


def to_json(run: Run) -> dict[str, Any]:
    """Return the run as plain data."""
    waves = run.waves
    values = list(dict.fromkeys(waves))
    numbers = {text: number for number, text in enumerate(values)}
    facts = {name: getattr(run.facts, name) for name in LoadFacts.__slots__ if name != "points"}
    points = [[p.at_ns, p.done, p.waiting, p.live] for p in run.facts.points]
    return {
        "format": FORMAT,
        "target": run.target.to_json(),
        "function": run.function.full_name,
        "signature": run.function.to_data(),
        "asked": run.asked,
        "answered": len(run),
        "seed": run.seed,
        "plan": run.plan.to_json() if run.plan is not None else None,
        "events": _calls(run),
        "results": {"values": values, "rows": [numbers[text] for text in waves]},
        "ns": list(run.ns),
        "timeline": run.timeline.to_json(),
        "kinds": dict(run.kinds),
        "errors": [kind.to_json() for kind in run.errors],
        "histograms": {name: found.to_json() for name, found in run.histograms.items()},
        "load": facts | {"points": points},
        "wall_ns": run.wall_ns,
        "error": None if run.error is None else [type(run.error).__name__, str(run.error)],
        "output": run.output,
        "notes": list(run.notes),
        "warnings": list(run.warnings),
        "machine": run.machine.to_json(),
        "budgets": None if run.budgets is None else {k: getattr(run.budgets, k) for k in Budgets.__slots__},
        "taken": run.taken,
        "timed": run.timed,
        "why": run.why,
        "interrupted": run.is_interrupted,
        "host_calls": dict(run.host_calls),
        "shrunk": None if run.shrunk is None else run.shrunk.to_json(),
    }


def _calls(run: Run) -> list[str]:
    pool = run.events.pool if isinstance(run.events, Cycle) else run.events
    if isinstance(pool, Written):
        return list(pool.texts)
    return [call_of(run.function, event) for event in pool]


def load(path: str | Path) -> Run:
    """Return the run of a JSON file. Raises `UsageError` for any other file."""
    try:
        data = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read ({error.strerror}); give a saved run.") from None
    except ValueError as error:
        raise UsageError(
            f"{str(path)!r} is no saved run ({error}); expected a JSON file that run.save() wrote."
        ) from None
    version = data.get("format") if isinstance(data, dict) else None
    readers = {FORMAT: _read, OLDER: _read_older}
    if version not in readers:
        raise UsageError(
            f"{str(path)!r} has the format {version!r}; this version reads {FORMAT} and {OLDER}."
        )
    try:
        return readers[version](data)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise UsageError(
            f"{str(path)!r} is damaged ({type(error).__name__}: {error}); save the run again."
        ) from error


def _read(data: dict[str, Any]) -> Run:
    function = Function.from_data(data["signature"])
    result = function.result
    values = [None if result is None else parse_wave(text, result) for text in data["results"]["values"]]
    pool = Written([str(text) for text in data["events"]], function)
    fired = data["answered"] + sum(kind["count"] for kind in data["errors"])
    count = max(data["asked"] or 0, fired, len(pool))
    facts = dict(data["load"])
    points = tuple(Point(*point) for point in facts.pop("points"))
    return Run(
        target=Target(**data["target"]),
        function=function,
        asked=data["asked"],
        seed=data["seed"],
        events=Cycle(pool, count) if 0 < len(pool) < count else pool,
        normals=tuple(values[row] for row in data["results"]["rows"]),
        ns=array("Q", data["ns"]),
        wall_ns=data["wall_ns"],
        error=_error(data["error"]),
        output=data["output"],
        notes=tuple(data["notes"]),
        warnings=tuple(data["warnings"]),
        plan=None if data["plan"] is None else Plan.from_json(data["plan"]),
        timeline=Timeline.from_json(data["timeline"]),
        answered=data["answered"],
        kinds=data["kinds"],
        errors=tuple(ErrorKind(**kind) for kind in data["errors"]),
        histograms={name: Histogram.from_json(found) for name, found in data["histograms"].items()},
        facts=LoadFacts(**facts, points=points),
        budgets=None if data["budgets"] is None else Budgets(**data["budgets"]),
        machine=Machine.from_json(data["machine"]),
        taken=data["taken"],
        why=data["why"],
        is_interrupted=data["interrupted"],
        host_calls=data["host_calls"],
        shrunk=_shrunk(data["shrunk"], function),
    )


def _shrunk(data: dict[str, Any] | None, function: Function) -> Shrunk | None:
    return None if data is None else Shrunk(args=parse_call(data["call"], [function])[1], **data)


def _read_older(data: dict[str, Any]) -> Run:
    """Return a run of the older format, which held no types: its results stay the texts they are."""
    error = data["error"]
    return Run(
        target=Target(**data["target"]),
        function=Function(str(data["function"])),
        asked=data["asked"],
        seed=data["seed"],
        events=Written(data["events"], None),
        normals=tuple(str(text) for text in data["results"]),
        ns=array("Q", data["ns"]),
        wall_ns=data["wall_ns"],
        error=_error(None if error is None else error.split(": ", 1)),
        output=data["output"],
        notes=(*data["notes"], "from a file of an older version, which held neither types nor a timeline"),
        warnings=tuple(data["warnings"]),
        machine=Machine(),
    )


def _error(data: list[str] | None) -> LabError | None:
    if data is None:
        return None
    kind = getattr(_errors, data[0], LabError)
    if not (isinstance(kind, type) and issubclass(kind, LabError)):
        kind = LabError
    error: LabError = kind.__new__(kind)
    error.args, error.output = (data[1],), ""
    return error


def rows(run: Run) -> Iterator[dict[str, Any]]:
    """Yield each kept event as a row of a table."""
    waves = iter(run.waves)
    for moment in run.timeline:
        yield {
            "event": moment.event,
            "process": moment.worker,
            "instance": moment.instance,
            "intended_ns": moment.intended_ns,
            "began_ns": moment.began_ns,
            "queued_ns": moment.queued_ns,
            "cold_ns": moment.cold_ns,
            "call_ns": moment.call_ns,
            "latency_ns": moment.latency_ns,
            "error": _kind_of(run, moment.outcome),
            "result": next(waves, "") if moment.outcome == 0 else "",
            "call": run.call(moment.event),
        }


def _kind_of(run: Run, outcome: int) -> str:
    return run.errors[outcome - 1].name if 0 < outcome <= len(run.errors) else ""


def to_csv(run: Run) -> str:
    """Return the kept events as CSV, a row each."""
    text = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows(run):
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return text.getvalue()


def to_pandas(run: Run) -> Any:
    """Return the kept events as a `DataFrame`."""
    try:
        from pandas import DataFrame
    except ImportError:
        raise ToolchainMissing("pandas", language="tables", how="pip install pandas") from None
    return DataFrame(list(rows(run)))


def to_hdr_log(run: Run) -> str:
    """Return all latencies as a log of HdrHistogram's, one interval, in nanoseconds."""
    try:
        from hdrh.histogram import HdrHistogram
        from hdrh.log import HistogramLogWriter
    except ImportError:
        raise ToolchainMissing("hdrhistogram", language="logs", how="pip install hdrhistogram") from None
    found = HdrHistogram(1, _LONGEST_NS, 3)
    counted = run.histograms.get("latency")
    pairs = (
        zip(counted.values, counted.counts, strict=True)
        if counted
        else ((ns, 1) for ns in run.latencies.kept)
    )
    for ns, n in pairs:
        found.record_value(min(max(ns, 1), _LONGEST_NS), n)
    begun = datetime.fromisoformat(run.taken).timestamp() if run.taken else 0.0
    found.set_start_time_stamp(begun * 1000)
    found.set_end_time_stamp(begun * 1000 + run.wall_ns / 1e6)
    text = io.StringIO()
    log = HistogramLogWriter(text)
    log.output_log_format_version()
    log.output_comment(f"[labkernel: latency of {run.target.name} {run.function.full_name}, nanoseconds]")
    shown = datetime.fromtimestamp(begun, UTC).isoformat(timespec="milliseconds")
    # The library's own line for this fails (it asks a datetime for `iso_format`); its reader wants these words.
    log.output_comment(f"[StartTime: {begun:.3f} (seconds since epoch), {shown}]")
    log.output_legend()
    log.output_interval_histogram(found, begun, begun + run.wall_ns / 1e9, 1.0)
    return text.getvalue()


def save(run: Run, path: str | Path) -> Path:
    """Write the run to a file, by its suffix, and return its path."""
    target = Path(path).expanduser()
    writers = {".csv": to_csv, ".hlog": to_hdr_log}
    write = writers.get(target.suffix)
    text = write(run) if write else json.dumps(to_json(run), allow_nan=False)
    aside = (
        target.with_name(f".{target.name}.{os.getpid()}")
        if not target.exists() or target.is_file()
        else target
    )
    try:
        aside.write_text(text, encoding="utf-8")
        if aside != target:
            aside.replace(target)
    except OSError as error:
        if aside != target:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
        raise UsageError(
            f"{str(path)!r} cannot be written ({error.strerror}); the run is still there, save it elsewhere."
        ) from None
    return target
