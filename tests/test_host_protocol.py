"""Frames and errors on their way between kernel and host process, and a host process that lies."""

from __future__ import annotations

import os
import struct
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest

from labkernel import _errors
from labkernel._errors import Diagnostic, LabError
from labkernel._host import Start, Started, Supervisor, process, protocol
from labkernel._host.protocol import FrameBuffer, ProtocolError, decode_error, encode_error, pack, unpack


def test_a_frame_comes_back() -> None:
    """Whatever normal forms hold, in pieces of any size."""
    frame = [protocol.REPLY, 7, [1, -(2**63), 2**64 - 1, 1.5, "grüße", b"\0\xff", None, True, [[]]]]
    buffer = FrameBuffer()
    for byte in pack(frame) + pack(frame):
        buffer.feed(bytes([byte]))
    assert [buffer.next(), buffer.next(), buffer.next()] == [frame, frame, None]


def packed(data: Any) -> bytes:
    """A body that `pack` would not make."""
    body: bytes = msgpack.packb(data)
    return body


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xc1", b"\x93\x02", packed([99, 1, 2]), packed({"a": 1}), packed([2, "x", 2]), packed([True, 1, 2]),
        packed([2, 1]), packed(msgpack.ExtType(1, b"x")), packed([2, 1, msgpack.Timestamp(1)]),
        b"\x93\x02\x01\xdd\xff\xff\xff\xff", b"\x93\x02\x01\xc6\xff\xff\xff\xff", b"\x91" * 100_000,
        packed([2, 1, 2]) + b"\0", b"\x93\x02\x01\xa1\xff",
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    """Noise, cut frames, unknown kinds, extensions, lengths that lie, bottomless nesting, bytes left over."""
    with pytest.raises(ProtocolError):
        unpack(body)


def test_an_announced_length_allocates_nothing() -> None:
    """Over the limit it is refused at once, below it memory grows with what comes."""
    buffer = FrameBuffer()
    buffer.feed(struct.pack(">I", protocol.MAX_FRAME))
    assert buffer.next() is None
    huge = FrameBuffer()
    huge.feed(struct.pack(">I", protocol.MAX_FRAME + 1))
    with pytest.raises(ProtocolError, match="over the limit"):
        huge.next()


ERRORS: list[LabError] = [
    _errors.GuestTrap("trapped", backtrace="0: f"),
    _errors.GuestExit(3),
    _errors.BudgetExceeded("timeout", "5 s", how="Raise it."),
    _errors.CapabilityDenied("no", import_name="a:b/c", how_to_grant="--host"),
    _errors.ValueDoesNotFit("$.x", [1], "u8"),
    _errors.ComponentError("no component"),
    _errors.CacheDamaged("flipped"),
    _errors.UsageError("what?"),
    _errors.CompileError(
        "bad", language="wat", diagnostics=[Diagnostic("m", line=2, column=3, text="abc")], raw="r"
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back(error: LabError) -> None:
    """With its class, its words and its fields."""
    back = decode_error(unpack(pack([protocol.ERROR, 1, encode_error(error)])[4:])[2])
    assert type(back) is type(error)
    assert str(back) == str(error)
    fields = {k: v for k, v in vars(error).items() if k != "value"}
    assert {k: getattr(back, k) for k in fields} == fields


@pytest.mark.parametrize(
    "data", [None, [], ["SystemExit", "x", {}], ["GuestExit", "x", {}], ["GuestTrap", "x", 3]]
)
def test_what_is_no_error_is_refused(data: Any) -> None:
    """Only the lab's own classes, with all of their fields."""
    with pytest.raises(ProtocolError):
        decode_error(data)


LIAR = """
import socket, sys, time, struct, os
sys.argv.pop(1)
data, control = (socket.socket(fileno=int(text)) for text in sys.argv[1:3])
data.recv(4096)
{answer}
time.sleep(30)
"""
HELLO = r"data.send(b'\x00\x00\x00\x04\x93\x02\x00\xc0'); data.recv(4096)"


@pytest.mark.parametrize(
    "answer",
    [
        r"data.send(b'\xff' * 100)",
        HELLO + r"; data.send(b'\x00\x00\x00\x04\x93\x63\x01\xc0')",
        HELLO + r"; data.send(b'\x00\x00\x00\x05\x94\x04\x01\x07\xc0')",
        HELLO + r"; data.send(b'\x00\x00\x00\x06\x94\x06\x01\xa1f\xc0')",
        HELLO + "; os._exit(0)",
        HELLO + "; data.close(); time.sleep(1)",
        "os.kill(os.getpid(), 11)",
        HELLO,
    ],
    ids=["noise", "unknown kind", "bad stream", "host call", "ends", "hangs up", "dies", "says nothing"],
)
def test_a_host_process_that_lies_is_ended(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Whatever it sends or does not send: one clear error, on time, and the process is gone."""
    monkeypatch.setattr(process, "_BOOT", textwrap.dedent(LIAR).format(answer=answer))
    with Supervisor(mac_key=b"k" * 32) as supervisor:
        supervisor.warm()
        pid = supervisor.pid
        began = time.monotonic()
        with pytest.raises(_errors.GuestError):
            supervisor.call(Started(1, 1, 0, 0, Start(timeout_s=0.2)), "f", [])
        assert time.monotonic() - began < 4
        assert supervisor.pid is None
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is missing")
def test_a_fork_has_a_process_of_its_own(tmp_path: Path) -> None:
    """A forked child leaves the parent's host process alone and gets its own."""
    import subprocess

    package = Path(__file__).resolve().parents[1] / "labkernel"
    program = """
        import sys, os, types
        package = types.ModuleType("labkernel"); package.__path__ = [sys.argv[1]]; sys.modules["labkernel"] = package
        from labkernel._host import Supervisor
        supervisor = Supervisor(mac_key=b"k" * 32)
        supervisor.assemble("(module)")
        pid = supervisor.pid
        child = os.fork()
        if child == 0:
            supervisor.assemble("(module)")
            assert supervisor.pid != pid
            supervisor.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        supervisor.assemble("(module)")
        assert supervisor.pid == pid
        print("well")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(package)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "well\n", done.stderr
