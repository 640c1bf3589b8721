"""What guests print: two datagram sockets that keep every write whole, merged in the order of writing.

Guests' writes go to the sockets by libc's `write` (see `engine`), the kernel stamps each with its time, and
the pump thread merges both streams by that time, decodes, counts against the cap and sends frames while a
call runs.
"""

from __future__ import annotations

import codecs
import select
import socket
import threading
import time
from collections.abc import Callable
from struct import Struct
from typing import Final, TypeAlias

from labkernel._host.traps import byte_text

__all__ = ["Output"]

_SO_TIMESTAMPNS: Final = 35
_STAMP: Final = Struct("qq").unpack_from
_BUFFER: Final = 4 << 20
_LARGEST: Final = 1 << 16
_ALL: Final = 1 << 40
_AT_ONCE: Final = 400
"""Writes taken from a stream in one go while its guest runs, which may write faster than they are taken."""
EVERY_S: Final = 0.05
"""How long printed text may wait before it is sent on."""
_NAP_S: Final = 0.001
_DECODER: Final = codecs.getincrementaldecoder("utf-8")

Send: TypeAlias = Callable[[int, str], None]
_Piece: TypeAlias = tuple[int, int, bytes]


class Output:
    """The two streams of all guests of this process. One run at a time owns what arrives."""

    def __init__(self) -> None:
        self._pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        for sender, receiver in self._pairs:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            receiver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            receiver.setblocking(False)
        self._receivers = [receiver for _, receiver in self._pairs]
        self._space = memoryview(bytearray(_LARGEST))
        self._lock = threading.Lock()
        self._held: list[_Piece] = []
        self._poll = self._new_poll()
        self._run: Run | None = None
        threading.Thread(target=self._pump, name="output", daemon=True).start()

    @property
    def stdout(self) -> int:
        """The descriptor that guests' standard output goes to."""
        return self._pairs[0][0].fileno()

    @property
    def stderr(self) -> int:
        """The descriptor that guests' standard error goes to."""
        return self._pairs[1][0].fileno()

    def begin(self, run: Run) -> None:
        """Give what arrives from now on to `run`; what is there already belongs to nobody any more."""
        with self._lock:
            if self._poll.poll(0) or self._held:
                self._discard()
            self._run = run

    def take_in(self, run: Run) -> bool:
        """Count what has been written so far, so that `run` knows of its cap; return whether anything was."""
        if not self._poll.poll(0) and not self._held:
            return False
        with self._lock:
            self._drain(run, everything=True)
        return True

    def forget(self) -> bool:
        """Drop what has been written and belongs to nobody any more; return whether there was anything."""
        with self._lock:
            found = bool(self._poll.poll(0) or self._held)
            self._discard()
        return found

    def end(self, run: Run) -> None:
        """Take in what has been written, send it, and give nothing more to `run`."""
        with self._lock:
            if self._run is run:
                if self._poll.poll(0) or self._held or run.is_used:
                    self._drain(run, everything=True)
                    run.flush(final=True)
                self._run = None

    def pause(self, run: Run | None) -> None:
        """Take in and send what has been written: whoever prints next, prints after it."""
        with self._lock:
            if run is not None and self._run is run and (self._poll.poll(0) or self._held or run.texts):
                self._drain(run, everything=True)
                run.flush(due=True)

    def settle(self, run: Run) -> bool:
        """Take in what one event of many has written, and return whether that was more than it may.

        The next event may write as much again.
        """
        if not (run.is_used or self._held or self._poll.poll(0)):
            return False
        with self._lock:
            if self._run is run:
                self._drain(run, everything=True)
                run.flush(final=False)
            was_cut, run.cut, run.left, run.tail = run.cut, False, run.limit, ""
        return was_cut

    def allow(self, run: Run, size: int) -> None:
        """Let the run print so many bytes from now on."""
        with self._lock:
            run.left = size

    def leave(self, run: Run) -> None:
        """Give nothing more to `run`, without sending anything."""
        with self._lock:
            if self._run is run:
                self._run = None

    def _new_poll(self) -> select.poll:
        poll = select.poll()
        for receiver in self._receivers:
            poll.register(receiver, select.POLLIN)
        return poll

    def _pump(self) -> None:
        poll = self._new_poll()
        while True:
            run = self._run
            waiting = run is not None and bool(run.texts)
            poll.poll(EVERY_S * 1000 if waiting or self._held else None)
            with self._lock:
                if self._run is not None:
                    self._drain(self._run, everything=False)
                    self._run.flush()
                else:
                    self._discard()
            time.sleep(_NAP_S)

    def _discard(self) -> None:
        self._held.clear()
        for receiver in self._receivers:
            while self._receive(receiver) is not None:
                pass

    def _drain(self, run: Run, *, everything: bool) -> None:
        """Move to the run what was written before now: later writes may still overtake each other."""
        now = time.time_ns()
        pieces = self._held
        for stream, receiver in enumerate(self._receivers):
            most = _ALL if everything else _AT_ONCE
            while most and (found := self._receive(receiver)) is not None:
                pieces.append((found[0], stream, found[1]))
                most -= 1
            if not most:
                now = min(now, pieces[-1][0])
        if not pieces:
            return
        pieces.sort(key=lambda piece: piece[0])
        if everything:
            self._held = []
        else:
            self._held = [piece for piece in pieces if piece[0] > now]
            pieces = [piece for piece in pieces if piece[0] <= now]
        for _, stream, data in pieces:
            run.add(stream, data)

    def _receive(self, receiver: socket.socket) -> tuple[int, bytes] | None:
        """Return time in nanoseconds and bytes of the next write, or None when there is none."""
        try:
            size, notes, _, _ = receiver.recvmsg_into([self._space], 64)
        except BlockingIOError:
            return None
        seconds, nanoseconds = _STAMP(notes[0][2]) if notes else (0, time.time_ns())
        return seconds * 1_000_000_000 + nanoseconds, bytes(self._space[:size])


class Run:
    """The output of one call or run: decoded, capped, sent on by `send`; `overflow` is called at the cap.

    `tail` is the end of what went to standard error, `seen` all bytes that arrived, those beyond the cap
    too, in so many `pieces`.
    """

    def __init__(self, limit: int, send: Send, overflow: Callable[[], None]) -> None:
        self.limit = limit
        self.left = limit
        self.seen = self.pieces = 0
        self.cut = False
        self.texts: list[tuple[int, list[str]]] = []
        self._send = send
        self._overflow = overflow
        self._decoders: list[codecs.IncrementalDecoder] = []
        self._due = 0.0
        self.tail = ""

    @property
    def is_used(self) -> bool:
        """Whether anything has been printed."""
        return bool(self._decoders)

    def add(self, stream: int, data: bytes) -> None:
        """Take a piece in, as far as the cap allows."""
        self.seen += len(data)
        self.pieces += 1
        if self.cut:
            return
        if not self._decoders:
            self._decoders = [_DECODER("replace"), _DECODER("replace")]
        over = len(data) - self.left
        if over > 0:
            data = data[: self.left]
        self.left -= len(data)
        text = self._decoders[stream].decode(data)
        if text:
            self._keep(stream, text)
        if over > 0:
            self.cut = True
            self._keep(1, f"\n[output cut here: the limit is {byte_text(self.limit)}]\n")
            self._overflow()

    def _keep(self, stream: int, text: str) -> None:
        if stream == 1:
            self.tail = (self.tail + text)[-4000:]
        if self.texts and self.texts[-1][0] == stream:
            self.texts[-1][1].append(text)
        else:
            self.texts.append((stream, [text]))

    def flush(self, *, final: bool = False, due: bool = False) -> None:
        """Send what is due; with `due` all of it, with `final` half characters too."""
        now = time.monotonic()
        if final:
            for stream, decoder in enumerate(self._decoders):
                if rest := decoder.decode(b"", True):
                    self._keep(stream, rest)
        elif now < self._due and not due:
            return
        texts, self.texts = self.texts, []
        if texts:
            self._due = now + EVERY_S
        for stream, pieces in texts:
            self._send(stream, "".join(pieces))
