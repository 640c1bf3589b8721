"""The content-addressed store: whole entries or none, shared by processes, capped."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from labkernel import CacheDamaged
from labkernel._cache import Cache, default_root, key_of, mac_key


def test_put_and_read(cache: Cache) -> None:
    """What was put under a key is read again, by another object too."""
    key = key_of("a", 1)
    cache.put("component", key, b"bytes")
    assert cache.read("component", key) == b"bytes"
    assert Cache(cache.root).read("component", key) == b"bytes"
    assert cache.read("component", key_of("other")) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), ((b"a",), ("a",)), ((1,), ("1",)), ((None,), ("",)), ((["a"],), ("a",))],
)
def test_keys_differ(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    """Parts cannot run into each other, nor one type pass for another."""
    assert key_of(*one) != key_of(*other)


@pytest.mark.parametrize("damage", [b"", b"byteX", b"bytesbytes"])
def test_damage_is_found(cache: Cache, damage: bytes) -> None:
    """An entry that is not what was written is refused once and then gone."""
    key = key_of("x")
    cache.put("component", key, b"bytes").write_bytes(damage)
    with pytest.raises(CacheDamaged, match="made again"):
        cache.read("component", key)
    assert cache.read("component", key) is None


def test_folder_appears_whole(cache: Cache) -> None:
    """A folder is there when its making ended well, and not at all otherwise."""
    key = key_of("folder")

    def half() -> None:
        with cache.folder("toolchain", key) as (folder, is_new):
            assert is_new
            (folder / "part").write_text("x")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        half()
    assert cache.get("toolchain", key) is None
    with cache.folder("toolchain", key) as (folder, is_new):
        assert is_new
        assert not list(folder.iterdir())
        (folder / "whole").write_text("x")
    with cache.folder("toolchain", key) as (folder, is_new):
        assert not is_new
        assert (folder / "whole").read_text() == "x"
    assert not list((cache.root / "tmp").iterdir())


WRITER = """
import os, sys
from pathlib import Path
from labkernel._cache import Cache, key_of

cache = Cache(Path(sys.argv[1]))
with cache.folder("toolchain", key_of("shared")) as (folder, is_new):
    if is_new:
        (folder / "made").write_text(str(os.getpid()))
        with open(sys.argv[2], "a") as file:
            file.write("made\\n")
for i in range(50):
    cache.put("component", key_of("same", i), b"x" * 1000)
    assert cache.read("component", key_of("same", i)) == b"x" * 1000
"""


def test_concurrent_writers(tmp_path: Path) -> None:
    """Processes that want the same thing make it once, and never read half of it."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache"), str(log)]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [each.wait(60) for each in writers] == [0, 0, 0, 0]
    assert log.read_text() == "made\n"


def test_trim_drops_the_oldest(cache: Cache) -> None:
    """Beyond its size the cache drops what was used longest ago, and no tools."""
    keys = [key_of(i) for i in range(10)]
    for age, key in enumerate(keys):
        path = cache.put("component", key, b"x" * 1000)
        os.utime(path, (1000 + age, 1000 + age))
    tool = key_of("tool")
    with cache.folder("toolchain", tool) as (folder, _):
        (folder / "big").write_bytes(b"x" * 5000)
    os.utime(cache.path("toolchain", tool), (1, 1))
    assert cache.read("component", keys[0])
    cache.trim(5000 + 3500)
    left = [i for i, key in enumerate(keys) if cache.get("component", key)]
    assert left == [0, 8, 9]
    assert cache.get("toolchain", tool)
    assert cache.empty() > 0
    assert cache.get("toolchain", tool)
    cache.trim(0)
    assert not cache.summary()


def test_what_others_write_counts_too(tmp_path: Path) -> None:
    """Files that a host process put there lead to a trim like one's own."""
    cache = Cache(tmp_path, max_size=16_000)
    for n in range(20):
        cache.path("code", key_of(n), ".cwasm").write_bytes(bytes(2000))
        cache.grew(2000)
    (left,) = cache.summary()
    assert 2000 <= left.size <= 16_000


def test_mac_key_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret lies outside the cache, readable by its owner only, and stays the same."""
    monkeypatch.setenv("LABKERNEL_DATA", str(tmp_path))
    key = mac_key()
    assert len(key) == 32
    assert mac_key() == key
    path = tmp_path / "labkernel" / "cache.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    assert len(mac_key()) == 32
    assert len(list(path.parent.iterdir())) == 1


def test_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache lies within IPython's cache folder unless the environment says otherwise."""
    monkeypatch.delenv("LABKERNEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "ipython" / "labkernel"
    monkeypatch.setenv("LABKERNEL_CACHE", str(tmp_path / "own"))
    assert default_root() == tmp_path / "own"
