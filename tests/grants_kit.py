"""Guests that ask for things and say what they got, and servers on the loopback for them to ask."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
import trustme

from labkernel._cache import Cache
from labkernel._lab import Lab
from labkernel._toolbox import find_toolbox

__all__ = ["http_server", "prepared_lab", "stranger", "tcp_server", "tls_server", "udp_server", "visiting"]

ASKER_WIT: Final = """package lab:asks@1.0.0;

world asker {
  export list-dir: func(path: string) -> result<list<string>, string>;
  export read-file: func(path: string) -> result<string, string>;
  export write-file: func(path: string, text: string) -> result<_, string>;
  export variable: func(name: string) -> option<string>;
  export arguments: func() -> list<string>;
  export heard: func() -> string;
  export look-up: func(host: string) -> result<list<string>, string>;
  export exchange: func(address: string, text: string) -> result<string, string>;
  export datagram: func(local: string, address: string, text: string) -> result<string, string>;
  export datagram-connected: func(address: string, text: string) -> result<string, string>;
  export serve-one: func(address: string, announce: string) -> result<string, string>;
  export answer-one: func(address: string, announce: string, also: string) -> result<string, string>;
  export wall: func() -> u64;
  export monotonic: func() -> u64;
  export nap: func(ms: u64) -> u64;
  export draw: func() -> u64;
  export say: func(text: string);
}
"""

ASKER: Final = r"""
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant, SystemTime};

fn text<E: std::fmt::Display>(e: E) -> String { e.to_string() }

fn list_dir(path: String) -> Result<Vec<String>, String> {
    let mut names = vec![];
    for entry in std::fs::read_dir(path).map_err(text)? {
        names.push(entry.map_err(text)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
fn read_file(path: String) -> Result<String, String> { std::fs::read_to_string(path).map_err(text) }
fn write_file(path: String, body: String) -> Result<(), String> { std::fs::write(path, body).map_err(text) }
fn variable(name: String) -> Option<String> { std::env::var(name).ok() }
fn arguments() -> Vec<String> { std::env::args().collect() }
fn heard() -> String { let mut s = String::new(); std::io::stdin().read_to_string(&mut s).unwrap(); s }
fn look_up(host: String) -> Result<Vec<String>, String> {
    let mut found: Vec<String> =
        (host.as_str(), 80).to_socket_addrs().map_err(text)?.map(|a| a.ip().to_string()).collect();
    found.sort();
    found.dedup();
    Ok(found)
}
fn exchange(address: String, body: String) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(text)?;
    stream.write_all(body.as_bytes()).map_err(text)?;
    let mut answer = [0u8; 64];
    let n = stream.read(&mut answer).map_err(text)?;
    Ok(String::from_utf8_lossy(&answer[..n]).into_owned())
}
fn datagram(local: String, address: String, body: String) -> Result<String, String> {
    let socket = UdpSocket::bind(local).map_err(text)?;
    socket.send_to(body.as_bytes(), address).map_err(text)?;
    let mut answer = [0u8; 64];
    let (n, _) = socket.recv_from(&mut answer).map_err(text)?;
    Ok(String::from_utf8_lossy(&answer[..n]).into_owned())
}
fn datagram_connected(address: String, body: String) -> Result<String, String> {
    let local = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(local).map_err(text)?;
    socket.connect(address).map_err(text)?;
    socket.send(body.as_bytes()).map_err(text)?;
    let mut answer = [0u8; 64];
    let n = socket.recv(&mut answer).map_err(text)?;
    Ok(String::from_utf8_lossy(&answer[..n]).into_owned())
}
fn serve_one(address: String, announce: String) -> Result<String, String> {
    let listener = TcpListener::bind(address).map_err(text)?;
    let port = listener.local_addr().map_err(text)?.port();
    if !announce.is_empty() { std::fs::write(announce, port.to_string()).map_err(text)?; }
    let (mut stream, _) = listener.accept().map_err(text)?;
    let mut got = [0u8; 64];
    let n = stream.read(&mut got).map_err(text)?;
    stream.write_all(b"heard").map_err(text)?;
    Ok(String::from_utf8_lossy(&got[..n]).into_owned())
}
fn answer_one(address: String, announce: String, also: String) -> Result<String, String> {
    let socket = UdpSocket::bind(address).map_err(text)?;
    std::fs::write(announce, socket.local_addr().map_err(text)?.port().to_string()).map_err(text)?;
    let mut got = [0u8; 64];
    let (n, sender) = socket.recv_from(&mut got).map_err(text)?;
    socket.send_to(b"heard", sender).map_err(text)?;
    if !also.is_empty() { socket.send_to(b"psst", also).map_err(text)?; }
    Ok(String::from_utf8_lossy(&got[..n]).into_owned())
}
fn wall() -> u64 { SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 }
fn monotonic() -> u64 { let a = Instant::now(); Instant::now().duration_since(a).as_nanos() as u64 }
fn nap(ms: u64) -> u64 {
    let a = Instant::now();
    std::thread::sleep(Duration::from_millis(ms));
    Instant::now().duration_since(a).as_nanos() as u64
}
fn draw() -> u64 { std::collections::hash_map::RandomState::new().build_hasher().finish() }
fn say(text: String) { println!("{text}"); }
"""

SENDER_WIT: Final = """package lab:sends@1.0.0;

world sender {
  import wasi:http/outgoing-handler@0.2.6;
  export request: func(method: string, scheme: string, authority: option<string>, path: string)
    -> result<tuple<u16, string>, string>;
  export pretend: func(name: string, value: string) -> result<_, string>;
}
"""

SENDER: Final = r"""
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{Fields, Method, OutgoingRequest, Scheme};

fn pretend(name: String, value: String) -> Result<(), String> {
    Fields::new().append(&name, value.as_bytes()).map_err(|e| format!("{e:?}"))
}
fn request(method: String, scheme: String, authority: Option<String>, path: String)
    -> Result<(u16, String), String> {
    let wanted = OutgoingRequest::new(Fields::new());
    let method = match method.as_str() {
        "GET" => Method::Get, "POST" => Method::Post, "PUT" => Method::Put, "DELETE" => Method::Delete,
        other => Method::Other(other.to_string()),
    };
    wanted.set_method(&method).map_err(|_| "method".to_string())?;
    let scheme = match scheme.as_str() { "http" => Some(Scheme::Http), "https" => Some(Scheme::Https), "" => None,
        other => Some(Scheme::Other(other.to_string())) };
    wanted.set_scheme(scheme.as_ref()).map_err(|_| "scheme".to_string())?;
    wanted.set_authority(authority.as_deref()).map_err(|_| "authority".to_string())?;
    wanted.set_path_with_query(Some(&path)).map_err(|_| "path".to_string())?;
    let future = handle(wanted, None).map_err(|e| format!("{e:?}"))?;
    let response = loop {
        match future.get() {
            Some(answer) => break answer.unwrap().map_err(|e| format!("{e:?}"))?,
            None => future.subscribe().block(),
        }
    };
    let status = response.status();
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let mut bytes = vec![];
    while let Ok(chunk) = stream.blocking_read(4096) { bytes.extend(chunk); }
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}
"""

C_WIT: Final = """package lab:knocks@1.0.0;

world knocker {
  import wasi:sockets/instance-network@0.2.6;
  import wasi:sockets/tcp-create-socket@0.2.6;
  import wasi:sockets/tcp@0.2.6;
  export knock: func(port: u16) -> s32;
  export listen: func() -> s32;
}
"""

C: Final = r"""
static int32_t with(uint16_t port, bool is_server) {
  wasi_sockets_network_error_code_t code;
  wasi_sockets_tcp_own_tcp_socket_t socket;
  if (!wasi_sockets_tcp_create_socket_create_tcp_socket(0, &socket, &code)) return code;
  wasi_sockets_tcp_borrow_tcp_socket_t it = wasi_sockets_tcp_borrow_tcp_socket(socket);
  wasi_sockets_network_own_network_t network = wasi_sockets_instance_network_instance_network();
  wasi_sockets_network_ip_socket_address_t at = {.tag = 0};
  at.val.ipv4.port = port;
  at.val.ipv4.address.f0 = 127;
  at.val.ipv4.address.f1 = 0;
  at.val.ipv4.address.f2 = 0;
  at.val.ipv4.address.f3 = 1;
  wasi_sockets_network_borrow_network_t n = wasi_sockets_network_borrow_network(network);
  bool ok = is_server ? wasi_sockets_tcp_method_tcp_socket_start_bind(it, n, &at, &code)
                      : wasi_sockets_tcp_method_tcp_socket_start_connect(it, n, &at, &code);
  return ok ? -1 : (int32_t)code;
}

int32_t exports_knocker_knock(uint16_t port) { return with(port, false); }
int32_t exports_knocker_listen(void) { return with(8080, true); }
"""


def prepared_lab() -> Iterator[Lab]:
    """Yield a lab with the three guests built; skip where their tools are missing."""
    missing = [] if find_toolbox(Cache()) else ["the toolbox"]
    missing += [] if shutil.which("rustc") else ["rustc"]
    if missing and os.environ.get("LABKERNEL_REQUIRE") != "all":
        pytest.skip(f"missing: {', '.join(missing)}")
    with Lab() as made:
        for name, wit in (("asks", ASKER_WIT), ("sends", SENDER_WIT), ("knocks", C_WIT)):
            made.wit(wit, name=name)
        made.build("rust", ASKER, name="asker", world="asker")
        made.build("rust", SENDER, name="sender", world="sender")
        made.build("c", C, name="knocker", world="knocker")
        yield made


def _family(address: str) -> socket.AddressFamily:
    """Return the family of an address; skip where the machine has no IPv6."""
    if ":" not in address:
        return socket.AF_INET
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    return socket.AF_INET6


@contextlib.contextmanager
def tcp_server(address: str = "127.0.0.1") -> Iterator[int]:
    """Answer `pong` to whoever connects, and yield the port."""
    family = _family(address)
    server = socket.create_server((address, 0), family=family)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.recv(64)
                    client.sendall(b"pong")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@contextlib.contextmanager
def udp_server(address: str = "127.0.0.1") -> Iterator[tuple[int, list[bytes]]]:
    """Answer `pong` to each datagram, and yield the port and what arrived."""
    family = _family(address)
    heard: list[bytes] = []
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((address, 0))

        def serve() -> None:
            while (got := server.recvfrom(64))[0] != b"end":
                heard.append(got[0])
                server.sendto(b"pong", got[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            with socket.socket(family, socket.SOCK_DGRAM) as ending:
                ending.sendto(b"end", server.getsockname())
            thread.join()


@contextlib.contextmanager
def stranger() -> Iterator[tuple[int, list[bytes]]]:
    """Answer one datagram with `pong`, once somebody else has sent three; yield the port and what was sent."""
    sent: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def serve() -> None:
            with contextlib.suppress(TimeoutError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                _, guest = server.recvfrom(64)
                for _ in range(3):
                    other.sendto(b"evil", guest)
                    sent.append(b"evil")
                server.sendto(b"pong", guest)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], sent
        finally:
            thread.join()


@contextlib.contextmanager
def tls_server() -> Iterator[tuple[int, list[str]]]:
    """Serve pages by TLS with a certificate of an issuer that nobody knows; yield the port and what was asked for."""
    asked: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)

    class Handler(Pages):
        pass

    class Server(ThreadingHTTPServer):
        def get_request(self) -> tuple[socket.socket, Any]:
            """Shake hands; a client that refuses the certificate is gone then."""
            client, address = super().get_request()
            return context.wrap_socket(client, server_side=True), address

    Handler.asked = asked
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


class Pages(BaseHTTPRequestHandler):
    """Says which method and path were asked for; `/moved` sends elsewhere."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer any method."""
        self.asked.append(f"{self.command} {self.path}")
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
        else:
            self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.command} {self.path}".encode())

    do_POST = do_GET  # noqa: N815 - as the base class calls it

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def http_server() -> Iterator[tuple[int, list[str]]]:
    """Serve pages on the loopback, and yield the port and what was asked for."""
    asked: ClassVar[list[str]] = []
    handler = type("Handler", (Pages,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def visiting(place: Path, *, by_datagram: bool = False) -> Iterator[list[bytes]]:
    """Say `hello` to whoever writes its port to a file meanwhile, and yield what it answers."""
    answers: list[bytes] = []
    over = threading.Event()

    def visit() -> None:
        while not (place.exists() and place.read_text()):
            if over.wait(0.01):
                return
        kind = socket.SOCK_DGRAM if by_datagram else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(5)
            client.connect(("127.0.0.1", int(place.read_text())))
            client.sendall(b"hello")
            answers.append(client.recv(64))

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield answers
    finally:
        over.set()
        visitor.join()
