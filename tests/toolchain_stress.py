"""Worlds that are hard on bindings: wide, deep, full of keywords, with everything passed by memory or by value."""

from __future__ import annotations

from typing import Any, Final

from toolchain_kit import Running

from labkernel._events import events
from labkernel._wit import World

_CASES: Final = ", ".join(f"c{i}(u{8 << i % 4})" if i % 3 else f"c{i}" for i in range(100))
_FIELDS: Final = ", ".join(f"%f{i}: {('u8', 'string', 'option<u16>', 'f64')[i % 4]}" for i in range(60))
_PARAMS: Final = ", ".join(f"p{i}: {('u8', 'string', 's64', 'f32')[i % 4]}" for i in range(20))

#: Each function answers what it is given; `ECHOES` says which types.
ECHOES: Final = {
    "bools": "list<bool>", "chars": "list<char>", "s8s": "list<s8>", "u16s": "list<u16>", "f32s": "list<f32>",
    "words": "list<string>", "lists": "list<list<list<u8>>>", "options": "option<option<option<u8>>>",
    "results": "list<result<result<u8, string>, result<_, f64>>>",
    "tuples": "tuple<u8, tuple<u64>, tuple<string, char>>",
    "wide-case": "wide", "wide-cases": "list<wide>", "sixty": "big", "sixties": "list<big>", "joined": "mixed",
    "many-joined": "list<mixed>", "flag": "perms", "all-flags": "list<perms>", "thirty": "thirty-two",
    "small": "s8", "letter": "char", "half": "f32", "whole": "s64", "yes": "bool", "maybe": "option<f32>",
    "one": "single", "empty": "list<option<list<string>>>", "plain-result": "result", "err-only": "result<_, string>",
    "ok-only": "result<list<u8>>", "alias": "renamed", "keyword": "class",
}  # fmt: skip

_FUNCTIONS: Final = "\n".join(
    f"  export echo-{name}: func(v: {text}) -> {text};" for name, text in ECHOES.items()
)

STRESS: Final = f"""package test:stress@1.2.3;

world stress {{
  variant wide {{ {_CASES} }}
  record big {{ {_FIELDS} }}
  variant mixed {{ a(f32), b(u64), c(tuple<f64, u8, string>), d(s8), e(list<f64>), f(option<char>), g }}
  flags perms {{ read, write, exec }}
  flags thirty-two {{ {", ".join(f"b{i}" for i in range(32))} }}
  record single {{ only: f64 }}
  type renamed = list<mixed>;
  record class {{ self: u8, this: string, new: option<u8>, delete: bool, %func: char, var: s64, %package: f32 }}
{_FUNCTIONS}
  export twenty: func({_PARAMS}) -> tuple<u8, string, s64, f32>;
}}
"""


def check_echoes(call: Running, world: World, *, n: int = 12) -> None:
    """Every function answers what it was given, edges first."""
    for function in world.functions():
        for given in events(function, seed=7, n=n):
            answer: Any = call(function.full_name, *given)
            wanted = given[16:] if function.name == "twenty" else given[0]
            assert repr(answer) == repr(wanted), function.name
