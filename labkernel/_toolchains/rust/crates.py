"""The crates a cell asks for by `--dep`, as text: what may be asked for, the manifest, cargo's refusals.

One is written `serde`, `serde@1` or `serde@1[derive,rc]`: a name, a requirement as in Cargo.toml, features in
brackets, `-default` among them for `default-features = false`. This module starts nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from labkernel._errors import CompileError, LabError, ToolchainMissing, UsageError
from labkernel._toolchains.rust.tools import TARGET

__all__ = [
    "ROOT",
    "Wanted",
    "build_failure",
    "fetch_failure",
    "is_about_network",
    "manifest",
    "parse",
    "requests",
]

#: The package that holds a set together.
ROOT: Final = "labkernel-crates"
_SPEC: Final = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_-]{0,63})(?P<early>\[[^\[\]]*\])?(?:@(?P<version>[^\[\]\n]+))?(?P<late>\[[^\[\]]*\])?"
)
_VERSION: Final = re.compile(r"[0-9A-Za-z.*+~^=<>, -]{1,80}")
_PLUS: Final = re.compile(r"(?P<version>\d+(?:\.\d+)?)\+(?P<features>[a-z_][\w,+-]*)")
_FEATURE: Final = re.compile(r"[A-Za-z0-9_][\w+.-]{0,63}")
_TAKEN: Final = {"wit-bindgen": "every Rust cell has it already", "labkernel-crates": "it is the lab's own"}
_OWN: Final = frozenset({"std", "core", "alloc", "proc_macro", "test"})

_NAMED: Final = re.compile(
    r"no matching package named `([\w-]+)`|failed to (?:download|get) `([\w-]+)|for the requirement `([\w-]+) ="
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One crate: its name, the requirement, its features, whether it keeps its default ones."""

    name: str
    version: str = "*"
    features: tuple[str, ...] = ()
    has_default: bool = True

    def line(self) -> str:
        """Return its line of a manifest."""
        parts = [f"version = {json.dumps(self.version)}"]
        if not self.has_default:
            parts.append("default-features = false")
        if self.features:
            parts.append(f"features = {json.dumps(list(self.features))}")
        return f"{self.name} = {{ {', '.join(parts)} }}"


def parse(spec: str) -> Wanted:
    """Return what a `--dep` asks for; raise `UsageError` for what it cannot be.

    >>> parse("serde@1[derive,-default]").line()
    'serde = { version = "1", default-features = false, features = ["derive"] }'
    """
    found = _SPEC.fullmatch(spec.strip())
    if found is None or (found["early"] and found["late"]):
        raise UsageError(
            f"--dep {spec!r} is no crate; write for example serde, serde@1 or 'serde@1[derive]'."
        )
    name, version = found["name"], (found["version"] or "*").strip()
    plus = _PLUS.fullmatch(version)
    if plus:
        right = f"{name}@{plus['version']}[{plus['features'].replace('+', ',')}]"
        raise UsageError(f"--dep {spec!r}: features stand in brackets; write {right!r}.")
    if not _VERSION.fullmatch(version):
        raise UsageError(
            f"--dep {spec!r}: {version!r} is no version; write for example {name}@1 or {name}@1.0.5."
        )
    if name.replace("_", "-") in _TAKEN:
        raise UsageError(f"--dep {spec!r}: {_TAKEN[name.replace('_', '-')]}; leave it out.")
    if name in _OWN:
        raise UsageError(f"--dep {spec!r}: {name} comes with the compiler; leave it out.")
    words = [
        word.strip() for word in (found["early"] or found["late"] or "[]")[1:-1].split(",") if word.strip()
    ]
    features = sorted({word for word in words if word != "-default"})
    for feature in features:
        if not _FEATURE.fullmatch(feature):
            raise UsageError(f"--dep {spec!r}: {feature!r} is no feature; write for example '{name}@1[std]'.")
    return Wanted(name, version, tuple(features), "-default" not in words)


def requests(specs: Sequence[str]) -> tuple[Wanted, ...]:
    """Return what several `--dep` ask for, in order of their names; raise `UsageError` for one given twice."""
    found: dict[str, Wanted] = {}
    for spec in specs:
        wanted = parse(spec)
        key = wanted.name.replace("-", "_")
        if found.setdefault(key, wanted) != wanted:
            raise UsageError(
                f"--dep {spec!r}: {wanted.name} is asked for twice, in two ways; keep one of them."
            )
    return tuple(found[key] for key in sorted(found))


def manifest(wanted: Sequence[Wanted]) -> str:
    """Return the Cargo.toml of a package that depends on these crates."""
    lines = [
        "[package]", f'name = "{ROOT}"', 'version = "0.0.0"', 'edition = "2024"', "publish = false", "",
        "[lib]", 'path = "lib.rs"', "", "[dependencies]", *(each.line() for each in wanted), "",
        "[profile.release]", 'panic = "abort"', "", "[workspace]",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def is_about_network(said: str) -> bool:
    """Whether cargo failed for want of a network, and not of a crate."""
    return bool(
        re.search(r"offline|failed to (download|get|query|fetch)|Could not (connect|resolve)|\bcurl\b", said)
    )


def fetch_failure(said: str, wanted: Sequence[Wanted], *, offline: bool) -> LabError:
    """Return the error for what cargo said when it could not fetch or resolve."""
    reason = "fetching is off (--offline)" if offline else "the registry cannot be reached"
    if is_about_network(said):
        named = _NAMED.search(said)
        missing = next((name for name in named.groups() if name), "") if named else ""
        missing = missing or ", ".join(each.name for each in wanted)
        return ToolchainMissing(
            f"The crate {missing}", language="rust", how="the same cell, run once with a network",
            detail=f"It is not on this machine and {reason}.",
        )  # fmt: skip
    found = re.search(r"no matching package named `([\w-]+)` found|searched package name: `([\w-]+)`", said)
    if found:
        name = found[1] or found[2]
        near = re.search(r"perhaps you meant: +([\w-]+)", said)
        meant = f" Did you mean {near[1]!r}?" if near else " Look its name up."
        return UsageError(f"--dep {name}: the registry of crates has none of that name.{meant}")
    found = re.search(r"for the requirement `([\w-]+) = \"([^\"]+)\"`", said)
    if found:
        there = re.search(r"didn't match: (.+)", said)
        known = f" It has {there[1].strip()}." if there else ""
        return UsageError(f"--dep {found[1]}@{found[2].lstrip('^')}: there is no such version.{known}")
    found = re.search(r"with feature `([^`]+)` but `([\w-]+)` does not have", said)
    if found:
        listed = f"https://docs.rs/crate/{found[2]}/latest/features lists them"
        return UsageError(f"--dep {found[2]}: it has no feature {found[1]!r}; {listed}.")
    first = re.search(r"^error: (.+)", said, re.MULTILINE)
    return CompileError(
        f"cargo cannot resolve the crates: {first[1] if first else 'see its output'}",
        language="rust",
        raw=said,
    )


def build_failure(said: str) -> CompileError:
    """Return the error for crates that do not build: which one, and the compiler's first words."""
    script = re.search(r"failed to run custom build command for `([\w-]+ v[^\s`]+)", said)
    crate = re.search(r"could not compile `([\w-]+)`", said)
    errors = re.findall(
        r"^error(?:\[E\d+\])?: (?!could not compile|failed to run custom)(.+)", said, re.MULTILINE
    )
    why = f" {errors[0].strip()}" if errors else ""
    if script:
        panicked = re.search(r"panicked at [^\n]*:\n\s*(.+)", said)
        last = said.partition("--- stderr")[2].split("Caused by:")[0].strip().rpartition("\n")[2]
        why = f" {(panicked[1] if panicked else last).strip()}".rstrip() or why
        ran = "it ran without network and within the build's folder"
        message = f"The build script of the crate {script[1]} fails; {ran}.{why}"
    elif crate:
        message = f"The crate {crate[1]} does not build for {TARGET}.{why}"
    else:
        message = f"The crates do not build for {TARGET}.{why}"
    return CompileError(message, language="rust", raw=said)
