"""Where an error is shown: at the line that called the package."""

from collections.abc import Callable
from traceback import extract_tb

import pytest

from aiotest_kit import Origin, Reply, Request, Router, UsageError
from aiotest_kit._location import end_at_caller

ASKED = Request("GET", Origin("http", "api.test", 80), "/a")


def is_asked(request: Request) -> bool:
    assert "/b" == request.path, "the user's own"
    return True


def refused(request: Request) -> bool:
    raise KeyError(request.path)


def assert_called() -> None:
    Router().assert_called()


def reply_with_nonsense() -> None:
    Reply(1000)


def find(where: Callable[[Request], bool]) -> None:
    router = Router()
    router.get("/a", where=where)
    router.find(ASKED)


@pytest.mark.parametrize(
    ("call", "error", "last"),
    [
        pytest.param(assert_called, AssertionError, "assert_called", id="assertion"),
        pytest.param(reply_with_nonsense, UsageError, "reply_with_nonsense", id="misuse"),
        pytest.param(lambda: find(is_asked), AssertionError, "is_asked", id="assertion of the user's"),
        pytest.param(lambda: find(refused), KeyError, "refused", id="another error"),
    ],
)
def test_end_at_caller(call: Callable[[], None], error: type[Exception], last: str) -> None:
    """What the package raises for its caller ends there; what is raised in the user's code stays whole."""
    with pytest.raises(error) as raised:
        call()
    end_at_caller(raised.value)
    assert last == extract_tb(raised.value.__traceback__)[-1].name


def test_end_of_a_bug() -> None:
    """Another error of the package's is shown where it is."""
    with pytest.raises(AttributeError) as raised:
        ASKED.path = "/b"  # type: ignore[misc]
    end_at_caller(raised.value)
    assert "__setattr__" == extract_tb(raised.value.__traceback__)[-1].name


def test_an_error_that_nobody_raised() -> None:
    """It has no traceback to be cut."""
    error = AssertionError("not raised")
    end_at_caller(error)
    assert error.__traceback__ is None
