"""When events are meant to come: the same everywhere, and refused where it cannot be meant."""

from __future__ import annotations

import hashlib
import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkernel import UsageError
from labkernel._events import Arrivals, parse_arrivals, parse_rate, read_trace
from labkernel._events.arrivals import _log


def first(arrivals: Arrivals | None, n: int, seed: int = 0) -> list[int]:
    """Return the first times of arrivals."""
    assert arrivals is not None
    return list(itertools.islice(arrivals.offsets_ns(seed), n))


def test_constant() -> None:
    """Evenly, without drift: event k at k over the rate, however many came before."""
    arrivals = parse_arrivals(None, "3/s")
    assert first(arrivals, 4) == [0, 333_333_333, 666_666_666, 1_000_000_000]
    assert first(arrivals, 3_000_001)[-1] == 1_000_000 * 10**9
    assert first(parse_arrivals("constant", "30/m"), 2) == [0, 2 * 10**9]


def test_bursts() -> None:
    """So many at once, every so often."""
    arrivals = parse_arrivals("burst:3/250ms", None)
    assert first(arrivals, 7) == [0, 0, 0, 250_000_000, 250_000_000, 250_000_000, 500_000_000]
    assert arrivals is not None
    assert arrivals.rate == 12


def test_poisson_is_the_same_everywhere() -> None:
    """The times of a seed are golden: another machine or version that gives others is wrong."""
    arrivals = parse_arrivals("poisson", "1000/s")
    times = first(arrivals, 10_000, seed=7)
    assert times[:5] == [1208878, 1778616, 2322681, 3743078, 3848152]
    assert hashlib.sha256(repr(times).encode()).hexdigest()[:16] == "78e0adc3830b13c8"
    assert first(arrivals, 5, seed=8) != times[:5]


def test_poisson_has_exponential_gaps() -> None:
    """The mean gap is that of the rate, and as many gaps are longer than it as e says."""
    times = [0, *first(parse_arrivals("poisson", "1000/s"), 50_000, seed=3)]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert abs(sum(gaps) / len(gaps) / 1e6 - 1) < 0.02
    for share in (0.5, 1.0, 2.0):
        longer = sum(gap > share * 1e6 for gap in gaps) / len(gaps)
        assert abs(longer - math.exp(-share)) < 0.01


@given(st.floats(min_value=2.0**-53, max_value=1.0))
def test_the_logarithm(x: float) -> None:
    """Our logarithm, which rounds alike everywhere, is the system's but for the last bits."""
    assert _log(x) == pytest.approx(math.log(x), rel=1e-14, abs=1e-15)


def test_a_trace(tmp_path: Path) -> None:
    """Seconds, one per line, from the first on, comments and further columns left out; faster by a factor."""
    path = tmp_path / "times.txt"
    path.write_text("# seconds\n10.0\n10.5,a note\n\n12 # twelve\n12\n", encoding="utf-8")
    assert first(read_trace(path), 9) == [0, 500_000_000, 2_000_000_000, 2_000_000_000]
    faster = parse_arrivals(f"trace:{path}@10x", None)
    assert first(faster, 9) == [0, 50_000_000, 200_000_000, 200_000_000]
    assert faster is not None
    assert faster.rate == 15
    assert faster.text == f"trace:{path}@10x"


@pytest.mark.parametrize("arrival", ["constant", "poisson", "burst:4/1s"])
def test_they_travel_as_plain_data(arrival: str) -> None:
    """What is read back gives the same times."""
    arrivals = parse_arrivals(arrival, None if ":" in arrival else "77/s")
    assert arrivals is not None
    assert first(Arrivals.from_data(arrivals.to_data()), 50, 5) == first(arrivals, 50, 5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1.0\n0.5\n", r"line 2: 0\.5 goes backwards, after 1"),
        ("1.0\ntwo\n", r"line 2: 'two' is no number"),
        ("1.0\nnan\n", r"line 2: 'nan' is no number"),
        ("1.0\n2.", r"seems cut: its last line, '2\.', has no end"),
        ("# nothing\n", "holds no time"),
        ("", "holds no time"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    """One that goes backwards, is not numbers, is cut or is empty."""
    path = tmp_path / "bad.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        parse_arrivals(f"trace:{path}", None)


def test_a_trace_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, or is no text."""
    with pytest.raises(UsageError, match="No such file"):
        parse_arrivals(f"trace:{tmp_path / 'absent'}", None)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UsageError, match="not text"):
        parse_arrivals(f"trace:{tmp_path / 'bytes'}", None)


@pytest.mark.parametrize(
    "rate", ["0/s", "0", "-5/s", "1000000000/s", "1e9", "fast", "10/fortnight", "", "10s"]
)
def test_a_rate_that_cannot_be_meant(rate: str) -> None:
    """Zero, a billion, less than nothing, and what is no rate."""
    with pytest.raises(UsageError, match="--rate"):
        parse_rate(rate)


@pytest.mark.parametrize(
    ("arrival", "rate", "why"),
    [
        ("posson", "5/s", "Did you mean 'poisson'"),
        ("poisson", None, "needs a rate"),
        ("poisson:3", "5/s", "takes nothing after"),
        ("burst:100/1s", "5/s", "N/D is its rate"),
        ("burst:0/1s", None, "out of range"),
        ("burst:5/10", None, "is no burst"),
        ("burst:5", None, "is no burst"),
        ("burst:1000000/1ms", None, "out of range"),
        ("trace:", None, "names no trace"),
        ("trace:x@0x", None, "names no trace"),
        ("trace:x", "5/s", "twice as fast"),
    ],
)
def test_arrivals_that_cannot_be_meant(arrival: str, rate: str | None, why: str) -> None:
    """Each says what is wrong and what to write."""
    with pytest.raises(UsageError, match=why):
        parse_arrivals(arrival, rate)
