"""Connections nobody granted: by name, by address, by datagram, by listening."""

from __future__ import annotations

import socket

import pytest
from hostile_kit import Arena

CODE = r"""
use std::net::{TcpStream, TcpListener, UdpSocket, ToSocketAddrs};
struct Attack;
impl Guest for Attack {
    fn run(n: u32) -> u32 {
        let port = (n >> 8) as u16;
        let refused = match n & 255 {
            0 => TcpStream::connect(("127.0.0.1", port)).is_err(),
            1 => TcpStream::connect(("::1", port)).is_err(),
            2 => TcpStream::connect(("localhost", port)).is_err(),
            3 => ("localhost", port).to_socket_addrs().is_err(),
            4 => TcpListener::bind(("127.0.0.1", 0)).is_err(),
            5 => UdpSocket::bind(("127.0.0.1", 0)).and_then(|s| s.send_to(b"x", ("127.0.0.1", port))).is_err(),
            _ => UdpSocket::bind(("::", 0)).is_err(),
        };
        refused as u32
    }
}
"""


def test_no_way_out(rust_arena: Arena) -> None:
    """Each is refused at the call; a server that listens hears nobody."""
    rust_arena.build("rust", CODE)
    attacker = rust_arena.start("attack")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = server.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        assert [attacker["run"](port << 8 | way) for way in range(7)] == [1] * 7
        for listening in (server, datagrams):
            listening.settimeout(0.1)
            with pytest.raises(TimeoutError):
                listening.recv(1) if listening is datagrams else listening.accept()
