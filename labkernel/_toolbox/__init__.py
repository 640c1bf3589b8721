"""Typed calls into the toolbox component, and its build from source. It knows no language and no notebook."""

from __future__ import annotations

from labkernel._toolbox.anatomy import Anatomy, Part, Section
from labkernel._toolbox.locate import build_toolbox, crate_folder, find_toolbox
from labkernel._toolbox.toolbox import Toolbox

__all__ = ["Anatomy", "Part", "Section", "Toolbox", "build_toolbox", "crate_folder", "find_toolbox"]
