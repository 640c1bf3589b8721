"""A symbolic link to a secret, planted in a granted directory for the host to follow."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from hostile_guests import code_name
from hostile_kit import Arena


def test_a_planted_link(arena: Arena, tmp_path: Path) -> None:
    """Absolute links cannot be made at all; one that points out by its parents is not followed, by guest or host."""
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret").write_text("the secret")
    attacker = arena.start("files", dirs=[f"{inside}::/data:rw"])
    assert code_name(attacker.symlink(str(tmp_path / "secret"), "absolute")) == "not-permitted"
    attacker.symlink("../secret", "relative")
    assert attacker.read("relative") == b""
    assert code_name(attacker.link("../secret", "hard")) == "not-permitted"
    assert code_name(attacker.rename("../secret", "taken")) == "not-permitted"
    again = arena.lab.instantiate("files", name="attack", dirs=[f"{inside}::/data"])
    assert again.read("relative") == b""
    assert "the secret" not in repr(again)


def test_a_race_between_file_and_link(arena: Arena, tmp_path: Path) -> None:
    """A file that turns into a link to the secret and back while the guest opens it: the secret never comes out."""
    inside, secret = tmp_path / "in", tmp_path / "secret"
    inside.mkdir()
    secret.write_text("the secret")
    (inside / "file").write_text("harmless")
    (inside / "link").symlink_to(secret)
    going = True

    def swap() -> None:
        while going:
            os.link(inside / "file", inside / "next")
            os.replace(inside / "next", inside / "door")
            os.symlink(secret, inside / "next")
            os.replace(inside / "next", inside / "door")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        attacker = arena.start("files", dirs=[f"{inside}::/data"])
        seen = {attacker.read("door") for _ in range(500)}
    finally:
        going = False
        thread.join()
    assert seen <= {b"", b"harmless"}
