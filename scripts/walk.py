"""The walk of a request through the package: which files run, and how often it goes from one to another.

    python -m scripts.walk            # a line for each request
    python -m scripts.walk --files    # and its files, in the order in which they are come to

A request is followed from the client's call to the end of its reply; what opens and closes mocks, servers and
sessions is not counted. Fewer files and fewer changes are easier to follow for a reader.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

import aiotest_kit
from aiotest_kit import Reset, StubClient, StubServer, mock
from aiotest_kit.websocket import expect, send

if TYPE_CHECKING:
    from types import FrameType

KIT = str(Path(aiotest_kit.__file__).parent) + "/"


class Walk:
    """The files that were come to, in order; the same one twice in a row is one."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow what is called within the block."""
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, arg: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(KIT):
            file = name.removeprefix(KIT)
            if not self.steps or self.steps[-1] != file:
                self.steps.append(file)

    @property
    def files(self) -> list[str]:
        """The files, each where it was come to first."""
        return list(dict.fromkeys(self.steps))

    @property
    def packages(self) -> set[str]:
        """The packages of these files."""
        return {file.partition("/")[0] for file in self.files}


Request = Callable[[Walk], Coroutine[Any, Any, None]]


async def stubbed_get(walk: Walk) -> None:
    """A GET of a session, answered in memory."""
    with mock() as router:
        router.get("http://api.test/users/{id}").reply(json={"id": 7})
        async with aiohttp.ClientSession() as session:
            with walk.followed():
                response = await session.get("http://api.test/users/7")
                await response.json()


async def stubbed_route_of_an_app(walk: Walk) -> None:
    """A GET of a route of the app under test that is stubbed."""

    async def handler(request: web.Request) -> web.Response:
        raise NotImplementedError

    app = web.Application()
    app.router.add_get("/users/{id}", handler)
    async with StubClient(StubServer(app)) as client:
        client.stubs.get("/users/{id}").reply(json={"id": 7})
        with walk.followed():
            response = await client.get("/users/7")
            await response.json()


async def reset(walk: Walk) -> None:
    """A GET whose reply is cut by a reset, and that aiohttp sends again."""
    with mock() as router:
        router.get("http://api.test/users").reply(Reset(after=10))
        async with aiohttp.ClientSession() as session:
            with walk.followed(), suppress(aiohttp.ClientError):
                response = await session.get("http://api.test/users")
                await response.read()


async def websocket(walk: Walk) -> None:
    """A websocket with a script of two steps."""
    with mock() as router:
        router.ws("ws://api.test/ticks").script(expect("hello"), send("hi"))
        async with aiohttp.ClientSession() as session:
            with walk.followed():
                ws = await session.ws_connect("ws://api.test/ticks")
                await ws.send_str("hello")
                await ws.receive_str()
                await ws.close()


REQUESTS: dict[str, Request] = {
    "a stubbed GET in memory": stubbed_get,
    "a stubbed GET of an app": stubbed_route_of_an_app,
    "a reset": reset,
    "a websocket of two steps": websocket,
}


def walks() -> Iterator[tuple[str, Walk]]:
    """The walk of each request as it is made the second time: by then all is imported."""
    for name, request in REQUESTS.items():
        asyncio.run(request(Walk()))
        walk = Walk()
        asyncio.run(request(walk))
        yield name, walk


def main() -> None:
    """Print the walks."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.walk", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--files", action="store_true", help="list the files of each walk")
    options = parser.parse_args()
    print(f"{'':26} packages  files  changes")
    for name, walk in walks():
        print(f"{name:26} {len(walk.packages):8} {len(walk.files):6} {len(walk.steps) - 1:8}")
        if options.files:
            for file in walk.files:
                print(f"    {file}")


if __name__ == "__main__":
    main()
