"""The command line: `labkernel lab|demo|doctor|setup|build|run`. It parses, calls the lab and prints."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkernel import _setup as setup
from labkernel import _toolchains as toolchains
from labkernel._cards import card_of
from labkernel._cli import labextension
from labkernel._cli.load import add_load_options, load_options
from labkernel._errors import LabError, ToolchainMissing, UsageError
from labkernel._fire import Answer
from labkernel._lab import Lab

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.run not in (_lab, _bench):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        return int(given.run(given) or 0)
    except LabError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labkernel", description="A Jupyter lab for server-side WebAssembly."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(run=run)
        return command

    lab = add("lab", _lab, "Start JupyterLab on a copy of the lessons.")
    lab.add_argument(
        "--folder", default="labkernel-lessons", help="where the copy lies (default: labkernel-lessons)"
    )
    lab.epilog = "All further arguments go to jupyter lab, such as --no-browser or --port 8890."
    demo = add("demo", _demo, "Prepare what is missing, then run the quickstart in a real kernel.")
    demo.add_argument("--notebook", help="another notebook to run")
    doctor = add("doctor", _doctor, "Show each tool, its version, what it is for and how to install it.")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    prepare = add("setup", _setup, "Build the toolbox and prepare toolchains.")
    prepare.add_argument(
        "names",
        nargs="*",
        metavar="LANGUAGE",
        help="toolbox, labextension, rust, c, go@1.26 (default: all that can be, in the installed version)",
    )
    prepare.add_argument("--wit", help="a .wit file: what its world needs once is made too")
    prepare.add_argument("--world", help="the world's name, when there are several")
    build = add("build", _build, "Build a snippet into a component.")
    build.add_argument("language", help="rust, c, cpp, zig, go, js, ts, python or wat")
    build.add_argument("file", help="the snippet")
    build.add_argument("--wit", help="a .wit file that holds the world")
    build.add_argument("--world", help="the world's name, when there are several")
    build.add_argument("-o", "--output", help="where the component goes (default: beside the snippet)")
    build.add_argument("--release", action="store_true", help="bake the artefact one would deploy")
    run = add("run", _run, "Start a component and fire one event at it, or many.")
    run.add_argument("component", help="a .wasm file")
    run.add_argument("call", nargs="?", help="the call as WAVE; a generated event if left out")
    for option, value in (("env", "K=V"), ("arg", "A"), ("dir", "HOST::GUEST[:rw]")):
        run.add_argument(
            f"--{option}", action="append", default=[], metavar=value, help="a grant; may be repeated"
        )
    run.add_argument("--stdin", metavar="TEXT", help="what it reads from standard input")
    run.add_argument("--timeout", metavar="T", help="wall time per call, such as 500ms (default 5s)")
    run.add_argument("--memory", metavar="SIZE", help="linear memory, such as 64MiB (default 256MiB)")
    run.add_argument("-n", type=int, help="how many generated events")
    run.add_argument("--seed", type=int, default=0, help="the generator's seed")
    add_load_options(run)
    bench = add("bench", _bench, "Run the benchmark suite of a source tree.")
    bench.epilog = "All further arguments go to the suite."
    prebuild = add("prebuild", _prebuild, "Build the lessons' components into a folder for a wheel to carry.")
    prebuild.add_argument("folder", help="the folder, such as prebuilt")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


def _with_lab() -> Lab:
    def hear(stream: str, text: str) -> None:
        print(text, end="", file=sys.stderr if stream == "stderr" else sys.stdout, flush=True)

    return Lab(progress=_say, on_output=hear)


def lessons() -> Path:
    """Return the folder of the lessons: the installed copy, or the source tree's."""
    for folder in (
        Path(__file__).parent.parent / "_lessons",
        Path(__file__).parent.parent.parent / "notebooks",
    ):
        if folder.is_dir():
            return folder
    raise UsageError("The lessons are not installed with this package; install it again.")


def _doctor(given: argparse.Namespace) -> int:
    with Lab() as lab:
        found = setup.doctor(lab.cache)
        if given.json:
            import json

            print(json.dumps([asdict(row) for row in found], indent=1))
        else:
            print(card_of(found).text())
    return 0


def _setup(given: argparse.Namespace) -> int:
    names = [name for name in given.names if name != "labextension"]
    is_asked = names != given.names
    if is_asked or not names or names == ["all"]:
        _prepare_labextension(must=is_asked)
    with _with_lab() as lab:
        if names or not is_asked:
            setup.prepare(names, lab, progress=_say)
        if given.wit:
            lab.wit(_text_of(Path(given.wit)), name="world")
            setup.warm(names, given.world, lab, progress=_say)
        print(card_of(setup.doctor(lab.cache)).text())
    return 0


def _prepare_labextension(*, must: bool) -> None:
    """Build the source tree's JupyterLab extension; cells look like Python without, and all else works."""
    folder = labextension.source()
    if folder is None or (not must and labextension.missing_tool()):
        return
    try:
        labextension.build(folder, _say)
    except labextension.NodeMissing as error:
        tool, how = error.args
        raise ToolchainMissing(tool, language="labextension", how=how) from None
    except labextension.BuildFailed as error:
        if must:
            raise UsageError(f"The JupyterLab extension is not built. {error}") from None
        _say(f"The JupyterLab extension is not built, so cells look like Python. {error}")


def _build(given: argparse.Namespace) -> int:
    source = Path(given.file)
    text, wit = _text_of(source), _text_of(Path(given.wit)) if given.wit else None
    with _with_lab() as lab:
        if wit is not None:
            lab.wit(wit, name="world")
        elif toolchains.get(given.language).needs_world(text):
            raise UsageError(
                f"{given.file} is built for a world; give the file that holds it: --wit world.wit"
            )
        name = source.stem.replace("-", "_")
        build = lab.build(given.language, text, name=name, world=given.world, release=given.release)
        print(replace(card_of(build), next_line="").text())
        target = lab.save(name, given.output or source.with_suffix(".wasm"))
        print(f"written to {target}\nNext: labkernel run {target}")
    return 0


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"{str(path)!r} cannot be read ({why}); give a file of text.") from None


def _run(given: argparse.Namespace) -> int:
    with _with_lab() as lab:
        build = lab.load(given.component)
        budgets = {"timeout": given.timeout, "memory": given.memory}
        instance = lab.instantiate(
            build, env=given.env, dirs=given.dir, args=given.arg, stdin=given.stdin,
            **{name: limit for name, limit in budgets.items() if limit},
        )  # fmt: skip
        if given.call is None:
            lab.function(instance, None, example=f"labkernel run {given.component} FUNCTION")
        load = load_options(given)
        result = lab.fire(build.name, given.call, n=given.n, seed=given.seed, load=load)
        if isinstance(result, Answer):
            if given.call is None or "(" not in given.call:
                print(result.call, file=sys.stderr)
            print(result.wave)
            return 0
        for note in result.notes:
            print(note, file=sys.stderr)
        print(replace(card_of(result), next_line="").text())
        if given.save:
            print(f"written to {result.save(given.save)}", file=sys.stderr)
        return 130 if result.is_interrupted else 1 if result.error else 0


def _prebuild(given: argparse.Namespace) -> int:
    from labkernel._cli import demo

    with _with_lab() as lab:
        for lesson in sorted(lessons().glob("*.ipynb")):
            demo.build_cells(lesson, lab)
        count = lab.builder.export(Path(given.folder))
    print(f"{count} files in {given.folder}")
    return 0


def _bench(given: argparse.Namespace) -> int:
    suite = Path(__file__).parent.parent.parent / "bench"
    if not suite.is_dir():
        raise UsageError(
            "The benchmark suite is in the source tree only; clone the repository and run it there."
        )
    return subprocess.call([sys.executable, str(suite), *given.rest])


def _lab(given: argparse.Namespace) -> int:
    folder = Path(given.folder)
    _needs("jupyterlab", "lab")
    copied = copy_lessons(folder)
    new = f"{copied} lesson{' is' if copied == 1 else 's are'} new" if copied else "No lesson is new"
    _say(f"{new} in {folder}; changes of yours there are kept.")
    environment = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}
    extension = labextension.source()
    built = extension and labextension.built(extension)
    if built:
        environment["JUPYTER_PATH"] = os.pathsep.join(
            filter(None, [str(built), os.environ.get("JUPYTER_PATH")])
        )
    elif extension:
        _say("Cells will look like Python: labkernel setup labextension gives them their languages' colours.")
    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(folder)]
    first = next(iter(sorted(folder.glob("*.ipynb"))), None)
    if first is not None:
        command.append(f"--LabApp.default_url=/lab/tree/{first.name}")
    command += given.rest
    return _become(command, environment)


def _become(command: list[str], environment: dict[str, str]) -> int:
    """Let a program take this process's place, so that what ends this process ends that program."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)
    return subprocess.call(command, env=environment)


def _needs(package: str, extra: str) -> None:
    """Raise `ToolchainMissing` where a package of an extra is not installed."""
    if find_spec(package) is None:
        raise ToolchainMissing(package, how=f"pip install 'labkernel[{extra}]'")


def copy_lessons(folder: Path) -> int:
    """Copy the lessons that `folder` lacks into it and return how many those were."""
    folder.mkdir(parents=True, exist_ok=True)
    new = [path for path in sorted(lessons().glob("*.ipynb")) if not (folder / path.name).exists()]
    for path in new:
        shutil.copyfile(path, folder / path.name)
    return len(new)


def _demo(given: argparse.Namespace) -> int:
    from labkernel._cli import demo

    _needs("nbclient", "lab")
    notebook = Path(given.notebook) if given.notebook else lessons() / "01-quickstart.ipynb"
    if not notebook.is_file():
        raise UsageError(f"There is no notebook {str(notebook)!r}; give the path of one.")
    with _with_lab() as lab:
        setup.prepare_for_demo(lab, progress=_say)
    stopped = demo.run_notebook(notebook, say=_say)
    if not stopped:
        _say("\nOpen it yourself: labkernel lab")
    return 1 if stopped else 0
