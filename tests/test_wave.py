"""WAVE text in and out, and calls written in it."""

# ruff: noqa: E501 - a message stands in one piece, as the user reads it

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wit_strategies import calls, functions, same, typed_values, types

from labkernel._errors import LabError, UsageError, ValueDoesNotFit
from labkernel._values import bind, call_text, parse_args, parse_call, parse_wave, split_args, wave
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

U8, S8, F32, F64 = map(Primitive, ("u8", "s8", "f32", "f64"))
STRING, CHAR, BOOL = map(Primitive, ("string", "char", "bool"))
EVENT_TYPE = EnumType(("object-added", "object-removed", "object-restored"), name="event-type")
DATETIME = RecordType(
    (Field("seconds", Primitive("u64")), Field("nanoseconds", Primitive("u32"))), "datetime"
)
EVENT = RecordType(
    (Field("event-type", EVENT_TYPE), Field("event-timestamp", DATETIME), Field("event-version", STRING)),
    name="handler-event",
)
ERROR = VariantType((Case("unsupported", EVENT_TYPE), Case("failed", STRING), Case("busy")), "handler-error")
PERMS = FlagsType(("read", "write", "exec"), name="perms")
WORDS = EnumType(("none", "ok", "true", "inf", "north"), name="words")
OPTIONS = RecordType((Field("a", OptionType(U8)), Field("b", OptionType(STRING))), "options")
HANDLE = Function("handle", (Param("event", EVENT),), ResultType(None, ERROR))
EVENT_TEXT = '{event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, event-version: "2.1"}'
NORMAL = ["object-added", [1, 0], "2.1"]


@given(typed_values)
def test_wave_text_reads_back_as_the_same_value(typed: tuple[Type, Any]) -> None:
    """Every value of every type survives printing and reading."""
    wit_type, normal = typed
    text = wave(normal, wit_type)
    assert "\n" not in text
    assert same(parse_wave(text, wit_type), normal)


@given(calls())
def test_a_printed_call_reads_back_as_the_same_call(call: tuple[Function, list[Any]]) -> None:
    """What `%fire fn` prints can be pasted behind `%fire fn`, for functions of worlds and of interfaces."""
    function, args = call
    others = [Function("another-one"), function]
    for target in ([function], others):
        found, read = parse_call(call_text(function, args), target)
        assert found is function
        assert same(read, args)
    body = call_text(function, args).removeprefix(function.full_name)
    if not args or args == [[]]:
        return
    assert same(parse_args(body, function), args)


SYNTAX: list[tuple[str, Type, Any]] = [
    ("true", BOOL, True),
    (" -128 ", S8, -128),
    ("3.14", F64, 3.14),
    ("6.022e+23", F64, 6.022e23),
    ("-1.5e3", F64, -1500.0),
    ("7", F64, 7.0),
    ("inf", F64, math.inf),
    ("-inf", F32, -math.inf),
    ("nan", F32, math.nan),
    ("-0", F64, -0.0),
    ("0.1", F32, 0.10000000149011612),
    ("16777217.0000000000000000001", F32, 16777218.0),
    ("'x'", CHAR, "x"),
    (r"'\''", CHAR, "'"),
    ("'\"'", CHAR, '"'),
    (r"'\u{1F30A}'", CHAR, "\U0001f30a"),
    (r'"\\\'\"\t\n\r\u{2603}\u{002603}"', STRING, "\\'\"\t\n\r\u2603\u2603"),
    ('"{t}"', STRING, "{t}"),
    ('"$x"', STRING, "$x"),
    ('"--seed"', STRING, "--seed"),
    ('"// no comment"', STRING, "// no comment"),
    ('"""\n"""', STRING, ""),
    ('"""\n    Trailing indent\n  determines dedent\n      behavior.\n  """', STRING,
     "  Trailing indent\ndetermines dedent\n    behavior."),
    ('"""\r\nBreak up: ""\\""\r\nEscapes: \\t\\u{2603}\r\n"""', STRING, 'Break up: """"\nEscapes: \t\u2603'),
    ('"""\n\nKept\n\n"""', STRING, "\nKept\n"),
    ("[1, 2,]", ListType(U8), b"\x01\x02"),
    ("[]", ListType(STRING), []),
    ("[true // yes\n, false]", ListType(BOOL), [True, False]),
    ('("a", 1,)', TupleType((STRING, U8)), ["a", 1]),
    ("(1)", TupleType((U8,)), [1]),
    ("{b: none, a: 1}", OPTIONS, [[1], None]),
    ("{:}", OPTIONS, [None, None]),
    ("{%seconds: 1, nanoseconds: 2}", DATETIME, [1, 2]),
    ("{write, %read,}", PERMS, ["read", "write"]),
    ("{read, write}", PERMS, ["read", "write"]),
    ("{}", PERMS, []),
    ("north", WORDS, "north"),
    ("%north", WORDS, "north"),
    ("%none", WORDS, "none"),
    ("none", OptionType(WORDS), None),
    ("%none", OptionType(WORDS), ["none"]),
    ("unsupported(object-added)", ERROR, ["unsupported", "object-added"]),
    ("busy", ERROR, ["busy", None]),
    ("5", OptionType(U8), [5]),
    ("some(5)", OptionType(U8), [5]),
    ("some(none)", OptionType(OptionType(U8)), [None]),
    ("some(5)", OptionType(OptionType(U8)), [[5]]),
    ("ok", ResultType(), ["ok", None]),
    ("5", ResultType(U8, STRING), ["ok", 5]),
    ('err("oops")', ResultType(None, STRING), ["err", "oops"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wit_type", "normal"), SYNTAX)
def test_the_syntax_of_the_ecosystem_is_read(text: str, wit_type: Type, normal: Any) -> None:
    """The examples of wasm-wave's own documentation and tests mean here what they mean there."""
    assert same(parse_wave(text, wit_type), normal)


@pytest.mark.parametrize(
    ("normal", "wit_type", "text"),
    [
        (1.0, F64, "1"),
        (-0.0, F64, "-0"),
        (1e21, F64, "1000000000000000000000"),
        (5e-7, F64, "0.0000005"),
        (math.nan, F32, "nan"),
        (0.10000000149011612, F32, "0.1"),
        (3.4028234663852886e38, F32, "340282350000000000000000000000000000000"),
        (1.401298464324817e-45, F32, "0." + "0" * 44 + "1"),
        (2.0**-20, F32, "0.0000009536743"),
        ("it's \"\\\t\r\n\0\x7f", STRING, r'"it\'s \"\\\t\r\n\u{0}\u{7f}"'),
        ("WAVE\U0001f30a\u2603 \u00e9 e\u0301\u200d", STRING, '"WAVE\U0001f30a\u2603 \u00e9 e\\u{301}\\u{200d}"'),
        ("'", CHAR, r"'\''"),
        (b"\x00\xff", ListType(U8), "[0, 255]"),
        ([None, ["x"]], OPTIONS, '{b: some("x")}'),
        ([None, None], OPTIONS, "{:}"),
        (["read", "exec"], PERMS, "{read, exec}"),
        ([], PERMS, "{}"),
        ("none", WORDS, "%none"),
        (["ok", None], ResultType(None, ERROR), "ok"),
        (["err", ["unsupported", "object-removed"]], ResultType(None, ERROR), "err(unsupported(object-removed))"),
        ([["a", 1]], ListType(TupleType((STRING, U8))), '[("a", 1)]'),
        (NORMAL, EVENT, EVENT_TEXT),
    ],
)  # fmt: skip
def test_values_print_as_the_ecosystem_prints_them(normal: Any, wit_type: Type, text: str) -> None:
    """The output is what wasm-wave's writer gives for the same value."""
    assert wave(normal, wit_type) == text


@given(st.integers(0, 2**32 - 1))
def test_f32_text_is_the_shortest_that_reads_back(bits: int) -> None:
    """No shorter decimal gives the same f32, and the text reads back exactly."""
    import struct

    value = struct.unpack("<f", struct.pack("<I", bits))[0]
    text = wave(value, F32)
    assert same(parse_wave(text, F32), value)
    digits = len(text.replace("-", "").replace(".", "").strip("0"))
    if math.isfinite(value) and digits > 1:
        shorter = f"{value:.{digits - 2}e}"
        with_fewer = (
            struct.unpack("<f", struct.pack("<f", float(shorter)))[0] if abs(float(shorter)) < 3e38 else 0
        )
        assert with_fewer != value


@pytest.mark.parametrize(
    ("text", "wit_type", "message"),
    [
        ("", U8, "Expected a value, found the end of the text at column 1.\n    \n    ^"),
        ("[1 2]", ListType(U8), "Expected ',' or ']', found '2' at column 4.\n    [1 2]\n       ^"),
        ("[1", ListType(U8), "Expected ',' or ']', found the end of the text at column 3.\n    [1\n      ^"),
        ("1 2", U8, "Unexpected '2' after the value at column 3.\n    1 2\n      ^"),
        ("{a: 1, b}", OPTIONS, "Expected ':' and the value of field 'b', found '}' at column 9.\n    {a: 1, b}\n            ^"),
        ("{read, a: 1}", PERMS, "Expected ',' or '}', found ':' at column 9.\n    {read, a: 1}\n            ^"),
        ("{a: 1, a: 2}", OPTIONS, "'a' is given twice at column 8.\n    {a: 1, a: 2}\n           ^"),
        ('{"a": 1}', OPTIONS, "Expected a field or flag name, found '\"a\"' at column 2. Names are written without quotes.\n"
                              '    {"a": 1}\n     ^^^'),
        ("{event_type: 1}", EVENT, "'event_type' is no name at column 2. Names are kebab-case: event-type.\n"
                                   "    {event_type: 1}\n     ^^^^^^^^^^"),
        ("objectAdded", EVENT_TYPE, "'objectAdded' is no name at column 1. Names are kebab-case: object-added.\n"
                                    "    objectAdded\n    ^^^^^^^^^^^"),
        ("0x1f", U8, "'0x1f' is no number at column 1. Numbers are decimal, without leading zeros, '_' or suffix.\n"
                     "    0x1f\n    ^^^^"),
        ("+5", U8, "Unexpected '+5' at column 1.\n    +5\n    ^^"),
        (".5", F64, "Unexpected '.5' at column 1. Write it with a digit first: 0.5.\n    .5\n    ^^"),
        ('"abc', STRING, "The string that starts here has no end at column 1. A line break inside is written \\n.\n"
                         '    "abc\n    ^^^^'),
        (r'"a\q"', STRING, "Unknown escape '\\\\q' at column 3. Known: \\' \\\" \\\\ \\t \\n \\r \\u{...}.\n"
                           '    "a\\q"\n      ^^'),
        (r'"\u{d800}"', STRING, 'U+D800 is no Unicode scalar value at column 2.\n    "\\u{d800}"\n     ^^^^^^^^'),
        ('"\ud800"', STRING, 'Lone surrogate U+D800 is no Unicode scalar value at column 2.\n    " "\n     ^'),
        ("'ab'", CHAR, "A char must be one Unicode scalar value, not 2, at column 1. A string has double quotes.\n"
                       "    'ab'\n    ^^^^"),
        ('"""a"""', STRING, 'Opening """ must be followed by a line break at column 1.\n    """a"""\n    ^^^'),
        ('"""\n  a\n   """', STRING, 'This line must be indented by 3 spaces at least, as the closing """ is '
                                     "at line 2, column 1.\n      a\n    ^"),
        ("some", OptionType(U8), "Expected '(' and a value after 'some', found the end of the text at column 5.\n"
                                 "    some\n        ^"),
        ("[" * 101, ListType(U8), "Nested deeper than 100 levels at column 101.\n"
                                  "    …" + "[" * 66 + "[\n    " + " " * 66 + "^"),
    ],
)  # fmt: skip
def test_text_that_is_no_wave_is_pointed_at(text: str, wit_type: Type, message: str) -> None:
    """A syntax error has the place, the line, a caret and the next step."""
    with pytest.raises(UsageError) as caught:
        parse_wave(text, wit_type)
    if "deeper" in message:
        assert str(caught.value).startswith(message.split("\n")[0])
    else:
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "wit_type", "message"),
    [
        ("256", U8, "$: 256 does not fit u8 (range 0 to 255)."),
        ("1" * 5000, U8, f"$: {'1' * 79}… does not fit u8 (range 0 to 255)."),
        ("1.0", U8, "$: 1.0 does not fit u8 (a float, not an integer)."),
        ("1e39", F32, "$: 1e39 does not fit f32 (range -3.4028235e38 to 3.4028235e38)."),
        ("1e999", F64, "$: 1e999 does not fit f64 (range -1.7976931348623157e308 to 1.7976931348623157e308)."),
        ('"1"', U8, '$: "1" does not fit u8 (a string, not an integer).'),
        ("x", STRING, "$: x does not fit string (a name, not a string in double quotes)."),
        ("1", BOOL, "$: 1 does not fit bool (a number, not true or false)."),
        ("{a: 1}", ListType(U8), "$: {a: 1} does not fit list<u8> (a record, not a list in [ ])."),
        ("[1, 300]", ListType(U8), "$[1]: 300 does not fit u8 (range 0 to 255)."),
        ("(1)", TupleType((U8, U8)), "$: (1) does not fit tuple<u8, u8> (1 elements, not 2)."),
        ("{seconds: 1}", DATETIME, "$: {seconds: 1} does not fit datetime (field 'nanoseconds' is missing)."),
        ("{second: 1}", DATETIME, "$: second does not fit datetime (no such field). Did you mean 'seconds'?"),
        ("{}", OPTIONS, "$: {} does not fit options (flags, not a record). A record whose fields are all left out is written {:}."),
        ("{}", DATETIME, "$: {} does not fit datetime (flags, not a record). A record is written {field: value, ...}."),
        ("{:}", PERMS, "$: {:} does not fit perms (a record, not flags). Flags are written {one, two}, none of them {}."),
        ("{red}", PERMS, "$: red does not fit perms (no such flag). Did you mean 'read'?"),
        ("object-aded", EVENT_TYPE, "$: object-aded does not fit event-type (no such case). Did you mean 'object-added'?"),
        ('"north"', WORDS, '$: "north" does not fit words (a string, not a case). Cases are written without quotes: north.'),
        ("none", WORDS, "$: none does not fit words (an option, not a case). 'none' is a WAVE keyword; as a case it is written %none."),
        ("inf", WORDS, "$: inf does not fit words (a number, not a case). 'inf' is a WAVE keyword; as a case it is written %inf."),
        ("busy(1)", ERROR, "$: busy(1) does not fit handler-error (case 'busy' has no payload)."),
        ("failed", ERROR, "$: failed does not fit handler-error (case 'failed' needs a payload). Write failed(...)."),
        ("unsupported(x)", ERROR, "$.unsupported: x does not fit event-type (no such case). Cases: object-added, object-removed, object-restored."),
        ("5", OptionType(OptionType(U8)), "$: 5 does not fit option<option<u8>> (a number, not some(...) or none)."),
        ("5", ResultType(OptionType(U8)), "$: 5 does not fit result<option<u8>> (a number, not ok(...) or err(...))."),
        ("5", ResultType(), "$: 5 does not fit result (a number, not ok or err(...))."),
        ("err(1)", ResultType(), "$: err(1) does not fit result (case 'err' has no payload)."),
    ],
)  # fmt: skip
def test_wave_of_another_type_says_path_value_type_and_reason(
    text: str, wit_type: Type, message: str
) -> None:
    """A misfit shows what was written, as it was written, and where."""
    with pytest.raises(ValueDoesNotFit) as caught:
        parse_wave(text, wit_type)
    assert str(caught.value).startswith(f"{message} At column ")


def test_a_misfit_in_a_long_text_shows_the_part_around_it() -> None:
    """Line and column count in the whole text, the excerpt is cut to a readable width."""
    text = f"[\n{', '.join(['1'] * 100)}, 300, 2]"
    with pytest.raises(ValueDoesNotFit) as caught:
        parse_wave(text, ListType(U8))
    head, line, caret = str(caught.value).splitlines()
    assert head == "$[100]: 300 does not fit u8 (range 0 to 255). At line 2, column 301:"
    assert line.startswith("    …")
    assert line[caret.index("^") : caret.rindex("^") + 1] == "300"


_pieces = st.lists(
    st.sampled_from([*"{}()[],:%-\"'\\.\n ", "some", "none", "ok(", "err", "nan", "-inf", "a", "a-b", "1", "1.5e3", '"""',
                     "//", r"\u{41}", "true", "handle", "ns:p/i@1.0.0#f", "\ud800", "\u00e9"]),
    max_size=30,
).map("".join)  # fmt: skip


@given(st.text() | _pieces, types)
@example("{", OPTIONS)
@example("'", CHAR)
def test_any_text_is_read_or_refused(text: str, wit_type: Type) -> None:
    """Random text never gets anything out but the lab's own errors."""
    try:
        normal = parse_wave(text, wit_type)
    except LabError:
        return
    assert same(parse_wave(wave(normal, wit_type), wit_type), normal)


@given(st.text() | _pieces, st.lists(functions(), max_size=3))
def test_any_call_is_read_or_refused(text: str, targets: list[Function]) -> None:
    """A random call is understood or refused by the lab's own errors."""
    try:
        function, args = parse_call(text, targets)
    except LabError:
        return
    assert len(args) == len(function.params)


@given(typed_values, st.data())
def test_a_value_cut_or_garbled_is_read_or_refused(typed: tuple[Type, Any], data: st.DataObject) -> None:
    """One wrong character in good text gives a value or an error of the lab."""
    wit_type, normal = typed
    text = wave(normal, wit_type)
    at = data.draw(st.integers(0, len(text)))
    garbled = text[:at] + data.draw(st.sampled_from(["", *"{}()[],:\"'\\x1 "])) + text[at + 1 :]
    try:
        parse_wave(garbled, wit_type)
    except LabError as error:
        assert "column" in str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '"' + "\\" * 100_000,
        '"' * 100_001,
        "//" * 100_000,
        "some(" * 50_000,
        "'" + "a" * 100_000,
    ],
)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    """No text makes the reader slow or deep."""
    start = time.process_time()
    with pytest.raises(UsageError):
        parse_wave(text, OptionType(STRING))
    assert time.process_time() - start < 5  # quadratic would be minutes


def test_a_long_list_is_read_in_linear_time() -> None:
    """A long list of numbers is read in a second, not in minutes."""
    numbers = random.Random(1).choices(range(256), k=50_000)
    assert parse_wave(f"[{', '.join(map(str, numbers))}]", ListType(U8)) == bytes(numbers)


CALLS = [
    f"handle({EVENT_TEXT})",
    f"handle {EVENT_TEXT}",
    EVENT_TEXT,
    f"({EVENT_TEXT})",
    f"handle\n(\n{EVENT_TEXT},)",
]


@pytest.mark.parametrize("text", CALLS)
def test_one_function_can_be_called_in_every_form(text: str) -> None:
    """With its name and parentheses, with its name alone, with neither."""
    assert parse_call(text, [HANDLE]) == (HANDLE, [NORMAL])


@pytest.mark.parametrize(
    ("text", "param", "normal"),
    [
        ("f {read, write}", PERMS, ["read", "write"]),
        ("{read, write}", PERMS, ["read", "write"]),
        ('f "{t}"', STRING, "{t}"),
        ('f("$x")', STRING, "$x"),
        ("-inf", F64, -math.inf),
        ("f -inf", F64, -math.inf),
        ("f(-1.5e3)", F64, -1500.0),
        ("-1.5e3", F64, -1500.0),
        ('"--seed"', STRING, "--seed"),
        ("f('\"')", CHAR, '"'),
        ("none", OptionType(STRING), None),
        ("f none", OptionType(STRING), None),
        ("f", OptionType(STRING), None),
        ("f()", OptionType(STRING), None),
        ("object-added", EVENT_TYPE, "object-added"),
        ("some(object-added)", OptionType(EVENT_TYPE), ["object-added"]),
        ("unsupported(object-added)", ERROR, ["unsupported", "object-added"]),
        ("true", BOOL, True),
        ("(1, 2)", TupleType((U8, U8)), [1, 2]),
        ("f((1, 2))", TupleType((U8, U8)), [1, 2]),
        ("f (1, 2)", TupleType((U8, U8)), [1, 2]),
        ("%f", EnumType(("f",)), "f"),
        ("f f", EnumType(("f",)), None),
    ],
)
def test_the_first_word_is_a_function_only_if_it_is_exported(text: str, param: Type, normal: Any) -> None:
    """A bare word that no function has is the argument; `%` makes an argument of one that a function has."""
    function = Function("f", (Param("x", param),))
    expected = "f" if text == "f f" else normal
    assert parse_call(text, [function]) == (function, [expected])


STORE = "wasi:keyvalue/store@0.2.0"
GET, PUT = (Function(n, (Param("key", STRING),), interface=STORE) for n in ("get", "put"))
OTHER_GET = Function("get", (Param("key", STRING),), interface="ns:other/cache")


@pytest.mark.parametrize(
    "name",
    ["get", f"{STORE}#get", "wasi:keyvalue/store#get", "store#get", "store.get",
     "wasi:keyvalue/store.get@0.2.0", "wasi:keyvalue/store@0.2.0.get"],
)  # fmt: skip
def test_functions_of_interfaces_answer_to_short_and_full_names(name: str) -> None:
    """With or without package and version; bare where no other function has the name."""
    assert parse_call(f'{name}("a")', [GET, PUT, HANDLE]) == (GET, ["a"])


@pytest.mark.parametrize(
    ("text", "functions", "message"),
    [
        ('get("a")', [GET, OTHER_GET], f"'get' could be several functions. Write {STORE}#get or ns:other/cache#get."),
        ("{:}", [GET, PUT], f"The call names no function; functions: {STORE}#get: func(key: string); {STORE}#put: func(key: string)."),
        ('gett("a")', [GET, PUT], f"No function 'gett'; functions: {STORE}#get: func(key: string); {STORE}#put: func(key: string). Did you mean 'get'?"),
        ("handle()", [], "No function 'handle'; the target exports none."),
        (f"hanle({EVENT_TEXT})", [HANDLE], f"No function 'hanle'; the only function is {HANDLE.text}. Did you mean 'handle'?"),
        (f"hanle {EVENT_TEXT}", [HANDLE], f"No function 'hanle'; the only function is {HANDLE.text}. Did you mean 'handle'?"),
        ("ns:p/i#handle({:})", [HANDLE], f"No function 'ns:p/i#handle'; the only function is {HANDLE.text}. Did you mean 'handle'?"),
        ("f(1)", [Function("g")], "No function 'f'; the only function is g: func()."),
        ("g(1)", [Function("g")], "g takes no arguments, got 1. Its signature: g: func()."),
        ("handle", [HANDLE], f"handle takes 1 argument, got none. Its signature: {HANDLE.text}."),
        ("", [HANDLE], f"handle takes 1 argument, got none. Its signature: {HANDLE.text}."),
        (f"handle({EVENT_TEXT}, 1)", [HANDLE], f"handle takes 1 argument, got 2. Its signature: {HANDLE.text}."),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_understood_is_told_with_the_functions(
    text: str, functions: list[Function], message: str
) -> None:
    """Unknown, ambiguous and wrongly counted calls name what there is."""
    with pytest.raises(UsageError) as caught:
        parse_call(text, functions)
    assert str(caught.value) == message


def test_arguments_without_parentheses_are_one() -> None:
    """A comma after the only argument is pointed at."""
    two = Function("f", (Param("a", U8), Param("b", U8)))
    with pytest.raises(
        UsageError, match=r"Unexpected ',' after the argument at column 4\. Put several arguments"
    ):
        parse_call("f 1, 2", [two])


def test_options_at_the_end_may_be_left_out() -> None:
    """As wasm-wave has it for calls."""
    function = Function("f", (Param("a", U8), Param("b", OptionType(U8)), Param("c", OptionType(U8))))
    for text in ("f(1)", "f 1", "f(1, none)", "(1, none, none)", "1"):
        assert parse_call(text, [function])[1] == [1, None, None]
    assert bind(function, [1]) == bind(function, [], {"a": 1, "c": None}) == [1, None, None]


def test_a_misfit_among_several_arguments_names_the_parameter() -> None:
    """With one parameter the path starts at `$`, with more at the parameter's name."""
    two = Function("f", (Param("a", U8), Param("the-list", ListType(U8))))
    with pytest.raises(ValueDoesNotFit, match=r"^\$\.the-list\[0\]: 300 does not fit u8"):
        parse_call("f(1, [300])", [two])
    with pytest.raises(ValueDoesNotFit, match=r"^\$\.the-list\[0\]: 300 does not fit u8"):
        bind(two, [1, [300]])


def test_the_body_of_a_cell_holds_arguments_line_by_line() -> None:
    """Commas or line breaks part arguments at top level; comments and inner line breaks are WAVE's."""
    two = Function("f", (Param("options", OPTIONS), Param("name", STRING)))
    for body in ('{\n  a: 1, // one\n}\n"x, y"\n', '{a: 1}, "x, y",', '({a: 1}, "x, y")'):
        assert parse_args(body, two) == [[[1], None], "x, y"]
    assert split_args('{a: 1}\n"x, y"', two) == ["{a: 1}", '"x, y"']
    assert split_args("(1, 2)", Function("f", (Param("t", TupleType((U8, U8))),))) == ["(1, 2)"]
    assert split_args("\n", Function("f")) == []
    with pytest.raises(
        UsageError, match="Expected ',' or a line break between arguments, found '2' at column 3"
    ):
        split_args("1 2", two)


def test_python_arguments_are_bound_by_position_and_name() -> None:
    """Parameters go by their snake_case names, and a wrong one is told with the signature."""
    function = Function("f", (Param("max-size", U8), Param("name", STRING)))
    assert bind(function, [1, "a"]) == bind(function, [], {"max_size": 1, "name": "a"}) == [1, "a"]
    for args, kwargs, message in (
        ([1], {}, "f takes 2 arguments, got 1. "),
        ([1, "a", 2], {}, "f takes 2 arguments, got 3. "),
        ([1], {"max_size": 1}, "f got 'max-size' twice. "),
        ([1], {"nam": "a"}, "f has no parameter 'nam'. Did you mean 'name'? "),
    ):
        with pytest.raises(UsageError) as caught:
            bind(function, args, kwargs)
        assert str(caught.value) == f"{message}Its signature: f: func(max-size: u8, name: string)."
