"""The options of load of `labkernel run`, with the meanings of `%fire`'s."""

from __future__ import annotations

import argparse
from typing import Any, Final

__all__ = ["add_load_options", "load_options"]

_OPTIONS: Final = (
    ("--duration", "D", "how long to fire, such as 10s; with -n whichever ends first"),
    ("--rate", "R/s", "events per second: an open loop, in which latency counts from the intended time"),
    ("--arrival", "constant|poisson|burst:N/D|trace:FILE", "when events come (default constant)"),
    ("--policy", "cold|warm|pool:N|keep-alive:T", "when instances are made (default warm)"),
)


def add_load_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    for option, metavar, text in _OPTIONS:
        parser.add_argument(option, metavar=metavar, help=text)
    parser.add_argument("-c", dest="in_flight", type=int, metavar="N", help="events on their way at any time")
    parser.add_argument("--queue", type=int, metavar="N", help="how many events may wait; more are dropped")
    parser.add_argument("--stop-on-error", action="store_true", help="end the run by the first error")
    parser.add_argument("--save", metavar="FILE", help="write the run as JSON, .csv or .hlog")


def load_options(given: argparse.Namespace) -> dict[str, Any]:
    """Return those options that were given, as `Lab.fire` takes them."""
    names = ("duration", "rate", "arrival", "policy", "in_flight", "queue")
    load = {name: value for name in names if (value := getattr(given, name)) is not None}
    return load | ({"stop_on_error": True} if given.stop_on_error else {})
