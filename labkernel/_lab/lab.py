"""`Lab`: the front of the library. Scripts, tests, magics and the command line all come through here."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from labkernel import _toolchains as toolchains
from labkernel._cache import Cache, default_root, mac_key
from labkernel._capability import make_budgets, make_grants
from labkernel._errors import LabError, UsageError, did_you_mean
from labkernel._fire import Agreement, Answer, Live, Run, make_plan
from labkernel._host import EngineSettings, Guests, Supervisor, Wall
from labkernel._lab.builder import Builder, Request
from labkernel._lab.code import MachineCode, settings_for
from labkernel._lab.differential import compare_targets
from labkernel._lab.driving import Background, Driving
from labkernel._lab.firing import Firing
from labkernel._lab.hosts import Hosts
from labkernel._lab.instance import Instance, OnOutput
from labkernel._lab.measure import Measuring
from labkernel._lab.membranes import Membranes
from labkernel._lab.records import Build
from labkernel._lab.seeing import Seeing
from labkernel._lab.sources import split_options
from labkernel._lab.tracing import Tracing
from labkernel._lab.worlds import Worlds, check_text
from labkernel._registry import DepsRecord, find_root, update_deps
from labkernel._sandbox import HostImplementation
from labkernel._timing import Timings
from labkernel._toolbox import Toolbox
from labkernel._wit import Function, Package, World

__all__ = ["Lab"]

_GRANTS = ("env", "args", "stdin", "dirs", "clock", "random", "net", "http", "host", "strict")
_BUDGETS = ("timeout", "memory", "output", "disk", "fuel", "table_elements", "instances")
COMPILERS = ("cranelift", "winch", "pulley")


class Lab(Seeing):
    """A lab: worlds, builds and instances by name, and two host processes that do the dangerous work.

    Use it as a context manager, or call `close()`. `progress` is told, in words, what long work is doing;
    `on_output(stream, text)` gets what guests print, as they print it.
    """

    def __init__(
        self,
        *,
        cache: Cache | None = None,
        progress: Callable[[str], None] | None = None,
        on_output: OnOutput | None = None,
    ) -> None:
        self.cache = cache or Cache()
        self.on_output = on_output
        self._progress = progress
        self.worlds = Worlds()
        self.builds: dict[str, Build] = {}
        self.instances: dict[str, Instance] = {}
        self.hosts = Hosts(self.worlds)
        self.last_run: Run | None = None
        key = mac_key()
        with contextlib.suppress(OSError):
            self.cache.root.mkdir(parents=True, exist_ok=True)
        root, shared = str(self.cache.root), str(default_root())
        self.guests = Guests(name="guests", mac_key=key, wall=Wall(readable=(root,)))
        self.tools = Supervisor(name="tools", mac_key=key, wall=Wall(writable=(root, shared)))
        self.toolbox = Toolbox(self.tools, self.cache)
        self.code = MachineCode(self.cache, tools=self.tools, guests=self.guests)
        self.builder = Builder(
            self.cache, tools=self.tools, code=self.code, toolbox=self.toolbox, progress=self.progress
        )
        self.membranes = Membranes(
            self.cache,
            code=self.code,
            toolbox=self.builder.ready_toolbox,
            tools=self.tools,
            progress=self.progress,
        )
        self._measuring = Measuring(self)
        self.watching_costs: dict[Tracing, float] = {}
        self.firing = Firing(self)
        self.driving = Driving(self)
        self._ending = weakref.finalize(
            self, _end, (self.guests, self.tools), self.firing.extra, self.driving.background
        )

    def progress(self, text: str) -> None:
        """Pass a line of progress on."""
        if self._progress:
            self._progress(text)

    def warm(self) -> None:
        """Start both host processes in the background, so that nothing waits for them later."""
        self.guests.warm()
        self.tools.warm()

    def wit(self, text: str, *, name: str, deps: Sequence[Mapping[str, str]] = ()) -> Package:
        """Resolve a WIT package and keep it under a name.

        `deps` are other packages, each a mapping of file names to texts. Raises `WitError`.
        """
        check_text(text)
        needed = self.worlds.needed(text, name=name, given=deps)
        package = self.builder.resolve(text, name=f"{name}.wit", deps=[*deps, *needed])
        self.worlds.add(name, package)
        return package

    def wit_deps(
        self, folder: str | Path | None = None, *, offline: bool = False, update: bool = False
    ) -> DepsRecord:
        """Bring a folder's `deps/` and `deps.lock` in line with its `deps.toml`; see `update_deps`.

        Without a folder it is `wit`, or this one where it holds a `deps.toml`.
        """
        return update_deps(
            find_root(folder), toolbox=self.builder.ready_toolbox, cache=self.cache, offline=offline,
            update=update, progress=self.progress,
        )  # fmt: skip

    def build(
        self,
        language: str,
        text: str,
        *,
        name: str,
        world: str | None = None,
        files: Iterable[tuple[str, str]] = (),
        force: bool = False,
        compiler: str | None = None,
        **options: Any,
    ) -> Build:
        """Build a snippet into a component and keep it under a name.

        `options` are those of `Options`: `opt`, `release`, `flags`, `deps`, `timeout_s`, `offline`, `engine`.
        Raises `CompileError`, `ToolchainMissing`, `WitError` or `UsageError`.
        """
        toolchain = toolchains.get(language)
        package, chosen = self._world_for(toolchain, text, world)
        request = Request(
            name=name,
            snippet=toolchains.Snippet(toolchain.language, text, tuple(files), name),
            options=toolchains.Options(**options),
            package=package,
            world=chosen,
            compiler=_known_compiler(compiler),
            force=force,
        )
        build = self.builder.build(request)
        self.builds[name] = build
        if build.supplies and "componentize" in build.phases and not build.cached:
            # A runtime was made, for all cells of its world: its membrane too, so that no trace waits for it.
            with contextlib.suppress(LabError):
                self.membranes.behind(build)
        return build

    def _world_for(
        self, toolchain: toolchains.Toolchain, text: str, wanted: str | None
    ) -> tuple[Package | None, World | None]:
        if wanted is None and not toolchain.needs_world(text):
            return None, None
        return self.worlds.find(wanted)

    def load(self, path: str | Path, *, name: str | None = None) -> Build:
        """Take a component that was built elsewhere (`.wasm`, or its text as `.wat`) and keep it under a name."""
        path = Path(path).expanduser()
        name = name or path.stem
        build = self.builder.load(path, name, settings=EngineSettings())
        self.builds[name] = build
        return build

    def save(self, name: str, path: str | Path) -> Path:
        """Write a component's bytes to a file and return its path; a folder gets `NAME.wasm`."""
        build = self.component(name)
        if build.supplies:
            raise UsageError(
                f"{name} is a development build: its component is a runtime that is handed the snippet when it "
                "starts. Build it with --release for a component of its own."
            )
        target = Path(path).expanduser()
        target = target / f"{build.name}.wasm" if target.is_dir() else target
        try:
            target.write_bytes(build.read())
        except OSError as error:
            raise UsageError(
                f"{str(target)!r} cannot be written ({error.strerror}); give another path."
            ) from None
        return target

    def component(self, wanted: str | Build) -> Build:
        """Return a build by name, or load the file that `wanted` is the path of.

        Raises `UsageError` when there is neither.
        """
        if isinstance(wanted, Build):
            return wanted
        if wanted in self.builds:
            return self.builds[wanted]
        if wanted.endswith((".wasm", ".wat")) or "/" in wanted:
            return self.load(wanted)
        known = ", ".join(self.builds) or "none yet"
        raise UsageError(
            f"Component {wanted!r} is not known; known: {known}.{did_you_mean(wanted, self.builds)} "
            f"Build one with %%wasm LANGUAGE {wanted}, or give a path such as ./{wanted}.wasm."
        )

    def host(self, name: str, implementation: Any, **where: Any) -> HostImplementation:
        """Take Python functions as the implementation of an import; see `Hosts.define`."""
        return self.hosts.define(name, implementation, **where)

    def instantiate(
        self, component: str | Build, *, name: str | None = None, pin: bool = False, compiler: str | None = None,
        trace: bool = False, record: bool = False, **given: Any,
    ) -> Instance:  # fmt: skip
        """Start a component with grants and budgets, as `%instantiate` names them.

        Without `name` it becomes the component's own instance. With `trace` every host call is kept in short, with
        `record` whole, as a recording needs it. Raises `UnknownCapability`, `CapabilityError`,
        `CapabilityDenied` (under `strict`) or a `GuestError`.
        """
        build = self.component(component)
        budgets = make_budgets({k: v for k, v in given.items() if k in _BUDGETS})
        grants = make_grants({k: v for k, v in given.items() if k not in _BUDGETS})
        compiler = _known_compiler(compiler)
        build = self.code.for_settings(build, settings_for(build, compiler, budgets.fuel))
        name = name or build.name
        tracing = Tracing(is_traced=trace or record, is_recorded=record)
        instance = Instance(self, name, build, grants, budgets, pin=pin, tracing=tracing, compiler=compiler)
        old = self.instances.get(name)
        if old is not None:
            old.drop()
        self.instances[name] = instance
        return instance

    def target(self, wanted: str | Instance | Build, **given: Any) -> Instance:
        """Return the instance that `wanted` means; a component's own instance is started when first needed.

        With grants or budgets given, a component's own instance is started with those.
        """
        if isinstance(wanted, Instance):
            return wanted
        name = wanted.name if isinstance(wanted, Build) else wanted
        if name in self.instances and not given:
            return self.instances[name]
        if isinstance(wanted, str) and wanted not in self.builds and not _is_path(wanted):
            known = [*self.instances, *self.builds]
            if wanted in self.instances:
                raise UsageError(f"{wanted!r} is an instance already; grants go to %instantiate.")
            raise UsageError(
                f"Target {wanted!r} is neither an instance nor a component; known: "
                f"{', '.join(dict.fromkeys(known)) or 'none yet'}.{did_you_mean(wanted, known)} "
                f"Start one with %instantiate COMPONENT --as {wanted}, or build it with %%wasm LANGUAGE {wanted}."
            )
        build = self.component(wanted)
        return (
            self.instantiate(build, **given)
            if given or build.name not in self.instances
            else self.instances[build.name]
        )

    def function(
        self, instance: Instance, wanted: str | None, *, example: str = "%fire NAME FUNCTION"
    ) -> Function:
        """Return the function of that name, or the only one there is.

        `example` shows how one is named where there are several.
        """
        if wanted:
            return instance.find(wanted)
        functions = instance.functions
        if len(functions) == 1:
            return functions[0]
        if not functions:
            raise UsageError(f"{instance.name} exports no function, so there is nothing to call.")
        names = ", ".join(f.full_name for f in functions)
        shown = example.replace("NAME", instance.name).replace("FUNCTION", functions[0].full_name)
        raise UsageError(
            f"{instance.name} exports {len(functions)} functions: {names}. Say which, as in {shown}."
        )

    def fire(
        self,
        target: str | Instance | Build,
        call: str | None = None,
        *,
        function: str | None = None,
        args: Sequence[Any] | None = None,
        n: int | None = None,
        seed: int = 0,
        load: Mapping[str, Any] | None = None,
        on_progress: Callable[[Live], None] | None = None,
        **given: Any,
    ) -> Answer | Run:
        """Fire one event (WAVE in `call`, or Python values in `args`) or `n` generated ones.

        With neither, one friendly event is generated from `seed`. `load` holds options of `make_plan`: `duration`,
        `rate`, `arrival`, `in_flight`, `queue`, `policy`, `stop_on_error`. `events` (a file or a table), `template`,
        `set`, `map`, `near` and `skip_bad` say where events come from (`EventOptions`). Raises `UsageError`,
        `BadEvent`, `ValueDoesNotFit`, or, for a single event, a `GuestError`; many events return a `Run` that holds
        the errors, and with one that ended it the smallest event that fails so (`shrink=False` leaves that out).
        """
        sourcing = split_options(given)
        instance = self.target(target, **given)
        options = dict(load or {})
        if sourcing.options is None or args is not None:
            plan = make_plan(n=n, seed=seed, **options) if n is not None or options else None
            fired = self.firing.fire(
                instance, call, function=function, args=args, seed=seed, plan=plan, on_live=on_progress
            )
        else:
            fired = sourcing.fire(
                self, instance, call or function, n=n, seed=seed, load=options, on_live=on_progress
            )
        if isinstance(fired, Run):
            fired = self.last_run = sourcing.shrunk(self, instance, fired)
        return fired

    def differential(
        self, targets: Sequence[str | Instance | Build], function: str | None = None, **how: Any
    ) -> Agreement:
        """Fire the same events at several targets and return how far they agree.

        `how` may hold `call` (WAVE), `n`, `seed` and what `fire` takes for events; `oracle`, a Python function
        of the same arguments that is compared too; `tolerance` for floats; `shrink`, `on_progress`. Raises
        `UsageError` where the functions' types differ.
        """
        sourcing = split_options(how)
        instances = [self.target(target) for target in targets]
        return compare_targets(
            self, instances, function=function, options=sourcing.options, shrink=sourcing.shrink,
            shrink_s=sourcing.shrink_s, **how,
        )  # fmt: skip

    def timings(self, targets: Sequence[str | Instance | Build] = (), **how: Any) -> Timings:
        """Measure start-up or calls of several targets beside baselines; see `Measuring.timings`."""
        return self._measuring.timings(targets, **how)

    def starter(self, language: str, name: str, *, world: str | None = None) -> str:
        """Return a cell that builds as it stands, for a world of the lab."""
        toolchain = toolchains.get(language)
        package, chosen = None, None
        if world or next(self.worlds.all(), None):
            package, chosen = self.worlds.find(world)
        option = f" --world {world}" if world else ""
        text = toolchain.starter(package, chosen, self.builder.context())
        return f"%%wasm {toolchain.language} {name}{option}\n{text}"

    def bindings(self, language: str, package: Package, world: World) -> dict[str, str]:
        """Return the generated bindings that a snippet of a language sees, by file name.

        Raises `UsageError` for a language that has none to show.
        """
        toolchain = toolchains.get(language)
        return toolchain.bindings(package, world, self.builder.context())

    def close(self) -> None:
        """End both host processes. Twice is fine."""
        self._ending()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _known_compiler(compiler: str | None) -> str | None:
    if compiler is not None and compiler not in COMPILERS:
        raise UsageError(
            f"Compiler {compiler!r} is not known; known: {', '.join(COMPILERS)}.{did_you_mean(compiler, COMPILERS)}"
        )
    return compiler


def _end(supervisors: tuple[Supervisor, ...], extra: list[Guests], background: Background) -> None:
    toolchains.close_kept()
    background.close()
    for supervisor in (*supervisors, *extra):
        with contextlib.suppress(LabError, OSError):
            supervisor.close()
    background.join()


def _is_path(text: str) -> bool:
    return text.endswith((".wasm", ".wat")) or "/" in text
