"""Guests that ask for things, and say what they got: one through Rust's standard library, one that sends requests."""

from __future__ import annotations

from typing import Final

__all__ = ["ASKER", "ASKER_WIT", "SENDER", "SENDER_WIT"]

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
}
"""

SENDER: Final = r"""
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{Fields, Method, OutgoingRequest, Scheme};

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
