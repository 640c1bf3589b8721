"""The wall around host processes: what code that escaped from the engine could still do, tried by such code."""

# ruff: noqa: E501 - programs and tables of cases

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host_guests import WASI

from labkernel._cache import Cache
from labkernel._host import EngineSettings, Guests, Start, Supervisor, Wall, landlock, seccomp
from labkernel._lab import Lab
from labkernel._setup import doctor
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import run

Require = Callable[[str, object], None]
PACKAGE = Path(__file__).resolve().parents[1] / "labkernel"
KEY = b"k" * 32

#: A program that raises the wall like a host process does and then tries what `attempts` says, each by a line of
#: Python; it prints the outcome of each: "done" or the error.
PROBE = """
import sys, types, json, os, ctypes, socket, threading
for name, folder in (("labkernel", sys.argv[1]), ("labkernel._host", sys.argv[1] + "/_host")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from labkernel._host.wall import Wall, raise_wall
libc = ctypes.CDLL(None, use_errno=True)
def c(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
def call(number, *arguments):
    c("syscall", ctypes.c_long(number), *arguments)
if len(sys.argv) > 4:
    os.setgroups([]); os.setgid(int(sys.argv[4])); os.setuid(int(sys.argv[4]))
stands = raise_wall(Wall.from_text(sys.argv[2]), [sys.argv[1]])
def attempt(line):
    try:
        exec(line)
    except BaseException as error:
        return type(error).__name__
    return "done"
def all_of(lines):
    return {line: attempt(line) for line in lines}
lines = json.loads(sys.argv[3])
found = all_of(lines)
late = {}
thread = threading.Thread(target=lambda: late.update(all_of(lines)))
thread.start(); thread.join()
assert late == found, (late, found)
print(json.dumps([stands, found]))
"""
SECRETS = ["open('/etc/shadow')", "open('/etc/passwd')", "os.listdir('/root')", "os.listdir('/home')",
           "os.listdir('/')", "open('/proc/1/environ')", "open('/proc/%d/maps' % os.getppid())",
           "open('/tmp/labkernel-probe', 'w')", "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)"]  # fmt: skip
CALLS = ["os.execv('/bin/true', ['true'])", "os.fork()", "os.posix_spawn('/bin/true', ['true'], {})",
         "c('ptrace', 16, os.getppid(), 0, 0)", "c('mount', b'none', b'/mnt', b'tmpfs', 0, None)",
         "c('unshare', 0x10000000)", "os.kill(os.getppid(), 0)", "os.kill(1, 0)", "os.pidfd_open(os.getppid())",
         "call(321, 0, None, 0)", "call(250, 0, -1, 0)", "call(425, 4, None)", "os.mknod('/dev/shm/x')",
         "os.setuid(1)", "c('process_vm_readv', os.getppid(), None, 0, None, 0, 0)",
         "c('prlimit', os.getppid(), 7, None, None)"]  # fmt: skip
SOCKETS = ["socket.socket(socket.AF_INET)", "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
           "socket.socket(socket.AF_UNIX)", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"]  # fmt: skip
HARMLESS = ["os.getpid()", "os.kill(os.getpid(), 0)", "socket.socketpair()[0].close()", "import decimal, colorsys",
            "open('/proc/cpuinfo').read(1)", "c('prlimit', 0, 7, None, None)"]  # fmt: skip


def probe(wall: Wall, lines: list[str], *, user: int | None = None) -> tuple[list[str], dict[str, str]]:
    """Return what stands and what came of each line, tried in a process behind the wall."""
    more = [] if user is None else [str(user)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", textwrap.dedent(PROBE), str(PACKAGE), wall.to_text(), json.dumps(lines), *more],
        capture_output=True, text=True, timeout=30, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stands, found = json.loads(done.stdout)
    return stands, found


@pytest.fixture(autouse=True)
def _standing(require: Require) -> None:
    require("Landlock and seccomp", landlock.version() and seccomp.is_available())


def test_files_outside_the_wall_are_refused(tmp_path: Path) -> None:
    """Secrets, other processes, folders for temporary files: in the thread that raised the wall and in later ones."""
    stands, found = probe(Wall(), SECRETS)
    assert set(found.values()) == {"PermissionError"}, found
    assert "seccomp" in stands
    assert any(name.startswith("Landlock") for name in stands)


def test_what_a_wall_holds_open_can_be_used(tmp_path: Path) -> None:
    """To be read, or to be written as well; a link or a rename that leads out is refused."""
    inside, shown, outside = tmp_path / "in", tmp_path / "shown", tmp_path / "out"
    for folder in (inside, shown, outside):
        folder.mkdir()
        (folder / "file").write_text("x")
    (inside / "link").symlink_to(outside / "file")
    lines = {
        f"open('{inside}/file', 'a').write('y')": "done",
        f"os.mkdir('{inside}/new')": "done",
        f"open('{shown}/file').read()": "done",
        f"open('{shown}/file', 'a')": "PermissionError",
        f"os.unlink('{shown}/file')": "PermissionError",
        f"open('{inside}/link').read()": "PermissionError",
        f"os.rename('{inside}/file', '{outside}/taken')": "PermissionError",
        f"os.link('{outside}/file', '{inside}/stolen')": "OSError",
        f"os.listdir('{outside}')": "PermissionError",
    }
    once = [line for line in lines if "mkdir" not in line]
    _, found = probe(Wall((str(shown),), (str(inside),)), once)
    assert found == {line: lines[line] for line in once}


def test_programs_processes_and_the_kernel_are_out_of_reach() -> None:
    """No program is started, no process is touched, no rare system call is made; threads and pairs of sockets work."""
    _, found = probe(Wall(), CALLS)
    assert set(found.values()) <= {"PermissionError", "OSError"}, found
    _, found = probe(Wall(), HARMLESS)
    assert set(found.values()) == {"done"}, found


def test_sockets_need_the_network() -> None:
    """None without the network; with it those of the internet, and local ones still not."""
    _, found = probe(Wall(), SOCKETS)
    assert set(found.values()) == {"PermissionError"}, found
    _, found = probe(Wall(network=True), SOCKETS)
    assert list(found.values()) == ["done", "done", "PermissionError", "done"], found


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="root, to become somebody else, is missing"
)
def test_it_needs_no_privileges() -> None:
    """The same wall stands around somebody else's process."""
    _, found = probe(Wall(), [*SECRETS, *SOCKETS, "os.fork()"], user=65534)
    assert set(found.values()) == {"PermissionError"}, found


def test_a_host_process_is_bare() -> None:
    """No environment, no descriptor of the notebook's, a working folder that is gone, no dumps, one group of its own."""
    leaked = os.open("/etc/hostname" if os.path.exists("/etc/hostname") else "/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        with Supervisor(mac_key=KEY, wall=Wall()) as supervisor:
            supervisor.assemble("(module)")
            walls = supervisor.walls
            place = Path(f"/proc/{supervisor.pid}")
            opened = {os.readlink(each) for each in (place / "fd").iterdir()}
            variables = {
                each.partition("=")[0] for each in (place / "environ").read_text().split("\0") if each
            }
            limits = (place / "limits").read_text()
            status = (place / "status").read_text()
            assert os.getpgid(supervisor.pid or 0) == os.getsid(supervisor.pid or 0) == supervisor.pid
            assert os.readlink(place / "cwd").endswith("(deleted)")
    finally:
        os.close(leaked)
    assert {name.split(":")[0] for name in opened} <= {
        "socket", "pipe", "anon_inode", "/dev/null", f"{place}/maps", f"{place}/io", *(n for n in opened if n.endswith("(deleted)"))
    }  # fmt: skip
    assert variables <= {
        "PATH",
        "LANG",
        "RUST_BACKTRACE",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "TOKIO_WORKER_THREADS",
    }
    assert "Seccomp:\t2" in status
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    assert {"seccomp", "not dumpable", "resource limits"} <= set(walls)


class Walled:
    """Guests behind a wall, their machine code in a folder that the wall leaves open, as the lab has it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.guests = Guests(mac_key=KEY, wall=Wall(readable=(str(folder),)))
        with Supervisor(name="tools", mac_key=KEY, wall=Wall(writable=(str(folder),))) as tools:
            self.code = folder / "wasi.cwasm"
            tools.codegen(tools.assemble(WASI), self.code, settings=EngineSettings())

    def start(self, **start: Any) -> Any:
        """Start an instance."""
        return self.guests.instantiate(self.guests.load(self.code), Start(**start))


def test_each_set_of_folders_has_a_process(tmp_path: Path) -> None:
    """Guests without folders share one, guests of the same folders another; each keeps its own state."""
    made = Walled(tmp_path / "code")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with made.guests as guests:
        bare = made.start()
        assert guests.call(bare, "count", []).result == 1
        first = made.start(dirs=((str(tmp_path / "a"), "/data", False),))
        again = made.start(dirs=((str(tmp_path / "a"), "/other", False),))
        other = made.start(dirs=((str(tmp_path / "b"), "/data", True),))
        assert first.generation == again.generation != other.generation != bare.generation
        assert [guests.call(each, "dirs", []).result for each in (bare, first, again, other)] == [0, 1, 1, 1]
        assert guests.call(bare, "count", []).result == 2
        assert len(guests.pids) == 3
        assert all(map(guests.is_running, (bare, first, again, other)))
        guests.drop(first)
        guests.drop(first)
    assert guests.pids == []
    assert not guests.is_running(other)


def test_a_folder_made_again_is_granted_again(tmp_path: Path) -> None:
    """A wall holds the folder that was there; the one that took its place needs a process of its own."""
    made = Walled(tmp_path / "code")
    data = tmp_path / "data"
    with made.guests as guests:
        for _ in range(2):
            data.mkdir()
            os.mkfifo(data / "pipe")
            started = made.start(dirs=((str(data), "/data", False),), timeout_s=0.2)
            assert guests.call(started, "dirs", []).result == 1
            (data / "pipe").unlink()
            assert guests.call(started, "pipe", []).result == 20  # no-entry, and not `access`
            data.rmdir()


def test_only_so_many_processes_live(tmp_path: Path) -> None:
    """The one used longest ago makes room; whoever asks for its instance hears it."""
    made = Walled(tmp_path / "code")
    with made.guests as guests:
        started = []
        for number in range(6):
            (tmp_path / f"{number}").mkdir()
            started.append(made.start(dirs=((str(tmp_path / f"{number}"), "/data", False),)))
        assert [guests.is_running(each) for each in started] == [False, False, True, True, True, True]
        assert len(guests.pids) == 5
        with pytest.raises(Exception, match="host process of this instance is gone"):
            guests.call(started[0], "count", [])


def test_a_cache_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    """Somebody empties the cache's folder under a running lab: the next build goes on."""
    import shutil

    wat = '(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))'
    with Lab(cache=Cache(tmp_path / "cache")) as lab:
        lab.build("wat", wat, name="one")
        lab.fire("one", "f()")
        shutil.rmtree(tmp_path / "cache")
        lab.build("wat", wat, name="one")
        lab.fire("one", "f()")


def test_a_compiler_has_no_sockets(tmp_path: Path) -> None:
    """Neither TCP nor UDP, and no debugger; programs and local pairs of sockets it may use."""
    code = """
import ctypes, os, socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_DGRAM)):
    try:
        socket.socket(family, kind)
        print("open")
    except PermissionError:
        pass
socket.socketpair()
print(libc.ptrace(0, 0, 0, 0), subprocess.run(["/bin/true"]).returncode)
"""
    done = run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, language="test", confinement=Confinement((Path(sys.prefix), Path(sys.base_prefix)), (tmp_path,)),
    )  # fmt: skip
    assert done.out == b"-1 0\n", done.text


def test_the_doctor_says_which_walls_stand(cache: Cache) -> None:
    """For guests and for compilers, as found and not as hoped."""
    rows = {row.tool: row for row in doctor(cache)}
    assert rows["wall of guests"].version == ", ".join(
        ["not dumpable", "no privileges", f"Landlock {landlock.version()}", "seccomp", "resource limits"]
    )
    assert f"Landlock {landlock.version()}" in (rows["wall of compilers"].version or "")
