"""The exception tree, and how values are put into messages."""

import aiohttp
import pytest

from aiotest_kit import UnmatchedRequest, UsageError
from aiotest_kit._messages.wording import join_names, one_line


def test_unmatched_request_is_a_connection_error() -> None:
    """Code that handles a network that is down handles a request that no route answers."""
    assert issubclass(UnmatchedRequest, aiohttp.ClientConnectionError)


def test_usage_error_is_not_for_the_code_under_test() -> None:
    """Code that handles aiohttp's errors, or those of the system, does not swallow a misuse of the kit."""
    assert not issubclass(UsageError, (aiohttp.ClientError, OSError, ValueError))


@pytest.mark.parametrize(
    ("names", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["gzip"], "gzip", id="one"),
        pytest.param(["b", "a", 3], "b, a, 3", id="in order"),
    ],
)
def test_join_names(names: list[object], text: str) -> None:
    """Names stand in one phrase, in their order."""
    assert text == join_names(names)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("short", "'short'", id="short"),
        pytest.param("x" * 18, f"'{'x' * 18}'", id="just fits"),
        pytest.param("x" * 19, "'xxxxxxxxx ... xxxx'", id="one too long"),
        pytest.param(list(range(99)), "[0, 1, 2,  ... , 98]", id="any object"),
    ],
)
def test_one_line(value: object, text: str) -> None:
    """A repr that is too long loses its middle, not its end."""
    shortened = one_line(value, 20)

    assert text == shortened
    assert len(shortened) <= 20


class Broken:
    def __repr__(self) -> str:
        raise LookupError("half made")


def test_one_line_of_a_broken_repr() -> None:
    """A message comes, whatever it is about."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert "<Broken, whose repr raised LookupError>" == one_line(Broken())
    assert "<list, whose repr raised RecursionError>" == one_line(deep)
