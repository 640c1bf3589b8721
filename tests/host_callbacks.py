"""A service of the host process inside the test's own, for host functions that live there; and their guests."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

from labkernel._host.serving import Service
from labkernel._host.settings import EngineSettings, Start
from labkernel._host.watch import Job, Watch

NAME = "acme:store/kv@1.0.0"

MEMORY = """(core module $memory
    (memory (export "m") 4) (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                              (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (block $enough
        (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16))))))
      (local.get $at)))
  (core instance $mem (instantiate $memory))"""

#: Passes each call on to its host; `many` adds n times, `both` asks, then tells how often it was asked.
STORE = f"""(component
  (import "{NAME}" (instance $kv
    (export "get" (func (param "key" string) (result (result string (error string)))))
    (export "add" (func (param "a" u32) (param "b" u32) (result u32)))
    (export "log" (func (param "text" string)))))
  {MEMORY}
  (core func $get (canon lower (func $kv "get") (memory (core memory $mem "m"))
    (realloc (core func $mem "realloc"))))
  (core func $add (canon lower (func $kv "add")))
  (core func $log (canon lower (func $kv "log") (memory (core memory $mem "m"))))
  (core module $m
    (import "w" "get" (func $get (param i32 i32 i32)))
    (import "w" "add" (func $add (param i32 i32) (result i32)))
    (import "w" "log" (func $log (param i32 i32)))
    (global $asked (mut i32) (i32.const 0))
    (func (export "get") (param i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16))
    (func (export "add") (param i32 i32) (result i32) (call $add (local.get 0) (local.get 1)))
    (func (export "log") (param i32 i32) (call $log (local.get 0) (local.get 1)))
    (func (export "many") (param $n i32) (result i32) (local $sum i32)
      (loop $next
        (local.set $sum (call $add (local.get $sum) (i32.const 1)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $next (local.get $n)))
      (local.get $sum))
    (func (export "count") (result i32)
      (global.set $asked (i32.add (global.get $asked) (i32.const 1))) (global.get $asked)))
  (core instance $i (instantiate $m (with "w" (instance
    (export "get" (func $get)) (export "add" (func $add)) (export "log" (func $log))))))
  (func (export "get") (param "key" string) (result (result string (error string)))
    (canon lift (core func $i "get") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "log") (param "text" string)
    (canon lift (core func $i "log") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
  (func (export "many") (param "n" u32) (result u32) (canon lift (core func $i "many")))
  (func (export "count") (result u32) (canon lift (core func $i "count"))))"""


class InProcess:
    """A service with a watchdog, without a process of its own. Frames it would send are kept in `sent`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: list[list[Any]] = []
        self.service = Service(self, b"k" * 32)
        self._ours, theirs = socket.socketpair()
        self._watch = Watch(theirs, lambda job: None)
        self._theirs = theirs
        self._thread = threading.Thread(target=self._watch.run, daemon=True)
        self._thread.start()
        self._jobs = 0
        self._loaded: dict[str, int] = {}

    def send(self, job: Job, frame: list[Any], *, last: bool = False) -> None:
        """Keep a frame."""
        self.sent.append(frame)

    def do(self, operation: str, *arguments: Any) -> Any:
        """Do one request."""
        self._jobs += 1
        job = self._watch.open_job(self._jobs)
        try:
            return self.service.serve(job, operation, list(arguments))
        finally:
            job.ended = True
            job.release()

    def load(self, wat: str) -> int:
        """Compile and load text, once."""
        if wat not in self._loaded:
            path = str(self.folder / f"{len(self._loaded)}.cwasm")
            settings = [EngineSettings().compiler, EngineSettings().fuel]
            self.do("codegen", self.do("assemble", wat), path, settings)
            self._loaded[wat] = self.do("load", path, settings)[0]
        return self._loaded[wat]

    def start(self, wat: str = STORE, **start: Any) -> int:
        """Start an instance of text."""
        number: int = self.do("instantiate", self.load(wat), Start(**start).to_data())[0]
        return number

    def call(self, number: int, function: str, *args: Any) -> Any:
        """Return a function's result."""
        return self.do("call", number, function, list(args), None)[0]

    def close(self) -> None:
        """End the watchdog and free what was loaded."""
        for number in list(self.service._instances):
            self.do("drop", number)
        self._ours.close()
        self._thread.join(5)
        self._theirs.close()
