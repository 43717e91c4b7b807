"""Methods and attributes that are replaced for a while."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from aiotest_kit._asyncio.patching import Detour, function_behind, replace_own


async def stand_in(self: Any, value: int, *, through: Callable[..., Any]) -> Any:
    return through(self, value)


def new_class() -> type:
    class Owner:
        async def method(self, value: int, *, more: int = 0) -> str:
            return f"own {value + more}"

    Owner.method.__qualname__ = "Owner.method"
    Owner.__qualname__ = "Owner"
    return Owner


def in_closure(function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapper(*args: Any, **options: Any) -> str:
        return f"wrapped {await function(*args, **options)}"

    return wrapper


def with_wraps(function: Callable[..., Any]) -> Callable[..., Any]:
    return functools.wraps(function)(in_closure(function))


class Proxy:
    """An object that stands for a function, as wrapt's."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        async def bound(*args: Any, **options: Any) -> str:
            return f"wrapped {await self.__wrapped__(instance, *args, **options)}"

        return bound


class Opaque:
    """One that hides the function where nobody finds it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.hidden = {"function": function}

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        return lambda *args: self.hidden["function"](instance, *args)


def call(owner: type) -> str:
    answer: str = asyncio.run(owner().method(1))
    return answer


WRAPPERS = [in_closure, with_wraps, Proxy, lambda function: functools.partialmethod(function)]


@pytest.mark.parametrize("wrap", WRAPPERS, ids=["closure", "wraps", "object", "partial"])
@pytest.mark.parametrize("when", ["before", "after", "installed"])
def test_wrapped(wrap: Callable[..., Any], when: str) -> None:
    """Whatever wraps the method, and when, it goes on wrapping, and the method is as before afterwards."""
    owner: Any = new_class()
    function = vars(owner)["method"]
    code = function.__code__
    if when == "before":
        owner.method = wrap(function)
    detour = Detour(owner, "method", stand_in)
    if when == "after":
        owner.method = wrap(function)
    detour.install(lambda self, value: f"through {value}")
    if when == "installed":
        owner.method = wrap(function)
    prefix = "" if isinstance(vars(owner)["method"], functools.partialmethod) else "wrapped "

    assert f"{prefix}through 1" == call(owner)
    detour.restore()
    assert f"{prefix}own 1" == call(owner)
    assert code is function.__code__
    assert {"more": 0} == function.__kwdefaults__


def test_as_written() -> None:
    """What the method did before can be called meanwhile."""
    owner = new_class()
    detour = Detour(owner, "method", stand_in)
    detour.install(lambda self, value: "through")

    assert "own 3" == asyncio.run(detour.as_written(owner(), 1, more=2))
    detour.restore()


def test_function_that_is_not_found() -> None:
    """The attribute itself is replaced then, and put back."""
    owner: Any = new_class()
    hidden = owner.method = Opaque(vars(owner)["method"])
    detour = Detour(owner, "method", stand_in)

    detour.install(lambda self, value: f"through {value}")
    assert "through 1" == call(owner)
    detour.restore()

    assert hidden is vars(owner)["method"]
    assert "own 1" == call(owner)
    assert hidden is detour.as_written


def test_closure_without_a_value() -> None:
    """A variable of a closure that has no value yet is passed over."""

    owner: Any = new_class()
    function = vars(owner)["method"]

    def wrapper(*args: Any) -> Any:
        return (later, function)[1](*args)

    owner.method = wrapper
    assert function is Detour(owner, "method", stand_in).function
    later = None


def test_own_attributes() -> None:
    """Attributes that an object had are put back, those that it had not are taken away."""

    class Thing:
        first = "of the class"

    thing = Thing()
    vars(thing)["second"] = "own"
    with ExitStack() as undo:
        replace_own(thing, {"first": 1, "second": 2}, undo)
        assert {"first": 1, "second": 2} == vars(thing)
    assert {"second": "own"} == vars(thing)


def test_wrappers_that_go_round_in_a_circle() -> None:
    """A method is looked for once in each of them."""
    owner: Any = new_class()
    wrapped = with_wraps(owner.method)
    vars(wrapped)["__wrapped__"] = wrapped
    assert function_behind(wrapped, "Owner.other") is None
    assert function_behind(wrapped, "Owner.method") is not None
