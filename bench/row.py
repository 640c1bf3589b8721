"""One figure of the suite: what was measured, against which peer, and the goal it has."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """Samples of one thing in `unit`, beside the samples of a peer from the same run.

    `most` is the goal: the largest median (without a peer) or the largest ratio to the peer's median.
    """

    what: str
    samples: tuple[float, ...]
    unit: str
    peer: str = ""
    peer_samples: tuple[float, ...] = ()
    most: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)

    @property
    def ratio(self) -> float | None:
        """The median against the peer's."""
        return self.median / statistics.median(self.peer_samples) if self.peer_samples else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; `None` where there is none."""
        if self.most is None:
            return None
        return (self.ratio if self.ratio is not None else self.median) <= self.most

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {**asdict(self), "median": self.median, "ratio": self.ratio, "met": self.is_met}


def environment() -> dict[str, str]:
    """Return an environment in which Python keeps compiled modules, as it does for users."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": os.path.join(tempfile.gettempdir(), "labkernel-bench-pyc")}


def spread(samples: Sequence[float]) -> str:
    """Return the median with the middle half's ends."""
    if len(samples) < 4:
        return f"{statistics.median(samples):.3g} [{min(samples):.3g}, {max(samples):.3g}]"
    low, _, high = statistics.quantiles(samples, n=4)
    return f"{statistics.median(samples):.3g} [{low:.3g}, {high:.3g}]"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as an aligned table."""
    head = ("what", "median [quartiles]", "unit", "peer", "peer's", "ratio", "goal", "met")
    lines = [head]
    for row in rows:
        goal = "" if row.most is None else f"<= {row.most:g}{'x' if row.peer else ''}"
        met = {True: "yes", False: "NO", None: ""}[row.is_met]
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}x"
        peers = spread(row.peer_samples) if row.peer_samples else ""
        lines.append((row.what, spread(row.samples), row.unit, row.peer, peers, ratio, goal, met))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    notes = [f"{row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([text[0], "  ".join("-" * width for width in widths), *text[1:], *notes])
