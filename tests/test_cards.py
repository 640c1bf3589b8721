"""Cards: the same facts as HTML and as text, nothing that a guest prints can act, scoped style."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkernel._cards import (
    Badge,
    Bar,
    Bars,
    CallLine,
    Card,
    Code,
    Fact,
    Listing,
    Standing,
    Tabular,
    ToolLine,
    answer_card,
    build_card,
    doctor_card,
    error_card,
    escape,
    instance_card,
    list_card,
    output_card,
    printed,
    run_card,
    short_digest,
    timings_card,
    wit_card,
)
from labkernel._cards.style import STYLE
from labkernel._errors import CompileError, Diagnostic, GuestTrap
from labkernel._timing import Baseline, LatencyTiming, Machine, Phase, Samples, StartupTiming, Table, Timings
from labkernel._wit import (
    EnumType,
    Field,
    Function,
    Interface,
    NamedType,
    Package,
    Param,
    Primitive,
    RecordType,
    ResultType,
    World,
)

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b[2J\x9b31m\u202eevil\x00\ud800"
RAMP = Samples.of(range(1000, 1150), warmup=3)


class Page(HTMLParser):
    """What a browser would see: text, tags, attributes; styles apart."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.style = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and that it is open."""
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last, and no other."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep text apart from styles."""
        if self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.text.append(data)


def wit_package(docs: str = "What happened.") -> Package:
    """Return a small package with a world, an interface and types."""
    kind = EnumType(("added", "removed"), "event-type")
    event = RecordType((Field("kind", kind), Field("version", Primitive("string"))), "event")
    handle = Function("handle", (Param("event", event),), ResultType(None, kind), docs="Answers one event.")
    get = Function("get", (), Primitive("u8"), "example:faas/store@0.1.0", "Reads a byte.")
    store = Interface(
        "example:faas/store@0.1.0", (get,), (NamedType("id", Primitive("u32"), alias_of="u32"),)
    )
    types = (NamedType("event-type", kind, docs), NamedType("event", event))
    world = World("faas", "example:faas@0.1.0", (store,), (handle,), types, "A world.")
    return Package(
        "example:faas@0.1.0", (world,), (store,), "", docs="A package.", notes=("taken as 0.2.12",)
    )


def timings(name: str = "fn") -> Timings:
    """Return a start-up measurement with a warning and a baseline."""
    phases = {Phase.DESERIALIZE: RAMP, Phase.LINK: RAMP}
    target = StartupTiming(name, phases, "release", "cranelift", "rust", ("a note",), ("a warning",))
    return Timings("startup", (target,), (Baseline("process", RAMP, "native"),), Machine("CPU", 2))


def every_card(text: str = "plain") -> dict[str, Card]:
    """Return one card of each kind, `text` wherever a card shows text that it did not make."""
    diagnostic = Diagnostic(text, "warning", "cell", 3, 2, 4, text, text, "W1")
    return {
        "build": build_card(
            name=text, language="rust", size=20480, digest="sha256:" + "ab" * 32, form="release", world=text,
            phases={"compile": 150_000_000, "bindings": 2_000_000}, imports=[text], exports=[text],
            diagnostics=[diagnostic], toolchain=text, notes=[text], next_line=text, next_why=text,
        ),
        "instance": instance_card(
            component=text, name="fn", digest="sha256:" + "ab" * 32, compiler="winch",
            imports=[Standing(text, "granted", text), Standing("x:y/z", "traps")], budgets={"memory": text},
            phases={"link": 900}, run_line=text, differences=[text], started_anew=text, warnings=[text],
            next_line=text,
        ),
        "answer": answer_card(
            call=text, result=text, ns=1234, instance="fn", index=3, is_error=True, stdout=text, stderr=text,
            notes=[text], warnings=[text], next_line=text, next_why=text,
        ),
        "run": run_card(
            target=text, fired=150, calls=[CallLine(text, text, 99, True)], function=text, seed=7,
            policy="warm", results={text: 149}, errors={"GuestTrap": 1}, latency=RAMP, harness=RAMP,
            stdout=text, stderr=text, notes=[text], warnings=[text], next_line=text,
        ),
        "doctor": doctor_card([ToolLine(text, text, text, text), ToolLine("go", how=text)], notes=[text]),
        "list": list_card(text, ("a", "b"), ((text, "1"),), numeric=(1,), next_line=text),
        "error": error_card(GuestTrap(text, backtrace=text, output=text)),
        "compile error": error_card(CompileError(text, language="c", diagnostics=[diagnostic])),
        "wit": wit_card(wit_package(text), name="faas", notes=[text], next_cell=text, next_why=text),
        "timings": timings_card(timings(text), next_line=text, is_folded=True),
    }  # fmt: skip


def words(text: str) -> set[str]:
    """Return the words of a text, bars, rules and marks left out."""
    return set(re.findall(r"[^\s()\[\]▇·!-]+(?:-[^\s()\[\]▇!-]+)*", text)) - {"Next:", "Warnings"}


CARDS = every_card()


@pytest.mark.parametrize("name", CARDS)
def test_text_and_html_say_the_same(name: str) -> None:
    """Every word of a card's HTML is in its text, and the other way round."""
    card = CARDS[name]
    page = Page(card.html())
    in_html = words(" ".join(page.text)) - {"Next"}
    in_text = {w.rstrip(":") for w in words(card.text())}
    assert {w.rstrip(":") for w in in_html} == in_text - {"Next"}


@pytest.mark.parametrize("name", CARDS)
def test_a_hostile_text_is_only_text(name: str) -> None:
    """HTML, scripts, escapes, reversed writing, NUL and half characters make no tag and no control."""
    tame, wild = CARDS[name], every_card(HOSTILE)[name]
    page = Page(wild.html())
    shape = [(tag, sorted(attrs)) for tag, attrs in Page(tame.html()).tags]
    assert [(tag, sorted(attrs)) for tag, attrs in page.tags] == shape
    assert not {tag for tag, _ in page.tags} & {"script", "img", "a", "iframe", "link"}
    for form in (wild.html(), wild.text()):
        form.encode()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", form)
    assert "<script>alert(1)</script>" in "".join(page.text)
    assert "<script>" in wild.text()


@given(st.text())
def test_any_guest_output_can_be_shown(output: str) -> None:
    """Whatever a guest prints, the card is well formed and shows it in both forms."""
    card = answer_card(call="f()", result="ok", ns=1, stdout=output)
    page = Page(card.html())
    assert not page.open
    card.text().encode()


@pytest.mark.parametrize("name", CARDS)
def test_html_is_scoped_semantic_and_still(name: str) -> None:
    """One labelled section, one style, classes with one prefix, headed tables, no script, no address."""
    html = CARDS[name].html()
    page = Page(html)
    assert page.tags[0][0] == "section"
    assert page.tags[0][1].get("aria-label")
    assert [tag for tag, _ in page.tags].count("style") == 1
    classes = {c for _, attrs in page.tags for c in (attrs.get("class") or "").split()}
    formulas = {"mathjax_ignore", "tex2jax_ignore"}
    assert formulas <= set((page.tags[0][1].get("class") or "").split()), "$x$ would be typeset"
    assert all(c.startswith("lk-") for c in classes - formulas)
    assert not any(
        key.startswith("on") or key in {"href", "src", "id"} for _, attrs in page.tags for key in attrs
    )
    assert "http" not in html
    rows = html.count("<tr")
    assert rows == html.count('scope="row"') + html.count("<thead>")


def test_every_rule_of_the_style_is_scoped() -> None:
    """No rule reaches outside a card, and both colours follow the theme."""
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", STYLE)
    assert len(rules) > 20
    for selectors, _ in rules:
        assert all(s.strip().startswith(".lk-card.lk-card") for s in selectors.split(",")), selectors
    assert "color: var(--lk-fg)" in STYLE
    assert "background: var(--lk-bg)" in STYLE
    assert "var(--jp-ui-font-color1" in STYLE
    assert "var(--jp-layout-color1" in STYLE
    assert len(STYLE) < 6000


def test_a_bundle_holds_both_forms() -> None:
    """A card is displayed as HTML, or as text where that is all there is."""
    card = Card("t", kind="Build")
    assert card.bundle() == {"text/html": card.html(), "text/plain": "Build: t"}


def test_every_section_is_shown() -> None:
    """Code, lists, bars and tables stand under their headings, in order."""
    card = Card(
        "title", badges=(Badge("new", "good"),), facts=(Fact("label", "value", "note", is_code=True),),
        sections=(
            Code("Code", "a\n\n  b"), Listing("List", ("one", "two\nlines")),
            Bars("Bars", (Bar("step", "1 ms", 0.5, "why"), Bar("none", "0 ns", 0.0)), "1 ms"),
            Tabular("Grid", Table("caption", ("", "n"), (("row", "1"),), numeric=(1,)), ((0, "bad"),)),
        ),
        warnings=("careful",), next_line="%%wasm rust x\nfn f() {}", next_why="why",
    )  # fmt: skip
    assert card.text() == "\n".join([
        "title [new]",
        "  label  value  (note)",
        "Code", "  a", "", "    b",
        "List", "  - one", "  - two", "    lines",
        "Bars", "  step   1 ms  ▇▇▇▇▇▇▇▇▇▇  why", "  none   0 ns", "  total  1 ms",
        "Grid", "  caption", "       n", "  ---  -", "  row  1",
        "Warnings", "  ! careful",
        "Next: %%wasm rust x    (why)", "      fn f() {}",
    ])  # fmt: skip


def test_a_build_card_tells_a_hit_from_a_miss() -> None:
    """The badge says which, and the phases of a hit are those of its build."""
    plain = {"name": "n", "language": "c", "size": 1, "digest": "sha256:ab", "phases": {"compile": 5}}
    hit, miss = build_card(**plain, cached=True), build_card(**plain, cached=False)  # type: ignore[arg-type]
    assert "[cache hit]" in hit.text()
    assert "Phases when it was built" in hit.text()
    assert "[cache miss: built now]" in miss.text()
    assert "none: it is closed to the outside" in miss.text()


def test_phases_stand_in_their_order() -> None:
    """Whatever order they came in, phases are shown in the closed list's."""
    text = CARDS["build"].text()
    assert text.index("bindings") < text.index("compile  ") < text.index("total")


def test_an_instance_card_says_what_stands_behind_each_import() -> None:
    """Every import has a state in words, and its colour is not the only sign of it."""
    card = CARDS["instance"]
    assert re.search(r"plain +granted +plain", card.text())
    assert re.search(r"x:y/z +traps", card.text())
    assert 'class="lk-row lk-bad"' in card.html()
    assert "it imports nothing" in instance_card(component="c").text()


def test_a_run_card_refuses_p99_without_samples_enough() -> None:
    """The row is there, and says what is missing."""
    few = run_card(target="fn", fired=40, latency=Samples.of(range(40)))
    assert re.search(r"p99 +not given +needs 100 samples, there are 40", few.text())
    assert re.search(r"p90 +35 ns", few.text())
    assert "not given" not in CARDS["run"].text()


def test_long_output_is_cut_and_says_so() -> None:
    """A megabyte of output does not end up in the notebook twice."""
    card = answer_card(call="f()", result="ok", ns=1, stdout="x" * 100_000)
    assert "the first 16384 of 100000 characters" in card.text()
    assert len(card.html()) < 30_000


def test_a_wit_card_shows_the_types_in_wit() -> None:
    """Declarations read as in WIT, aliases by what they rename, docs beside them."""
    text = wit_card(wit_package(), name="faas").text()
    assert "handle: func(event: event) -> result<_, event-type>" in text
    assert "record { kind: event-type, version: string }" in text
    assert re.search(r"id +u32|id +alias of u32|id += u32", text)
    assert "taken as 0.2.12" in text


def test_a_wit_card_names_what_a_resource_has() -> None:
    """A method is called so, and its brackets are left out; a column that says nothing is not shown."""
    package = wit_package()
    store = Interface("acme:kv/store", functions=(Function("[method]safe.open"), Function("put")))
    text = wit_card(replace(package, worlds=(), interfaces=(store,))).text()
    assert re.search(r"^ *method +safe\.open: func\(\)$", text, re.MULTILINE)
    assert re.search(r"^ *function +put: func\(\)$", text, re.MULTILINE)
    assert "meaning" not in text


def test_a_wit_card_shows_an_exported_interface_once() -> None:
    """Its functions stand under the world that exports it; documentation is cut at a sentence, not at a line."""
    package = wit_package()
    get = Function("get", (), Primitive("u8"), "example:faas/store@0.1.0", "Reads a byte\nof it. Then stops.")
    store = Interface("example:faas/store@0.1.0", (get,))
    world = World("faas", "example:faas@0.1.0", (), (store,))
    text = wit_card(replace(package, worlds=(world,), interfaces=(store,))).text()
    assert text.count("get: func() -> u8") == 1
    assert "Reads a byte of it.\n" in f"{text}\n"


def test_a_run_card_shows_results_by_their_share() -> None:
    """Several kinds of results are bars, one is a fact; a run that ended early says how far it came."""
    text = run_card(target="fn", fired=100, results={"ok": 75, "err(x)": 25}).text()
    assert re.search(r"ok +75 +▇{15}\n", text)
    assert re.search(r"results +ok\n", run_card(target="fn", fired=9, results={"ok": 9}).text() + "\n")
    assert "[3 of 10 events]" in run_card(target="fn", fired=3, asked=10).text()


def test_a_loaded_component_is_neither_hit_nor_miss() -> None:
    """What was not built here has no phases, and no badge about the cache."""
    text = build_card(name="n", language="", form="as loaded", size=1, digest="sha256:ab").text()
    assert text.splitlines()[0] == "Build: n [as loaded]"


def test_digests_are_cut_to_twelve_digits() -> None:
    """With or without the algorithm before them."""
    assert short_digest("ab" * 32) == "ab" * 6
    assert escape("a\nb", one_line=True) == "a\\nb"


def test_a_latency_card_names_the_harness() -> None:
    """What a component that does nothing costs stands beside the figures."""
    timing = LatencyTiming("fn", RAMP, harness=RAMP)
    assert "harness alone" in timings_card(Timings("latency", (timing,), (), Machine())).text()


RUSTC = """error[E0308]: mismatched types
 --> a.rs:3:38
  |
3 |         Added => Ok(0),
  |                  -- ^ expected `()`, found integer
  |                  |
  |                  arguments to this enum variant are incorrect
  |
help: the type constructed contains `{integer}`

error: aborting due to 1 previous error
"""
SHOWN = Diagnostic(
    "mismatched types: expected `()`, found integer", line=3, column=38, text="        Added => Ok(0),",
    hint="the type constructed contains `{integer}`",
)  # fmt: skip


def test_what_a_compiler_printed_is_kept_only_where_it_says_more() -> None:
    """Frames, carets and summaries add nothing; a note, a label or an unplaced message does."""
    assert "arguments to this enum variant" in printed(RUSTC, [SHOWN])
    less = RUSTC.replace("  |                  arguments to this enum variant are incorrect\n", "")
    assert printed(less, [SHOWN]) == ""
    assert printed("", [SHOWN]) == printed("\n", []) == ""
    assert printed("ld: cannot find -lx", []) == "ld: cannot find -lx"
    clang = "cell.c:1:5: error: no member named 'x'\n    1 | a.x;\n      |   ^\n1 error generated.\n"
    assert printed(clang, [Diagnostic("no member named 'x'", line=1, text="a.x;")]) == ""
    assert "100 characters more" in printed("x" * 100_100, [])


def test_a_compilers_output_is_folded_escaped_and_not_in_plain_text() -> None:
    """One click away as HTML, with its label; on a build's card too when there were warnings."""
    card = output_card("<script>alert(1)</script>\x1b[31m")
    assert card.text() == ""
    page = card.html()
    assert "<details><summary" in page
    assert "What the compiler printed</summary>" in page
    assert "<script>" not in page
    assert 'aria-label="What the compiler printed"' in page
    facts = {"name": "a", "language": "rust", "size": 1, "digest": "sha256:00"}
    warned = build_card(**facts, diagnostics=[SHOWN], raw=RUSTC)  # type: ignore[arg-type]
    assert "arguments to this enum variant" in warned.html()
    assert "arguments to this enum variant" not in warned.text()
    assert "<details>" not in build_card(**facts, raw=RUSTC).html()  # type: ignore[arg-type]
