"""What may pass a membrane: names, addresses, datagrams and requests, decided without any engine."""

from __future__ import annotations

from typing import Any

import pytest

from labkernel._capability import make_grants
from labkernel._errors import CapabilityError
from labkernel._host.judges import ASKED, TOLD, Answer, HttpJudge, NetworkJudge
from labkernel._wit import Function

LOCAL = ["ipv4", [80, [127, 0, 0, 1]]]
OTHER = ["ipv4", [80, [10, 0, 0, 1]]]
REFUSED = Answer(["err", "access-denied"])
DENIED = Answer(["err", ["HTTP-request-denied", None]])
OK = ["ok", None]


def network(*grants: str) -> NetworkJudge:
    """Return a judge for `--net` grants."""
    return NetworkJudge(make_grants({"net": list(grants)}).net)


def http(*grants: str) -> HttpJudge:
    """Return a judge for `--http` grants."""
    return HttpJudge(make_grants({"http": list(grants)}).http)


def socket_function(name: str) -> Function:
    """Return a function of `wasi:sockets`, by interface and name."""
    interface, _, function = name.partition("#")
    return Function(function, interface=f"wasi:sockets/{interface}@0.2.6")


def asks(judge: NetworkJudge, name: str, *args: Any) -> Answer | None:
    """Ask about a call that the judge must want to be asked about."""
    function = socket_function(name)
    assert ASKED in judge.wants(function)
    return judge.before(function, list(args))


def tells(judge: NetworkJudge, name: str, *args: Any, result: Any = None) -> None:
    """Tell of a call that the judge must want to be told of."""
    function = socket_function(name)
    assert TOLD in judge.wants(function)
    judge.after(function, list(args), result)


CONNECT = "tcp#[method]tcp-socket.start-connect"
BIND, LISTEN = "tcp#[method]tcp-socket.start-bind", "tcp#[method]tcp-socket.start-listen"
LOOK_UP = "ip-name-lookup#resolve-addresses"
NEXT = "ip-name-lookup#[method]resolve-address-stream.resolve-next-address"
UDP = "udp#[method]udp-socket."
SEND, RECEIVE = "udp#[method]outgoing-datagram-stream.send", "udp#[method]incoming-datagram-stream.receive"


@pytest.mark.parametrize(
    ("grant", "address", "passes"),
    [
        ("127.0.0.1:80", LOCAL, True),
        ("tcp:127.0.0.1:*", LOCAL, True),
        ("udp:127.0.0.1:80", LOCAL, False),
        ("127.0.0.1:81", LOCAL, False),
        ("10.0.0.2:80", OTHER, False),
        ("listen:127.0.0.1:80", LOCAL, False),
        ("[::1]:80", ["ipv6", [80, 0, [0, 0, 0, 0, 0, 0, 0, 1], 0]], True),
        ("[::1]:80", ["ipv6", [80, 0, [0, 0, 0, 0, 0, 0, 0, 2], 0]], False),
        ("127.0.0.1:80", ["ipv6", [80, 0, [0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1], 0]], True),
        ("localhost:80", LOCAL, False),
    ],
)
def test_connect(grant: str, address: list[Any], passes: bool) -> None:
    """A connection passes to an address, a port and a protocol that were granted, and nowhere else."""
    assert asks(network(grant), CONNECT, 3, 1, address) == (None if passes else REFUSED)


def test_a_name_stands_for_what_it_was_found_to_be() -> None:
    """A granted name may be looked up; then its addresses pass at its port, and no others."""
    judge = network("db.example:80", "api.example:81")
    assert asks(judge, LOOK_UP, 1, "evil.example") == REFUSED
    assert asks(judge, LOOK_UP, 1, "a b") == REFUSED
    assert asks(judge, LOOK_UP, 1, "DB.example.") is None
    tells(judge, LOOK_UP, 1, "DB.example.", result=["ok", 7])
    assert asks(judge, CONNECT, 3, 1, OTHER) == REFUSED
    tells(judge, NEXT, 7, result=["ok", [["ipv4", [10, 0, 0, 1]]]])
    tells(judge, NEXT, 7, result=["ok", None])
    assert asks(judge, CONNECT, 3, 1, OTHER) is None
    assert asks(judge, CONNECT, 3, 1, LOCAL) == REFUSED
    assert asks(judge, CONNECT, 3, 1, ["ipv4", [81, [10, 0, 0, 1]]]) == REFUSED


def test_a_stream_of_addresses_is_its_own_names() -> None:
    """A handle that is used again belongs to the new look-up."""
    judge = network("a.example:80", "b.example:81")
    tells(judge, LOOK_UP, 1, "a.example", result=["ok", 7])
    tells(judge, "ip-name-lookup#[resource-drop]resolve-address-stream", 7)
    tells(judge, NEXT, 7, result=["ok", [["ipv4", [10, 0, 0, 1]]]])
    assert asks(judge, CONNECT, 3, 1, OTHER) == REFUSED
    tells(judge, LOOK_UP, 1, "b.example", result=["ok", 7])
    tells(judge, NEXT, 7, result=["ok", [["ipv4", [10, 0, 0, 1]]]])
    assert asks(judge, CONNECT, 3, 1, OTHER) == REFUSED


def test_listening_takes_a_grant_of_its_own() -> None:
    """A socket listens where that was granted; a grant to connect lets it bind to port 0 only, and never listen."""
    judge = network("listen:127.0.0.1:80")
    assert asks(judge, BIND, 3, 1, OTHER) == REFUSED
    assert asks(judge, LISTEN, 3) == REFUSED
    assert asks(judge, BIND, 3, 1, LOCAL) is None
    assert asks(judge, LISTEN, 3) is None
    tells(judge, "tcp#[resource-drop]tcp-socket", 3)
    assert asks(judge, LISTEN, 3) == REFUSED
    judge = network("127.0.0.1:80")
    assert asks(judge, BIND, 3, 1, LOCAL) == REFUSED
    assert asks(judge, BIND, 3, 1, ["ipv4", [0, [0, 0, 0, 0]]]) is None
    assert asks(judge, LISTEN, 3) == REFUSED
    assert asks(network("udp:127.0.0.1:80"), BIND, 3, 1, ["ipv4", [0, [0, 0, 0, 0]]]) == REFUSED


def test_port_0_is_one_port_that_the_system_picks() -> None:
    """A grant to listen at port 0 is none to listen at a port of one's choice."""
    judge = network("listen:127.0.0.1:0")
    assert asks(judge, BIND, 3, 1, LOCAL) == REFUSED
    assert asks(judge, BIND, 3, 1, ["ipv4", [0, [127, 0, 0, 1]]]) is None
    assert asks(judge, LISTEN, 3) is None


def test_each_datagram_is_looked_at() -> None:
    """One address that was not granted refuses the whole list; the remote of a stream is looked at too."""
    judge = network("udp:127.0.0.1:80")
    assert asks(judge, SEND, 5, [[b"x", [LOCAL]], [b"y", None]]) is None
    assert asks(judge, SEND, 5, [[b"x", [LOCAL]], [b"y", [OTHER]]]) == REFUSED
    assert asks(judge, UDP + "stream", 3, None) is None
    assert asks(judge, UDP + "stream", 3, [LOCAL]) is None
    assert asks(judge, UDP + "stream", 3, [OTHER]) == REFUSED


def test_a_listening_socket_answers_who_wrote_to_it() -> None:
    """Whoever wrote to a socket that listens may be answered by it, and by no other."""
    judge = network("listen:udp:127.0.0.1:80")
    assert asks(judge, UDP + "start-bind", 3, 1, LOCAL) is None
    tells(judge, UDP + "stream", 3, None, result=["ok", [5, 6]])
    assert asks(judge, SEND, 6, [[b"x", [OTHER]]]) == REFUSED
    tells(judge, RECEIVE, 5, 1, result=["ok", [[b"hi", OTHER]]])
    assert asks(judge, SEND, 6, [[b"x", [OTHER]]]) is None
    assert asks(judge, SEND, 8, [[b"x", [OTHER]]]) == REFUSED


def request(judge: HttpJudge, method: Any, scheme: Any, authority: str | None) -> Answer | None:
    """Set up a request as a guest does, and hand it over."""
    types = "wasi:http/types@0.2.6"
    settings = [("set-method", method), ("set-scheme", scheme), ("set-authority", authority and [authority])]
    judge.after(Function("[constructor]outgoing-request", interface=types), [1], 9)
    for name, value in settings:
        judge.after(Function(f"[method]outgoing-request.{name}", interface=types), [9, value], OK)
    return judge.before(Function("handle", interface="wasi:http/outgoing-handler@0.2.6"), [9, None])


PLAIN = [["HTTP", None]]
GET: list[Any] = ["get", None]


@pytest.mark.parametrize(
    ("grant", "method", "scheme", "authority", "passes"),
    [
        ("a.example", GET, PLAIN, "a.example", True),
        ("a.example", GET, None, "a.example", True),
        ("a.example", GET, PLAIN, "A.example:80", True),
        ("a.example", GET, PLAIN, "a.example:443", False),
        ("a.example", GET, [["HTTPS", None]], "a.example:443", True),
        ("a.example:8080", GET, PLAIN, "a.example:8080", True),
        ("a.example:8080", GET, PLAIN, "a.example", False),
        ("a.example:*", GET, PLAIN, "a.example:9", True),
        ("a.example", GET, PLAIN, "b.example", False),
        ("a.example", GET, PLAIN, "a.example.b.example", False),
        ("a.example", GET, PLAIN, "a.example@b.example", False),
        ("a.example", GET, PLAIN, "b.example@a.example", False),
        ("a.example", GET, PLAIN, "a.example/", False),
        ("a.example", GET, PLAIN, None, False),
        ("a.example", GET, [["other", "ftp"]], "a.example", False),
        ("POST:a.example", GET, PLAIN, "a.example", False),
        ("POST:a.example", ["post", None], PLAIN, "a.example", True),
        ("GET:a.example", ["other", "get"], PLAIN, "a.example", False),
        ("PURGE:a.example", ["other", "PURGE"], PLAIN, "a.example", True),
        ("[::1]:80", GET, PLAIN, "[::1]", True),
        ("127.0.0.1:80", GET, PLAIN, "127.1:80", False),
    ],
)
def test_requests(grant: str, method: Any, scheme: Any, authority: str | None, passes: bool) -> None:
    """A request passes where method, host and port were granted; no way of writing an authority gets around it."""
    assert request(http(grant), method, scheme, authority) == (None if passes else DENIED)


def test_an_unknown_request_is_refused() -> None:
    """A request that was never seen, or handed over before, does not pass."""
    judge = http("a.example")
    assert request(judge, GET, PLAIN, "a.example") is None
    handle = Function("handle", interface="wasi:http/outgoing-handler@0.2.6")
    assert judge.before(handle, [9, None]) == DENIED


def test_what_was_refused_to_be_set_is_not_set() -> None:
    """A setting that the engine refused leaves the request as it was."""
    judge = http("a.example")
    types = "wasi:http/types@0.2.6"
    judge.after(Function("[constructor]outgoing-request", interface=types), [1], 9)
    authority = Function("[method]outgoing-request.set-authority", interface=types)
    judge.after(authority, [9, ["b.example"]], OK)
    judge.after(authority, [9, ["a.example"]], ["err", None])
    assert judge.before(Function("handle", interface="wasi:http/outgoing-handler@0.2.6"), [9, None]) == DENIED


@pytest.mark.parametrize(
    "asked",
    ["ss.example", "SS.example.", "xn--bcher-kva.example", "b\u00fccher.example", "B\u00dcCHER.example"],
)
def test_one_name_in_its_ways_of_writing(asked: str) -> None:
    """Case, a last dot and Unicode where all readers agree make no difference."""
    judge = network("ss.example:80", "b\u00fccher.example:80")
    assert asks(judge, LOOK_UP, 1, asked) is None


@pytest.mark.parametrize(
    "asked",
    [
        "\u00df.example",
        "s\u017f.example",
        "\uff53s.example",
        "s\u00ads.example",
        "s\u200ds.example",
        "\u1e9e.example",
    ],
)
def test_names_that_are_read_in_two_ways(asked: str) -> None:
    """What one version of IDNA reads as a granted name, and another, perhaps the resolver's, as a stranger's."""
    assert asks(network("ss.example:80"), LOOK_UP, 1, asked) == REFUSED
    with pytest.raises(CapabilityError, match=r"ss\.example is meant|no host name|neither a name"):
        network(f"{asked}:80")


def test_datagrams_of_strangers() -> None:
    """A socket that may only send gets datagrams from where it may send to, and no others."""
    judge = network("udp:10.0.0.1:80")
    tells(judge, UDP + "stream", 7, None, result=["ok", [8, 9]])
    function = socket_function(RECEIVE)
    got = ["ok", [[b"a", LOCAL], [b"b", OTHER], [b"c", ["ipv4", [81, [10, 0, 0, 1]]]], [b"d", OTHER]]]
    assert judge.after(function, [8, 10], got) == [1, 3]
    assert judge.after(function, [8, 10], ["err", "would-block"]) is None
