"""Attributes and methods that are replaced for a while, and put back. Knows nothing else."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CellType


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
    """A coroutine method of a class that can be made to call another function.

    The code of the function changes, not the attribute of the class. So it works whatever else has wrapped
    the method, before or after, and for code that kept the function. It is also faster: setting an attribute
    of a class empties Python's caches of the class and of all its subclasses. Only where the function cannot
    be found behind a wrapper is the attribute itself replaced.
    """

    def __init__(self, owner: type, name: str, stand_in: Callable[..., Any]) -> None:
        """`stand_in` runs while something is installed, and is given that as the keyword `through`."""
        self.owner = owner
        self.name = name
        self.stand_in = cast("FunctionType", stand_in)
        self.function = function_behind(vars(owner)[name], f"{owner.__qualname__}.{name}")
        if self.function is not None:
            self.code = self.function.__code__
            self.defaults = self.function.__kwdefaults__
        self.as_written: Callable[..., Any] = self._copied()
        """The method as its own class wrote it, whatever is installed."""
        self._undo: ExitStack | None = None
        self._options: dict[str, Any] = {}

    def _copied(self) -> Callable[..., Any]:
        if self.function is None:
            method: Callable[..., Any] = vars(self.owner)[self.name]
            return method
        copy = FunctionType(self.code, self.function.__globals__, self.name, self.function.__defaults__)
        copy.__kwdefaults__ = self.defaults
        return copy

    def install(self, through: Callable[..., Any]) -> None:
        """Have the method call `through`."""
        if self.function is None:
            self._undo = ExitStack()
            replace_own(self.owner, {self.name: self._standing_in(through)}, self._undo)
            return
        if self._options.get("through") is not through:
            self._options = {**(self.defaults or {}), "through": through}
        # With these both codes can be called: another thread may do so before the next line.
        self.function.__kwdefaults__ = self._options
        self.function.__code__ = self.stand_in.__code__

    def restore(self) -> None:
        """Have the method do as its own class wrote it."""
        if self.function is None:
            assert self._undo is not None
            self._undo.close()
            return
        self.function.__code__ = self.code
        self.function.__kwdefaults__ = self.defaults

    def _standing_in(self, through: Callable[..., Any]) -> Callable[..., Any]:
        copy = FunctionType(self.stand_in.__code__, self.stand_in.__globals__, self.name)
        copy.__kwdefaults__ = {"through": through}
        return copy


def function_behind(value: object, qualname: str) -> FunctionType | None:
    """The function of that name behind its wrappers: partials, `__wrapped__`, variables of closures.

    None if it is not found, or if it is a closure itself, whose code cannot be replaced.
    """
    waiting, seen = [value], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, FunctionType):
            if each.__qualname__ == qualname and not each.__code__.co_freevars:
                return each
            waiting += [cell.cell_contents for cell in each.__closure__ or () if is_filled(cell)]
        waiting += [getattr(each, name) for name in ("__wrapped__", "func", "__func__") if has(each, name)]
    return None


def has(value: object, name: str) -> bool:
    """Whether a value has an attribute of its own accord: not a class, nor a mock, which has any."""
    return not isinstance(value, type) and inspect.getattr_static(value, name, None) is not None


def is_filled(cell: CellType) -> bool:
    """Whether a variable of a closure has a value yet."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
