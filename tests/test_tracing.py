"""Traces, the smallest set of grants, recordings: what a guest did is seen, suffices, and can be played again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grants_kit import http_server, prepared_lab, tcp_server, udp_server, visiting

from labkernel import CapabilityDenied, GuestTrap, Run, UsageError
from labkernel._capability import Grants, make_grants
from labkernel._cards import card_of
from labkernel._lab import Instance, Lab

NOON = "fixed:2026-01-01T12:00:00Z"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return a lab with the guests built, or skip where the tools are missing."""
    yield from prepared_lab()


def names(instance: Instance) -> list[str]:
    """Return the names of the host calls of an instance, without versions."""
    return [call.name for call in instance.trace.calls]


# ---------------------------------------------------------------------------------------------------------- traces


def test_a_trace_tells_what_was_asked(lab: Lab, tmp_path: Path) -> None:
    """Every host call is there in order, with what it is about, its result, its event and its verdict."""
    (tmp_path / "a.txt").write_text("hello")
    fn = lab.instantiate("asker", name="fn", dirs=[f"{tmp_path}::/data"], clock=NOON, trace=True)
    fn.read_file("/data/a.txt")
    fn.say("hi")
    fn.write_file("/data/b.txt", "x")
    fn.wall()
    fn.exchange("127.0.0.1:80", "x")
    trace = fn.trace
    opened = next(c for c in trace.calls if c.function == "[method]descriptor.open-at")
    assert (opened.about, opened.event, opened.verdict) == ("/data", 0, "allowed")
    assert '"a.txt"' in opened.arguments
    read = next(c for c in trace.calls if c.function == "[method]input-stream.blocking-read")
    assert (read.about, read.result) == ("/data/a.txt", 'ok(b"hello")')
    written = next(c for c in trace.calls if c.function == "[method]output-stream.write")
    assert (written.about, written.event) == ("stdout", 1)
    assert 'b"hi\\n"' in written.arguments
    verdicts = [(c.event, c.name, c.verdict) for c in trace.calls if c.verdict != "allowed"]
    assert verdicts[0] == (2, "wasi:filesystem/types#[method]descriptor.open-at", "refused")
    assert verdicts[1] == (3, "wasi:clocks/wall-clock#now", "virtual")
    assert verdicts[2][1:] == ("wasi:sockets/tcp-create-socket#create-tcp-socket", "refused")
    assert [e.call for e in trace.events][1:3] == ['say("hi")', 'write-file("/data/b.txt", "x")']
    assert [e.output_bytes for e in trace.events] == [0, 3, 0, 0, 0]
    assert all(1 << 16 <= (e.memory_bytes or 0) <= 256 << 20 for e in trace.events)
    assert sum(e.calls for e in trace.events) + len(trace.of(-1)) == len(trace)
    starts = [c.start_ns for c in trace.calls]
    assert starts == sorted(starts)
    assert starts[0] == 0


def test_a_trap_is_in_the_trace(lab: Lab) -> None:
    """The call that ended the guest is the last of the trace, which outlives the instance."""
    fn = lab.instantiate("asker", random="deny", trace=True)
    fn.wall()
    with pytest.raises(CapabilityDenied):
        fn.draw()
    trace = fn.trace
    assert (trace.calls[-1].name, trace.calls[-1].verdict) == (
        "wasi:random/insecure-seed#insecure-seed",
        "trapped",
    )
    assert trace.events[-1].error.startswith("CapabilityDenied")
    assert trace.refused == trace.calls[-1:]
    fn.wall()
    assert len(fn.trace.events) == 1


def test_what_an_event_wrote(lab: Lab, tmp_path: Path) -> None:
    """Each event tells what it wrote to disk, give or take what wakes a thread; so does the answer's card."""
    fn = lab.instantiate("asker", name="writer", dirs=[f"{tmp_path}::/d:rw"], disk="1MiB", trace=True)
    fn.write_file("/d/x", "y" * 100_000)
    fn.read_file("/d/x")
    answer = lab.fire(fn, "write-file", args=["/d/x", "z" * 50_000])
    wrote = [event.disk_bytes or 0 for event in fn.trace.events]
    assert all(exact <= n < exact + 4096 for n, exact in zip(wrote, (100_000, 0, 50_000), strict=True))
    assert "written to disk (of 1.00 MiB)" in card_of(fn.trace).text()
    assert "KiB written to disk" in card_of(answer).text()
    plain = lab.instantiate("asker", name="reader", dirs=[f"{tmp_path}::/d"], trace=True)
    plain.read_file("/d/x")
    assert plain.trace.events[0].disk_bytes is None
    assert "written to disk" not in card_of(plain.trace).text()


def test_a_trace_of_many_events(lab: Lab) -> None:
    """Events fired at once are one entry among the events, with all their host calls."""
    fn = lab.instantiate("asker", trace=True)
    run = lab.fire(fn, "say", n=50)
    assert isinstance(run, Run)
    (event,) = fn.trace.events
    assert event.call == "say(...) × 50"
    assert lab.last_run is not None
    assert lab.last_run.host_calls == dict(fn.trace.counts)
    assert "host calls" in card_of(lab.last_run).text()
    assert fn.trace.counts["wasi:io/streams#[method]output-stream.write"] >= 50
    assert run.host_calls["wasi:io/streams#[method]output-stream.write"] >= 50
    assert sum(run.host_calls.values()) == event.calls
    assert "host calls" in card_of(run).text()
    again = lab.fire(fn, "say", n=10)
    assert isinstance(again, Run)
    assert sum(again.host_calls.values()) < event.calls


def test_a_long_run_is_counted(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What comes after the calls that a trace keeps is counted, said on the card, and cannot be saved."""
    monkeypatch.setattr("labkernel._lab.tracing.KEPT", 5)
    fn = lab.instantiate("asker", record=True)
    for _ in range(4):
        fn.say("hi")
    trace = fn.trace
    assert len(trace) == 5
    assert trace.lost == sum(event.calls for event in trace.events) - 5
    assert "later calls were counted and not kept" in card_of(trace).text()
    assert "covers only the calls that were kept" in card_of(trace).text()
    with pytest.raises(UsageError, match="more than a recording holds"):
        lab.save_recording(fn, tmp_path / "x")


def test_nothing_is_kept_unasked(lab: Lab) -> None:
    """An instance without a trace says how to start one."""
    fn = lab.instantiate("asker", name="plain", env=["A=1"])
    with pytest.raises(UsageError, match="%instantiate asker --as plain --env A=1 --trace"):
        _ = fn.trace
    assert not fn.watched.build.wrapped


def test_the_card_says_all(lab: Lab) -> None:
    """The card shows calls, events and the smallest set of grants, in HTML and in text; what watching costs too."""
    fn = lab.instantiate("asker", name="carded", env=["A=1"], trace=True)
    fn.variable("A")
    fn.exchange("127.0.0.1:80", "x")
    trace = lab.trace(fn)
    assert trace.cost_ns is not None
    card = card_of(trace)
    for text in (
        "get-environment()",
        "refused",
        "--env A=1",
        "watching costs",
        'variable("A")',
        "time (of 5 s)",
    ):
        assert text in card.text()
        assert text.replace('"', "&quot;") in card.html()
    assert trace.to_json()["calls"][0]["function"] == "get-environment"
    assert '"least": "--env A=1"' in trace.text()


# ----------------------------------------------------------------------------------------- the smallest set of grants


def run(lab: Lab, grants: Grants, ask: Any) -> tuple[Instance, Any]:
    """Start the asker with these grants and a trace, and ask."""
    fn = lab.instantiate("asker", trace=True, **given(grants))
    return fn, ask(fn)


def given(grants: Grants) -> dict[str, Any]:
    """Return grants as keywords."""
    return {name: value for name in Grants.__slots__ if (value := getattr(grants, name))}


def without_each(grants: Grants) -> Iterator[Grants]:
    """Yield the grants with one of them missing, each in turn; a writable folder also as a read-only one."""
    for name, value in given(grants).items():
        if isinstance(value, tuple):
            for n in range(len(value)):
                yield make_grants(given(grants) | {name: value[:n] + value[n + 1 :]})
        elif name != "strict":
            yield make_grants({k: v for k, v in given(grants).items() if k != name})
    for n, folder in enumerate(grants.dirs):
        if folder.writable:
            read_only = folder.text.removesuffix(":rw")
            yield make_grants(given(grants) | {"dirs": [*grants.dirs[:n], read_only, *grants.dirs[n + 1 :]]})


def check_least(lab: Lab, wide: dict[str, Any], ask: Any) -> str:
    """Check that the smallest set suffices and that nothing can be left out of it; return it as options."""
    fn, expected = run(lab, make_grants(wide), ask)
    small = fn.watched.least({})
    assert small.options() == fn.trace.least
    assert run(lab, small, ask)[1] == expected
    for fewer in without_each(small):
        try:
            assert run(lab, fewer, ask)[1] != expected, fewer.options()
        except CapabilityDenied:
            continue
    return fn.trace.least


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files at some depth."""
    for name in ("a/b/c/one.txt", "a/b/two.txt", "a/three.txt", "four.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_least_of_nothing(lab: Lab, folder: Path) -> None:
    """What was granted and never used is left out altogether."""
    wide = {
        "env": ["A=1"],
        "stdin": "x",
        "dirs": [f"{folder}::/d"],
        "net": "localhost:1",
        "clock": NOON,
        "random": "seed:1",
    }
    assert check_least(lab, wide, lambda fn: fn.say("hi")) == ""


def test_least_folders(lab: Lab, folder: Path) -> None:
    """A folder becomes the deepest one that holds what was used, read-only where nothing was written."""
    wide = {"dirs": [f"{folder}::/d:rw", f"{folder}/a::/e:rw"]}
    least = check_least(lab, wide, lambda fn: fn.read_file("/d/a/b/c/one.txt"))
    assert least == f"--dir {folder}/a/b/c::/d/a/b/c"
    least = check_least(
        lab, wide, lambda fn: (fn.read_file("/d/a/b/c/one.txt"), fn.read_file("/d/a/b/two.txt"))
    )
    assert least == f"--dir {folder}/a/b::/d/a/b"
    least = check_least(lab, wide, lambda fn: (fn.read_file("/d/four.txt"), fn.read_file("/e/three.txt")))
    assert least == f"--dir {folder}::/d --dir {folder}/a::/e"
    least = check_least(lab, wide, lambda fn: fn.list_dir("/d/a/b"))
    assert least == f"--dir {folder}/a/b::/d/a/b"
    least = check_least(lab, wide, lambda fn: fn.list_dir("/d"))
    assert least == f"--dir {folder}::/d"


def test_least_writing(lab: Lab, folder: Path) -> None:
    """What was written keeps its folder writable."""
    least = check_least(lab, {"dirs": [f"{folder}::/d:rw"]}, lambda fn: fn.write_file("/d/a/b/new.txt", "x"))
    assert least == f"--dir {folder}/a/b::/d/a/b:rw"


def test_least_follows_links(lab: Lab, folder: Path) -> None:
    """A link that leads elsewhere in the folder keeps both ends within."""
    (folder / "a/b/link.txt").symlink_to("../three.txt")
    least = check_least(lab, {"dirs": [f"{folder}::/d"]}, lambda fn: fn.read_file("/d/a/b/link.txt"))
    assert least == f"--dir {folder}/a::/d/a"


def test_least_texts_and_made_up_values(lab: Lab) -> None:
    """Variables, standard input, a made-up clock and a seed stay where they were asked for."""
    wide = {"env": ["A=1"], "stdin": "hi", "clock": NOON, "random": "seed:7", "args": ["x"]}
    assert check_least(lab, wide, lambda fn: fn.variable("A")) == "--env A=1"
    assert check_least(lab, wide, lambda fn: fn.heard()) == "--stdin hi"
    assert check_least(lab, wide, lambda fn: fn.wall()) == f"--clock {NOON}"
    assert check_least(lab, wide, lambda fn: fn.draw()) == "--random seed:7"
    assert check_least(lab, wide, lambda fn: fn.arguments()) == "--arg x"


def test_least_network(lab: Lab) -> None:
    """Connections, look-ups and datagrams are named by host and port, as narrow as they were."""
    with tcp_server() as port, udp_server() as (udp, _):
        wide = {
            "net": [
                f"localhost:{port}",
                "localhost:*",
                f"127.0.0.1:{udp}",
                "127.0.0.2:*",
                "listen:127.0.0.1:0",
            ]
        }
        least = check_least(lab, wide, lambda fn: fn.exchange(f"localhost:{port}", "ping"))
        assert least == f"--net tcp:localhost:{port}"
        least = check_least(lab, wide, lambda fn: fn.datagram("0.0.0.0:0", f"127.0.0.1:{udp}", "ping"))
        assert least == f"--net udp:127.0.0.1:{udp}"
        least = check_least(lab, wide, lambda fn: fn.datagram_connected(f"127.0.0.1:{udp}", "ping"))
        assert least == f"--net udp:127.0.0.1:{udp}"
        least = check_least(lab, wide, lambda fn: fn.look_up("localhost"))
        assert least == f"--net localhost:{port}"


def test_least_listening(lab: Lab, tmp_path: Path) -> None:
    """Where a guest listened is named by protocol, address and port."""

    def ask(fn: Instance) -> Any:
        place = tmp_path / "port"
        place.unlink(missing_ok=True)
        with visiting(place):
            return fn.serve_one("127.0.0.1:0", "/out/port")

    wide = {
        "net": ["listen:127.0.0.1:*", "listen:127.0.0.1:0", "127.0.0.1:*"],
        "dirs": [f"{tmp_path}::/out:rw"],
    }
    assert check_least(lab, wide, ask) == f"--dir {tmp_path}::/out:rw --net listen:tcp:127.0.0.1:0"


def test_least_requests(lab: Lab) -> None:
    """A request is named by method, host and port."""
    with http_server() as (port, _):
        wide = {"http": [f"127.0.0.1:{port}", "example.com:*"], "trace": True}
        fn = lab.instantiate("sender", **wide)
        expected = fn.request("GET", "http", f"127.0.0.1:{port}", "/")
        assert fn.trace.least == f"--http GET:127.0.0.1:{port}"
        again = lab.instantiate("sender", http=shlex.split(fn.trace.least)[1])
        assert again.request("GET", "http", f"127.0.0.1:{port}", "/") == expected


def test_least_under_strict(lab: Lab, folder: Path) -> None:
    """Under `--strict` what the imports need by name stays, though nothing of it was used."""
    wide: dict[str, Any] = {
        "strict": True, "env": ["A=1", "B=2"], "stdin": "x", "dirs": [f"{folder}::/d"], "clock": "real",
        "random": "real", "net": ["localhost:1", "localhost:2"],
    }  # fmt: skip
    fn = lab.instantiate("asker", trace=True, **wide)
    fn.say("hi")
    small = fn.watched.least({})
    assert small == make_grants(wide | {"env": ["A=1"], "net": ["localhost:1"]})
    lab.instantiate("asker", **given(small)).say("hi")
    for fewer in without_each(small):
        with pytest.raises(CapabilityDenied):
            lab.instantiate("asker", **given(fewer))


# ------------------------------------------------------------------------------------------------ record and replay


def test_a_recording_answers_everything(lab: Lab, tmp_path: Path) -> None:
    """A component gives the same results from a recording, elsewhere, without its grants, and prints the same."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.txt").write_text("hello")
    with tcp_server() as port:
        fn = lab.instantiate(
            "asker", env=["A=1"], dirs=[f"{inside}::/d:rw"], net=f"localhost:{port}", record=True
        )
        asked = [
            fn.read_file("/d/a.txt"), fn.variable("A"), fn.wall(), fn.draw(), fn.exchange(f"localhost:{port}", "ping"),
            fn.write_file("/d/b.txt", "x"), fn.list_dir("/d"), fn.say("ü" * 5000), fn.nap(1),
        ]  # fmt: skip
    path = lab.save_recording(fn, tmp_path / "run.jsonl")
    (inside / "a.txt").write_text("changed")
    (inside / "b.txt").unlink()
    with Lab() as other:
        other.builds["asker"] = lab.component("asker")
        replayed = other.replay("asker", path)
    assert replayed.is_same
    assert [answer.value for answer in replayed.answers] == asked
    assert replayed.host_calls == len(fn.trace)
    assert replayed.output == "ü" * 5000 + "\n"
    assert not (inside / "b.txt").exists()
    assert "all answered from the file; nothing was granted" in card_of(replayed).text()


def test_many_events_are_recorded_one_by_one(lab: Lab, tmp_path: Path) -> None:
    """A run of many events is played again event by event, those of single calls before and after it in their place."""
    fn = lab.instantiate("asker", record=True)
    first = fn.draw()
    run = lab.fire(fn, "wall", n=20)
    last = fn.wall()
    replayed = lab.replay("asker", lab.save_recording(fn, tmp_path / "run.jsonl"))
    assert [answer.value for answer in replayed.answers] == [first, *run.results, last]
    assert replayed.is_same


def test_a_replayed_request(lab: Lab, tmp_path: Path) -> None:
    """A recording answers requests too, whose parts pass from hand to hand as resources."""
    with http_server() as (port, asked):
        fn = lab.instantiate("sender", http=f"127.0.0.1:{port}", record=True)
        got = [fn.request("GET", "http", f"127.0.0.1:{port}", f"/{n}") for n in range(3)]
        got.append(fn.request("GET", "http", "127.0.0.1:1", "/"))
    replayed = lab.replay("sender", lab.save_recording(fn, tmp_path / "run.jsonl"))
    assert [answer.value for answer in replayed.answers] == got
    assert len(asked) == 3


def test_a_divergence_is_told_at_its_first_call(lab: Lab, tmp_path: Path) -> None:
    """Another event than the recorded one is told by the first host call that differs: expected and got."""
    fn = lab.instantiate("asker", env=["A=1"], record=True)
    fn.variable("A")
    fn.say("one")
    path = lab.save_recording(fn, tmp_path / "run.jsonl")
    assert lab.replay("asker", path, call='variable("B")').answers[0].wave == "none"
    with pytest.raises(
        GuestTrap, match=r"diverges at call 1: expected .*get-environment\(\), got .*wall-clock@.*#now\(\)"
    ):
        lab.replay("asker", path, call="wall()")
    with pytest.raises(UsageError, match="is a recording of the component"):
        lab.replay("sender", path)


def test_a_recorded_trap(lab: Lab, tmp_path: Path) -> None:
    """A guest that was ended by a host call is ended there again."""
    fn = lab.instantiate("asker", random="deny", record=True)
    fn.say("before")
    with pytest.raises(CapabilityDenied):
        fn.draw()
    replayed = lab.replay("asker", lab.save_recording(fn, tmp_path / "run.jsonl"))
    assert "never returned" in str(replayed.error)
    assert len(replayed.answers) == 1


def test_only_what_was_recorded_can_be_saved(lab: Lab, tmp_path: Path) -> None:
    """An instance that was not recorded says how to start one that is; a bad path and a bad file say why."""
    fn = lab.instantiate("asker", name="plain", trace=True)
    with pytest.raises(UsageError, match="%instantiate asker --as plain --record"):
        lab.save_recording(fn, tmp_path / "x")
    recorded = lab.instantiate("asker", record=True)
    with pytest.raises(UsageError, match="cannot be written"):
        lab.save_recording(recorded, tmp_path / "no" / "x")
    with pytest.raises(UsageError, match="cannot be read"):
        lab.replay("asker", tmp_path / "nothing")


HEAD = '{"format": "labkernel-recording", "version": 1, "component": "x", "functions": '


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "nonsense", '{"format": "other"}', '{"format": "labkernel-recording", "version": 2}',
        HEAD + '[]}', HEAD + '[], "lines": 1}\n{"calls": 1}',
        HEAD + '[], "lines": 1}\n{"start": {"error": ""}, "calls": [["a", [], null]]}',
        HEAD + '[], "lines": 1}\n{"start": {"error": ""}, "calls": [[0, [{"bytes": "*"}], null]]}',
        HEAD + '["a"], "lines": 1}\n{"start": {"error": ""}, "calls": [[1, [], null]]}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_files_that_are_no_recording(lab: Lab, tmp_path: Path, text: str) -> None:
    """A file that holds no recording is refused with the way to make one."""
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is no recording|of version 2, expected 1"):
        lab.replay("asker", path)


def test_a_recording_that_was_cut(lab: Lab, tmp_path: Path) -> None:
    """A file that lost lines, at a line's end or within one, is not taken for a shorter run."""
    fn = lab.instantiate("asker", record=True)
    fn.wall()
    fn.wall()
    path = lab.save_recording(fn, tmp_path / "run.jsonl")
    whole = path.read_text()
    for left, said in (
        (whole[:-30], "no recording"),
        (whole[: whole.index("\n") + 1], "was cut: it has 0 of 3"),
    ):
        path.write_text(left)
        with pytest.raises(UsageError, match=said):
            lab.replay("asker", path)


@pytest.mark.parametrize(
    "answer", ['[["1", 2]]', "[[1]]", "[1]", "[[-1, 0]]", "[[1, 1000000000000]]", "[null]"]
)
def test_a_recording_cannot_answer_what_does_not_fit(lab: Lab, tmp_path: Path, answer: str) -> None:
    """A recording whose values are not of their types ends the guest with words, and harms nothing else."""
    fn = lab.instantiate("asker", record=True)
    fn.wall()
    path = lab.save_recording(fn, tmp_path / "run.jsonl")
    head, *lines = path.read_text().splitlines()
    line = json.loads(lines[-1])
    line["calls"][0][2] = json.loads(answer)
    path.write_text("\n".join([head, *lines[:-1], json.dumps(line)]))
    with pytest.raises(GuestTrap):
        lab.replay("asker", path)
    assert lab.instantiate("asker").variable("A") is None
