"""What the lab is to have and does not have yet: refused by name, with what does the job until then."""

from __future__ import annotations

from typing import Final

__all__ = ["ACTIONS", "ON", "later"]

#: Another host for events.
ON: Final = (
    "Events go to instances of this lab; for another host write the component out: %wasm save NAME FILE."
)
#: Actions of `%wasm`.
ACTIONS: Final = {
    "panel": "The magics do the same: %fire? and %timings? show how.",
    "compose": "Compose with another tool and load what it made: %wasm load FILE --as NAME.",
    "prebake": "%fire NAME --policy warm leaves the start out of what is measured.",
    "aot": "Machine code is made by every build and kept; %timings NAME --startup measures it.",
    "diff": "%wasm show NAME and %timings A B --size show two components.",
    "push": "%wasm save NAME FILE writes the component for another tool to push.",
    "pull": "Fetch it with another tool, then %wasm load FILE --as NAME.",
}


def later(what: str, instead: str) -> str:
    """Return the message for a thing that is planned.

    >>> later("%wasm aot", "Machine code is kept.")
    '%wasm aot is planned and not there yet. Machine code is kept.'
    """
    return f"{what} is planned and not there yet. {instead}"
