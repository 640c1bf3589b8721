"""What is refused before anything starts: other WASI versions, and under `--strict` all that was not named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from labkernel._capability import Grants, Standing
from labkernel._errors import CapabilityDenied, ComponentError
from labkernel._sandbox.standing import standings
from labkernel._wit import World

__all__ = ["refuse_other_wasi", "refuse_ungranted", "ungranted"]

_PLUMBING: Final = ("wasi:io/", "wasi:cli/exit", "wasi:cli/terminal")

_NOBODY: Final[Mapping[str, str]] = {}


def refuse_other_wasi(world: World) -> None:
    """Refuse a component that asks for another WASI than 0.2, by the names of what it asks for.

    Raises `ComponentError`.
    """
    other = [name for name in world.imported() if name.startswith("wasi:") and not _is_wasi_02(name)]
    if other:
        raise ComponentError(
            f"The component asks for {', '.join(other)}, expected WASI 0.2: this lab does not run WASI 0.3 yet. "
            "Build it for a 0.2 world."
        )


def _is_wasi_02(name: str) -> bool:
    version = name.partition("@")[2]
    return not version or version.startswith("0.2.")


def ungranted(world: World, grants: Grants, behind: Mapping[str, str] = _NOBODY) -> list[Standing]:
    """Return the imports that nothing was granted for by name.

    Types, captured output and plumbing (`wasi:io`, `wasi:cli/exit`, terminals) give no access and need no grant.
    """
    found = [
        s
        for s in standings(world, grants, behind)
        if s.state not in ("granted", "virtual", "types", "captured")
    ]
    return [s for s in found if not s.import_name.startswith(_PLUMBING)]


def refuse_ungranted(world: World, grants: Grants, behind: Mapping[str, str] = _NOBODY) -> None:
    """Under `--strict`, refuse every import that was not granted by name.

    Raises `CapabilityDenied` that lists all of them with the options that grant them.
    """
    if not grants.strict:
        return
    missing = ungranted(world, grants, behind)
    if missing:
        lines = [
            f"  {s.import_name}: {s.how_to_grant or 'cannot be granted in this version'}" for s in missing
        ]
        raise CapabilityDenied(
            f"--strict refuses {len(missing)} imports that were not granted by name:\n"
            + "\n".join(lines)
            + "\nGrant each, or leave --strict out.",
            import_name=missing[0].import_name,
            how_to_grant=missing[0].how_to_grant,
        )
