"""What the tests of the toolchains share: a toolbox, a host for what was built, awkward worlds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from labkernel._cache import Cache, mac_key
from labkernel._host import Start, Supervisor
from labkernel._toolbox import Toolbox
from labkernel._toolchains import Artifact, Context, Options, Snippet, Toolchain
from labkernel._wit import Package, World

DEFAULT_START: Final = Start()

#: Names that are keywords in Rust or C, and types that look alike or nest.
AWKWARD: Final = """package test:awkward@1.0.0;

world awkward {
  flags perms { read, write, exec }
  record point { x: s32, y: s32 }
  record circle { center: point, radius: f64 }
  variant shape { dot, round(circle), named(string), pair(tuple<u8, string>) }
  record words { %type: u8, %result: string, %option: option<u32>, %list: list<u8>, int: s64, fn: char }
  enum kind { %enum, %type, struct, %static }
  export nested: func(v: option<option<string>>) -> option<option<string>>;
  export shapes: func(v: shape) -> shape;
  export perm: func(v: perms) -> perms;
  export bytes: func(v: list<u8>) -> list<u8>;
  export pair: func(v: tuple<u8, string>) -> tuple<string, u8>;
  export points: func(v: list<point>) -> list<point>;
  export word: func(v: words) -> words;
  export kinds: func(v: kind) -> kind;
  export match: func(%type: u32, fn: u32) -> u32;
  export default: func(int: s32) -> s32;
  export answer: func(v: result<u32, string>) -> result<u32, string>;
  export both: func(v: result) -> result;
  export nothing: func();
}
"""

#: Two exported interfaces, one function of the same name in both, a function of the world, imports.
SHOP: Final = """package test:shop@1.0.0;

interface stock {
  /// What is there.
  record item { name: string, count: u32 }
  put: func(item: item);
  get: func(name: string) -> option<item>;
  names: func() -> list<string>;
}
interface prices {
  use stock.{item};
  get: func(item: item) -> result<u32, string>;
}
world shop {
  import log: func(text: string);
  import wasi:random/random@0.2.0;
  export stock;
  export prices;
  export version: func() -> string;
}
"""

#: One exported interface and nothing else.
STORE: Final = """package test:store@1.0.0;

interface store {
  record entry { key: string, value: list<u8> }
  variant fault { missing, broken(string) }
  put: func(entry: entry) -> result<_, fault>;
  get: func(key: string) -> result<entry, fault>;
  size: func() -> u64;
}
world storage {
  export store;
}
"""


@dataclass
class Kit:
    """Builds snippets and runs what came out. `progress` is what was told meanwhile."""

    cache: Cache
    scratch: Path
    tools: Supervisor
    guests: Supervisor
    toolbox: Toolbox
    progress: list[str] = field(default_factory=list)
    _numbers: Iterable[int] = field(default_factory=itertools.count)
    _packages: dict[str, Package] = field(default_factory=dict)

    @classmethod
    def open(cls, scratch: Path) -> Kit:
        """Return a kit over the user's own cache, where the prepared toolchains are."""
        cache, tools = Cache(), Supervisor(name="tools", mac_key=mac_key())
        return cls(cache, scratch, tools, Supervisor(name="guests", mac_key=mac_key()), Toolbox(tools, cache))

    def close(self) -> None:
        """End both hosts."""
        self.toolbox.close()
        self.tools.close()
        self.guests.close()

    @property
    def context(self) -> Context:
        """What a build gets."""
        return Context(self.cache, self.scratch, self.toolbox, self.tools, self.progress.append)

    def world(self, wit: str) -> tuple[Package, World]:
        """Return a text's package and its only world."""
        if wit not in self._packages:
            self._packages[wit] = self.toolbox.resolve(wit)
        package = self._packages[wit]
        return package, package.worlds[0]

    def build(
        self,
        toolchain: Toolchain,
        text: str,
        wit: str,
        *,
        files: Iterable[tuple[str, str]] = (),
        **options: Any,
    ) -> Artifact:
        """Build a snippet for the world of a text."""
        package, world = self.world(wit)
        snippet = Snippet(toolchain.language, text, tuple(files), "resize")
        return toolchain.build(snippet, package, world, Options(**options), self.context)

    def start(self, wasm: bytes, start: Start = DEFAULT_START) -> Running:
        """Return a running instance of a component."""
        target = self.scratch / f"{next(iter(self._numbers))}.cwasm"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.tools.codegen(wasm, target)
        loaded = self.guests.load(target)
        return Running(self, self.guests.instantiate(loaded, start))


@dataclass
class Running:
    """A started component."""

    kit: Kit
    started: Any
    output: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, function: str, *args: Any) -> Any:
        """Call a function by its full name, values in normal form."""
        collect = lambda stream, text: self.output.append((stream, text))  # noqa: E731
        return self.kit.guests.call(self.started, function, list(args), on_output=collect).result
