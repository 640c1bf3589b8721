"""WIT packages in an OCI registry, in the layout of wasm-pkg-tools and of the CNCF's Wasm OCI artifacts.

A package `acme:types` lies in the repository `PREFIXacme/types`; its tags are versions, with `_` for `+`. A manifest
has one layer `application/wasm`, the package in its binary form, and a configuration
`application/vnd.wasm.config.v0+json`. Anonymous tokens are asked for where the registry wants them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from labkernel._errors import RegistryError, UsageError
from labkernel._registry.fetch import Answer, get, is_loopback
from labkernel._registry.versions import Version, try_version

__all__ = ["Registry", "Release"]

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPES: Final = ("application/wasm", "application/vnd.wasm.content.layer.v1+wasm")
MAX_JSON: Final = 4 << 20
MAX_PACKAGE: Final = 32 << 20
_MAX_PAGES: Final = 50
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a package: where its bytes are."""

    repository: str
    version: Version
    digest: str


@dataclass
class Registry:
    """A registry's packages. `prefix` goes before the namespace; without one, the registry is asked for its own."""

    host: str
    prefix: str | None = None
    _place: tuple[str, str] | None = None
    _tokens: dict[str, str] = field(default_factory=dict)

    def repository(self, package: str) -> str:
        """Return a package's repository, host included."""
        host, prefix = self._where()
        return f"{host}/{prefix}{package.replace(':', '/')}"

    def versions(self, package: str) -> list[Version]:
        """Return the versions of a package, lowest first; none where the registry has no such package."""
        repository = self.repository(package)
        host, _, name = repository.partition("/")
        found: list[Version] = []
        url = f"{_base(host)}/v2/{name}/tags/list?n=1000"
        for _ in range(_MAX_PAGES):
            answer = self._get(url, repository, MAX_JSON)
            if answer.status == 404:
                return []
            tags = _json(_checked(answer, f"the versions of {package}", host), "tags").get("tags") or []
            found += [
                v for t in tags if isinstance(t, str) and (v := try_version(t.replace("_", "+"))) is not None
            ]
            following = re.match(r"\s*<([^>]+)>\s*;\s*rel=\"?next", answer.headers.get("link", ""))
            if following is None:
                break
            url = urljoin(url, following[1])
            if urlsplit(url).netloc != urlsplit(_base(host)).netloc:
                raise RegistryError(
                    f"{host} continues its list of versions on another host ({url[:200]}); refused."
                )
        return sorted(found)

    def release(self, package: str, version: Version) -> Release | None:
        """Return a version's release, or `None` where there is none of that version."""
        repository = self.repository(package)
        host, _, name = repository.partition("/")
        what = f"{package}@{version}"
        tag = str(version).replace("+", "_")
        url = f"{_base(host)}/v2/{name}/manifests/{quote(tag, safe='')}"
        answer = self._get(url, repository, MAX_JSON, MANIFEST_TYPE)
        if answer.status == 404:
            return None
        body = _checked(answer, what, host)
        told = answer.headers.get("docker-content-digest", "")
        if told.startswith("sha256:") and told != _sha256(body):
            raise RegistryError(
                f"The manifest of {what} at {host} is not what its digest {told[:23]}… says; refused."
            )
        return Release(repository, version, _layer(_json(body, what), f"{what} at {host}"))

    def blob(self, repository: str, digest: str) -> bytes:
        """Return the bytes of a digest, checked against it."""
        host, _, name = repository.partition("/")
        if not _DIGEST.fullmatch(digest):
            raise RegistryError(
                f"{digest[:80]!r} is no digest; the lock holds sha256: and 64 hexadecimal digits."
            )
        answer = self._get(f"{_base(host)}/v2/{name}/blobs/{digest}", repository, MAX_PACKAGE, "*/*")
        body = _checked(answer, f"{digest[:23]}… of {name}", host)
        if _sha256(body) != digest:
            raise RegistryError(
                f"{host} gave {_sha256(body)[:23]}… for {digest[:23]}… of {name}; refused. "
                "Try again, or ask who runs it."
            )
        return body

    def _where(self) -> tuple[str, str]:
        """Return host and prefix, the registry's own word (`/.well-known/wasm-pkg/registry.json`) included."""
        if self._place is None:
            own = self._well_known() if self.prefix is None else {}
            host, prefix = own.get("registry", self.host), own.get("namespacePrefix", self.prefix or "")
            self._place = (str(host), str(prefix))
        return self._place

    def _well_known(self) -> dict[str, Any]:
        answer = get(f"{_base(self.host)}/.well-known/wasm-pkg/registry.json", max_size=1 << 16)
        try:
            data = json.loads(answer.body) if answer.status == 200 else {}
        except (ValueError, RecursionError):
            data = {}
        found = data.get("oci", {}) if isinstance(data, dict) else {}
        known = {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
        plain = re.compile(r"[A-Za-z0-9.:/_-]*")
        sound = all(plain.fullmatch(v) and ".." not in v for v in known.values())
        return known if sound and not _leads_home(self.host, known.get("registry", self.host)) else {}

    def _get(self, url: str, repository: str, max_size: int, accept: str = "application/json") -> Answer:
        answer = get(
            url, max_size=max_size, headers={"Accept": accept}, token=self._tokens.get(repository, "")
        )
        if answer.status != 401 or repository in self._tokens:
            return answer
        token = _token(answer.headers.get("www-authenticate", ""), url, repository.partition("/")[2])
        if not token:
            return answer
        self._tokens[repository] = token
        return get(url, max_size=max_size, headers={"Accept": accept}, token=token)


def _base(host: str) -> str:
    return f"{'http' if is_loopback(_name(host)) else 'https'}://{host}"


def _leads_home(host: str, other: str) -> bool:
    """Return whether another machine's answer names this one, which is not followed."""
    return is_loopback(_name(other)) and not is_loopback(_name(host))


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _token(challenge: str, url: str, name: str) -> str:
    """Return an anonymous token for reading, or an empty text where the registry gives none."""
    if not challenge.lower().startswith("bearer "):
        return ""
    told = dict(_CHALLENGE.findall(challenge))
    realm = told.get("realm", "")
    if _leads_home(urlsplit(url).netloc, urlsplit(realm).netloc):
        return ""
    asked = {k: told[k] for k in ("service",) if k in told} | {"scope": f"repository:{name}:pull"}
    try:
        answer = get(f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}", max_size=1 << 18)
    except UsageError:
        return ""
    data = _json(answer.body, "token") if answer.status == 200 else {}
    token = data.get("token") or data.get("access_token") or ""
    return token if isinstance(token, str) and token.isascii() and token.isprintable() else ""


def _checked(answer: Answer, what: str, host: str) -> bytes:
    if answer.status == 200:
        return answer.body
    if answer.status in (401, 403):
        raise RegistryError(
            f"{host} refuses {what} to those it does not know ({answer.status}); only public packages are read. "
            "Fetch it with wkg and give it by its path."
        )
    raise RegistryError(
        f"{host} answered {answer.status} for {what}. Check the name and the registry, or try later."
    )


def _json(body: bytes, what: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise RegistryError(f"The registry's answer for {what} is no JSON object; is it an OCI registry?")
    return data


def _layer(manifest: dict[str, Any], what: str) -> str:
    """Return the digest of the one layer that holds the package."""
    layers = manifest.get("layers")
    layers = [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
    kinds = [str(layer.get("mediaType")) for layer in layers]
    if len(layers) != 1 or kinds[0] not in LAYER_TYPES:
        held = ", ".join(kinds)[:200] or str(manifest.get("mediaType", "nothing"))[:200]
        raise RegistryError(
            f"{what} is no WIT package: it holds {held}; expected is one layer {LAYER_TYPES[0]}."
        )
    digest, size = layers[0].get("digest"), layers[0].get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise RegistryError(f"{what} has the digest {str(digest)[:80]!r}; expected is sha256: and 64 digits.")
    if not isinstance(size, int) or not 0 < size <= MAX_PACKAGE:
        raise RegistryError(f"{what} has a layer of {str(size)[:20]} bytes; up to {MAX_PACKAGE} are taken.")
    return digest


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
