"""What all magics share: the lab, the screen, and binding what they made to a variable."""

from __future__ import annotations

import functools
import inspect
import keyword
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class, no_var_expand

from labkernel._errors import UsageError, render_short
from labkernel._lab import Lab
from labkernel._magics.line import MagicParser
from labkernel._magics.show import Screen

__all__ = ["LabMagics", "identifier", "magic"]

_Method = TypeVar("_Method", bound=Callable[..., Any])


@magics_class
class LabMagics(Magics):  # type: ignore[misc]
    """Base of the lab's magics: `lab`, `screen` and the user's variables."""

    def __init__(self, shell: InteractiveShell, lab: Lab, screen: Screen) -> None:
        super().__init__(shell)
        self.lab, self.screen = lab, screen

    def bind(self, name: str, value: Any) -> None:
        """Bind a value to a variable of the notebook, where the name can be one."""
        if name.isidentifier() and not keyword.iskeyword(name):
            self.shell.user_ns[name] = value


_MARKERS: Final[dict[str, Callable[[str], Callable[[Any], Any]]]] = {
    "line": line_magic,
    "cell": cell_magic,
    "both": line_cell_magic,
}


def magic(kind: str, name: str, parser: MagicParser) -> Callable[[_Method], _Method]:
    """Return a decorator that makes a method a magic: `kind` is `line`, `cell` or `both`.

    Its line is never expanded by IPython, its options' help is appended to its docstring (its manual), and
    its progress line begins and ends with it.
    """

    def decorate(method: _Method) -> _Method:
        @functools.wraps(method)
        def framed(self: LabMagics, *args: Any, **kwargs: Any) -> Any:
            self.screen.begin(f"{parser.prog} {args[0] if args else ''}".rstrip())
            try:
                return method(self, *args, **kwargs)
            except KeyboardInterrupt as error:
                if "_render_traceback_" not in error.__dict__:
                    render_short(error, f"{parser.prog} was stopped. All else is as it was.")
                raise
            finally:
                self.screen.end()

        framed.__doc__ = f"{inspect.cleandoc(method.__doc__ or '')}\n\n{parser.manual}\n"
        made: _Method = _MARKERS[kind](name)(no_var_expand(framed))
        return made

    return decorate


def identifier(name: str, what: str) -> str:
    """Return a name that can be a Python variable; raises `UsageError` for another.

    >>> identifier("resize", "component")
    'resize'
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        usable = re.sub(r"\W", "_", name) or "name"
        usable = (
            f"{usable}_" if keyword.iskeyword(usable) else f"_{usable}" if usable[0].isdigit() else usable
        )
        article = "an" if what[0] in "aeiou" else "a"
        raise UsageError(
            f"{name!r} cannot name {article} {what}: it becomes a Python variable. "
            f"Use letters, digits and underscores, as in {usable!r}."
        )
    return name
