"""Names in WIT text: which packages it declares and refers to, comments and nesting included."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from labkernel._wit import PackageId, declared, nested, referenced, with_versions
from labkernel._wit.names import without_comments

Require = Callable[[str, object], None]


def test_names_in_every_place() -> None:
    """Packages are found where they are declared and referred to, and nowhere else."""
    text = """// package no:no; use no:no/x;
    package my:main@1.0.0-rc.1; /* import also:no/x; /* nested */ */
    interface i { use wasi:io/streams@0.2.0-rc-2023-11-10.{a, b as c}; f: func(my: u32) -> list<u8>; }
    world w { include %use:it/w@2.0.0 with { a as b }; export other :
      spaced / i @ 0.1.0 ; import i; }
    package in:side { interface j { record r { package: string } } }
    """
    assert list(map(str, declared(text))) == ["my:main@1.0.0-rc.1", "in:side"]
    assert sorted(map(str, referenced(text))) == [
        "other:spaced@0.1.0",
        "use:it@2.0.0",
        "wasi:io@0.2.0-rc-2023-11-10",
    ]


@given(st.text("/*\n ab{};", max_size=60))
def test_comments_become_spaces(text: str) -> None:
    """Every offset and every line stays where it is, and no comment is left."""
    plain = without_comments(text)
    assert len(plain) == len(text)
    assert [i for i, c in enumerate(plain) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]
    assert "/*" not in plain
    assert "//" not in plain
    assert without_comments(plain) == plain


def test_nested_packages_are_taken_apart() -> None:
    """A nested package becomes a text of its own, braces within it and all."""
    text = "package a:b;\ninterface i {}\npackage c:d@1.0.0 {\n  interface j { record r { x: u32 } }\n}\nworld w {}\n"
    rest, inner = nested(text)
    assert rest == "package a:b;\ninterface i {}\n\nworld w {}\n"
    assert inner == {
        PackageId("c:d", "1.0.0"): "package c:d@1.0.0;\n\n  interface j { record r { x: u32 } }\n"
    }
    assert nested("package a:b { interface i {")[1] == {PackageId("a:b"): "package a:b;\n interface i {"}


def test_versions_are_put_after_references() -> None:
    """A version is added, replaced or taken away; comments and the rest stay."""
    text = "use a:b/i.{t}; // a:b/i\nimport c:d/j@1.0.0;import e:f/k @ 2.0.0;"
    chosen = {"a:b": "3.0.0", "c:d": "1.0.1", "e:f": ""}
    assert with_versions(text, lambda name: chosen[name.name]) == (
        "use a:b/i@3.0.0.{t}; // a:b/i\nimport c:d/j@1.0.1;import e:f/k;"
    )
