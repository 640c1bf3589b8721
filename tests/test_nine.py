"""The same handler in every language: whoever fires at them cannot tell which is which."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds import EVENT, FAAS, OTHER, RUST

from labkernel import Lab
from labkernel import _toolchains as toolchains
from labkernel._errors import ToolchainMissing

HANDLERS = {
    "rust": RUST,
    "c": """bool handle(handler_event_t *event, handler_error_t *err) {
    if (event->event_type == EVENT_TYPE_OBJECT_ADDED) return true;
    err->tag = HANDLER_ERROR_UNSUPPORTED;
    err->val.unsupported = event->event_type;
    return false;
}""",
    "cpp": """std::expected<void, HandlerError> Handle(HandlerEvent event) {
    if (event.event_type == EventType::kObjectAdded) return {};
    HandlerError error;
    error.variants = HandlerError::Unsupported{event.event_type};
    return std::unexpected(error);
}""",
    "zig": """fn handle(event: HandlerEvent) Result(void, HandlerError) {
    if (event.event_type == .object_added) return .ok;
    return .{ .err = .{ .unsupported = event.event_type } };
}""",
    "go": """func Handle(e HandlerEvent) Result {
	if e.EventType == EventType_ObjectAdded {
		return Ok()
	}
	return Err(MakeHandlerErrorUnsupported(e.EventType))
}""",
    "js": """export function handle(event) {
  if (event.eventType !== 'object-added') throw { tag: 'unsupported', val: event.eventType };
}""",
    "ts": """export function handle(event: HandlerEvent): void {
  if (event.eventType !== 'object-added') throw { tag: 'unsupported', val: event.eventType };
}""",
    "python": """def handle(event):
    if event.event_type != EventType.OBJECT_ADDED:
        raise Err(HandlerError_Unsupported(event.event_type))
""",
}


@pytest.mark.parametrize("language", [name for name in HANDLERS if name in toolchains.languages()])
def test_same_answers(language: str, require: Callable[[str, object], None]) -> None:
    """A handler in the language's own idiom answers as the Rust one does, and a changed one answers anew."""
    with Lab() as lab:
        try:
            lab.wit(FAAS, name="faas")
            lab.build(language, HANDLERS[language], name="fn")
        except ToolchainMissing as error:
            require(str(error), False)
            return
        assert lab.fire("fn", EVENT).wave == "ok"
        assert lab.fire("fn", OTHER).wave == "err(unsupported(object-removed))"
        run = lab.fire("fn", n=40, seed=3)
        assert run.error is None
        assert set(run.waves) == {
            "ok",
            "err(unsupported(object-removed))",
            "err(unsupported(object-restored))",
        }


@pytest.mark.parametrize("language", [name for name in toolchains.languages() if name != "wat"])
def test_bindings_can_be_read(language: str, require: Callable[[str, object], None]) -> None:
    """`%wit show W --language L` shows what a cell of the language sees."""
    with Lab() as lab:
        try:
            package = lab.wit(FAAS, name="faas")
            files = lab.bindings(language, package, package.worlds[0])
        except ToolchainMissing as error:
            require(str(error), False)
            return
        text = "\n".join(files.values()).lower().replace("_", "").replace("-", "")
        assert "handlerevent" in text
        assert "objectrestored" in text
