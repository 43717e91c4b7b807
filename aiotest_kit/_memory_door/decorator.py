"""Functions that `@mock()` decorates: each call has a mock of its own. Knows functions only."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from .._messages.exceptions import UsageError
from .._messages.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._routing.router import Router
    from .mock import Mock

__all__ = ["decorated"]

T = TypeVar("T")
PARAMETER = "router"


def decorated(function: Callable[..., T], make: Callable[[], Mock]) -> Callable[..., T]:
    """A function during each call of which a mock is open, whose router it gets if it has that parameter.

    The parameter is none of the function that is returned: pytest looks for no fixture of that name.

    Raises:
        UsageError: it is no function, or one that is not over when it returns.
    """
    if isinstance(function, (staticmethod, classmethod)):
        kind: Any = type(function)
        wrapped: Callable[..., T] = kind(decorated(function.__func__, make))
        return wrapped
    check_function(function)
    wrapper = (async_wrapper if inspect.iscoroutinefunction(function) else sync_wrapper)(function, make)
    signature = inspect.signature(function)
    others = [each for each in signature.parameters.values() if not is_for_router(each)]
    wrapper.__signature__ = signature.replace(parameters=others)
    result: Callable[..., T] = wrapper
    return result


def async_wrapper(function: Callable[..., Any], make: Callable[[], Mock]) -> Any:
    """An async function that opens a mock and calls another."""
    with_router = passing(function)

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        async with make() as router:
            args, kwargs = with_router(router, args, kwargs)
            return await function(*args, **kwargs)

    return wrapper


def sync_wrapper(function: Callable[..., Any], make: Callable[[], Mock]) -> Any:
    """A function that opens a mock and calls another."""
    with_router = passing(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with make() as router:
            args, kwargs = with_router(router, args, kwargs)
            return function(*args, **kwargs)

    return wrapper


def check_function(function: object) -> None:
    """Refuse what cannot be decorated.

    Raises:
        UsageError: it is such.
    """
    shown: str = getattr(function, "__qualname__", "") or one_line(function, 60)
    if isinstance(function, type):
        raise UsageError(f"@mock() decorates functions, and {shown} is a class; decorate its methods")
    if type(function).__module__.partition(".")[0] == "_pytest":
        raise UsageError(f"@mock() decorates functions, and {shown} is a fixture; put @mock() below @fixture")
    if not callable(function):
        raise UsageError(f"@mock() decorates functions; got {shown}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"@mock() decorates functions that are over when they return, and {shown} is a generator; "
            "use `with mock() as router:` in it"
        )
    router = inspect.signature(function).parameters.get(PARAMETER)
    if router is not None and router.kind is router.POSITIONAL_ONLY:
        raise UsageError(f"@mock() passes the router by its name, and {shown} takes it by position only")


def is_for_router(parameter: inspect.Parameter) -> bool:
    """Whether a parameter gets the router."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return parameter.name == PARAMETER and parameter.kind in kinds


def passing(
    function: Callable[..., object],
) -> Callable[[Router, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]:
    """What adds the router to the arguments of a call, in the place in which the function takes it."""
    parameters = list(inspect.signature(function).parameters.values())
    place = next((place for place, each in enumerate(parameters) if is_for_router(each)), None)
    if place is None:
        return lambda router, args, kwargs: (args, kwargs)
    by_name = parameters[place].kind is inspect.Parameter.KEYWORD_ONLY

    def added(
        router: Router, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if by_name or len(args) <= place:
            return args, {**kwargs, PARAMETER: router}
        return (*args[:place], router, *args[place:]), kwargs

    return added
