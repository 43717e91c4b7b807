"""A body on its way: read as it comes, the sender held back, the whole of it kept if it is not long."""

import asyncio

import pytest

from aiotest_kit._http.body import AHEAD, MOST_KEPT, BodyStream


class Sender:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.incoming = BodyStream(lambda is_full: self.heard.append("pause" if is_full else "resume"))


@pytest.fixture
def sender() -> Sender:
    return Sender()


async def test_read_gives_what_has_come_then_waits(sender: Sender) -> None:
    """What came in several pieces is read as one; the next read waits for more; the last gives nothing."""
    incoming = sender.incoming
    incoming.feed(b"a")
    incoming.feed(b"b")
    assert b"ab" == await incoming.read()

    reading = asyncio.ensure_future(incoming.read())
    await asyncio.sleep(0)
    assert not reading.done()
    incoming.feed(b"c")
    assert b"c" == await reading
    assert b"" == incoming.kept

    incoming.feed_eof()
    assert b"" == await incoming.read()
    assert b"abc" == incoming.kept


async def test_a_reader_that_is_behind_holds_the_sender_back(sender: Sender) -> None:
    """Who sends waits once too much lies unread, and goes on when it was read."""
    sender.incoming.feed(b"x" * AHEAD)
    assert [] == sender.heard
    sender.incoming.feed(b"x")
    sender.incoming.feed(b"x")
    assert ["pause"] == sender.heard

    assert AHEAD + 2 == len(await sender.incoming.read())
    assert ["pause", "resume"] == sender.heard


async def test_a_client_that_goes_breaks_the_body_off(sender: Sender) -> None:
    """What had come can be read; then it is an error, and who waits for the client to go is told."""
    incoming = sender.incoming
    incoming.feed(b"a")
    gone = asyncio.ensure_future(incoming.gone())
    await asyncio.sleep(0)
    incoming.lose()

    assert b"a" == await incoming.read()
    with pytest.raises(ConnectionResetError, match="the client closed the connection"):
        await incoming.read()
    await gone
    await incoming.gone()


def test_what_is_discarded_is_still_kept_for_the_record(sender: Sender) -> None:
    """After `discard` nothing is to be read, and nothing holds the sender back."""
    sender.incoming.feed(b"x" * (AHEAD + 1))
    sender.incoming.discard()
    sender.incoming.feed(b"y" * (AHEAD + 1))
    sender.incoming.feed_eof()

    assert ["pause", "resume"] == sender.heard
    assert b"" == sender.incoming.take()
    assert 2 * AHEAD + 2 == len(sender.incoming.kept)


def test_a_long_body_is_cut(sender: Sender) -> None:
    """Of a body that is longer than is kept, the beginning is, and its length."""
    for _ in range(3):
        sender.incoming.feed(b"x" * (MOST_KEPT // 2))
        sender.incoming.take()
    sender.incoming.feed_eof()

    assert b"x" * MOST_KEPT == sender.incoming.kept
    assert MOST_KEPT // 2 * 3 == sender.incoming.length
