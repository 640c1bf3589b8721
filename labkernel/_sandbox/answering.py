"""A guest's calls into the notebook: which function answers, with what objects, and what becomes of what it raises.

One `HostCalls` stands between one instance and the implementations it was granted, and keeps the objects behind the
handles that its guest holds. It runs the user's own code and knows no processes.
"""

from __future__ import annotations

import itertools
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from labkernel._errors import CapabilityError, LabError, ValueDoesNotFit
from labkernel._host import HostFunctionLate
from labkernel._sandbox.contract import DROP, Slot
from labkernel._sandbox.implementation import HostImplementation
from labkernel._values import Variant, WitErr, from_normal, owned_by, to_normal
from labkernel._wit import HandleType, Primitive, ResultType, World

__all__ = ["HostCalls", "own_traceback"]

_LAB: Final = str(Path(__file__).resolve().parents[1])
_MOST_LINES: Final = 40


class HostCalls:
    """Answers the calls of one instance; `find` gives the implementation that has a name now.

    `raised` is what the last function raised that ended a call, `counts` how often each function was called.
    """

    def __init__(self, world: World, names: Sequence[str], find: Callable[[str], HostImplementation]) -> None:
        """Match the imports of a component. Raises `CapabilityError` where one was written for other types."""
        self._find = find
        self.behind: dict[str, str] = {}
        self.raised: BaseException | None = None
        self.counts: Counter[str] = Counter()
        self._objects: dict[int, Any] = {}
        self._numbers = itertools.count(1)
        self._world, self._names = world, tuple(names)
        self._seen: dict[str, HostImplementation] = {}
        self._match()

    def _match(self) -> None:
        seen = {name: self._find(name) for name in self._names}
        behind: dict[str, str] = {}
        for name, implementation in seen.items():
            for item in self._world.imports:
                if implementation.stands_for(item):
                    if item.name in behind:
                        raise CapabilityError(
                            f"--host {name} and --host {behind[item.name]} both implement {item.name}; grant one."
                        )
                    implementation.check(item)
                    behind[item.name] = name
        self._seen, self.behind = seen, behind

    def redefined(self) -> str:
        """Return the name of an implementation that has been defined anew for other imports; empty if none has.

        One that was defined anew for the same imports answers from now on. Raises `CapabilityError` where its
        types are not those of the component.
        """
        if all(self._find(name) is seen for name, seen in self._seen.items()):
            return ""
        before, names = self.behind, list(self._seen)
        self._match()
        return "" if before == self.behind else next(iter(names), "")

    def __call__(self, full_name: str, args: list[Any]) -> tuple[bool, Any]:
        """Answer one call: `(True, result)` in normal form, or `(False, [what was raised, traceback])`."""
        import_name, _, function = full_name.rpartition("#")
        self.raised = None
        self.counts[f"{import_name.partition('@')[0]}#{function}" if import_name else function] += 1
        try:
            implementation = self._find(self.behind[import_name or function])
            if function.startswith(DROP):
                self._drop(args[0])
                return True, None
            with owned_by(self):
                return True, self._answer(implementation.slots[function], implementation, args)
        except (KeyboardInterrupt, HostFunctionLate):
            raise
        except BaseException as error:  # noqa: BLE001 - the guest's call ends with it
            self.raised = error
            return False, [_what_was_raised(full_name, error), own_traceback(error)]

    def _answer(self, slot: Slot, implementation: HostImplementation, args: list[Any]) -> Any:
        function = slot.function
        call = implementation.implementation(function.name)
        values = [from_normal(a, p.type) for a, p in zip(args, function.params, strict=True)]
        try:
            value = call(*values)
        except Exception as error:
            told = _as_wit_error(error, function.result)
            if told is None:
                raise
            value = told
        else:
            if function.result is None:
                if value is not None:
                    raise ValueDoesNotFit("$", value, "nothing", why="the function has no result")
                return None
            value = _as_result(value, function.result)
        assert function.result is not None
        return to_normal(value, function.result)

    # ---------------------------------------------------------------------------------------------- resources

    def number_of(self, value: Any, wit_type: HandleType) -> int:
        """Return a new number for an object. Raises `TypeError`, with what is expected, for one of another class."""
        wanted = self._class_of(wit_type)
        if wanted is not None and not isinstance(value, wanted):
            raise TypeError(f"a {wanted.__name__}")
        number = next(self._numbers)
        self._objects[number] = value
        return number

    def object_of(self, number: int, wit_type: HandleType) -> Any:
        """Return the object of a number; one that the guest gave away is the function's own from now on."""
        return self._objects[number] if wit_type.kind == "borrow" else self._objects.pop(number)

    def owns(self, wit_type: HandleType) -> bool:
        """Whether resources of this type are made by one of the implementations."""
        return any(_path(name) == _path(wit_type.owner) for name in self.behind)

    def _class_of(self, wit_type: HandleType) -> type | None:
        for name, implementation in self.behind.items():
            if _path(name) == _path(wit_type.owner):
                return self._find(implementation).class_of(wit_type.resource)
        return None

    def forget(self, numbers: Iterable[int]) -> None:
        """Let go of objects that were only lent to the guest."""
        for number in numbers:
            self._objects.pop(number, None)

    @property
    def unused(self) -> list[str]:
        """What was granted and stands behind nothing, in words."""
        told = []
        for name, seen in self._seen.items():
            if name not in self.behind.values():
                imports = ", ".join(self._world.imported()) or "nothing"
                told.append(
                    f"--host {name} implements {seen.interface or 'functions of ' + seen.world}, which is not "
                    f"imported; the component imports {imports}."
                )
        return told

    @property
    def held(self) -> tuple[Any, ...]:
        """The objects that the guest holds handles to."""
        return tuple(self._objects.values())

    def _drop(self, number: int) -> None:
        """Let go of an object that the guest has dropped; its `close`, where it has one, is called once."""
        gone = self._objects.pop(number)
        if not any(gone is other for other in self._objects.values()):
            close = getattr(gone, "close", None)
            if callable(close) and not self._is_method(gone):
                close()

    def _is_method(self, gone: Any) -> bool:
        """Whether `close` is a method of the WIT, and so no destructor."""
        for name in set(self.behind.values()):
            for slot in self._find(name).slots.values():
                wanted = self._find(name).class_of(slot.resource)
                if slot.kind == "method" and slot.name == "close" and wanted and isinstance(gone, wanted):
                    return True
        return False

    def close(self) -> list[str]:
        """Drop all that the guest still holds, as it has ended; return what went wrong, in words."""
        said = []
        for number in list(self._objects):
            try:
                self._drop(number)
            except Exception as error:  # noqa: BLE001 - the others are to be dropped too
                said.append(f"While a resource was dropped: {type(error).__name__}: {error}")
        return said


def _path(import_name: str) -> str:
    return import_name.partition("@")[0]


def _as_result(value: Any, wit_type: Any) -> Any:
    """Return a function's value as its result: what is no `ok(...)` or `err(...)` is the payload of `ok`."""
    if not isinstance(wit_type, ResultType):
        return value
    is_result = isinstance(value, Variant) and value.case in ("ok", "err")
    return value if is_result else Variant("ok", value)


def _as_wit_error(error: Exception, wit_type: Any) -> Variant | None:
    """Return what was raised as the function's `err`, where its type can say it: `WitErr`, or a text."""
    if not isinstance(wit_type, ResultType) or isinstance(error, LabError):
        return None
    if isinstance(error, WitErr):
        return Variant("err", error.value)
    if wit_type.err == Primitive("string"):
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        return Variant("err", _plain(f"{text}") or type(error).__name__)
    return None


def _what_was_raised(full_name: str, error: BaseException) -> str:
    if isinstance(error, ValueDoesNotFit):
        return f"The host function {full_name} returned what its result is not: {error}"
    if isinstance(error, LabError):
        return f"The host function {full_name} raised {type(error).__name__}: {error}"
    said = _plain("".join(traceback.TracebackException.from_exception(error).format_exception_only()).strip())
    said = said.splitlines()[-1] if said else type(error).__name__
    return f"The host function {full_name} raised {said.rstrip('.')}."


def own_traceback(error: BaseException) -> str:
    """Return the lines of the user's own functions, as Python prints them; none of the lab's."""
    told: traceback.TracebackException | None = traceback.TracebackException.from_exception(error)
    whole = told
    while told is not None:
        told.stack[:] = _own(told.stack)
        told = told.__cause__ or told.__context__
    lines = "".join(whole.format()).splitlines() if whole is not None and whole.stack else []
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES // 2], "  ...", *lines[-_MOST_LINES // 2 :]]
    return _plain("\n".join(lines))


def _own(stack: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Return the frames of the user's functions: without the lab's that led there, and what it does for them."""
    own = list(itertools.dropwhile(_is_lab, stack))
    return list(itertools.takewhile(lambda frame: not _is_lab(frame), own))


def _is_lab(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_LAB)


def _plain(text: str) -> str:
    """Return text that any frame carries: half characters are written out."""
    return text.encode("utf-8", "backslashreplace").decode()
