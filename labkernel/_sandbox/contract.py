"""What an import asks of Python, a function for each function and a class for each resource; and who keeps it.

It reads signatures and calls nothing.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._values import snake
from labkernel._wit import Function

__all__ = ["DROP", "Slot", "class_name", "conforms", "implementation_of", "slots_of"]

DROP: Final = "[resource-drop]"
_BRACKET: Final = re.compile(r"\[(constructor|method|static)\](?:([^.]+)\.)?(.+)$")
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Slot:
    """One function that an import asks for. `kind` is `function`, `constructor`, `method` or `static`.

    `owner` is the class that holds it, empty for a function; `resource` that class's name in the WIT.
    """

    function: Function
    kind: str
    name: str
    owner: str = ""
    resource: str = ""

    @property
    def title(self) -> str:
        """The name in Python: `get`, `Bucket.put`, `Bucket.__init__`."""
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def params(self) -> list[str]:
        """The names of the parameters in Python, without `self`."""
        params = self.function.params[1:] if self.kind == "method" else self.function.params
        return [_python_name(p.name) for p in params]

    @property
    def signature(self) -> str:
        """The `def` that is expected."""
        params = ["self", *self.params] if self.kind in ("method", "constructor") else self.params
        head = f"def {self.name}({', '.join(params)}):"
        if not self.owner:
            return head
        return f"class {self.owner}: {'@staticmethod ' if self.kind == 'static' else ''}{head}"


def class_name(resource: str) -> str:
    """Return the name of a resource's class.

    >>> class_name("key-value")
    'KeyValue'
    """
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"\W", resource))


def _python_name(name: str) -> str:
    made = snake(name)
    return f"{made}_" if keyword.iskeyword(made) else made


def slots_of(functions: Iterable[Function]) -> dict[str, Slot]:
    """Return what stands in Python for each function of an import, by the function's name in the WIT."""
    return {function.name: _slot(function) for function in functions}


def _slot(function: Function) -> Slot:
    match = _BRACKET.match(function.name)
    if match is None:
        return Slot(function, "function", _python_name(function.name))
    kind, resource, name = match.groups()
    resource = resource or name
    python_name = "__init__" if kind == "constructor" else _python_name(name)
    return Slot(function, kind, python_name, class_name(resource), resource)


def implementation_of(slot: Slot, names: Mapping[str, Any]) -> Callable[..., Any] | None:
    """Return what implements a slot among these names, as it is called: a method takes its object first."""
    found = names.get(slot.owner or slot.name)
    if slot.owner:
        if not isinstance(found, type):
            return None
        if slot.kind != "constructor":
            found = getattr(found, slot.name, None)
    return found if callable(found) else None


def conforms(
    slots: Mapping[str, Slot], names: Mapping[str, Any], public: Iterable[str], *, source: str = ""
) -> list[Diagnostic]:
    """Return what keeps these names from being the implementation; nothing where they are.

    `public` are the names that were made to implement something; `source` is their text, for the lines.
    """
    places = dict(_places(source))
    lines = source.splitlines()

    def told(message: str, title: str, hint: str) -> Diagnostic:
        line = places.get(title) or places.get(title.partition(".")[0], 0)
        return Diagnostic(message, line=line, text=lines[line - 1] if line else "", hint=hint)

    found: list[Diagnostic] = []
    for slot in slots.values():
        problem = _problem(slot, names)
        # A class that is missing is told once, and not for each of its functions.
        if problem and not any(diagnostic.message == problem for diagnostic in found):
            found.append(told(problem, slot.title, f"{slot.signature} ...   # {slot.function.text}"))
    expected = {slot.title for slot in slots.values()} | {slot.owner for slot in slots.values() if slot.owner}
    for title in _titles(names, public, slots):
        if title not in expected:
            hint = f"a helper of your own takes a name that begins with _.{did_you_mean(title, expected)}"
            found.append(told(f"{title} is not in the interface", title, hint))
    return found


def _problem(slot: Slot, names: Mapping[str, Any]) -> str:
    """Return what is wrong with a slot's implementation in words; empty where nothing is."""
    made = implementation_of(slot, names)
    if made is None:
        if slot.kind == "constructor" or (slot.owner and slot.owner not in names):
            return f"the class {slot.owner} of the resource {slot.resource!r} is missing"
        return f"{slot.title} is missing"
    if inspect.iscoroutinefunction(made) or inspect.isasyncgenfunction(made):
        return f"{slot.title} is asynchronous, and a guest waits for its answer"
    holder = names.get(slot.owner)
    is_static = isinstance(inspect.getattr_static(holder, slot.name, None), staticmethod | classmethod)
    if slot.kind == "static" and not is_static:
        return f"{slot.title} takes an object, and the WIT has it without one"
    if slot.kind == "method" and is_static:
        return f"{slot.title} is static, and the WIT has it on an object"
    return _misfit(slot, made)


def _misfit(slot: Slot, made: Callable[..., Any]) -> str:
    try:
        params = list(inspect.signature(made).parameters.values())
    except (TypeError, ValueError):
        return ""  # a builtin does not tell
    if slot.kind == "method":
        params = params[1:] if params and params[0].kind in _POSITIONAL else params
    wanted = slot.params
    given = [p for p in params if p.kind in _POSITIONAL]
    takes_more = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in params)
    needed = [p.name for p in given if p.default is p.empty]
    needed += [p.name for p in params if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    named = [
        (p.name, name) for p, name in zip(given, wanted, strict=False) if p.kind is not p.POSITIONAL_ONLY
    ]
    same = all(_bare(a) == _bare(b) for a, b in named)
    if len(needed) <= len(wanted) and (len(given) >= len(wanted) or takes_more) and same:
        return ""
    return f"{slot.title} takes ({', '.join(p.name for p in given)}), expected ({', '.join(wanted)})"


def _bare(name: str) -> str:
    return name.strip("_").lower()


def _titles(names: Mapping[str, Any], public: Iterable[str], slots: Mapping[str, Slot]) -> Iterator[str]:
    """Yield what was made public: functions and classes, and the methods of resources' classes."""
    resources = {slot.owner for slot in slots.values() if slot.owner}
    for name in public:
        yield name
        held = names.get(name)
        if name in resources and isinstance(held, type):
            for member, value in vars(held).items():
                is_method = callable(value) or isinstance(value, staticmethod | classmethod)
                if is_method and not member.startswith("_") and member != "close":
                    yield f"{name}.{member}"


def _places(source: str) -> Iterator[tuple[str, int]]:
    """Yield the line of every function and class of a text, methods as `Class.method`."""
    body: Sequence[ast.stmt] = ast.parse(source).body if source else ()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", inner.lineno
