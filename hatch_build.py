"""Puts the toolbox component, the JupyterLab extension and the lessons into wheels.

A standard wheel carries `labkernel/_toolbox/toolbox.wasm`, built here by cargo, so that whoever installs it
needs no Rust. Without cargo, or with `LABKERNEL_BUILD_TOOLBOX=0`, the wheel is made without it: the lab then
works as far as it does without a toolbox. It also carries the extension that colours cells, built by node and npm;
without those, or with `LABKERNEL_BUILD_LABEXTENSION=0`, cells look like Python. An editable install never builds:
`labkernel setup` does, in sight.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PLACE = "labkernel/_toolbox/toolbox.wasm"
_EXTENSION_PLACE = "share/jupyter/labextensions/labkernel"


class ToolboxHook(BuildHookInterface):  # type: ignore[type-arg]
    """The build hook of wheels."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the component for a standard wheel and include it, with the lessons and what was made of them."""
        if version != "standard":
            return
        root = Path(self.root)
        for lesson in sorted((root / "notebooks").glob("*.ipynb")):
            build_data["force_include"][str(lesson)] = f"labkernel/_lessons/{lesson.name}"
        for made in sorted((root / "prebuilt").glob("*.*")):
            build_data["force_include"][str(made)] = f"labkernel/_prebuilt/{made.name}"
        if os.environ.get("LABKERNEL_BUILD_LABEXTENSION") != "0":
            extension = self._build_extension(root)
            if extension is not None:
                build_data["shared_data"][str(extension)] = _EXTENSION_PLACE
        if os.environ.get("LABKERNEL_BUILD_TOOLBOX") == "0":
            return
        given = os.environ.get("LABKERNEL_TOOLBOX")
        toolbox = Path(given) if given else self._build(root)
        if toolbox is not None:
            build_data["force_include"][str(toolbox)] = _PLACE

    def _build_extension(self, root: Path) -> Path | None:
        folder = root / "labextension"
        if not (folder / "package.json").is_file():
            self.app.display_warning(
                "This wheel is made without colours for cells: their sources are not here."
            )
            return None
        labextension = _load(root / "labkernel" / "_cli" / "labextension.py")
        try:
            made: Path = labextension.build(folder, self.app.display_info)
        except labextension.NodeMissing as error:
            tool, how = error.args
            self.app.display_warning(
                f"This wheel is made without colours for cells: {tool} is missing ({how})."
            )
            return None
        except labextension.BuildFailed as error:
            self.app.display_warning(f"This wheel is made without colours for cells.\n{error}")
            return None
        return made

    def _build(self, root: Path) -> Path | None:
        crate = root / "toolbox"
        if not (crate / "Cargo.toml").is_file():
            self.app.display_warning("This wheel is made without the toolbox: its sources are not here.")
            return None
        cargo = _load(root / "labkernel" / "_toolbox" / "cargo.py")
        try:
            made: Path = cargo.build(crate, crate / "target", self.app.display_info)
        except cargo.CargoMissing as error:
            tool, how = error.args
            self.app.display_warning(f"This wheel is made without the toolbox: {tool} is missing ({how}).")
            return None
        except cargo.CargoFailed as error:
            self.app.display_warning(f"This wheel is made without the toolbox: cargo failed.\n{error}")
            return None
        return made


def _load(path: Path) -> ModuleType:
    """Load one file of the package, whose dependencies a build environment does not have."""
    spec = importlib.util.spec_from_file_location(f"labkernel_build_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
