"""Where an error is shown: at the line that called the package."""

from collections.abc import Callable
from traceback import extract_tb

import pytest

from aiotest_kit import Origin, Reply, Request, Router, UnmatchedRequest, UsageError
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


def misuse_with_a_cause() -> None:
    Router().get("/a").reply(NeedsArguments)


class NeedsArguments(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)


def test_end_of_misuse_with_a_cause() -> None:
    """What misuse was raised from says nothing that its text does not; what the caller was at is kept."""
    with pytest.raises(UsageError) as raised:
        misuse_with_a_cause()
    assert raised.value.__cause__ is not None
    end_at_caller(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None

    with pytest.raises(UsageError) as within:
        try:
            raise LookupError("of the caller")
        except LookupError:
            misuse_with_a_cause()
    end_at_caller(within.value)
    assert isinstance(within.value.__context__, LookupError)
    assert not within.value.__suppress_context__


def test_end_of_another_error_with_a_cause() -> None:
    """The cause of any other error is kept."""
    error = UnmatchedRequest("no route answered")
    error.__cause__ = LookupError()
    end_at_caller(error)
    assert error.__cause__ is not None


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
