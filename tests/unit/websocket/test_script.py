"""Steps of a script, and what cannot be one. What they do: tests/doors/test_websockets.py."""

from collections.abc import Callable
from typing import Any

import pytest

from aiotest_kit import Router, UsageError, WebSocketRoute
from aiotest_kit.websocket import (
    abort,
    close,
    expect,
    expect_close,
    expect_json,
    pause,
    ping,
    send,
    send_bytes,
    send_json,
)


@pytest.fixture
def route() -> WebSocketRoute:
    return Router().ws("wss://stream.test/ticks")


@pytest.mark.parametrize(
    "text",
    [
        "abort()",
        "close(4000)",
        "expect('a')",
        "expect({'a': 1})",
        "expect_close()",
        "expect_close(4000)",
        "expect_json('a')",
        "pause(1.5)",
        "ping()",
        "ping(b'a')",
        "send('a')",
        "send_bytes(b'a')",
        "send_json([1])",
    ],
)
def test_a_step_shows_how_it_was_written(text: str) -> None:
    """The repr of a step, which reports show, is the call that made it."""
    names = {
        step.__name__: step
        for step in (
            abort,
            close,
            expect,
            expect_close,
            expect_json,
            pause,
            ping,
            send,
            send_bytes,
            send_json,
        )
    }

    assert text == repr(eval(text, names))


WRONG: list[tuple[Callable[..., Any], object, str]] = [
    (send, 1, "send() takes text or bytes; got 1 (send_json encodes objects)"),
    (send_bytes, "a", "send_bytes() takes bytes; got 'a'"),
    (send_json, {1, 2}, "send_json() cannot encode {1, 2}: Object of type set is not JSON serializable"),
    (pause, -1, "a delay is in seconds, 0 or more; got -1"),
    (
        close,
        1006,
        "close(1006): a code is one of 1000 to 4999 and not reserved (RFC 6455, 7.4); "
        "route.raw(...) can send anything",
    ),
    (
        close,
        "bye",
        "close('bye'): a code is one of 1000 to 4999 and not reserved (RFC 6455, 7.4); "
        "route.raw(...) can send anything",
    ),
    (ping, 7, "ping() takes bytes or text; got 7"),
    (expect_close, "x", "expect_close('x'): a code is one of 1000 to 4999 (RFC 6455, 7.4)"),
    (expect_close, 7, "expect_close(7): a code is one of 1000 to 4999 (RFC 6455, 7.4)"),
    (
        expect_close,
        int,
        "expect_close: int is a class; for any int write lambda value: isinstance(value, int)",
    ),
    (
        expect,
        7,
        "expect(7): a message is text or bytes; for one that is this value as JSON write expect_json(7)",
    ),
    (
        expect,
        None,
        "expect(None): a message is text or bytes; for one that is this value as JSON write "
        "expect_json(None)",
    ),
    (expect, {"a": b"b"}, "expect_json: b'b' is never equal to JSON, which has no bytes"),
    (expect_json, {7: 1}, "expect_json: the key 7 is not a string, and JSON has no others"),
    (
        close,
        999,
        "close(999): a code is one of 1000 to 4999 and not reserved (RFC 6455, 7.4); "
        "route.raw(...) can send anything",
    ),
]


@pytest.mark.parametrize(("step", "argument", "message"), WRONG, ids=[case[2] for case in WRONG])
def test_steps_that_cannot_be(step: Callable[..., Any], argument: object, message: str) -> None:
    """What cannot be said is refused when the script is written."""
    with pytest.raises(UsageError) as caught:
        step(argument)

    assert message == str(caught.value)


def test_a_reason_has_its_limit() -> None:
    """A reason has to fit into a close frame (RFC 6455, 5.5)."""
    with pytest.raises(UsageError, match=r"^close\(\): a reason is at most 123 bytes; got 'xxx"):
        close(1000, "x" * 124)


def test_a_reason_is_text_or_bytes() -> None:
    """A reason of another kind is refused."""
    reason: Any = 7
    with pytest.raises(UsageError) as caught:
        close(1000, reason)
    assert "close() takes bytes or text; got 7" == str(caught.value)


def no_argument() -> None: ...


def test_a_handler_takes_the_websocket(route: WebSocketRoute) -> None:
    """A handler that cannot be called with a websocket is refused where it is given."""
    place = f"{__file__}:{no_argument.__code__.co_firstlineno}"
    with pytest.raises(UsageError) as caught:
        route.reply(no_argument)

    assert (
        f"handler 'no_argument' ({place}) is called with the websocket: too many positional arguments"
    ) == str(caught.value)


def test_a_handshake_is_not_refused_with_success(route: WebSocketRoute) -> None:
    """To refuse a handshake takes a status that says so."""
    with pytest.raises(UsageError) as caught:
        route.reject(200)

    assert "reject(200): a handshake is refused with 300 or more, such as 403" == str(caught.value)


def test_a_script_consists_of_steps(route: WebSocketRoute) -> None:
    """What is no step is refused."""
    with pytest.raises(UsageError) as caught:
        route.script("hello")  # type: ignore[arg-type]

    assert "script() takes steps such as expect('hello') and send_json(...); got 'hello'" == str(caught.value)


def test_a_handler_has_no_options(route: WebSocketRoute) -> None:
    """The keywords of a reply are for a refused handshake."""
    with pytest.raises(UsageError) as caught:
        route.reply(lambda ws: None, headers={})

    assert "headers: not with the handler of a websocket" == str(caught.value)


def test_protocols_are_several() -> None:
    """A single name would be taken for its letters."""
    with pytest.raises(UsageError) as caught:
        Router().ws("/a", protocols="v1")

    assert "protocols='v1': several names, such as ['v1']" == str(caught.value)


def test_other_answers_are_those_of_any_route(route: WebSocketRoute) -> None:
    """A status, a sequence of them and an exception refuse the handshake."""
    route.reply(503, times=1).replies(404, ConnectionError("no"), 401)

    assert route.capacity is None


def test_origins_of_websockets() -> None:
    """`wss` and `https` are one origin, and a router under a prefix has websockets too."""
    router = Router()
    route = router.host("wss://stream.test/v1", headers={"X-Key": "k"}).ws("/ticks")

    assert ["wss://stream.test/v1/ticks"] == [route.pattern.url.text]
    assert {"headers"} == set(route.pattern.option_names)
