"""Paths that lead out of a granted directory."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_guests import code_name
from hostile_kit import Arena

PATHS = ["../secret", "/etc/passwd", "../../../../../../etc/passwd", "link", "folder/../../secret", "folder/link/../secret",
         "./../secret", "/proc/self/environ", "/proc/self/fd/0", "/proc/self/root/etc/passwd", "//etc/passwd",
         "folder//../..//secret", "..", "/", ".//../secret", "loop"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_lead_out(arena: Arena, tmp_path: Path, path: str) -> None:
    """Parents, absolute paths, links that were there before: all refused, to read and to write."""
    inside = tmp_path / "in"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("the secret")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "folder" / "link").symlink_to("..")
    (inside / "loop").symlink_to("loop")
    attacker = arena.start("files", dirs=[f"{inside}::/data:rw"])
    assert attacker.read(path) == b""
    for how, flags in ((0, 1), (1, 3), (8, 3), (2, 1)):
        answer = code_name(attacker.open(path, how, flags))
        assert answer in (
            "not-permitted",
            "access",
            "no-entry",
            "loop",
            "invalid",
            "is-directory",
            "exist",
        ), answer
    assert (tmp_path / "secret").read_text() == "the secret"


def test_the_gate_itself_is_open(arena: Arena, tmp_path: Path) -> None:
    """The same guest reads what it was granted: the refusals above are not for want of trying."""
    (tmp_path / "file").write_text("shown")
    assert arena.start("files", dirs=[f"{tmp_path}::/data"]).read("file") == b"shown"
