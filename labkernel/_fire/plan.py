"""`Plan`: what is to be fired, how fast and under which policy; everything that can be wrong is refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from labkernel._capability import parse_duration
from labkernel._errors import CapabilityError, UsageError, did_you_mean
from labkernel._events import Arrivals, parse_arrivals

__all__ = ["MOST_EVENTS", "Plan", "Policy", "make_plan", "parse_policy"]

MOST_EVENTS: Final = 1_000_000_000
MOST_INSTANCES: Final = 1000
MOST_QUEUED: Final = 1_000_000
_DAY_S: Final = 86_400.0
_POLICIES: Final = ("cold", "warm", "pool:N", "keep-alive:T")


@dataclass(frozen=True, slots=True)
class Policy:
    """When instances are made: `cold`, `warm`, `pool` of so many `instances`, `keep-alive` for `idle_s`."""

    kind: str = "warm"
    instances: int = 1
    idle_s: float = 0.0

    @property
    def text(self) -> str:
        """The policy as `--policy` takes it."""
        if self.kind == "pool":
            return f"pool:{self.instances}"
        idle = f"{self.idle_s:g}s" if self.idle_s >= 1 else f"{self.idle_s * 1000:g}ms"
        return f"keep-alive:{idle}" if self.kind == "keep-alive" else self.kind

    @property
    def makes_instances(self) -> bool:
        """Whether an event may have to wait for an instance to start though none has failed."""
        return self.kind in ("cold", "keep-alive")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes. Without `arrivals` it is a closed loop: the next event follows the one answered.

    At least one of `n`, `duration_s` and a trace ends it. `in_flight` is how many events are on their way at any
    time (closed) or may be executing at once (open); `queue` bounds how many wait.
    """

    n: int | None = None
    duration_s: float | None = None
    arrivals: Arrivals | None = None
    in_flight: int = 1
    queue: int | None = None
    policy: Policy = field(default_factory=Policy)
    seed: int = 0
    stop_on_error: bool = True
    is_load: bool = False

    @property
    def asked(self) -> int | None:
        """How many events the plan wants; `None` where only a duration ends it."""
        if self.arrivals is not None and self.arrivals.kind == "trace":
            length = len(self.arrivals.trace_ns)
            return length if self.n is None else min(self.n, length)
        return self.n

    @property
    def loop(self) -> str:
        """The loop in words: `open loop, 200/s poisson` or `closed loop, 4 in flight`."""
        if self.arrivals is not None:
            return f"open loop, {self.arrivals.text}"
        return f"closed loop, {self.in_flight} in flight"

    def processes(self, cores: int) -> int:
        """Return over how many host processes the run is spread: no more than cores."""
        many = self.policy.instances if self.policy.kind == "pool" else self.in_flight
        if self.policy.kind == "pool" and self.arrivals is None:
            many = min(many, self.in_flight)
        return max(1, min(many, cores, self.asked or MOST_EVENTS))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data; a trace as its name."""
        return {
            "n": self.n, "duration_s": self.duration_s, "loop": "open" if self.arrivals else "closed",
            "rate": self.arrivals.rate if self.arrivals else None,
            "arrival": self.arrivals.text if self.arrivals else None,
            "in_flight": self.in_flight, "queue": self.queue, "policy": self.policy.text, "seed": self.seed,
            "stop_on_error": self.stop_on_error,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Any) -> Plan:
        """Return the plan that `to_json` gave this data for; of a trace its name and rate are kept."""
        arrivals = None
        if data["loop"] == "open":
            kind, _, rest = str(data["arrival"]).partition(":")
            known = kind in ("burst", "trace")
            arrivals = Arrivals(kind if known else kind.rpartition(" ")[2], float(data["rate"]), source=rest)
            if kind == "burst":
                arrivals = parse_arrivals(str(data["arrival"]), None)
        return cls(
            data["n"], data["duration_s"], arrivals, data["in_flight"], data["queue"],
            parse_policy(data["policy"]), data["seed"], data["stop_on_error"], True,
        )  # fmt: skip


def make_plan(
    *, n: int | None = None, duration: str | float | None = None, rate: str | float | None = None,
    arrival: str | None = None, in_flight: int | None = None, queue: int | None = None,
    policy: str | None = None, seed: int = 0, stop_on_error: bool | None = None,
) -> Plan:  # fmt: skip
    """Return the plan that options mean, as `%fire` takes them.

    With options of load a run counts errors and goes on, as load generators do; with `n` alone the first
    error ends it. Raises `UsageError` for what cannot be meant, before anything is fired.
    """
    is_load = any(option is not None for option in (duration, rate, arrival, in_flight, queue, policy))
    arrivals = parse_arrivals(arrival, rate)
    _check(n, 1, MOST_EVENTS, "-n {} is out of range; fire at least 1 event, at most 1000000000.")
    _check(
        in_flight, 1, MOST_INSTANCES,
        "-c {} is out of range; expected 1 to 1000 events in flight. Without -c it is 1.",
    )  # fmt: skip
    _check(queue, 0, MOST_QUEUED, "--queue {} is out of range; expected 0 to 1000000 waiting events.")
    if queue is not None and arrivals is None:
        raise UsageError(
            f"--queue {queue} needs a rate: without one the next event comes when one is answered, and none is "
            "dropped. Add --rate, as in --rate 200/s."
        )
    chosen = parse_policy(policy or "warm")
    seconds = None if duration is None else _duration(duration)
    is_trace = arrivals is not None and arrivals.kind == "trace"
    if n is None and seconds is None and not is_trace:
        raise UsageError("How many events? Say when to stop: -n 1000, --duration 10s, or both.")
    count = chosen.instances if chosen.kind == "pool" else 1
    return Plan(
        n, seconds, arrivals, in_flight or count, queue, chosen, seed,
        not is_load if stop_on_error is None else stop_on_error, is_load,
    )  # fmt: skip


def _check(value: int | None, low: int, high: int, message: str) -> None:
    if value is not None and (isinstance(value, bool) or not low <= value <= high):
        raise UsageError(message.format(value))


def _duration(text: str | float) -> float:
    return _time(text, "--duration", "10s, 500ms or 2m")


def _time(text: str | float, option: str, examples: str) -> float:
    """Return seconds; text needs a unit, since a bare number could be meant as anything."""
    if isinstance(text, str) and re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        raise UsageError(f"{option} {text} has no unit; write {text.strip()}s for seconds, or {examples}.")
    try:
        seconds = parse_duration(text, what=option)
    except CapabilityError:
        raise UsageError(
            f"{option} {str(text)!r} is no duration; write a number with its unit, as in {examples}."
        ) from None
    if not 0.001 <= seconds <= _DAY_S:
        raise UsageError(f"{option} {text} is out of range; expected 1ms to 24h, as in {examples}.")
    return seconds


def parse_policy(text: str) -> Policy:
    """Return the policy that `--policy` means. Raises `UsageError` for another, with what is near.

    >>> parse_policy("pool:4"), parse_policy("keep-alive:30s").text
    (Policy(kind='pool', instances=4, idle_s=0.0), 'keep-alive:30s')
    """
    kind, colon, rest = text.strip().partition(":")
    if kind in ("cold", "warm"):
        if colon:
            raise UsageError(f"--policy {text!r} takes nothing after {kind!r}; write --policy {kind}.")
        return Policy(kind)
    if kind == "pool":
        if not re.fullmatch(r"-?\d+", rest):
            raise UsageError(f"--policy {text!r} does not say how many instances; write pool:4.")
        if not 1 <= int(rest) <= MOST_INSTANCES:
            raise UsageError(
                f"--policy {text} is out of range; a pool holds 1 to 1000 instances, as in pool:4."
            )
        return Policy("pool", int(rest))
    if kind == "keep-alive":
        if not rest:
            raise UsageError(f"--policy {text!r} does not say for how long; write keep-alive:30s.")
        return Policy("keep-alive", idle_s=_time(rest, "--policy keep-alive:", "30s, 500ms or 2m"))
    near = did_you_mean(kind, ("cold", "warm", "pool", "keep-alive"))
    raise UsageError(f"--policy {text!r} is not known; known: {', '.join(_POLICIES)}.{near}")
