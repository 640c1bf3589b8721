"""A real OCI registry, WIT packages in binary form, and a web server that answers as told."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from labkernel import Lab

__all__ = ["OciRegistry", "Web", "encode", "oci_registry", "web"]

CONFIG_TYPE = "application/vnd.wasm.config.v0+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


class OciRegistry:
    """A running registry: its host, its files, and pushing in the layout of wasm-pkg-tools."""

    def __init__(self, port: int, root: Path) -> None:
        self.host, self.root, self._port = f"127.0.0.1:{port}", root, port

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "") -> http.client.HTTPResponse:
        """Ask the registry; the answer has been read."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            answer.read()
            return answer

    def push(self, repository: str, tag: str, wasm: bytes, *, layer: str = "application/wasm") -> str:
        """Push a package under a tag; return its layer's digest."""
        digest = self._blob(repository, wasm)
        config = {"architecture": "wasm", "os": "wasip2", "layerDigests": [digest]}
        encoded = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {
                "mediaType": CONFIG_TYPE,
                "digest": self._blob(repository, encoded),
                "size": len(encoded),
            },
            "layers": [{"mediaType": layer, "digest": digest, "size": len(wasm)}],
        }
        path = f"/v2/{repository}/manifests/{tag}"
        assert self.request("PUT", path, json.dumps(manifest).encode(), MANIFEST_TYPE).status == 201
        return digest

    def _blob(self, repository: str, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        place = self.request("POST", f"/v2/{repository}/blobs/uploads/").getheader("Location", "")
        path = place.partition(self.host)[2] or place
        answer = self.request("PUT", f"{path}&digest={digest}", data, "application/octet-stream")
        assert answer.status == 201
        return digest

    def blob_file(self, digest: str) -> Path:
        """Return the file that holds a blob."""
        name = digest.removeprefix("sha256:")
        return self.root / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


@contextlib.contextmanager
def oci_registry(root: Path) -> Iterator[OciRegistry]:
    """Run Debian's registry on a free port of this machine; it has ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = root / "registry.json"
    storage = {"filesystem": {"rootdirectory": str(root)}, "cache": {"blobdescriptor": ""}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}}))
    program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
    with subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        made = OciRegistry(port, root)
        try:
            _wait(made, process)
            yield made
        finally:
            process.kill()


def _wait(registry: OciRegistry, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert process.poll() is None, "docker-registry ended at once"
        with contextlib.suppress(OSError):
            if registry.request("GET", "/v2/").status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("docker-registry does not answer")


def encode(lab: Lab, text: str, *, deps: list[dict[str, str]] | None = None, world: str = "all") -> bytes:
    """Return a WIT package in its binary form: what the world named reaches, as tools write it into a module."""
    toolbox = lab.toolbox
    module = toolbox.embed(lab.tools.assemble("(module)"), toolbox.resolve(text, deps=deps or []), world)
    size, at = _leb(module, 9)
    name = module[at] + 1
    assert module[8] == 0
    assert at + size == len(module)
    return module[at + name :]


def _leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


#: What a path is answered with: status, headers, body; or a function of the request's headers that gives it.
Reply = tuple[int, dict[str, str], bytes]


class Web:
    """A web server of this machine; `pages` is what it answers by path, `asked` what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Reply | Callable[[Mapping[str, str]], Reply]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


@contextlib.contextmanager
def web() -> Iterator[Web]:
    """Run a web server; it has ended afterwards."""
    told = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, headers = self.path, dict(self.headers.items())
            told.asked.append((path, headers))
            page = told.pages.get(path, (404, {}, b"no"))
            status, extra, body = page(headers) if callable(page) else page
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
