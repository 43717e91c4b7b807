"""Apps of the ASGI frameworks that people have, mounted behind an origin: FastAPI and Django."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import clear_url_caches, path as url
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse

from aiotest_kit import mock
from tests.doors.test_websockets import settled

from .conftest import Way, endless_ticks

# ---- FastAPI ----


class Told:
    """What an app did, in order; `release` lets what it does in the background go on."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.release = asyncio.Event()


def fastapi_app(told: Told) -> FastAPI:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        told.log.append("started")
        yield {"greeting": "hello"}
        told.log.append("stopped")

    async def database() -> AsyncIterator[dict[int, str]]:
        told.log.append("database opened")
        try:
            yield {7: "Ann"}
        finally:
            told.log.append("database closed")

    app = FastAPI(lifespan=life)
    in_database = Depends(database)

    @app.get("/users/{number}")
    async def user(number: int, request: Request, users: Any = in_database) -> dict[str, str]:
        if number not in users:
            raise HTTPException(status_code=404, detail=f"no user {number}")
        return {"said": f"{request.state.greeting} {users[number]}", "url": str(request.url)}

    @app.get("/sync")
    def in_a_thread() -> dict[str, str]:
        return {"from": "a thread"}

    @app.get("/ticks")
    async def ticks() -> StreamingResponse:
        return StreamingResponse(endless_ticks(told.log), media_type="text/event-stream")

    @app.post("/mails")
    async def mails(request: Request, background: BackgroundTasks) -> dict[str, str]:
        async def send(text: str) -> None:
            await told.release.wait()
            told.log.append(f"sent {text}")

        background.add_task(send, (await request.body()).decode())
        return {"mail": "accepted"}

    @app.get("/broken")
    async def broken() -> None:
        raise LookupError("of the app")

    @app.websocket("/chat")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="loud")
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())
        told.log.append("left")

    return app


@pytest.fixture
def told() -> Told:
    return Told()


async def test_fastapi(way: Way, told: Told) -> None:
    """Its lifespan and state, a dependency that is closed again, its own 404 and 422, a sync handler."""
    way.mount(fastapi_app(told), "/v1")
    seen: list[tuple[int, object]] = []
    for path in ("/users/7", "/users/8", "/users/x", "/sync"):
        async with way.session.get(f"{way.origin}/v1{path}") as response:
            seen.append((response.status, await response.json()))
    await way.end()

    assert (200, {"said": "hello Ann", "url": f"{way.origin}/v1/users/7"}) == seen[0]
    assert [(404, {"detail": "no user 8"}), (200, {"from": "a thread"})] == [seen[1], seen[3]]
    assert 422 == seen[2][0]
    assert ("started", "stopped") == (told.log[0], told.log[-1])
    # One for each request to the route, refused ones included.
    assert ["database opened", "database closed"] * 3 == told.log[1:-1]


async def test_a_stream_of_fastapi(way: Way, told: Told) -> None:
    """Pieces arrive one by one; the app learns that its client has gone."""
    way.mount(fastapi_app(told))
    async with way.session.get(f"{way.origin}/ticks") as response:
        assert "text/event-stream; charset=utf-8" == response.headers["Content-Type"]
        assert [b"tick\n", b"tick\n"] == [await response.content.readline() for _ in range(2)]
    await settled(lambda: "client gone" in told.log)


async def test_a_background_task_of_fastapi(way: Way, told: Told) -> None:
    """The client has its reply before the task is done, and may go on; then the task goes on too."""
    way.mount(fastapi_app(told))
    async with way.session.post(f"{way.origin}/mails", data=b"welcome") as response:
        assert {"mail": "accepted"} == await response.json()
    async with way.session.get(f"{way.origin}/sync") as response:
        assert 200 == response.status
    assert ["started"] == told.log
    told.release.set()
    await settled(lambda: "sent welcome" in told.log)
    await way.end()

    assert ["started", "sent welcome", "stopped"] == told.log


async def test_a_background_task_that_calls_out(told: Told) -> None:
    """What a task calls is mocked as well, and a test can wait for it."""
    app = FastAPI()

    async def report() -> None:
        async with aiohttp.ClientSession() as session, session.put("https://audit.test/events"):
            pass

    @app.post("/mails")
    async def mails(background: BackgroundTasks) -> None:
        background.add_task(report)

    async with mock() as router, aiohttp.ClientSession() as session:
        router.mount("https://api.test", app)
        audit = router.put("https://audit.test/events")
        async with session.post("https://api.test/mails") as response:
            assert 200 == response.status
        await audit.wait()


async def test_a_background_task_that_is_left(told: Told) -> None:
    """One that still runs when the mock closes is ended, before the app."""
    async with mock() as router, aiohttp.ClientSession() as session:
        router.mount("https://api.test", fastapi_app(told))
        async with session.post("https://api.test/mails", data=b"welcome") as response:
            assert 200 == response.status

    assert ["started", "stopped"] == told.log
    assert 1 == len(asyncio.all_tasks())


async def test_a_background_task_that_fails() -> None:
    """Its error fails the block, although the client had its reply."""
    app = FastAPI()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("in the background")

    @app.post("/mails")
    async def mails(background: BackgroundTasks) -> None:
        background.add_task(fail)

    with pytest.raises(LookupError, match="in the background"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", app)
            async with session.post("https://api.test/mails") as response:
                assert 200 == response.status
            await settled(lambda: router.handler_errors)


async def test_a_websocket_of_fastapi(way: Way, told: Told) -> None:
    """It agrees on a subprotocol, answers, and notices the close."""
    way.mount(fastapi_app(told))
    async with way.session.ws_connect(f"{way.origin}/chat", protocols=["loud"]) as ws:
        assert "loud" == ws.protocol
        await ws.send_str("hello")
        assert (WSMsgType.TEXT, "HELLO") == tuple(await ws.receive())[:2]
    await settled(lambda: "left" in told.log)


async def test_an_error_of_fastapi(told: Told) -> None:
    """The client sees the app's 500; the error itself fails the block."""
    with pytest.raises(LookupError, match="of the app"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", fastapi_app(told))
            async with session.get("https://api.test/broken") as response:
                assert (500, "Internal Server Error") == (response.status, await response.text())


# ---- Django ----


@pytest.fixture(scope="module")
def django_urls() -> Iterator[ModuleType]:
    """The URLs of a Django project that has nothing else; its settings are those of the process."""
    urls = ModuleType("aiotest_kit_urls_of_django")
    sys.modules[urls.__name__] = urls
    settings.configure(ROOT_URLCONF=urls.__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test", DEBUG=False)
    yield urls
    del sys.modules[urls.__name__]


@pytest.fixture
def django_app(django_urls: ModuleType, told: Told) -> Any:
    kept: set[asyncio.Task[None]] = set()

    async def user(request: HttpRequest, number: int) -> HttpResponse:
        return JsonResponse({"user": number, "url": request.build_absolute_uri(), "q": request.GET.get("q")})

    def in_a_thread(request: HttpRequest) -> HttpResponse:
        return JsonResponse({"method": request.method, "body": request.body.decode()})

    async def ticks(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(endless_ticks(told.log), content_type="text/event-stream")

    async def mails(request: HttpRequest) -> HttpResponse:
        async def send() -> None:
            await told.release.wait()
            told.log.append("sent")

        task = asyncio.ensure_future(send())
        kept.add(task)
        task.add_done_callback(kept.discard)
        return JsonResponse({"mail": "accepted"})

    async def broken(request: HttpRequest) -> HttpResponse:
        raise LookupError("of the app")

    urls: Any = django_urls
    urls.urlpatterns = [
        url("users/<int:number>", user),
        url("sync", in_a_thread),
        url("ticks", ticks),
        url("mails", mails),
        url("broken", broken),
    ]
    clear_url_caches()
    return get_asgi_application()


async def test_django(way: Way, django_app: Any) -> None:
    """An async view and a sync one, a body, its own 404 and 500; it has no lifespan."""
    way.mount(django_app, "/v1")
    seen: list[tuple[int, object]] = []
    for path in ("/users/7?q=a+b", "/users/x", "/broken"):
        async with way.session.get(f"{way.origin}/v1{path}") as response:
            body = await (response.json() if response.status == 200 else response.read())
            seen.append((response.status, body))
    async with way.session.post(f"{way.origin}/v1/sync", data=b"x" * 100_000) as response:
        assert {"method": "POST", "body": "x" * 100_000} == await response.json()

    assert (200, {"user": 7, "url": f"{way.origin}/v1/users/7?q=a+b", "q": "a b"}) == seen[0]
    assert [404, 500] == [status for status, _ in seen[1:]]
    await django_is_done(way)


async def django_is_done(way: Way) -> None:
    """Behind its replies Django closes the files of requests; where it is cancelled it leaves them open."""
    await settled(lambda: not way.router.tasks)


async def test_a_stream_of_django(way: Way, told: Told, django_app: Any) -> None:
    """Pieces arrive one by one; the view's generator is closed when its client has gone."""
    way.mount(django_app)
    async with way.session.get(f"{way.origin}/ticks") as response:
        assert "text/event-stream" == response.headers["Content-Type"]
        assert [b"tick\n", b"tick\n"] == [await response.content.readline() for _ in range(2)]
    await settled(lambda: "client gone" in told.log)
    await django_is_done(way)


async def test_a_task_of_django(way: Way, told: Told, django_app: Any) -> None:
    """What a view leaves running goes on behind its reply."""
    way.mount(django_app)
    async with way.session.post(f"{way.origin}/mails") as response:
        assert {"mail": "accepted"} == await response.json()
    assert [] == told.log
    told.release.set()
    await settled(lambda: told.log)
    await django_is_done(way)

    assert ["sent"] == told.log
