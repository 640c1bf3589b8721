"""What is granted passes and nothing else, with guests that ask: clocks, randomness, sockets, look-ups and requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grants_kit import (
    http_server,
    prepared_lab,
    stranger,
    tcp_server,
    tls_server,
    udp_server,
    visiting,
)

from labkernel import CapabilityDenied
from labkernel._lab import Lab

NOON = "fixed:2026-01-01T12:00:00Z"
NOON_NS = 1_767_268_800_000_000_000


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return a lab with the three guests built, or skip where the tools are missing."""
    yield from prepared_lab()


# ---------------------------------------------------------------------------------------- clocks and randomness


def test_a_fixed_clock(lab: Lab) -> None:
    """Wall clock and monotonic clock stand still together; a sleep passes at once and moves both on."""
    fn = lab.instantiate("asker", clock=NOON)
    assert (fn.wall(), fn.wall(), fn.monotonic()) == (NOON_NS, NOON_NS, 0)
    assert fn.nap(3_600_000) == 3_600_000_000_000
    assert fn.wall() == NOON_NS + 3_600_000_000_000


def test_a_stepping_clock(lab: Lab) -> None:
    """Each reading of either clock is one step later than the one before."""
    fn = lab.instantiate("asker", clock="step:1ms@2026-01-01T12:00:00Z")
    assert [fn.wall() for _ in range(3)] == [NOON_NS + n * 1_000_000 for n in range(3)]
    assert fn.monotonic() == 1_000_000
    assert fn.wall() == NOON_NS + 5_000_000


def test_seeded_randomness(lab: Lab) -> None:
    """The same seed gives the same numbers in every instance, another seed others."""
    drawn = [lab.instantiate("asker", random=f"seed:{seed}").draw() for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_denied_clocks_and_randomness(lab: Lab) -> None:
    """What was denied traps at the call, with the import and the option; all else works."""
    fn = lab.instantiate("asker", clock="deny", random="deny")
    assert fn.variable("A") is None
    with pytest.raises(
        CapabilityDenied, match=r"wasi:clocks/wall-clock@0.2.\d+#now.*--clock deny.*--clock real"
    ):
        fn.wall()
    with pytest.raises(
        CapabilityDenied, match=r"wasi:random/insecure-seed@.*--random deny; grant it with --random real"
    ):
        fn.draw()
    assert fn.variable("A") is None


@pytest.mark.parametrize(
    "more", [{"trace": True}, {"record": True}, {"net": "localhost:1"}, {"random": "seed:7"}]
)
def test_a_denied_clock_behind_a_membrane(lab: Lab, more: dict[str, Any]) -> None:
    """What was denied traps behind a membrane too, which itself may read the clock."""
    fn = lab.instantiate("asker", clock="deny", **more)
    assert fn.variable("A") is None
    told = r"wasi:clocks/wall-clock@0.2.\d+#now.*--clock deny.*--clock real"
    with pytest.raises(CapabilityDenied, match=told) as caught:
        fn.wall()
    assert caught.value.import_name.startswith("wasi:clocks/wall-clock@")
    assert fn.variable("A") is None


def test_real_ones_stay_the_machines(lab: Lab) -> None:
    """Without a grant, or with `real`, the machine's clock and randomness answer."""
    import time

    fn = lab.instantiate("asker", clock="real", random="real")
    assert abs(fn.wall() - time.time_ns()) < 60 * 10**9
    assert fn.draw() != lab.instantiate("asker", random="real").draw()


def test_strict(lab: Lab) -> None:
    """`--strict` names all that was not granted; with all of it granted the guest starts."""
    with pytest.raises(CapabilityDenied) as caught:
        lab.instantiate("asker", strict=True)
    for line in (
        "wasi:sockets/tcp@",
        "--net HOST:PORT",
        "--clock real|fixed:T|step:D",
        "--random real|seed:N",
        "--stdin TEXT",
    ):
        assert line in str(caught.value)
    everything: dict[str, Any] = {
        "env": ["A=1"], "stdin": "x", "dirs": ["/tmp::/tmp"], "clock": NOON, "random": "seed:1", "net": "127.0.0.1:1",
    }  # fmt: skip
    assert lab.instantiate("asker", strict=True, **everything).wall() == NOON_NS
    with pytest.raises(CapabilityDenied, match="refuses 2 imports"):
        lab.instantiate("asker", strict=True, **everything | {"clock": "deny"})


# --------------------------------------------------------------------------------------------------------- sockets


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_tcp(lab: Lab, address: str) -> None:
    """A granted address and port is reached; another port, another address and the other protocol are not."""
    host = f"[{address}]" if ":" in address else address
    with tcp_server(address) as port, tcp_server() as other:
        fn = lab.instantiate("asker", net=f"{host}:{port}")
        assert _ok(fn.exchange(f"{host}:{port}", "ping")) == "pong"
        for refused in (
            f"127.0.0.1:{other}",
            f"{host}:{other}",
            f"[::ffff:10.0.0.1]:{port}",
            f"10.0.0.1:{port}",
        ):
            assert "denied" in _err(fn.exchange(refused, "ping")), refused
        assert "denied" in _err(
            lab.instantiate("asker", net=f"udp:{host}:{port}").exchange(f"{host}:{port}", "ping")
        )
        assert "denied" in _err(lab.instantiate("asker").exchange(f"{host}:{port}", "ping"))


def test_names(lab: Lab) -> None:
    """A granted name is looked up and reached at its port; others are not, nor its addresses before a look-up."""
    with tcp_server() as port, tcp_server() as other:
        fn = lab.instantiate("asker", net=f"localhost:{port}")
        assert "denied" in _err(fn.exchange(f"127.0.0.1:{port}", "ping"))
        assert _ok(fn.exchange(f"localhost:{port}", "ping")) == "pong"
        assert _ok(fn.exchange(f"127.0.0.1:{port}", "ping")) == "pong"
        assert "denied" in _err(fn.exchange(f"localhost:{other}", "ping"))
        assert "denied" in _err(fn.look_up("example.com"))
        assert "127.0.0.1" in _ok(fn.look_up("localhost"))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_udp(lab: Lab, address: str) -> None:
    """Each datagram is looked at, whether its address is in the list or was set by connecting."""
    host, anywhere = ("[::1]", "[::]:0") if ":" in address else (address, "0.0.0.0:0")
    with udp_server(address) as (port, heard), udp_server(address) as (other, unheard):
        fn = lab.instantiate("asker", net=f"udp:{host}:{port}")
        assert _ok(fn.datagram(anywhere, f"{host}:{port}", "one")) == "pong"
        assert _ok(fn.datagram_connected(f"{host}:{port}", "two")) == "pong"
        assert "denied" in _err(fn.datagram(anywhere, f"{host}:{other}", "three"))
        assert "denied" in _err(fn.datagram_connected(f"{host}:{other}", "four"))
        assert "denied" in _err(fn.datagram(f"{host}:{other}", f"{host}:{port}", "five"))
        assert heard == [b"one", b"two"]
        assert unheard == []


def test_datagrams_of_strangers(lab: Lab) -> None:
    """What somebody else sends to a socket that may only send never comes to the guest."""
    with stranger() as (port, sent):
        fn = lab.instantiate("asker", net=f"udp:127.0.0.1:{port}", trace=True)
        assert _ok(fn.datagram("127.0.0.1:0", f"127.0.0.1:{port}", "one")) == "pong"
    assert sent == [b"evil"] * 3
    assert all("evil" not in call.result for call in fn.trace.calls)


def test_listening(lab: Lab, tmp_path: Path) -> None:
    """A guest serves where that was granted, and nowhere else."""
    fn = lab.instantiate("asker", net="listen:127.0.0.1:0", dirs=[f"{tmp_path}::/out:rw"])
    with visiting(tmp_path / "port") as answers:
        assert _ok(fn.serve_one("127.0.0.1:0", "/out/port")) == "hello"
    assert answers == [b"heard"]
    assert "denied" in _err(fn.serve_one("0.0.0.0:0", ""))
    assert "denied" in _err(fn.serve_one("127.0.0.1:8642", ""))
    assert "denied" in _err(lab.instantiate("asker", net="127.0.0.1:80").serve_one("0.0.0.0:0", ""))


def test_listening_for_datagrams(lab: Lab, tmp_path: Path) -> None:
    """A guest that listens for datagrams may answer who wrote to it, and writes to nobody else."""
    grants: dict[str, Any] = {"net": "listen:udp:127.0.0.1:0", "dirs": [f"{tmp_path}::/out:rw"]}
    with udp_server() as (other, unheard):
        for also in ("", f"127.0.0.1:{other}"):
            (tmp_path / "port").unlink(missing_ok=True)
            fn = lab.instantiate("asker", **grants)
            with visiting(tmp_path / "port", by_datagram=True) as answers:
                answer = fn.answer_one("127.0.0.1:0", "/out/port", also)
            assert answers == [b"heard"]
            assert "denied" in _err(answer) if also else _ok(answer) == "hello"
        assert unheard == []


def test_a_guest_in_c(lab: Lab) -> None:
    """A guest in C that calls the interfaces themselves meets the same refusals, by their error code."""
    with tcp_server() as port, tcp_server() as other:
        fn = lab.instantiate("knocker", net=f"127.0.0.1:{port}")
        access_denied = 1
        assert fn.knock(port) == -1
        assert fn.knock(other) == access_denied
        assert fn.listen() == access_denied
        assert lab.instantiate("knocker").knock(port) == access_denied


# -------------------------------------------------------------------------------------------------------- requests


def test_requests(lab: Lab) -> None:
    """Method, host and port are held to the grant, and nothing that was refused is ever sent."""
    with http_server() as (port, asked), http_server() as (other, unasked):
        fn = lab.instantiate("sender", http=f"GET:127.0.0.1:{port}")
        assert _ok(fn.request("GET", "http", f"127.0.0.1:{port}", "/a?b")) == (200, "GET /a?b")
        refused = [
            ("POST", "http", f"127.0.0.1:{port}"), ("GET", "http", f"127.0.0.1:{other}"), ("GET", "http", "127.0.0.1"),
            ("GET", "http", f"localhost:{port}"), ("GET", "https", f"127.0.0.1:{other}"), ("GET", "http", None),
            ("get", "http", f"127.0.0.1:{port}"), ("GET", "ftp", f"127.0.0.1:{port}"),
            ("GET", "http", f"127.0.0.1:{port}@localhost:{other}"),
        ]  # fmt: skip
        for method, scheme, authority in refused:
            said = _err(fn.request(method, scheme, authority, "/x"))
            assert said == "ErrorCode::HttpRequestDenied", (method, scheme, authority)
        assert asked == ["GET /a?b"]
        assert unasked == []


def test_a_host_cannot_be_pretended(lab: Lab) -> None:
    """A guest sets no header that names another host than the one it was granted, nor one that opens a tunnel."""
    fn = lab.instantiate("sender", http="127.0.0.1:1")
    _ok(fn.pretend("x-lab", "1"))
    for name in ("host", "Host", "connection", "upgrade", "proxy-authorization"):
        assert _err(fn.pretend(name, "b.example")) == "HeaderError::Forbidden", name


def test_an_unknown_issuer(lab: Lab) -> None:
    """A server with a certificate that nobody signed is refused by an error of WASI's, and sees no request."""
    with tls_server() as (port, asked):
        fn = lab.instantiate("sender", http=f"localhost:{port}")
        said = _err(fn.request("GET", "https", f"localhost:{port}", "/secret"))
        assert said.startswith("ErrorCode::Tls"), said
        assert asked == []
        assert _err(fn.request("POST", "https", "localhost:1", "/")) == "ErrorCode::HttpRequestDenied"


@pytest.mark.parametrize(
    "authority", ["good@{}", "{}@127.0.0.2", "{}/..", "{}#", "{}\\@127.0.0.2", "127.1:{port}", "0x7f.1:{port}",
    "2130706433:{port}", "127.0.0.1.:{port}", "localhost:{port}", "127.0.0.1:+{port}", ""],
)  # fmt: skip
def test_an_authority_with_tricks(lab: Lab, authority: str) -> None:
    """Another spelling of a granted host, or a granted host beside another, is not the granted host."""
    with http_server() as (port, asked):
        fn = lab.instantiate("sender", http=f"127.0.0.1:{port}")
        given = authority.format(f"127.0.0.1:{port}", port=port)
        assert _err(fn.request("GET", "http", given, "/x")) in ("ErrorCode::HttpRequestDenied", "authority")
        for path in ("http://127.0.0.2/", "x", "*", "/a b", "/\r\nHost: b.example", "@127.0.0.2/"):
            assert _err(fn.request("GET", "http", f"127.0.0.1:{port}", path)) == "path"
        assert asked == []


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]"]
)
def test_an_address_in_other_spellings(lab: Lab, host: str) -> None:
    """A grant of an address is not one of the names that a resolver finds for it."""
    with tcp_server() as port:
        fn = lab.instantiate("asker", net=[f"127.0.0.1:{port}", f"[::1]:{port}"])
        _err(fn.exchange(f"{host}:{port}", "x"))


def test_redirects_are_not_followed(lab: Lab) -> None:
    """A redirect comes to the guest as it is; following it is a request of its own, looked at like any other."""
    with http_server() as (port, asked), http_server() as (other, unasked):
        fn = lab.instantiate("sender", http=f"127.0.0.1:{port}")
        elsewhere = f"http://127.0.0.1:{other}/x"
        assert _ok(fn.request("GET", "http", f"127.0.0.1:{port}", f"/moved?{elsewhere}"))[0] == 302
        assert _err(fn.request("GET", "http", f"127.0.0.1:{other}", "/x")) == "ErrorCode::HttpRequestDenied"
        assert (len(asked), unasked) == (1, [])


def test_http_is_not_sockets(lab: Lab) -> None:
    """A grant of requests opens no socket, and a grant of sockets sends no request."""
    with http_server() as (port, asked):
        assert "denied" in _err(
            lab.instantiate("asker", http=f"127.0.0.1:{port}").exchange(f"127.0.0.1:{port}", "x")
        )
        with pytest.raises(CapabilityDenied, match=r"wasi:http/types.*--http \[METHOD:\]HOST"):
            lab.instantiate("sender", net=f"127.0.0.1:{port}").request(
                "GET", "http", f"127.0.0.1:{port}", "/"
            )
        assert asked == []


# ------------------------------------------------------------------------------------------- what stands behind it


def test_empty_refused_and_granted_are_told_apart(lab: Lab, tmp_path: Path) -> None:
    """What a guest meets is what the card says: empty is there with nothing in it, refused fails, granted works."""
    fn = lab.instantiate("asker")
    states = {s.import_name.partition("@")[0]: s.state for s in fn.standings}
    assert (
        states["wasi:filesystem/preopens"]
        == states["wasi:cli/environment"]
        == states["wasi:cli/stdin"]
        == "empty"
    )
    assert "No such file" in _err(fn.list_dir("/"))
    assert (fn.variable("A"), fn.heard()) == (None, "")
    assert states["wasi:sockets/tcp"] == states["wasi:sockets/ip-name-lookup"] == "refused"
    assert "denied" in _err(fn.exchange("127.0.0.1:80", "x"))
    assert _err(fn.look_up("localhost"))
    assert states["wasi:clocks/wall-clock"] == "real"
    (tmp_path / "x").write_text("1")
    fn = lab.instantiate(
        "asker", env=["A=b"], stdin="hi", dirs=[f"{tmp_path}::/d"], clock=NOON, net="localhost:1"
    )
    states = {s.import_name.partition("@")[0]: s.state for s in fn.standings}
    assert states["wasi:clocks/wall-clock"] == "virtual"
    assert {
        states[f"wasi:{name}"] for name in ("filesystem/types", "cli/environment", "cli/stdin", "sockets/tcp")
    } == {"granted"}
    assert (_ok(fn.list_dir("/d")), fn.variable("A"), fn.heard(), fn.wall()) == (["x"], "b", "hi", NOON_NS)
    assert _ok(fn.look_up("localhost"))


def _err(value: Any) -> str:
    """Return the text of an error that a guest returned."""
    assert not value.is_ok, value
    return str(value.payload)


def _ok(value: Any) -> Any:
    """Return what a guest returned that is no error."""
    assert value.is_ok, value
    return value.payload
