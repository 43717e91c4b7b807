"""Attributes of one object that stand in for those of its class, until that is undone. Knows nothing else."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import ExitStack


__all__ = ["Detour", "replace_own"]


def replace_own(owner: object, values: Mapping[str, object], undo: ExitStack) -> None:
    """Set attributes of `owner` itself; closing `undo` puts back what it had, and takes away the others."""
    own = vars(owner)
    undo.callback(put_back, owner, list(values), {name: own[name] for name in values if name in own})
    for name, value in values.items():
        setattr(owner, name, value)


def put_back(owner: object, names: Iterable[str], before: Mapping[str, object]) -> None:
    """Give attributes the values that they had before, or none."""
    for name in names:
        if name in before:
            setattr(owner, name, before[name])
        else:
            delattr(owner, name)


class Detour:
    """A coroutine function of aiohttp's that can be made to call another function.

    What changes is the code of the function, not the class: so it works for those too who keep the function,
    as tools that trace calls do. And setting an attribute of a class empties Python's caches of the class and
    of all its subclasses, which twice in a test costs a tenth of what one call does.
    """

    def __init__(self, function: Callable[..., Any], stand_in: Callable[..., Any]) -> None:
        """`stand_in` is the code while something is installed, which is its keyword `through`."""
        self.function = cast("FunctionType", function)
        self.code = self.function.__code__
        self.defaults = self.function.__kwdefaults__
        self.stand_in = cast("FunctionType", stand_in).__code__

    def as_written(self) -> Callable[..., Any]:
        """A function that does as aiohttp wrote it, whatever is installed."""
        copy = FunctionType(self.code, self.function.__globals__)
        copy.__kwdefaults__ = self.defaults
        return copy

    def install(self, through: Callable[..., Any]) -> None:
        """Have the function call `through`."""
        # With these both codes can be called: another thread may do so before the next line.
        self.function.__kwdefaults__ = {**(self.defaults or {}), "through": through}
        self.function.__code__ = self.stand_in

    def restore(self) -> None:
        """Have the function do as aiohttp wrote it."""
        self.function.__code__ = self.code
        self.function.__kwdefaults__ = self.defaults
