"""Budgets: each is named with limit and use, and ends a guest the same way every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host_guests import WASI, plain
from hostile_guests import DISK

from labkernel._capability import Budgets, make_budgets
from labkernel._errors import BudgetExceeded, CapabilityError, GuestTrap
from labkernel._host import EngineSettings, Start, Started, Supervisor

KEY = b"k" * 32
CRANELIFT = EngineSettings()


class Host:
    """One host process, and machine code in a folder."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.folder, self.supervisor = folder, Supervisor(mac_key=KEY, **how)
        self._codes: dict[tuple[str, EngineSettings], Path] = {}

    def start(self, wat: str = WASI, settings: EngineSettings = CRANELIFT, **start: Any) -> Started:
        """Start an instance of text."""
        if (wat, settings) not in self._codes:
            self._codes[wat, settings] = self.folder / f"{len(self._codes)}.cwasm"
            self.supervisor.codegen(
                self.supervisor.assemble(wat), self._codes[wat, settings], settings=settings
            )
        loaded = self.supervisor.load(self._codes[wat, settings], settings=settings)
        return self.supervisor.instantiate(loaded, Start(**start))

    def call(self, started: Started, function: str, *args: Any, **how: Any) -> Any:
        """Return a function's result."""
        return self.supervisor.call(started, function, list(args), **how).result


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Return a host process for the tests of this module."""
    made = Host(tmp_path_factory.mktemp("host"))
    yield made
    made.supervisor.close()


def test_a_tiny_output_budget_ends_alike_every_time(host: Host) -> None:
    """Three bytes where one is allowed: exceeded, by name and with its use, whoever notices it first."""
    for _ in range(40):
        started = host.start(output_bytes=1)
        with pytest.raises(BudgetExceeded, match=r"output budget exceeded: the limit is 1 B, used \d+ B"):
            host.call(started, "say", 1)
        with pytest.raises(GuestTrap, match=r"finished.*output budget"):
            host.call(started, "count")


def test_output_within_its_budget_is_delivered_every_time(host: Host) -> None:
    """Exactly as many bytes as are allowed."""
    for _ in range(20):
        said: list[str] = []
        host.call(
            host.start(output_bytes=3), "say", 1, on_output=lambda _, text, said=said: said.append(text)
        )
        assert "".join(said) == "abc"


def test_a_run_ends_at_the_same_event_every_time(host: Host) -> None:
    """Output of many events is one budget; the event that passes it is the one that ends the run."""
    for _ in range(10):
        done = host.supervisor.fire(host.start(output_bytes=10), "say", [[1]] * 50)
        assert len(done.results) == 3
        assert isinstance(done.error, BudgetExceeded)
        assert done.error.budget == "output"
    cold = host.supervisor.cold(
        host.supervisor.load(host.folder / "0.cwasm"), Start(output_bytes=10), "say", [[1]] * 50
    )
    assert len(cold.results) == 3


def test_unflushed_output_stays_with_its_call(host: Host) -> None:
    """What a guest writes right before it returns, without a flush, is not heard by the next call."""
    started = host.start(DISK)
    for _ in range(200):
        said: list[str] = []
        host.call(started, "mutter", on_output=lambda _, text, said=said: said.append(text))
        assert "".join(said) == "m"


def test_a_flood_stays_with_its_call(host: Host) -> None:
    """What was still on its way when a guest was stopped is not the next one's output, nor its budget's."""
    for _ in range(5):
        with pytest.raises(BudgetExceeded, match="timeout"):
            host.call(host.start(output_bytes=1 << 30, timeout_s=0.1), "flood")
        said: list[str] = []
        host.call(host.start(), "count", on_output=lambda _, text, said=said: said.append(text))
        assert said == []


def test_what_is_written_to_disk_is_bounded(host: Host, tmp_path: Path) -> None:
    """A guest that fills a writable directory is stopped near its budget, and keeps what was written before."""
    started = host.start(DISK, dirs=((str(tmp_path), "/data", True),), disk_bytes=1 << 20)
    with pytest.raises(
        BudgetExceeded, match=r"disk budget exceeded: the limit is 1 MiB, used .*--disk 2MiB"
    ) as caught:
        host.call(started, "fill", 100_000)
    assert caught.value.budget == "disk"
    assert caught.value.used
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 64 << 20
    with pytest.raises(GuestTrap, match=r"finished.*disk budget"):
        host.call(started, "fill", 1)


def test_the_disk_budget_is_for_an_instance(host: Host, tmp_path: Path) -> None:
    """It counts over calls; the call that passes it is told, however little it wrote; a new instance begins anew."""
    dirs = ((str(tmp_path), "/data", True),)
    for _ in range(3):
        started = host.start(DISK, dirs=dirs, disk_bytes=1 << 20)
        for _ in range(8):
            host.call(started, "fill", 32)
        with pytest.raises(
            BudgetExceeded, match=r"disk budget exceeded: the limit is 1 MiB, used 1.0\d+ MiB"
        ):
            host.call(started, "fill", 3)


def test_printing_is_not_writing_to_disk(host: Host, tmp_path: Path) -> None:
    """Output has a budget of its own."""
    started = host.start(dirs=((str(tmp_path), "/data", True),), disk_bytes=0)
    host.call(started, "say", 3000)


def test_a_file_is_bounded_by_the_system(host: Host, tmp_path: Path) -> None:
    """A file set to a size beyond the budget without a byte being written."""
    started = host.start(DISK, dirs=((str(tmp_path), "/data", True),), disk_bytes=1 << 20)
    assert host.call(started, "stretch", 1 << 20) == 1000
    assert host.call(started, "stretch", 1 << 40) == 8  # file-too-large
    assert max(each.stat().st_size for each in tmp_path.iterdir()) == 1 << 20
    host.supervisor.codegen(
        host.supervisor.assemble(plain('(func (export "f"))')), host.folder / "later.cwasm"
    )


@pytest.mark.parametrize("compiler", ["cranelift", "winch"])
def test_fuel_is_deterministic(host: Host, compiler: str) -> None:
    """The same call burns the same, in every instance."""
    settings = EngineSettings(compiler, fuel=True)
    used = set()
    for _ in range(20):
        started = host.start(WASI, settings, fuel=1_000_000)
        used.add(host.supervisor.call(started, "say", [25]).fuel_used)
        spun = host.start(WASI, settings, fuel=10_000)
        with pytest.raises(BudgetExceeded, match="fuel budget exceeded: the limit is 10000, used all of it"):
            host.call(spun, "spin")
    assert len(used) == 1


def test_late_is_late(host: Host) -> None:
    """A guest that slept past its time and then came back at once, before anyone could stop it."""
    for _ in range(10):
        with pytest.raises(BudgetExceeded, match="timeout budget exceeded: the limit is 20 ms, used"):
            host.call(host.start(timeout_s=0.02), "nap", 60_000_000)


def test_limit_and_use_are_told(host: Host) -> None:
    """Of time, tables, instances and memory."""
    with pytest.raises(BudgetExceeded, match=r"the limit is 100 ms, used 1\d\d(\.\d+)? ms") as caught:
        host.call(host.start(timeout_s=0.1), "spin")
    assert caught.value.used.endswith(" ms")
    with pytest.raises(BudgetExceeded, match="table budget exceeded: the limit is 10 elements, used 20"):
        host.start(plain('(table 20 funcref) (func (export "f"))'), table_elements=10)
    many = "(component (core module $m) " + "(core instance (instantiate $m))" * 12 + ")"
    with pytest.raises(
        BudgetExceeded, match=r"instances budget exceeded: the limit is 5 .*, used 6 \(instance count\)"
    ):
        host.start(many, instances=5)
    with pytest.raises(BudgetExceeded) as caught:
        host.start(plain('(memory 16) (func (export "f"))'), memory_bytes=65536)
    assert (caught.value.limit, caught.value.used) == ("64 KiB", "1 MiB")


def test_a_compilation_has_budgets(host: Host, tmp_path: Path) -> None:
    """Of time and of memory, named with the component's size; the process is gone and the next one works."""
    line = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 7)) (i32.load (local.get 0))))"
    bomb = f"(component (core module (memory 1) (func (param i32) {line * 60_000})))"
    small = Host(tmp_path, memory_limit_bytes=120 << 20)
    wasm = host.supervisor.assemble(bomb)
    pid = host.supervisor.pid
    try:
        with pytest.raises(BudgetExceeded, match=r"compile time budget exceeded: the limit is 50 ms.*KiB"):
            host.supervisor.codegen(wasm, tmp_path / "bomb.cwasm", timeout_s=0.05)
        assert not Path(f"/proc/{pid}").exists()
        with pytest.raises(BudgetExceeded, match=r"compile memory budget exceeded: the limit is 120 MiB"):
            small.supervisor.codegen(wasm, tmp_path / "bomb.cwasm")
        assert not list(tmp_path.iterdir())
        assert small.call(small.start(), "count") == host.call(host.start(), "count") == 1
    finally:
        small.supervisor.close()


@pytest.mark.parametrize("given", ["-1", "2TiB", "much"])
def test_a_disk_budget_has_a_range(given: str) -> None:
    """Which the message shows."""
    with pytest.raises(CapabilityError, match="disk"):
        make_budgets({"disk": given})
    assert make_budgets({"disk": "1MiB"}).disk_bytes == 1 << 20
    assert Budgets().disk_bytes == 64 << 20
