"""`%%wasm` and `%wasm`: snippets built into components, and all that needs no cell body."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from IPython.core.magic import magics_class

from labkernel import _setup as setup
from labkernel import _toolchains as toolchains
from labkernel._capability import parse_duration
from labkernel._cards import explanation_card, list_card, printed
from labkernel._errors import CompileError, UsageError, did_you_mean
from labkernel._lab import Build, Instance
from labkernel._magics.base import LabMagics, identifier, magic
from labkernel._magics.later import ACTIONS as LATER
from labkernel._magics.later import later
from labkernel._magics.line import Line, parse_line, words_only
from labkernel._magics.parsers import CHECK, WASM, WASM_LINE
from labkernel._sandbox.tracing import Trace
from labkernel._timing import format_bytes

__all__ = ["WasmMagics"]

ACTIONS: Final = (
    "list",
    "show",
    "new",
    "load",
    "save",
    "doctor",
    "setup",
    "clean",
    "explain",
    "trace",
    "peek",
)


@magics_class
class WasmMagics(LabMagics):
    """The magics about components."""

    @magic("cell", "wasm", WASM)
    def wasm_cell(self, line: str, cell: str) -> Build | None:
        """Build the cell into a component and bind it under a name.

        ::

            %%wasm rust resize
            fn handle(event: HandlerEvent) -> Result<(), HandlerError> { Ok(()) }

        The cell holds only the logic; bindings and build files are added around it. The card shows language,
        form, world, size, digest, the phases with their times, the imports it asks for, and the next line
        to type. An unchanged cell is found in the cache, after a restart too.
        """
        parsed = parse_line(WASM, line)
        language, name = words_only(parsed, WASM, ["LANGUAGE", "NAME"])
        options: dict[str, Any] = {
            "opt": parsed.opt,
            "release": parsed.release,
            "flags": tuple(parsed.flag),
            "deps": tuple(parsed.dep),
            "offline": parsed.offline,
            "engine": parsed.engine or "",
        }
        if parsed.timeout:
            options["timeout_s"] = parse_duration(parsed.timeout)
        try:
            build = self.lab.build(
                language,
                cell,
                name=identifier(name, "component"),
                world=parsed.world,
                files=[_source(path) for path in parsed.file],
                compiler=parsed.compiler,
                force=parsed.force,
                **options,
            )
        except CompileError as error:
            self.screen.fold(printed(error.raw, error.diagnostics))
            if not parsed.no_raise_error:
                raise
            self.screen.end()
            self.screen.note(f"CompileError: {error}")
            return None
        self.bind(name, build)
        self.screen.show(build)
        if parsed.verbose:
            self.screen.note("\n".join(f"$ {command}" for command in build.commands))
        return build

    @magic("line", "wasm", WASM_LINE)
    def wasm_line(self, line: str) -> Any:
        """List, show, load and save components; look after tools and cache.

        ::

            %wasm list                        components and instances
            %wasm show resize                 a component's card
            %wasm new rust resize --world W   a starter cell that builds as it stands
            %wasm load ./app.wasm --as app    a component built elsewhere
            %wasm save resize ./out.wasm      its bytes into a file
            %wasm doctor                      what is installed, what is missing, how to mend it
            %wasm doctor rust                 the same for one language
            %wasm setup rust                  prepare a toolchain
            %wasm setup python --world W      and what a first cell for a world waits for
            %wasm setup go@1.26               keep another version of one, for --engine 1.26
            %wasm explain E0308               the language's own explanation of an error's code
            %wasm trace fn                    every host call of an instance started with --trace
            %wasm trace fn --least            the smallest set of grants with which that would have worked
            %wasm trace fn --save run.jsonl   a recording, for %fire fn --replay run.jsonl (needs --record)
            %wasm peek fn --find TEXT         what the host sees in a guest's memory
            %wasm clean                       empty the cache of components and machine code
            %wasm clean go@1.26               remove one version that setup keeps
        """
        parsed = parse_line(WASM_LINE, line)
        action, *rest = parsed.words or ["list"]
        if action in LATER:
            raise UsageError(later(f"%wasm {action}", LATER[action]))
        if action not in ACTIONS:
            raise UsageError(
                f"%wasm knows no {action!r}; known: {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
            )
        parsed.words = rest
        return getattr(self, f"_{action}")(parsed)

    @magic("line", "check", CHECK)
    def check(self, line: str) -> None:
        """Say that exercises are planned and not there yet.

        ::

            %check 1
        """
        raise UsageError(later("%check", "Run a lesson's cells and compare what they show with its text."))

    def _list(self, line: Line) -> Any:
        words_only(line, WASM_LINE, [])
        lab = self.lab
        rows = [
            ("component", b.name, b.language, b.form, format_bytes(b.size), b.digest[:12])
            for b in lab.builds.values()
        ]
        for instance in lab.instances.values():
            given = instance.grants.options() or "nothing granted"
            rows.append(
                (
                    "instance",
                    instance.name,
                    "",
                    f"of {instance.build.name}",
                    given,
                    instance.build.digest[:12],
                )
            )
        rows += [
            ("host functions", h.name, "python", "", h.interface or h.world, "") for h in lab.hosts.values()
        ]
        headers = ("kind", "name", "language", "form", "size or grants", "digest")
        return self.screen.show(list_card("Components and instances", headers, rows))

    def _show(self, line: Line) -> Any:
        (name,) = words_only(line, WASM_LINE, ["show NAME"])
        known = self.lab.instances.get(name) or self.lab.hosts.get(name)
        return self.screen.show(known or self.lab.component(name))

    def _new(self, line: Line) -> None:
        language, name = words_only(line, WASM_LINE, ["new LANGUAGE", "NAME"])
        cell = self.lab.starter(language, identifier(name, "component"), world=line.world)
        self.shell.set_next_input(cell)

    def _load(self, line: Line) -> Build:
        (path,) = words_only(line, WASM_LINE, ["load PATH"])
        name = identifier(line.as_ or Path(path).stem.replace("-", "_").replace(".", "_"), "component")
        build = self.lab.load(path, name=name)
        self.bind(name, build)
        self.screen.show(build)
        return build

    def _save(self, line: Line) -> None:
        name, path = words_only(line, WASM_LINE, ["save NAME", "PATH"])
        target = self.lab.save(name, path)
        self.screen.note(f"{name} written to {target} ({format_bytes(target.stat().st_size)})")

    def _doctor(self, line: Line) -> Any:
        (language,) = words_only(line, WASM_LINE, ["doctor [LANGUAGE]"], optional=1)
        return self.screen.show(setup.doctor(self.lab.cache, [language] if language else []))

    def _trace(self, line: Line) -> Trace | None:
        (name,) = words_only(line, WASM_LINE, ["trace NAME"])
        instance = self._instance(name)
        if line.save:
            path = self.lab.save_recording(instance, line.save)
            self.screen.note(f"{name}'s recording written to {path} ({format_bytes(path.stat().st_size)})")
            return None
        trace = self.lab.trace(instance)
        if line.least:
            self.screen.note(f"%instantiate {instance.build.name} --as {name} {trace.least}".rstrip())
            for note in trace.notes:
                self.screen.note(f"Careful: {note}.")
            return None
        self.screen.show(trace)
        return trace

    def _peek(self, line: Line) -> Any:
        (name,) = words_only(line, WASM_LINE, ["peek NAME"])
        return self.screen.show(self.lab.peek(self._instance(name), line.find or ""))

    def _instance(self, name: str) -> Instance:
        known = self.lab.instances
        if name not in known:
            raise UsageError(
                f"{name!r} is no instance; known: {', '.join(known) or 'none yet'}.{did_you_mean(name, known)} "
                f"Start one with %instantiate COMPONENT --as {name} --trace."
            )
        return known[name]

    def _setup(self, line: Line) -> Any:
        setup.prepare(line.words, self.lab, progress=self.screen.progress)
        if line.world:
            setup.warm(line.words, line.world, self.lab, progress=self.screen.progress)
        return self.screen.show(setup.doctor(self.lab.cache))

    def _explain(self, line: Line) -> Any:
        (code,) = words_only(line, WASM_LINE, ["explain CODE"])
        language, text = toolchains.explain(code)
        return self.screen.show(explanation_card(code, language, text))

    def _clean(self, line: Line) -> None:
        if line.words and not line.all:
            gone = setup.forget(line.words, self.lab.cache)
            self.screen.note(f"Removed: {', '.join(gone)}. `%wasm setup` brings it back.")
            return
        words_only(line, WASM_LINE, [])
        freed = self.lab.cache.trim(0) if line.all else self.lab.cache.empty()
        self.screen.note(f"{format_bytes(freed)} freed. A cell that is run again is built again.")


def _source(path: str) -> tuple[str, str]:
    try:
        return Path(path).name, Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--file {path!r} cannot be read as text ({error}).") from None
