"""A call as users write it: `handle({...}, 1)`, `handle {...}`, `{...}` alone, or arguments from Python.

Owns which function a text means and how arguments meet parameters. The first bare word is a function if and
only if the target exports it; otherwise the text is the argument of the only function there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from labkernel._errors import UsageError, ValueDoesNotFit, did_you_mean
from labkernel._values.functions import find_function, listing
from labkernel._values.labels import KEYWORDS, Labels, snake
from labkernel._values.python_in import to_normal
from labkernel._values.wave_in import read_node
from labkernel._values.wave_out import wave
from labkernel._values.wave_syntax import Node, Parser, parse
from labkernel._wit import EnumType, Function, OptionType, ResultType, TupleType, Type, VariantType

__all__ = ["bind", "call_text", "parse_args", "parse_call", "split_args", "split_list"]

_NAME: Final = r"[A-Za-z][A-Za-z0-9_:/@#.+-]*"
_HEAD: Final = re.compile(
    rf"(?:\s++|//[^\n]*+)*+((?:{_NAME}#)?\[(?:constructor|method|static)\]{_NAME}|{_NAME})"
)
_ADDRESS: Final = re.compile(r"[:/@#.+]")


def parse_call(text: str, functions: Sequence[Function]) -> tuple[Function, list[Any]]:
    """Return the function that a call means, and its arguments in normal form.

    Raises `UsageError` for a call that cannot be understood, `ValueDoesNotFit` for an argument that misfits.

    >>> from labkernel._wit import Param, Primitive
    >>> add = Function("add", (Param("a", Primitive("u8")), Param("b", Primitive("u8"))))
    >>> [parse_call(call, [add])[1] for call in ("add(1, 2)", "(1, 2)")]
    [[1, 2], [1, 2]]
    """
    head = _HEAD.match(text)
    word = head[1] if head else ""
    function = find_function(word, functions) if word else None
    if head and function is not None:
        return function, _arguments(function, _written(text, head.end(), function), text)
    if _ADDRESS.search(word) or len(functions) != 1:
        raise _no_function(word, functions)
    only = functions[0]
    try:
        return only, _arguments(only, _written(text, 0, only), text)
    except (ValueDoesNotFit, UsageError) as error:
        if _means_a_function(word, error, only):
            raise _no_function(word, functions) from None
        raise


def split_args(text: str, function: Function) -> list[str]:
    """Return the texts of the arguments in the body of a `%%fire` cell.

    Between arguments stands a comma or a line break; the body may also be `(a, b)` as in a call.

    >>> split_args('{a: 1}' + chr(10) + "2", Function("put"))
    ['{a: 1}', '2']
    """
    return [text[node.start : node.end] for node in _body(text, function)]


def split_list(text: str) -> list[str] | None:
    """Return the texts of a WAVE list's elements, or `None` for a text that is no list.

    >>> split_list('[a, "b, c"]'), split_list("a")
    (['a', '"b, c"'], None)
    """
    try:
        node = parse(text)
    except UsageError:
        return None
    return [text[e.start : e.end] for e in node.value] if node.kind == "list" else None


def parse_args(text: str, function: Function) -> list[Any]:
    """Return the normal forms of the arguments in the body of a `%%fire` cell."""
    return _arguments(function, _body(text, function), text)


def _body(text: str, function: Function) -> list[Node]:
    parser = Parser(text)
    nodes: list[Node] = []
    while parser.kind != "end":
        nodes.append(parser.value())
        if parser.kind == "punct" and parser.token == ",":
            parser.advance()
        elif parser.kind != "end" and "\n" not in text[parser.last : parser.start]:
            parser.fail(f"Expected ',' or a line break between arguments, found {parser.token!r}")
    return _spread(nodes[0], function) if len(nodes) == 1 and nodes[0].kind == "tuple" else nodes


def _spread(parens: Node, function: Function) -> list[Node]:
    """Return the arguments in parentheses, which may also be one tuple."""
    params = function.params
    is_one = len(params) == 1 and _is_tuple_of(params[0].type, len(parens.value))
    return [parens] if is_one else list(parens.value)


def bind(function: Function, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> list[Any]:
    """Return the normal forms of Python arguments, by position and by snake_case name.

    Raises `UsageError` for the wrong number or name, `ValueDoesNotFit` for a value of another type.
    """
    names = [p.name for p in function.params]
    labels = Labels(names)
    given = dict(zip(names, args, strict=False))
    for word, value in (kwargs or {}).items():
        name = labels.find(word)
        if name is None:
            near = did_you_mean(word, map(snake, names))
            signature = f"Its signature: {function.text}."
            raise UsageError(f"{function.name} has no parameter {word!r}.{near} {signature}")
        if name in given:
            raise UsageError(f"{function.name} got {name!r} twice. Its signature: {function.text}.")
        given[name] = value
    absent = [p for p in function.params if p.name not in given and not isinstance(p.type, OptionType)]
    if len(args) > len(names) or absent:
        raise _wrong_count(function, max(len(args), len(given)))
    return [to_normal(given.get(p.name), p.type, _root(function, p.name)) for p in function.params]


def call_text(function: Function, args: Sequence[Any]) -> str:
    """Return the call of `function` with arguments in normal form, as WAVE that `parse_call` reads.

    >>> from labkernel._wit import Param, Primitive
    >>> call_text(Function("greet", (Param("name", Primitive("string")),)), ["Ada"])
    'greet("Ada")'
    """
    written = ", ".join(wave(a, p.type) for a, p in zip(args, function.params, strict=True))
    return f"{function.full_name}({written})"


def _written(text: str, start: int, function: Function) -> list[Node]:
    """Return the arguments after the function's name."""
    parser = Parser(text, start)
    if parser.kind == "end":
        return []
    node = parser.value()
    if parser.kind == "punct" and parser.token == ",":
        hint = f"Put several arguments in parentheses: {function.name}(...)."
        parser.fail("Unexpected ',' after the argument", hint)
    parser.finish()
    return _spread(node, function) if node.kind == "tuple" else [node]


def _arguments(function: Function, nodes: list[Node], text: str) -> list[Any]:
    """Return the normal forms of a call's arguments; options at the end may be left out."""
    params = function.params
    optional = 0
    while optional < len(params) and isinstance(params[-1 - optional].type, OptionType):
        optional += 1
    if not len(params) - optional <= len(nodes) <= len(params):
        raise _wrong_count(function, len(nodes))
    given = [
        read_node(node, param.type, text, _root(function, param.name))
        for node, param in zip(nodes, params, strict=False)
    ]
    return given + [None] * (len(params) - len(nodes))


def _is_tuple_of(wit_type: Type, count: int) -> bool:
    """Whether `f (1, 2)` gives one tuple rather than `count` arguments."""
    while isinstance(wit_type, OptionType):
        wit_type = wit_type.payload
    return count != 1 and isinstance(wit_type, TupleType) and len(wit_type.elements) == count


def _root(function: Function, param: str) -> str:
    return "$" if len(function.params) == 1 else f"$.{param}"


def _wrong_count(function: Function, got: int) -> UsageError:
    count = len(function.params)
    takes = f"{count} argument{'' if count == 1 else 's'}" if count else "no arguments"
    return UsageError(f"{function.name} takes {takes}, got {got or 'none'}. Its signature: {function.text}.")


def _means_a_function(word: str, error: Exception, only: Function) -> bool:
    """Whether a first word that is no value of the argument's type was meant as a function."""
    if not word or word in KEYWORDS:
        return False
    if isinstance(error, ValueDoesNotFit) and error.path != _root(only, only.params[0].name):
        return False
    if not only.params or not _takes_names(only.params[0].type):
        return True
    return "Did you mean" not in str(error) and bool(did_you_mean(word, [only.name]))


def _takes_names(wit_type: Type | None) -> bool:
    """Whether a bare word can be a value of the type."""
    while isinstance(wit_type, OptionType | ResultType):
        wit_type = wit_type.payload if isinstance(wit_type, OptionType) else wit_type.ok
    return isinstance(wit_type, VariantType | EnumType)


def _no_function(word: str, functions: Sequence[Function]) -> UsageError:
    names = [f.full_name for f in functions] + [f.name for f in functions]
    shown = word if len(word) <= 80 else f"{word[:79]}…"
    what = f"No function {shown!r}" if word else "The call names no function"
    return UsageError(f"{what}; {listing(functions)}.{did_you_mean(word, names) if word else ''}")
