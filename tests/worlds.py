"""Worlds and snippets that several tests share."""

from __future__ import annotations

from typing import Final

FAAS: Final = """package example-corp:faas-platform@0.0.1;

/// What the platform offers a function.
world faas {
    use wasi:clocks/wall-clock@0.2.0.{datetime};
    /// The version of the event format.
    type event-version = string;
    type response-status = u16;
    enum event-type { object-added, object-removed, object-restored }
    record handler-event {
        event-type: event-type,
        event-timestamp: datetime,
        event-version: event-version,
    }
    variant handler-error {
        unsupported(event-type),
        rejected(response-status),
        unknown,
    }
    export handle: func(event: handler-event) -> result<_, handler-error>;
}
"""

#: The same as tutorials of 2023 wrote it.
FAAS_2023: Final = """package example-corp:faas-platform@0.0.1

world faas {
    use wasi:clocks/wall-clock.{datetime}

    type event-version = string
    type response-status = u16
    enum event-type { object-added, object-removed, object-restored }
    record handler-event {
        event-type: event-type,
        event-timestamp: datetime,
        event-version: event-version,
    }
    variant handler-error {
        unsupported(event-type),
        rejected(response-status),
        unknown,
    }
    export handle: func(event: handler-event) -> result<_, handler-error>
}
"""

EVENT: Final = (
    '{event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, event-version: "2.1"}'
)
OTHER: Final = EVENT.replace("added", "removed")

RUST: Final = """fn handle(event: HandlerEvent) -> Result<(), HandlerError> {
    match event.event_type {
        EventType::ObjectAdded => Ok(()),
        _ => Err(HandlerError::Unsupported(event.event_type)),
    }
}
"""

#: Exports of a component that needs nothing: a function on a number, a loop, a trap, a counter.
BASICS: Final = """(component
  (core module $m
    (memory (export "memory") 1)
    (global $n (mut i32) (i32.const 0))
    (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "spin") (loop (br 0)))
    (func (export "fail") unreachable)
    (func (export "count") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
    (func (export "fail-at") (param i32) (result i32)
      (if (i32.eq (local.get 0) (i32.const 7)) (then unreachable)) (local.get 0))
    (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
    (func (export "grow") (result i32)
      (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))
  (core instance $i (instantiate $m))
  (func (export "double") (param "x" u32) (result u32) (canon lift (core func $i "double")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "fail") (canon lift (core func $i "fail")))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (func (export "fail-at") (param "x" u32) (result u32) (canon lift (core func $i "fail-at")))
  (func (export "half") (param "x" f64) (result f64) (canon lift (core func $i "half")))
  (func (export "grow") (result u32) (canon lift (core func $i "grow"))))
"""
