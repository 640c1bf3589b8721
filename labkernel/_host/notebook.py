"""Imports that the notebook implements: each call is a frame to the kernel, and its answer another one.

While the kernel's function runs, the guest's thread waits here for data or for the watchdog, never in C: a budget or
an interrupt ends the wait at once, and the thread comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labkernel._errors import BudgetExceeded, GuestTrap
from labkernel._host import protocol
from labkernel._host.callbacks import HostFunction, Provider
from labkernel._host.traps import NEXT
from labkernel._host.watch import Stopped

if TYPE_CHECKING:
    from labkernel._host.engine import Instance
    from labkernel._host.settling import Sender
    from labkernel._host.watch import Job

__all__ = ["Notebook"]


class Notebook:
    """Providers of the imports that the notebook implements, one for each name."""

    def __init__(self, link: Sender, before: Callable[[Job], None]) -> None:
        self._link = link
        self._before = before
        self._providers: dict[str, Provider] = {}

    def provider(self, import_name: str, *, is_function: bool) -> Provider:
        """Return the provider of an import, always the same one; `is_function` for a function of the world itself."""
        provider = self._providers.get(import_name)
        if provider is None:
            provider = self._providers[import_name] = self._new_provider(import_name, is_function=is_function)
        return provider

    def _new_provider(self, import_name: str, *, is_function: bool) -> Provider:
        def provide(function_name: str) -> HostFunction:
            full_name = function_name if is_function else f"{import_name}#{function_name}"
            return lambda instance, args: self.ask(instance, full_name, args)

        return provide

    def ask(self, instance: Instance, full_name: str, args: list[Any]) -> Any:
        """Return what the kernel's function answers. Raises `GuestTrap` with what it raised, and `Stopped`."""
        job = instance.job
        assert job is not None
        self._before(job)
        left_s = max(0.0, job.deadline - time.monotonic())
        try:
            question = protocol.pack([protocol.HOST_CALL, job.id, full_name, args, left_s])
        except protocol.ProtocolError:
            raise BudgetExceeded(
                "argument size", f"{protocol.MAX_FRAME >> 20} MiB", how=f"Pass {full_name} less at a time."
            ) from None
        with job.waiting(full_name) as stop:
            answer = self._link.ask(job, question, stop)
        if answer is None:
            raise Stopped(job.stopped)
        is_ok, value = answer
        if is_ok:
            return value
        raise GuestTrap(f"{value[0]} {NEXT}", traceback=value[1])
