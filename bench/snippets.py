"""The same handler in every language, with a constant that changes from edit to edit."""

from __future__ import annotations

WORLD = """package example-corp:faas-platform@0.0.1;
world faas {
    use wasi:clocks/wall-clock@0.2.0.{datetime};
    enum event-type { object-added, object-removed, object-restored }
    record handler-event { event-type: event-type, event-timestamp: datetime, event-version: string }
    variant handler-error { unsupported(event-type), rejected(u16) }
    export handle: func(event: handler-event) -> result<_, handler-error>;
}
"""
EVENT = {
    "event_type": "object-removed",
    "event_timestamp": {"seconds": 1, "nanoseconds": 0},
    "event_version": "2.1",
}


def rust(n: int) -> str:
    """Return the Rust cell of edit `n`, which rejects with the status `n`."""
    return f"""fn handle(event: HandlerEvent) -> Result<(), HandlerError> {{
    match event.event_type {{
        EventType::ObjectAdded => {{ println!("added {{}}", event.event_version); Ok(()) }}
        _ => Err(HandlerError::Rejected({n})),
    }}
}}
"""


def c(n: int) -> str:
    """Return the C cell of edit `n`."""
    return f"""#include <stdio.h>
bool handle(handler_event_t *event, handler_error_t *err) {{
    event_type_t type = event->event_type;
    handler_event_free(event);
    if (type == EVENT_TYPE_OBJECT_ADDED) {{ printf("added\\n"); return true; }}
    err->tag = HANDLER_ERROR_REJECTED;
    err->val.rejected = {n};
    return false;
}}
"""


def wat(n: int) -> str:
    """Return the WAT cell of edit `n`."""
    return f"""(module
  (memory (export "memory") 1)
  (func (export "handle") (param i32 i64 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 0) (i32.ne (local.get 0) (i32.const 0)))
    (i32.store8 offset=2 (i32.const 0) (i32.const 1))
    (i32.store16 offset=4 (i32.const 0) (i32.const {n}))
    (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
"""


def cpp(n: int) -> str:
    """Return the C++ cell of edit `n`."""
    return f"""std::expected<void, HandlerError> Handle(HandlerEvent event) {{
    if (event.event_type == EventType::kObjectAdded) return {{}};
    HandlerError error;
    error.variants = HandlerError::Rejected{{{n}}};
    return std::unexpected(error);
}}
"""


def zig(n: int) -> str:
    """Return the Zig cell of edit `n`."""
    return f"""fn handle(event: HandlerEvent) Result(void, HandlerError) {{
    if (event.event_type == .object_added) return .ok;
    return .{{ .err = .{{ .rejected = {n} }} }};
}}
"""


def go(n: int) -> str:
    """Return the Go cell of edit `n`."""
    return f"""import "fmt"

func Handle(e HandlerEvent) Result {{
	if e.EventType == EventType_ObjectAdded {{
		fmt.Println("added", e.EventVersion)
		return Ok()
	}}
	return Err(MakeHandlerErrorRejected({n}))
}}
"""


def js(n: int) -> str:
    """Return the JavaScript cell of edit `n`; it is TypeScript too."""
    return f"""export function handle(event) {{
  if (event.eventType === 'object-added') {{ console.log('added', event.eventVersion); return; }}
  throw {{ tag: 'rejected', val: {n} }};
}}
"""


def python(n: int) -> str:
    """Return the Python cell of edit `n`."""
    return f"""def handle(event):
    if event.event_type == EventType.OBJECT_ADDED:
        print("added", event.event_version)
        return None
    raise Err(HandlerError_Rejected({n}))
"""


CELLS = {
    "wat": wat, "python": python, "js": js, "ts": js, "c": c, "zig": zig, "rust": rust, "go": go, "cpp": cpp,
}  # fmt: skip
