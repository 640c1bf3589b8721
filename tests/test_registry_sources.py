"""Registries that answer oddly and archives that are hostile; and those that are well-behaved."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_kit import Web, web

from labkernel import Lab, LabError, UsageError
from labkernel._cache import Cache
from labkernel._errors import RegistryError
from labkernel._registry import DepsRecord, archive, fetch
from labkernel._registry.archive import packages_in
from labkernel._registry.fetch import check_url
from labkernel._registry.lock import read_lock
from labkernel._registry.oci import Registry
from labkernel._registry.versions import Version
from labkernel._toolbox import find_toolbox

Require = Callable[[str, object], None]
MINE = "package me:mine@0.1.0;\ninterface t { type n = u32; }\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with a cache of its own."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("lab"))) as made:
        yield made


@pytest.fixture
def tools(lab: Lab, require: Require) -> Lab:
    """Return the lab, where there is a toolbox."""
    require("the toolbox component", find_toolbox())
    return lab


@pytest.fixture
def server() -> Iterator[Web]:
    """Return a web server."""
    with web() as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder for a `deps.toml`, beside a package of one's own."""
    folder = tmp_path / "wit"
    folder.mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "t.wit").write_text(MINE)
    return folder


def ask(root: Path, text: str) -> None:
    """Write a folder's `deps.toml`."""
    (root / "deps.toml").write_text(text)


def states(record: DepsRecord) -> dict[str, str]:
    """Return what was done, by package."""
    return {str(state.locked.package): state.what for state in record.packages}


def snapshot(root: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def tar_of(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return a gzipped archive of files, or of members given whole."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


# ------------------------------------------------------------------------------ registries that answer oddly


def oci_pages(server: Web, **pages: Any) -> Registry:
    """Return a registry that is a web server."""
    for path, page in pages.items():
        server.pages[path] = page
    return Registry(server.host, "")


def body(data: object) -> tuple[int, dict[str, str], bytes]:
    """Return a page of JSON."""
    return 200, {}, json.dumps(data).encode()


def test_a_registry_that_wants_a_token(server: Web) -> None:
    """An anonymous token is asked for once and sent along, and not to where a redirect leads."""
    challenge = f'Bearer realm="{server.url}/token",service="s",scope="x"'
    data = b"blob"
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"

    def guarded(
        page: tuple[int, dict[str, str], bytes],
    ) -> Callable[[Any], tuple[int, dict[str, str], bytes]]:
        return lambda headers: (
            page
            if headers.get("Authorization") == "Bearer t0k"
            else (401, {"WWW-Authenticate": challenge}, b"")
        )

    server.pages["/token?service=s&scope=repository%3Aa%2Fb%3Apull"] = body({"token": "t0k"})
    server.pages["/v2/a/b/tags/list?n=1000"] = guarded(body({"tags": ["1.0.0", "1.0.1_b", "latest", 3]}))
    server.pages[f"/v2/a/b/blobs/{digest}"] = guarded((307, {"Location": "/elsewhere"}, b""))
    server.pages["/elsewhere"] = (200, {}, data)
    registry = Registry(server.host, "")
    assert list(map(str, registry.versions("a:b"))) == ["1.0.0", "1.0.1+b"]
    assert registry.blob(f"{server.host}/a/b", digest) == data
    assert sum(path.startswith("/token") for path, _ in server.asked) == 1
    assert "Authorization" not in server.asked[-1][1]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ((500, {}, b"oops"), "answered 500"),
        ((401, {}, b""), "only public packages are read"),
        ((403, {"WWW-Authenticate": "Basic"}, b""), "only public packages are read"),
        ((401, {"WWW-Authenticate": 'Bearer realm="http://example.com/t"'}, b""), "only public"),
        ((200, {}, b"<html>"), "is no JSON object"),
        ((200, {}, b"[]"), "is no JSON object"),
        ((200, {}, b"[" * 100_000), "is no JSON object"),
        ((200, {"Link": '<http://example.com/more>; rel="next"'}, b"{}"), "on another host"),
        ((200, {"Content-Length": "99"}, b"{}"), "ended after 2 of 99 bytes"),
        ((200, {}, b"x" * (5 << 20)), "larger than"),
        ((302, {"Location": "http://example.com/"}, b""), "not https"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "answered 302"),
        ((302, {"Location": "/v2/a/b/tags/list?n=1000"}, b""), "answered 302"),
    ],
)
def test_odd_answers(server: Web, page: Any, message: str) -> None:
    """What a registry must not say is an error with its host, never a crash, never a fetch from elsewhere."""
    server.pages["/v2/a/b/tags/list?n=1000"] = page
    with pytest.raises(RegistryError, match=message):
        Registry(server.host, "").versions("a:b")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({}, "it holds nothing"),
        ({"layers": 1}, "it holds nothing"),
        (
            {"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []},
            "holds application/vnd.oci",
        ),
        ({"layers": [{"mediaType": "application/wasm"}] * 2}, "expected is one layer"),
        ({"layers": [{"mediaType": "application/wasm", "digest": "md5:0", "size": 1}]}, "has the digest"),
        (
            {"layers": [{"mediaType": "application/wasm", "digest": "sha256:" + "0" * 64, "size": 1 << 40}]},
            "bytes",
        ),
        (
            {"layers": [{"mediaType": "application/wasm", "digest": "sha256:" + "0" * 64, "size": "1"}]},
            "bytes",
        ),
    ],
)
def test_odd_manifests(server: Web, manifest: Any, message: str) -> None:
    """A manifest that is none of a WIT package is told by what it holds."""
    server.pages["/v2/a/b/manifests/1.0.0"] = body(manifest)
    with pytest.raises(RegistryError, match=message):
        Registry(server.host, "").release("a:b", Version((1, 0, 0)))


def test_a_manifest_that_is_not_its_digest(server: Web) -> None:
    """A manifest is checked against the digest that comes with it."""
    server.pages["/v2/a/b/manifests/1.0.0"] = (200, {"Docker-Content-Digest": "sha256:" + "0" * 64}, b"{}")
    with pytest.raises(RegistryError, match="not what its digest"):
        Registry(server.host, "").release("a:b", Version((1, 0, 0)))


def test_pages_of_versions_and_the_registrys_own_prefix(server: Web) -> None:
    """A long list of versions comes in pages; a registry may say where its packages are."""
    known = {"preferredProtocol": "oci", "oci": {"registry": server.host, "namespacePrefix": "wit/"}}
    server.pages["/.well-known/wasm-pkg/registry.json"] = body(known)
    link = {"Link": '</v2/wit/a/b/tags/list?n=1000&last=x>; rel="next"'}
    server.pages["/v2/wit/a/b/tags/list?n=1000"] = (200, link, b'{"tags": ["1.0.0"]}')
    server.pages["/v2/wit/a/b/tags/list?n=1000&last=x"] = body({"tags": ["1.1.0"]})
    assert len(Registry(server.host).versions("a:b")) == 2
    server.pages["/.well-known/wasm-pkg/registry.json"] = body({"oci": {"namespacePrefix": "../../"}})
    assert Registry(server.host).repository("a:b") == f"{server.host}/a/b"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_http_is_for_this_machine(host: str) -> None:
    """Plain http goes to this machine only."""
    check_url(f"http://{host}:5000/x")
    with pytest.raises(UsageError, match="not https"):
        check_url("http://192.168.0.1/x")
    with pytest.raises(UsageError, match="not https"):
        check_url("http://localhost.example.com/x")


# -------------------------------------------------------------------------------------------------- archives


WIT = {"pkg-1/wit/a.wit": b"package a:b;", "pkg-1/README": b"x", "pkg-1/wit/deps/c/c.wit": b"package c:d;"}


def test_an_archive(root: Path, tools: Lab, server: Web) -> None:
    """An archive's folder is taken with its `deps/`, checked against its digests, and kept by the lock."""
    data = tar_of(WIT)
    server.pages["/a.tar.gz"] = (200, {}, data)
    url = f"{server.url}/a.tar.gz"
    pins = f'sha256 = "{hashlib.sha256(data).hexdigest()}", sha512 = "{hashlib.sha512(data).hexdigest()}"'
    ask(root, f'a = {{ url = "{url}", {pins} }}')
    assert states(tools.wit_deps(root)) == {"a:b": "fetched", "c:d": "with a"}
    tools.wit_deps(root)
    assert len(server.asked) == 1
    before = snapshot(root)
    for locked in read_lock(root):
        tools.cache.drop("deps", locked.sha256, ".json")
    shutil.rmtree(root / "deps")
    assert states(tools.wit_deps(root)) == {"a:b": "fetched", "c:d": "with a"}
    assert snapshot(root) == before
    ask(root, f'a = "{url}"')
    assert states(tools.wit_deps(root))["a:b"] == "fetched"
    shutil.rmtree(root / "deps")
    for locked in read_lock(root):
        tools.cache.drop("deps", locked.sha256, ".json")
    server.pages["/a.tar.gz"] = (200, {}, tar_of({**WIT, "pkg-1/wit/a.wit": b"package a:b; interface i {}"}))
    with pytest.raises(RegistryError, match=r"has changed since.*--update"):
        tools.wit_deps(root)
    assert states(tools.wit_deps(root, update=True))["a:b"] == "fetched"
    ask(root, f'a = {{ url = "{url}", {pins} }}')
    with pytest.raises(RegistryError, match=r"and deps\.toml asks for"):
        tools.wit_deps(root)
    server.pages.clear()
    with pytest.raises(RegistryError, match="answered 404"):
        tools.wit_deps(root)


def test_forms_of_archives() -> None:
    """The folder is at the top or one below, named as told; gzip, xz and plain tar are read."""
    plain = gzip.decompress(tar_of(WIT))
    expected = ({"a.wit": "package a:b;"}, {"c": {"c.wit": "package c:d;"}})
    for data in (tar_of(WIT), plain, lzma.compress(plain)):
        assert packages_in(data, subdir="wit", what="x") == expected
    top = tar_of({"wit/a.wit": b"1", "wit/deps/e.wit": b"2", "wit/inner/no.wit": b"3", "no.wit": b"4"})
    assert packages_in(top, subdir="wit", what="x") == ({"a.wit": "1"}, {"e": {"e.wit": "2"}})
    deep = tar_of({"p/wit-0.3/draft/a.wit": b"1"})
    assert packages_in(deep, subdir="wit-0.3/draft", what="x") == ({"a.wit": "1"}, {})


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a member that is a link."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no tar archive|holds no .wit"),
        (b"PK\3\4 a zip", "no tar archive"),
        (b"\x1f\x8b\x08 no", "no tar archive"),
        (tar_of(WIT)[:-40], "no tar archive"),
        (b"\xfd7zXZ\0 no", "no tar archive"),
        (tar_of({"p/src/a.wit": b"x"}), "holds no .wit file in a folder 'wit'"),
        (tar_of({**WIT, "../../etc/x.wit": b"x"}), "leads out of it"),
        (tar_of({**WIT, "/etc/passwd": b"x"}), "leads out of it"),
        (tar_of({**WIT, "wit/..\\x.wit": b"x"}), "leads out of it"),
        (tar_of({"wit/a.wit": link("wit/a.wit", "/etc/passwd")}), "is a link or a device"),
        (tar_of({"wit/a.wit": link("wit/a.wit", "wit/b.wit", tarfile.LNKTYPE)}), "is a link or a device"),
        (tar_of({"wit/a.wit": link("wit/a.wit", "", tarfile.CHRTYPE)}), "is a link or a device"),
        (tar_of({"wit/a.wit": b"\xff\xfe"}), "no tar archive"),
        (tar_of({"wit/ .wit": b"x"}), "names of .wit files"),
        (tar_of({"wit/a.wit": b"x", "wit/deps/.git/a.wit": b"x"}), "cannot name a dependency"),
    ],
)
def test_hostile_archives(data: bytes, message: str) -> None:
    """An archive that is none, or leads out of itself, is refused; nothing is ever unpacked onto the disk."""
    with pytest.raises(LabError, match=message):
        packages_in(data, subdir="wit", what="x")


def test_bombs(monkeypatch: pytest.MonkeyPatch, server: Web) -> None:
    """What unpacks to too much, has too many members or is too large is refused early."""
    bomb = tar_of({"wit/a.wit": b"x", "wit/zeros": bytes(3 << 20)})
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(RegistryError, match="unpacks to more than 1 MiB"):
        packages_in(bomb, subdir="wit", what="x")
    monkeypatch.setattr(archive, "MAX_TEXT", 10)
    with pytest.raises(RegistryError, match="MiB of WIT"):
        packages_in(tar_of({"wit/a.wit": b"package a:b;"}), subdir="wit", what="x")
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(RegistryError, match="more than 3 members"):
        packages_in(tar_of({f"{n}": b"" for n in range(9)}), subdir="wit", what="x")
    server.pages["/big"] = (200, {}, bytes(100))
    with pytest.raises(RegistryError, match="larger than"):
        fetch.get(f"{server.url}/big", max_size=99)
    assert fetch.get(f"{server.url}/big", max_size=100).body == bytes(100)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_archive(data: bytes) -> None:
    """Whatever comes, the answer is an error of the lab's own."""
    for head in (b"", b"\x1f\x8b\x08\0", b"\xfd7zXZ\0"):
        with pytest.raises(LabError):
            packages_in(head + data, subdir="wit", what="x")
