"""`%timings`: start-up, calls and sizes of several targets, plotted beside baselines."""

from __future__ import annotations

from pathlib import Path

from IPython.core.magic import magics_class

from labkernel._errors import UsageError
from labkernel._fire import Run
from labkernel._magics.base import LabMagics, magic
from labkernel._magics.bundles import beneath_run
from labkernel._magics.line import parse_line
from labkernel._magics.parsers import TIMINGS
from labkernel._timing import Timings

__all__ = ["TimingMagics"]


@magics_class
class TimingMagics(LabMagics):
    """The magic about figures."""

    @magic("line", "timings", TIMINGS)
    def timings(self, line: str) -> Timings | Run:
        """Measure targets in one run and plot the figures inline, with their table.

        ::

            %timings resize resize_c resize_wat --startup --baseline process
            %timings resize resize_c --latency -r 5000
            %timings                          the last run's latencies
            %timings --timeline               its events: queued, cold start, executing

        Without a target it shows the last run of %fire. All targets get the same event; their answers are checked
        before their times are kept; the harness's own cost is shown beside them.
        """
        parsed = parse_line(TIMINGS, line)
        if not parsed.words:
            return self._last_run(parsed.kind or "latency")
        if parsed.kind == "timeline":
            raise UsageError(
                "--timeline is of a run and takes no target: fire first, as in "
                f"%fire {parsed.words[0]} --duration 2s --rate 100/s, then %timings --timeline."
            )
        before = _load(parsed.compare, parsed.kind or "startup") if parsed.compare else None
        if parsed.save and not Path(parsed.save).expanduser().parent.is_dir():
            raise UsageError(
                f"--save {parsed.save!r}: there is no such folder; make it, or give another path."
            )
        result = self.lab.timings(
            parsed.words,
            kind=parsed.kind or "startup",
            baseline=parsed.baseline,
            samples=parsed.samples,
            call=parsed.call,
            seed=parsed.seed,
        )
        self.screen.show(result)
        if parsed.save:
            _save(result, parsed.save)
            self.screen.note(f"measurement written to {parsed.save}")
        if before is not None:
            for name, comparison in result.compared_to(before):
                self.screen.note(comparison.text(f"{name} before", f"{name} now"))
            for difference in result.differences(before):
                self.screen.note(f"but {difference}")
        return result

    def _last_run(self, kind: str) -> Run:
        run = self.lab.last_run
        if run is None:
            raise UsageError("No run yet to show; name targets, or fire first: %fire NAME -n 1000.")
        if kind not in ("latency", "timeline"):
            raise UsageError(f"--{kind} needs a target, as in %timings {run.target.name} --{kind}.")
        from labkernel import _plot as plot  # late: figures are loaded when the first one is shown

        self.screen.show_as(run, plot.run_bundle(run, kind), beneath_run(run, kind))
        return run


def _save(result: Timings, path: str) -> None:
    try:
        Path(path).expanduser().write_text(result.to_json(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--save {path!r} cannot be written ({error.strerror}).") from None


def _load(path: str, kind: str) -> Timings:
    """Return a saved measurement that one of this kind can be compared with, told before anything is measured."""
    if kind == "size":
        raise UsageError("--compare judges times, and sizes are exact: compare the two tables by eye.")
    try:
        before = Timings.from_json(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(
            f"--compare {path!r} cannot be read ({why}); give a file that --save has written."
        ) from None
    if before.kind != kind:
        raise UsageError(
            f"--compare {path!r} holds {before.kind} timings, not {kind}; compare it with %timings --{before.kind}."
        )
    return before
