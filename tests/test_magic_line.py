"""WAVE on a magic's line arrives as typed; options are found outside it."""

from __future__ import annotations

import pytest

from labkernel import UsageError
from labkernel._magics.line import parse_line, words_only
from labkernel._magics.parsers import FIRE, INSTANTIATE, WASM


@pytest.mark.parametrize(
    "wave",
    [
        "{read, write}",
        'greet("{t}")',
        'greet "$x"',
        "-inf",
        "-1.5e3",
        '"--seed"',
        'f("--seed 7", -n)',
        "none",
        "some('\\'')",
        '"a \\" b) {"',
        'handle({a: 1,   b: "x   y"}, [1, 2])',
        "ns:pkg/iface@1.0.0#func(1)",
        "[{a: -1}, {a: -2}]",
    ],
)
def test_wave_is_untouched(wave: str) -> None:
    """What stands in brackets or quotes, signs and braces included, is not the parser's."""
    for line in (f"fn {wave}", f"fn {wave} --seed 3 --quiet", f"--seed 3 fn {wave} --quiet"):
        parsed = parse_line(FIRE, line, words=1)
        assert parsed.words == ["fn"]
        assert parsed.wave == wave
        assert parsed.seed == (3 if "--seed 3" in line.replace(wave, "") else 0)


def test_options_take_shell_words() -> None:
    """An option's value is a shell word; `--flag=ARG` gives it a leading dash."""
    parsed = parse_line(
        INSTANTIATE, "resize --env 'A=b c' --env=D=\"e f\" --as fn --dir ./data::/data:rw --timeout 1s"
    )
    assert parsed.words == ["resize"]
    assert parsed.env == ["A=b c", "D=e f"]
    assert (parsed.as_, parsed.dirs, parsed.timeout) == ("fn", ["./data::/data:rw"], "1s")
    assert parse_line(WASM, "c x --flag=-Wall --flag=-O2").flag == ["-Wall", "-O2"]


def test_expression_reaches_to_the_next_option() -> None:
    """`--args` takes a whole Python expression."""
    parsed = parse_line(FIRE, 'fn --args {"a": [1, 2], "b": x + 1} --seed 4', words=1)
    assert parsed.args == '{"a": [1, 2], "b": x + 1}'
    assert parsed.seed == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fn --sed 4", r"knows no option '--sed'.*Did you mean '--seed'\?"),
        ("fn -x", "knows no option '-x'"),
        ("fn --seed", "--seed needs a value"),
        ("fn --seed four", "'four' is no whole number"),
        ("fn --env 'A=b", "quote that is not closed"),
    ],
)
def test_bad_lines(line: str, message: str) -> None:
    """A line that cannot be understood says what was wrong in it."""
    with pytest.raises(UsageError, match=message):
        parse_line(FIRE, line, words=1)


def test_number_of_words() -> None:
    """Too few or too many words show the usage."""
    with pytest.raises(UsageError, match="takes LANGUAGE NAME; got 1: rust"):
        words_only(parse_line(WASM, "rust"), WASM, ["LANGUAGE", "NAME"])
