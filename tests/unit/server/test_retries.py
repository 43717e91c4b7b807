"""The attempts of one call: what the second meets, and how it is told from another call."""

from dataclasses import replace

import pytest

from aiotest_kit import Call, Origin, Reply, Request, Route, Router
from aiotest_kit._server.retries import Attempt, Retries

API = Origin("http", "api.test", 80)


def asked(target: str = "/a", method: str = "GET") -> Request:
    return Request(method, API, target)


def attempt_at(route: Route, request: Request | None = None) -> Attempt:
    return Attempt(Call(request or asked(), route, 0.0), route, route.take())


@pytest.mark.parametrize(
    ("attempts", "met"),
    [
        pytest.param(None, ["down", "down", "down"], id="all by default"),
        pytest.param(1, ["down", 200, 200], id="one"),
        pytest.param(2, ["down", "down", 200], id="two"),
    ],
)
def test_next_step(attempts: int | None, met: list[object]) -> None:
    """An answer meets as many attempts as it is for; then comes the next of the sequence."""
    route = Router().get("/a").reply("down", times=1, attempts=attempts).reply(200)
    attempt = attempt_at(route)
    answers = [attempt.step.answer, attempt.next_step().answer, attempt.next_step().answer]

    assert [Reply(text="down") if each == "down" else Reply() for each in met] == answers
    assert 3 == attempt.call.attempts


@pytest.mark.parametrize(
    ("again", "is_same"),
    [
        pytest.param(asked(), True, id="same request"),
        pytest.param(asked(method="DELETE"), False, id="other method"),
        pytest.param(asked("/b"), False, id="other URL"),
    ],
)
def test_resume(again: Request, is_same: bool) -> None:
    """The same request of the same call is another attempt, once."""
    attempts, call = Retries(), object()
    attempt = attempt_at(Router().get("/a"))
    assert attempts.resume((call, 2), again) is None

    attempts.dropped((call, 1), attempt)

    assert (attempt if is_same else None) is attempts.resume((call, 2), again)
    assert attempts.resume((call, 3), again) is None


def test_another_call() -> None:
    """A request of another call is no attempt of this one, though it is equal."""
    attempts, call = Retries(), object()
    attempts.dropped((call, 1), attempt_at(Router().get("/a")))

    assert attempts.resume((object(), 2), asked()) is None
    assert attempts.resume((call, 2), asked()) is not None


def test_sent_again_by_a_middleware() -> None:
    """The very request once more is no attempt: aiohttp makes a new one for that."""
    attempts, call = Retries(), object()
    attempts.dropped((call, 1), attempt_at(Router().get("/a")))

    assert attempts.resume((call, 1), asked()) is None
    assert attempts.resume((call, 2), asked()) is None


def test_due() -> None:
    """An attempt that was settled where the client connected is for the request that connected."""
    attempts, call = Retries(), object()
    due = replace(attempt_at(Router().get("/a")), is_pending=True)

    for identity, resumed in ((1, due), (2, None)):
        attempts.dropped((call, 1), due)
        assert resumed is attempts.resume((call, identity), asked())


def test_forgotten() -> None:
    """What will not be sent is not due any more."""
    attempts, call = Retries(), object()
    attempts.dropped((call, 1), replace(attempt_at(Router().get("/a")), is_pending=True))

    attempts.forget((call, 1))

    assert attempts.resume((call, 1), asked()) is None


def test_only_the_last_are_kept() -> None:
    """Of calls that were never tried again, the oldest are forgotten."""
    attempts, calls = Retries(), [object() for _ in range(4097)]
    route = Router().get("/a")
    for call in calls:
        attempts.dropped((call, 1), attempt_at(route))

    kept = [attempts.resume((call, 2), asked()) is not None for call in calls]

    assert [False, *[True] * 4096] == kept
