"""Judges: who decides, in the host process, on calls that a membrane asks about.

A judge sees a call before it is made (and may answer it in the host's place) or after it, with arguments and result in
normal form and handles as numbers. It keeps what it needs to know of each handle, and knows neither engine nor memory.
"""

from __future__ import annotations

from labkernel._host.judges.court import Court, judges_for
from labkernel._host.judges.http import HttpJudge, host_and_port
from labkernel._host.judges.network import NetworkJudge, place_of, place_text
from labkernel._host.judges.replay import Replay
from labkernel._host.judges.verdict import ASKED, TOLD, Answer, Judge, name_of

__all__ = [
    "ASKED",
    "TOLD",
    "Answer",
    "Court",
    "HttpJudge",
    "Judge",
    "NetworkJudge",
    "Replay",
    "host_and_port",
    "judges_for",
    "name_of",
    "place_of",
    "place_text",
]
