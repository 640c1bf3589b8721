"""The whole lab without a notebook: build, instantiate, fire, measure.

`Lab` is a thin front; what compiles, guards and fires lives in the rooms below. It makes no pictures.
"""

from __future__ import annotations

from labkernel._lab.instance import Instance
from labkernel._lab.lab import Lab
from labkernel._lab.peeking import Peek
from labkernel._lab.records import Build
from labkernel._lab.replaying import Replayed

__all__ = ["Build", "Instance", "Lab", "Peek", "Replayed"]
