"""Firing at an instance of the lab: one event, or many. `Lab.fire` and `Instance.run` come through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from labkernel._events import sample
from labkernel._fire import Answer, Run
from labkernel._lab.instance import Instance

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["Firing"]


class Firing:
    """Fires events at a lab's instances, and tells the lab of the last run."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def fire(
        self, instance: Instance, call: str | None, *, function: str | None, args: Sequence[Any] | None,
        n: int | None, seed: int, on_progress: Callable[[int, int], None] | None,
    ) -> Answer | Run:  # fmt: skip
        """Fire one event, or `n`; see `Lab.fire`."""
        if n is not None:
            run = self.many(instance, call or function, n=n, seed=seed, args=args, on_progress=on_progress)
            self._lab.last_run = run
            return run
        is_name = call is not None and call.strip() in _names(instance)
        if call and args is None and not is_name:
            return instance.call_text(call)
        chosen = self._lab.function(instance, call or function)
        if args is not None:
            return instance.call(chosen, args)
        return instance.call_normal(chosen, sample(chosen, seed=seed))

    def many(
        self, instance: Instance, call: str | None, *, n: int, seed: int, args: Sequence[Any] | None,
        on_progress: Callable[[int, int], None] | None,
    ) -> Run:  # fmt: skip
        """Fire `n` events: generated ones, or the same one where a call or arguments are given."""
        if args is not None or (call and call.strip() not in _names(instance)):
            answer_function, normal = instance.parsed(call, args)
            events: list[list[Any]] | None = [normal] * n
            return instance.run(answer_function, n=n, events=events, on_progress=on_progress)
        function = self._lab.function(instance, call.strip() if call else None)
        return instance.run(function, n=n, seed=seed, on_progress=on_progress)


def _names(instance: Instance) -> set[str]:
    return {name for f in instance.functions for name in (f.name, f.full_name)}
