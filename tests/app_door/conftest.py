"""Clients of an app, by the door that a test names or by each in turn."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal, TypeAlias

import pytest
import pytest_asyncio
from aiohttp import web

from aiotest_kit import StubClient, StubServer

Client: TypeAlias = StubClient
Open: TypeAlias = Callable[..., Awaitable[StubClient]]


@pytest.fixture(params=["memory", "tcp"])
def door(request: pytest.FixtureRequest) -> Literal["memory", "tcp"]:
    """Both doors, one after the other."""
    chosen: Literal["memory", "tcp"] = request.param
    return chosen


@pytest_asyncio.fixture
async def open_client() -> AsyncIterator[Open]:
    """Opens clients, and closes them again with the test."""
    clients: list[StubClient] = []

    async def opened(app: web.Application, **options: Any) -> StubClient:
        client = StubClient(StubServer(app, **options))
        clients.append(client)
        await client.start_server()
        return client

    yield opened
    for client in reversed(clients):
        await client.close()
