"""Records as cards: HTML that follows the notebook's theme, and the same facts as plain text.

It takes plain values and the records of lower rows, and knows no engine, no plot and no notebook.
"""

from __future__ import annotations

from labkernel._cards.build import build_card, short_digest, wit_card
from labkernel._cards.compiler import explanation_card, output_card, printed
from labkernel._cards.escape import escape
from labkernel._cards.instance import Standing, instance_card
from labkernel._cards.model import Badge, Bar, Bars, Card, Code, Fact, Listing, Section, Tabular, Tone
from labkernel._cards.records import card_of, shown_kinds
from labkernel._cards.run import CallLine, answer_card, run_card
from labkernel._cards.timings import timings_card
from labkernel._cards.tools import ToolLine, doctor_card, error_card, list_card
from labkernel._cards.trace import trace_card

__all__ = [
    "Badge",
    "Bar",
    "Bars",
    "CallLine",
    "Card",
    "Code",
    "Fact",
    "Listing",
    "Section",
    "Standing",
    "Tabular",
    "Tone",
    "ToolLine",
    "answer_card",
    "build_card",
    "card_of",
    "doctor_card",
    "error_card",
    "escape",
    "explanation_card",
    "instance_card",
    "list_card",
    "output_card",
    "printed",
    "run_card",
    "short_digest",
    "shown_kinds",
    "timings_card",
    "trace_card",
    "wit_card",
]
