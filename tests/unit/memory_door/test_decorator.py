"""`@mock()`: what it decorates, what it refuses, and what the function gets."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Router, UsageError, mock
from aiotest_kit._memory_door.open_mocks import all_open

URL = "http://a.test/"


async def status() -> int:
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        return response.status


def refusal(function: Any) -> str:
    with pytest.raises(UsageError) as caught:
        mock()(function)
    return str(caught.value)


async def test_async() -> None:
    """An async function is called with a router of its own, under its mock; what it returns is returned."""

    @mock()
    async def made(router: Router, code: int) -> int:
        router.get(URL).reply(code)
        return await status()

    call: Any = made
    assert (201, 202) == (await call(201), await call(code=202))
    assert not all_open()
    assert [201, 202, 203] == await asyncio.gather(*map(call, (201, 202, 203)))


def test_sync() -> None:
    """So is a sync one."""

    @mock()
    def made(code: int, *, router: Router) -> int:
        router.get(URL).reply(code)
        return asyncio.run(status())

    assert (201, 202) == (made(201), made(code=202))
    assert not all_open()


@pytest.mark.parametrize("args", [(1, 2), (1,), ()], ids=["positional", "mixed", "named"])
def test_place_of_the_router(args: tuple[int, ...]) -> None:
    """The router stands where the function takes it, however the others are passed."""

    @mock()
    def made(first: int, router: Router, second: int) -> tuple[int, bool, int]:
        return first, isinstance(router, Router), second

    call: Any = made
    named = dict(list({"first": 1, "second": 2}.items())[len(args) :])
    assert (1, True, 2) == call(*args, **named)
    assert "(first: int, second: int) -> tuple[int, bool, int]" == str(inspect.signature(made))


def test_without_the_parameter() -> None:
    """A function that has no such parameter gets nothing."""

    @mock()
    def plain(*router: int, **others: int) -> tuple[Any, Any, int]:
        return router, others, len(all_open())

    assert ((1,), {"a": 2}, 1) == plain(1, a=2)


def test_methods() -> None:
    """Methods, those of classes and static ones, above or below what makes them such."""

    class Service:
        name = "service"

        @mock()
        def method(self, router: Router) -> tuple[str, Router]:
            return self.name, router

        @classmethod
        @mock()
        def of_class(cls, router: Router) -> tuple[str, Router]:
            return cls.name, router

        @mock()
        @classmethod
        def of_class_above(cls, router: Router) -> tuple[str, Router]:
            return cls.name, router

        @mock()
        @staticmethod
        def static(router: Router) -> tuple[str, Router]:
            return "service", router

    service: Any = Service()
    for method in (service.method, service.of_class, service.of_class_above, service.static):
        name, router = method()
        assert "service" == name
        assert isinstance(router, Router)


def test_settings() -> None:
    """Each call has the settings that were given, and a router that was given; else a new one."""
    given = Router()
    seen = []

    @mock(given, unmatched="allow", strict=True, unused="allow")
    def with_given(router: Router) -> None:
        (opened,) = all_open()
        seen.append((router, opened.unmatched, opened.unused))

    @mock()
    def with_new(router: Router) -> Router:
        return router

    with_given()
    with_given()
    assert [(given, "allow", "allow")] * 2 == seen
    assert with_new() is not with_new()


def test_recursion() -> None:
    """A call within a call has a mock of its own."""

    @mock()
    def made(router: Router, depth: int) -> list[Router]:
        return [router, *(made(depth - 1) if depth else [])]

    assert 3 == len({id(router) for router in made(2)})


def test_what_it_raises() -> None:
    """What the function raises is raised, and the mock closed."""

    @mock(strict=True)
    def made(router: Router) -> None:
        router.get(URL)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        made()
    assert not all_open()


def test_name_and_documentation() -> None:
    """It is known by its own name."""

    @mock()
    def made() -> None:
        """Made."""

    assert ("made", "Made.") == (made.__name__, made.__doc__)


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


def positional(router: Router, /) -> None:
    pass


class Plain:
    pass


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (Plain, "@mock() decorates functions, and Plain is a class; decorate its methods"),
        (5, "@mock() decorates functions; got 5"),
        (
            generator,
            "@mock() decorates functions that are over when they return, and generator is a generator; "
            "use `with mock() as router:` in it",
        ),
        (
            async_generator,
            "@mock() decorates functions that are over when they return, and async_generator is a generator; "
            "use `with mock() as router:` in it",
        ),
        (positional, "@mock() passes the router by its name, and positional takes it by position only"),
    ],
    ids=["class", "value", "generator", "async generator", "positional"],
)
def test_refused(function: object, says: str) -> None:
    """What cannot be decorated is refused where it is."""
    assert says == refusal(function)


def test_fixture_below() -> None:
    """A fixture is one above `@mock()`, not below."""

    def function() -> None:
        pass

    users: Any = pytest.fixture(name="users")(function)
    if inspect.isfunction(users):
        pytest.skip("before pytest 8.4 a fixture is a function")
    assert "function" in refusal(users)
    assert refusal(users).endswith("is a fixture; put @mock() below @fixture")


@pytest.mark.parametrize(
    ("function", "name"),
    [(generator, "generator"), (functools.partial(positional), "functools.partial(<function ")],
    ids=["function", "other callable"],
)
def test_without_a_call(function: Any, name: str) -> None:
    """`@mock` without parentheses is told what it lacks."""
    with pytest.raises(UsageError) as caught:
        mock(function)
    assert str(caught.value).startswith(
        f"@mock goes with parentheses, which may have settings: @mock() above {name}"
    )
