"""The options of every magic, declared once: parsing, help and completion all read them here."""

from __future__ import annotations

from typing import Any, Final

from labkernel._magics.later import ON
from labkernel._magics.line import MagicParser, number, whole_number

__all__ = ["CHECK", "FIRE", "HOST", "INSTANTIATE", "TIMINGS", "WASM", "WASM_LINE", "WIT", "WIT_LINE"]


def _grants(parser: MagicParser) -> None:
    many: dict[str, Any] = {"action": "append", "default": []}
    parser.section("Grants; nothing is granted by default")
    parser.add_argument("--env", metavar="K=V", help="an environment variable; may be repeated", **many)
    parser.add_argument(
        "--arg", metavar="A", dest="args_", help="a program argument; may be repeated", **many
    )
    parser.add_argument("--stdin", metavar="TEXT", help="what the guest reads from standard input")
    parser.add_argument(
        "--dir", metavar="HOST::GUEST[:rw]", dest="dirs", help="a directory, read-only unless :rw; may be repeated",
        **many,
    )  # fmt: skip
    parser.add_argument(
        "--clock",
        metavar="real|fixed:T|step:D|deny",
        help="the machine's clocks by name, one moment (RFC 3339), D later at each reading, or none",
    )
    parser.add_argument(
        "--random",
        metavar="real|seed:N|deny",
        help="the machine's randomness by name, the same bytes each time, or none",
    )
    parser.add_argument(
        "--net",
        metavar="HOST:PORT",
        help="a host and port that sockets may reach: tcp:HOST:PORT or udp:HOST:PORT for one protocol, * for any "
        "port, listen:ADDRESS:PORT to listen; may be repeated",
        **many,
    )
    parser.add_argument(
        "--http",
        metavar="[METHOD:]HOST[:PORT]",
        help="a host that requests may be sent to; may be repeated",
        **many,
    )
    parser.add_argument(
        "--host", metavar="NAME", help="what a %%%%host cell implements; may be repeated", **many
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse every import that was not granted by name"
    )
    parser.section("Budgets")
    parser.add_argument(
        "--timeout", metavar="T", help="wall time per call, such as 500ms or 10s (default 5s)"
    )
    parser.add_argument("--memory", metavar="SIZE", help="linear memory, such as 64MiB (default 256MiB)")
    parser.add_argument("--output", metavar="SIZE", help="output per call, such as 64KiB (default 1MiB)")
    parser.add_argument(
        "--disk",
        metavar="SIZE",
        help="bytes written to :rw directories, and size of a file there (default 64MiB)",
    )
    parser.add_argument("--fuel", metavar="N", help="instructions' fuel per call (default: not counted)")


def _traces(parser: MagicParser) -> None:
    parser.section("How it is run and watched")
    parser.add_argument(
        "--compiler",
        metavar="cranelift|winch|pulley",
        help="how machine code is made (default: the build's own)",
    )
    parser.add_argument("--trace", action="store_true", help="keep every host call, for %%wasm trace")
    parser.add_argument(
        "--record", action="store_true", help="keep every host call whole, for %%wasm trace NAME --save FILE"
    )


def _wit() -> MagicParser:
    parser = MagicParser("%%wit")
    parser.add_argument(
        "--deps", metavar="DIR", help="a folder of WIT packages that the cell refers to; see %%wit deps"
    )
    return parser


def _wit_line() -> MagicParser:
    parser = MagicParser("%wit")
    parser.add_argument("--language", metavar="LANG", help="with show: the bindings generated for a language")
    parser.add_argument("--offline", action="store_true", help="with deps: fetch nothing, hold to the lock")
    parser.add_argument(
        "--update", action="store_true", help="with deps: choose anew, leaving the lock aside"
    )
    return parser


def _wasm() -> MagicParser:
    many: dict[str, Any] = {"action": "append", "default": []}
    parser = MagicParser("%%wasm")
    parser.add_argument(
        "--world", metavar="W", help="the world to build for: its name or full id; the only one if left out"
    )
    parser.add_argument(
        "--dep",
        metavar="NAME@VERSION",
        help="a dependency of the snippet, such as serde_json@1; for Rust with features in brackets: "
        "serde@1[derive], and [-default] leaves the default ones out; may be repeated",
        **many,
    )
    parser.add_argument("--file", metavar="PATH", help="another file of the build; may be repeated", **many)
    parser.add_argument("--opt", choices=["0", "1", "2", "3", "s"], help="optimisation level")
    parser.add_argument("--release", action="store_true", help="bake the artefact one would deploy")
    parser.add_argument(
        "--engine",
        metavar="E",
        help="another version or engine: 1.26 or a folder's path (Go, C, C++, Zig, Python), 1.90 of rustup's (Rust), "
        "quickjs or starlingmonkey (JavaScript, TypeScript); labkernel setup go@1.26 puts one there",
    )
    parser.add_argument(
        "--flag", metavar="ARG", help="an argument for the compiler: --flag=ARG; may be repeated", **many
    )
    parser.add_argument("--timeout", metavar="T", help="how long the compiler may take (default 2m)")
    parser.add_argument(
        "--compiler",
        metavar="cranelift|winch|pulley",
        help="how machine code is made (default cranelift; winch for large development builds)",
    )
    parser.add_argument("--force", action="store_true", help="build again though the cache has it")
    parser.add_argument("--offline", action="store_true", help="fetch nothing")
    parser.add_argument(
        "-v", dest="verbose", action="store_true", help="show each command as it could be run by hand"
    )
    parser.add_argument("--no-raise-error", action="store_true", help="show a compile error and go on")
    return parser


def _wasm_line() -> MagicParser:
    parser = MagicParser("%wasm")
    parser.add_argument(
        "--least", action="store_true", help="with trace: print the smallest set of grants, ready to paste"
    )
    parser.add_argument(
        "--save", metavar="FILE", help="with trace: write the recording of an instance started with --record"
    )
    parser.add_argument(
        "--find", metavar="TEXT", help="with peek: the text to look for in the guest's memory"
    )
    parser.add_argument("--as", metavar="NAME", dest="as_", help="with load: the name to keep it under")
    parser.add_argument(
        "--world",
        metavar="W",
        help="with new: the world the starter cell is for; with setup: one to be ready for",
    )
    parser.add_argument("--all", action="store_true", help="with clean: the prepared toolchains too")
    return parser


def _host() -> MagicParser:
    parser = MagicParser("%%host")
    parser.add_argument(
        "--world",
        metavar="W",
        help="the world that imports it: its name or full id; the only one if left out",
    )
    parser.add_argument(
        "--interface",
        metavar="I",
        help="the imported interface, in short or in full; the only one if left out",
    )
    return parser


def _instantiate() -> MagicParser:
    parser = MagicParser("%instantiate")
    parser.add_argument(
        "--as", metavar="NAME", dest="as_", help="the instance's name, bound as a Python variable"
    )
    parser.add_argument("--pin", action="store_true", help="keep this component when it is built anew")
    _grants(parser)
    _traces(parser)
    return parser


def _load(parser: MagicParser) -> None:
    parser.section("Load, and when instances are made")
    parser.add_argument(
        "--duration", metavar="D", help="how long to fire, such as 10s or 2m; with -n whichever ends first"
    )
    parser.add_argument(
        "--rate", metavar="R/s",
        help="events per second (200/s, 30/m): an open loop, in which latency counts from the intended time",
    )  # fmt: skip
    parser.add_argument(
        "--arrival",
        metavar="constant|poisson|burst:N/D|trace:FILE",
        help="when events come: evenly, at random, N at once every D, or by a file of seconds, one per line "
        "(trace:FILE@2x: twice as fast); default constant",
    )
    parser.add_argument(
        "-c", dest="in_flight", type=whole_number, metavar="N",
        help="events on their way at any time (with --rate: executing at once, at most one per core); default 1",
    )  # fmt: skip
    parser.add_argument(
        "--queue", type=whole_number, metavar="N", help="how many events may wait; more are dropped"
    )
    parser.add_argument(
        "--policy",
        metavar="cold|warm|pool:N|keep-alive:T",
        help="when instances are made: per event, before the first event, N beforehand, or when needed and ended "
        "after T without an event (default warm)",
    )
    parser.add_argument(
        "--stop-on-error", action="store_true", help="end the run by the first error, as -n alone does"
    )


def _fire() -> MagicParser:
    parser = MagicParser("%fire", later={"--on": ON})
    _sources(parser)
    _load(parser)
    _comparing(parser)
    parser.section("What becomes of the result")
    parser.add_argument("-o", dest="variable", metavar="VAR", help="bind the result to a Python variable")
    parser.add_argument("--quiet", action="store_true", help="show nothing")
    parser.add_argument(
        "--shrink", action="store_true", default=None, help="after an error, find the smallest event that does the "
        "same, in 5 s at most (default: where events were made up and the failure comes at once)",
    )  # fmt: skip
    parser.add_argument("--no-shrink", dest="shrink", action="store_false", help="leave the event as it is")
    _grants(parser)
    _traces(parser)
    return parser


def _sources(parser: MagicParser) -> None:
    """Declare where events come from."""
    many: dict[str, Any] = {"action": "append", "default": []}
    parser.section("Which events")
    parser.add_argument("-n", type=whole_number, metavar="N", help="how many events to fire")
    parser.add_argument(
        "--seed", type=whole_number, default=0, metavar="S", help="the generator's seed (default 0)"
    )
    parser.add_argument("--near", metavar="TIME", help="points in time near this one: 2026-01-01T00:00:00Z")
    parser.add_expression(
        "--args", metavar="EXPR", help="one event: its arguments as a Python expression of the notebook"
    )
    parser.add_argument(
        "--template", metavar="NAME", help="events like a platform's: s3, sqs, http, sensor, cloudevents, "
        "cloudevents-batch",
    )  # fmt: skip
    parser.add_argument(
        "--events", metavar="FILE", help="events of a file: .jsonl, .json (CloudEvents too), .csv or .wave"
    )
    parser.add_expression(
        "--rows", metavar="EXPR", help="events of a table: a DataFrame, an Arrow table, a list of dicts"
    )
    parser.add_wave(
        "--set", metavar="FIELD=VALUE", help="fix a part of every event: a value, [a,b] to choose from, or "
        "@function of the notebook, given the event's number; may be repeated", **many,
    )  # fmt: skip
    parser.add_wave(
        "--map", metavar="FIELD=SOURCE", help="where a row has a part: event-type=Records.0.eventName; or what a "
        "value means: event-type[ObjectCreated:*]=object-added; may be repeated", **many,
    )  # fmt: skip
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out rows that are wrong, and count them"
    )


def _comparing(parser: MagicParser) -> None:
    parser.section("Comparing and replaying")
    parser.add_argument(
        "--differential", action="store_true", help="fire the same events at several targets: %%fire a b c"
    )
    parser.add_expression(
        "--oracle", metavar="EXPR", help="with --differential: a Python function that knows the answers"
    )
    parser.add_argument(
        "--tolerance",
        type=number,
        default=0.0,
        metavar="X",
        help="with --differential: how far floats may differ",
    )
    parser.add_argument(
        "--replay",
        metavar="FILE",
        help="answer every host call from a recording; without CALL, its events too",
    )


def _timings() -> MagicParser:
    parser = MagicParser("%timings")
    parser.add_argument(
        "--startup", dest="kind", action="store_const", const="startup", help="every phase of starting"
    )
    parser.add_argument(
        "--latency", dest="kind", action="store_const", const="latency", help="the distribution of calls"
    )
    parser.add_argument(
        "--timeline",
        dest="kind",
        action="store_const",
        const="timeline",
        help="without a target: the last run's events as queued, cold start, executing",
    )
    parser.add_argument(
        "--size", dest="kind", action="store_const", const="size", help="bytes of component and machine code"
    )
    parser.add_argument(
        "--baseline",
        metavar="B",
        action="append",
        default=[],
        help="a baseline beside them: process; may be repeated",
    )
    parser.add_argument(
        "-r", dest="samples", type=whole_number, metavar="SAMPLES", help="starts or calls per target"
    )
    parser.add_expression(
        "--call", metavar="CALL", help="the event to measure with, as WAVE (default: a generated one)"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, metavar="S", help="the generated event's seed (default 0)"
    )
    parser.add_argument("--save", metavar="FILE", help="write the measurement to a JSON file")
    parser.add_argument("--compare", metavar="FILE", help="compare with a saved measurement")
    return parser


CHECK: Final = MagicParser("%check")
WIT: Final = _wit()
WIT_LINE: Final = _wit_line()
WASM: Final = _wasm()
WASM_LINE: Final = _wasm_line()
HOST: Final = _host()
INSTANTIATE: Final = _instantiate()
FIRE: Final = _fire()
TIMINGS: Final = _timings()
