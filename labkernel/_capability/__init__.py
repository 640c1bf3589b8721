"""Grants and budgets: what an instance is given and where it is stopped, as frozen records.

Every way of writing them (a magic's options, Python keywords) ends here, and here they are checked, so
that nothing starts with a wrong one. How an engine is told is the business of `_sandbox`.
"""

from __future__ import annotations

from labkernel._capability.budgets import Budgets, make_budgets
from labkernel._capability.chance import Clock, Random
from labkernel._capability.grants import Grants, make_grants
from labkernel._capability.network import Endpoint, HttpTarget, is_address, normal_host
from labkernel._capability.supplies import Standing, Supplies
from labkernel._capability.texts import Directory
from labkernel._capability.units import parse_duration, parse_size

__all__ = [
    "Budgets",
    "Clock",
    "Directory",
    "Endpoint",
    "Grants",
    "HttpTarget",
    "Random",
    "Standing",
    "Supplies",
    "is_address",
    "make_budgets",
    "make_grants",
    "normal_host",
    "parse_duration",
    "parse_size",
]
