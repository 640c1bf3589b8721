"""The guard of a policy with judges: asks each in turn, and keeps what the trace has to know whole.

Made of the policy's `guard_data`: `net` and `http` are grants as their options take them, `denied` the beginnings of
interfaces' names that are denied and `hints` how to grant them, `whole` the numbers of the
functions whose calls are kept with all arguments and results, `most` how many of those until they are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkernel._capability import make_grants
from labkernel._host.judges.denial import DenialJudge
from labkernel._host.judges.http import HttpJudge
from labkernel._host.judges.network import NetworkJudge
from labkernel._host.judges.verdict import ASKED, TOLD, Judge
from labkernel._host.policy import Policy

__all__ = ["Court", "judges_for"]


def judges_for(data: Mapping[str, Any]) -> list[Judge]:
    """Return the judges that a policy's `guard_data` asks for."""
    grants = make_grants({"net": data["net"], "http": data["http"]})
    judges: list[Judge] = []
    if data["denied"]:
        judges.append(DenialJudge(data["denied"], [(prefix, how) for prefix, how in data["hints"]]))
    if grants.net:
        judges.append(NetworkJudge(grants.net))
    if grants.http:
        judges.append(HttpJudge(grants.http))
    return judges


class Court:
    """A guard for one instance. Calls that never returned are kept with `None` in place of `[result]`."""

    def __init__(self, policy: Policy) -> None:
        data = policy.guard_data
        self._table = policy.table
        judges = judges_for(data)
        self._asked: dict[int, list[Judge]] = {}
        self._told: dict[int, list[Judge]] = {}
        for number, function in enumerate(policy.table):
            for judge in judges:
                wanted = judge.wants(function)
                if ASKED in wanted:
                    self._asked.setdefault(number, []).append(judge)
                if TOLD in wanted:
                    self._told.setdefault(number, []).append(judge)
        self._whole = frozenset(data["whole"])
        self._most = data["most"]
        self._kept: list[list[Any]] = []
        self._open: list[Any] | None = None

    def ask(self, number: int, arguments: list[Any]) -> list[Any] | None:
        """Return an answer of a judge, or `None` to pass the call on."""
        if number in self._whole:
            self._open = [number, arguments, None]
            self._keep(self._open)
        for judge in self._asked.get(number, ()):
            answer = judge.before(self._table[number], arguments)
            if answer is not None:
                return [answer.value]
        return None

    def tell(self, number: int, arguments: list[Any], result: Any) -> list[int] | None:
        """Let the judges know of a call that has returned; return what of a list in its result the guest may see."""
        seen: list[int] | None = None
        for judge in self._told.get(number, ()):
            kept = judge.after(self._table[number], arguments, result)
            seen = seen if kept is None else kept
        if seen is not None:
            result = ["ok", [result[1][at] for at in seen]]
        if number in self._whole:
            if self._open is not None and self._open[0] == number:
                self._open[2] = [result]
            else:
                self._keep([number, arguments, [result]])
            self._open = None
        return seen

    def take(self) -> list[list[Any]]:
        """Return the calls kept whole since the last time."""
        kept, self._kept = self._kept, []
        return kept

    def _keep(self, call: list[Any]) -> None:
        if len(self._kept) < self._most:
            self._kept.append(call)
