"""`%instantiate` and `%fire`: components started with grants, events fired at them."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import magics_class

from labkernel._errors import LabError, UsageError, render_short
from labkernel._fire import Agreement, Answer, Live, Run
from labkernel._lab import Instance, Replayed
from labkernel._magics.base import LabMagics, identifier, magic
from labkernel._magics.line import Line, parse_line, words_only
from labkernel._magics.parsers import FIRE, INSTANTIATE
from labkernel._magics.sources import event_options, split_targets
from labkernel._timing import format_count
from labkernel._values import split_args

__all__ = ["FireMagics"]

_GIVEN = (
    "env", "stdin", "dirs", "clock", "random", "net", "http", "host", "strict", "timeout", "memory", "output",
    "disk", "fuel", "compiler", "trace", "record",
)  # fmt: skip

_LOAD = ("duration", "rate", "arrival", "in_flight", "queue", "policy")


@magics_class
class FireMagics(LabMagics):
    """The magics about instances and events."""

    @magic("line", "instantiate", INSTANTIATE)
    def instantiate(self, line: str) -> Instance:
        """Start a component with exactly the capabilities granted here.

        ::

            %instantiate resize --as fn --env MODE=test --dir ./data::/data --timeout 1s
            %instantiate resize --clock fixed:2026-01-01T00:00:00Z --random seed:7
            %instantiate resize --net localhost:8080 --http GET:example.com --trace

        Nothing is granted by default: variables, arguments, standard input and directories are there and
        empty; sockets and HTTP are refused at the call; output is captured and shown. The card says of each
        import what stands behind it. Without --as it becomes the component's own instance.

        What guards what. Variables, arguments, standard input and directories: the engine itself. Clocks and
        randomness that are made up, sockets and HTTP: a membrane, a small component made for this guest's imports
        and put in front of it, which answers by itself or asks the host process. Sockets are held to the grants at
        the look-up of a name, at connect, bind and listen, and for each datagram sent; a granted name stands for
        whatever addresses the machine finds for it. Requests are held to method, host and port as written; a
        redirect is the guest's to follow, as a request of its own. What that does not guard: who writes to a socket
        that may send datagrams, what a granted server does with what it is sent, and time measured by counting. A
        membrane's own instructions count as the guest's fuel.
        """
        parsed = parse_line(INSTANTIATE, line)
        (component,) = words_only(parsed, INSTANTIATE, ["COMPONENT"])
        name = identifier(parsed.as_, "instance") if parsed.as_ else None
        instance = self.lab.instantiate(component, name=name, pin=parsed.pin, **_given(parsed))
        if name:
            self.bind(name, instance)
        self.screen.show(instance)
        return instance

    @magic("both", "fire", FIRE)
    def fire(self, line: str, cell: str | None = None) -> Answer | Run | Replayed | Agreement:
        """Fire events at an instance or a component.

        ::

            %fire fn                          one generated event, with its call to edit
            %fire fn {event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, event-version: "2"}
            %fire fn --args event             the arguments from a variable, or any expression, of the notebook
            %fire fn -n 1000 --seed 7         a thousand generated events, edges first
            %fire fn -n 100 --set event-type=[object-added,object-removed] --near 2026-01-01T00:00:00Z
            %fire fn -n 100 --template s3     events as a platform sends them, mapped by names
            %fire fn --events log.jsonl --map event-type=detail.kind
            %fire fn --rows df                the rows of a DataFrame
            %fire fn --duration 10s -c 4      four on their way at any time, for ten seconds
            %fire fn --duration 10s --rate 200/s --arrival poisson --policy keep-alive:30s
            %fire fn --arrival trace:times.txt@10x --queue 100 --policy pool:2
            %fire a b c -n 1000 --differential --oracle expected
            %fire fn --replay run.jsonl       a recorded run again, every host call answered from the file

        The call is WAVE, the component model's value syntax, and is taken as typed. As `%%fire TARGET
        [FUNCTION]` the cell's body is the arguments.

        Without --rate the next event follows the one that was answered (a closed loop). With --rate or
        --arrival events come when they are due, whatever becomes of those before (an open loop): latency
        counts from the intended time, so that a stall is seen by all that waited.

        With -n alone the first error ends the run. With any option of load (--duration, --rate, --arrival,
        -c, --queue, --policy) errors are counted by kind and the run goes on, a fresh instance in place of
        the one that failed; --stop-on-error ends it. Budgets hold for each event.

        --policy warm fires at TARGET's own instance, and starts more like it for -c; the other policies
        start instances of their own, with the same grants. What executes at once has a host process each, at
        most one per core.

        Many events one after the other at a warm instance are fired inside the engine, by a driver: a component made
        for the function that calls it in a loop and reads the clock around each call, or around a group of calls
        where one is shorter than ten clock reads. The first events go by the engine's C functions while the driver
        is made; then the instance is started anew behind it. The run says which path timed it, why not a faster one,
        and what a component that does nothing takes on the same path.

        Stop it with the interrupt button: the run so far is shown and bound. `%timings` then plots the last
        run's latencies, `%timings --timeline` its events as queued, cold start, executing.

        Rows of files, tables and templates become events by the names of their parts, case and separators
        aside (`eventType` is `event-type`), at the top of a row or within; --map says where names differ, and
        the notes say what was mapped from where and what was left over. All rows are checked before the first
        is fired. When a generated event ends a run, the smallest event that does the same is shown; each is
        tried in a fresh instance. With --differential the same events go to several targets, and to a Python
        function if --oracle names one; the card shows who agrees with whom.
        """
        parsed = parse_line(FIRE, line, words=1)
        if not parsed.words:
            words_only(parsed, FIRE, ["TARGET", "[CALL]"])
        target, call, args = parsed.words[0], parsed.wave or None, None
        how: dict[str, Any] = {}
        if cell is not None and cell.strip():
            call = self._call_of_cell(target, parsed, cell)
        if parsed.args is not None:
            args = self._arguments(parsed.args)
        load = {name: value for name in _LOAD if (value := getattr(parsed, name)) is not None}
        if parsed.replay:
            if event_options(parsed, self._evaluated) or parsed.differential:
                raise UsageError("--replay has its own events; leave out what says where others come from.")
            return self._replay(target, call, parsed, is_load=bool(load))
        if parsed.n is not None:
            how = {"n": parsed.n, "on_progress": self._progress}
        how |= self._sources(parsed, call, args)
        if parsed.differential:
            if load:
                raise UsageError(
                    "--differential compares answers, one event after the other; leave out the options of load."
                )
            agreement: Agreement = self._show(parsed, self._differential(parsed, how))
            return agreement
        if parsed.oracle is not None or parsed.tolerance:
            raise UsageError("--oracle and --tolerance compare answers; add --differential.")
        if load or (parsed.n is not None and parsed.stop_on_error):
            load |= {"stop_on_error": True} if parsed.stop_on_error else {}
            how |= {"load": load, "on_progress": self._progress}
        result = self.lab.fire(target, call, args=args, seed=parsed.seed, **how, **_given(parsed))
        for note in () if parsed.quiet else result.notes:
            self.screen.note(note)
        shown: Answer | Run = self._show(parsed, result)
        return shown

    def _show(self, parsed: Line, result: Any) -> Any:
        if parsed.variable:
            self.bind(identifier(parsed.variable, "result"), result)
        (self.screen.hide if parsed.quiet else self.screen.show)(result)
        if parsed.trace and not parsed.quiet:
            self.screen.show(self.lab.trace(result.target.name))
            self.screen.hide(result)
        if isinstance(result, Run) and result.is_interrupted:
            raise _interrupt(result)
        return result

    def _replay(self, target: str, call: str | None, parsed: Line, *, is_load: bool) -> Replayed:
        if _given(parsed) or is_load or parsed.n is not None or parsed.args is not None:
            raise UsageError(
                "--replay answers every host call from the file; it goes with a CALL or without one, and with neither "
                "grants nor -n nor --args nor options of load."
            )
        result = self.lab.replay(target, parsed.replay, call=call)
        if parsed.variable:
            self.bind(identifier(parsed.variable, "result"), result)
        (self.screen.hide if parsed.quiet else self.screen.show)(result)
        return result

    def _sources(self, parsed: Line, call: str | None, args: list[Any] | None) -> dict[str, Any]:
        """Return the options about events; a call or arguments leave no place for them."""
        made = event_options(parsed, self._evaluated)
        if args is not None and made.keys() - {"shrink"}:
            raise UsageError(
                "--args holds the event itself; leave out --args, or what says where events come from."
            )
        if "events" in made or "template" in made:
            made["on_progress"] = self._progress
        return made

    def _differential(self, parsed: Line, how: dict[str, Any]) -> Agreement:
        if parsed.args is not None:
            raise UsageError(
                "--differential takes a call, or generated events; write the call instead of --args."
            )
        targets, function, call = split_targets(parsed, self.lab)
        given = _given(parsed)
        if given:
            raise UsageError(
                f"With --differential every target has its own grants ({', '.join(given)} is given here); start "
                "them with %instantiate."
            )
        if parsed.oracle is not None:
            how["oracle"] = self._evaluated("--oracle", parsed.oracle)
        how["on_progress"] = self._counted
        return self.lab.differential(
            targets, function or None, call=call or None, seed=parsed.seed, tolerance=parsed.tolerance, **how
        )

    def _call_of_cell(self, target: str, parsed: Line, cell: str) -> str:
        instance = self.lab.target(target, **_given(parsed))
        function = self.lab.function(instance, parsed.wave.strip() or None)
        return f"{function.full_name}({', '.join(split_args(cell, function))})"

    def _arguments(self, text: str) -> list[Any]:
        """Evaluate `--args`: a tuple is the arguments, anything else is the only one."""
        value = self._evaluated("--args", text)
        return list(value) if isinstance(value, tuple) else [value]

    def _evaluated(self, option: str, text: str) -> Any:
        """Return the value of an option's Python expression."""
        try:
            return self.shell.ev(text)
        except SyntaxError as error:
            raise UsageError(f"{option} {text!r} is no Python expression ({error.msg}).") from None
        except LabError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise UsageError(f"{option} {text!r} has no value: its evaluation raised {why}.") from error

    def _counted(self, done: int, asked: int) -> None:
        self.screen.progress(f"{done} of {asked} events")

    def _progress(self, live: Live) -> None:
        self.screen.progress(live.text, now=True)


def _interrupt(run: Run) -> KeyboardInterrupt:
    """Return what ends the cell of an interrupted run: the lines after it are not to run."""
    error = KeyboardInterrupt()
    render_short(
        error, f"%fire was stopped after {format_count(run.fired, 'event')}; the run so far is shown."
    )
    return error


def _given(line: Line) -> dict[str, Any]:
    given = line.given(*_GIVEN)
    if line.args_:
        given["args"] = line.args_
    return given
