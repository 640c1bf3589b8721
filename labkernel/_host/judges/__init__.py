"""Judges: who decides, in the host process, on calls that a membrane asks about.

A judge sees a call before it is made (and may answer it in the host's place) or after it, with arguments and result in
normal form and handles as numbers. It keeps what it needs to know of each handle, and knows neither engine nor memory.
"""

from __future__ import annotations

from labkernel._host.judges.http import HttpJudge
from labkernel._host.judges.network import NetworkJudge
from labkernel._host.judges.verdict import ASKED, TOLD, Answer, Judge, name_of

__all__ = ["ASKED", "TOLD", "Answer", "HttpJudge", "Judge", "NetworkJudge", "name_of"]
