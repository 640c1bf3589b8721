"""The closed list of phases: every timed step has one of these names. It knows nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["BUILD_PHASES", "RUN_PHASES", "START_PHASES", "Phase"]


class Phase(StrEnum):
    """One timed step of a build (the first three) or of a run.

    >>> Phase("first-call").is_start
    True
    >>> str(Phase.CODEGEN)
    'codegen'
    """

    BINDINGS = "bindings"
    COMPILE = "compile"
    COMPONENTIZE = "componentize"
    DESERIALIZE = "deserialize"
    CODEGEN = "codegen"
    LINK = "link"
    INSTANTIATE = "instantiate"
    FIRST_CALL = "first-call"
    CALL = "call"

    @property
    def is_build(self) -> bool:
        """Whether the phase belongs to making the component."""
        return self in BUILD_PHASES

    @property
    def is_start(self) -> bool:
        """Whether the phase lies between having a component and its first answer."""
        return self in START_PHASES

    @property
    def what(self) -> str:
        """What the clock is read around, in one line."""
        return _WHAT[self]


BUILD_PHASES: Final = (Phase.BINDINGS, Phase.COMPILE, Phase.COMPONENTIZE)
START_PHASES: Final = (
    Phase.DESERIALIZE, Phase.CODEGEN, Phase.LINK, Phase.INSTANTIATE, Phase.FIRST_CALL,
)  # fmt: skip
RUN_PHASES: Final = (*START_PHASES, Phase.CALL)

_WHAT: Final = {
    Phase.BINDINGS: "source code for the world's types is generated",
    Phase.COMPILE: "the language's compiler makes a core module",
    Phase.COMPONENTIZE: "the core module becomes a component",
    Phase.DESERIALIZE: "machine code is loaded from the cache",
    Phase.CODEGEN: "the engine makes machine code from the component",
    Phase.LINK: "the component's imports are bound to what was granted",
    Phase.INSTANTIATE: "memories are made and start code runs",
    Phase.FIRST_CALL: "the first event is answered",
    Phase.CALL: "one later event is answered",
}
