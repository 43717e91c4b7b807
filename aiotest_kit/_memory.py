"""The memory door: real client sessions whose connections lead to a router.

`MemoryDoor` opens them, one `Peer` at the far end of each; `mock_session` is a `ClientSession` behind it. TLS
is implied, not spoken: the client is told of it, the bytes are plain.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp

from ._aiohttp import MemoryTCPConnector, raise_in_client, view_of
from ._attempts import Attempts
from ._messages import Client, Origin
from ._peer import Peer
from ._pipe import MemoryTransport, connected

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from aiohttp.client_proto import ResponseHandler
    from yarl import URL

    from ._aiohttp import Connected, Dial
    from ._peer import Finder
    from ._router import Router

__all__ = ["MemoryDoor", "end_tasks", "mock_session"]


class ImpliedTLS:
    """What `get_extra_info("ssl_object")` gives where a client believes that it speaks TLS."""

    server_side = False
    session_reused = False

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self.context = context
        self.server_hostname = server_hostname

    def getpeercert(self, binary_form: bool = False) -> dict[str, object] | bytes:
        """A certificate for the host that was asked for; it has no binary form."""
        if binary_form:
            return b""
        name = self.server_hostname or ""
        return {"subject": ((("commonName", name),),), "subjectAltName": (("DNS", name),)}

    def cipher(self) -> tuple[str, str, int]:
        """A cipher suite of TLS 1.3."""
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256

    def version(self) -> str:
        """`TLSv1.3`."""
        return "TLSv1.3"

    def selected_alpn_protocol(self) -> str:
        """`http/1.1`."""
        return "http/1.1"

    def compression(self) -> None:
        """None, as ever in TLS 1.3."""


class MemoryDoor:
    """Opens connections in memory, with a peer at the far end that asks `finder`."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self.transports: WeakSet[MemoryTransport] = WeakSet()
        self._attempts = Attempts()
        self._client: Client | None = None

    async def open(
        self, dial: Dial, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A new connection."""
        loop = asyncio.get_running_loop()
        protocol = factory()
        peer = Peer(self.finder, Origin.of(dial.url), loop, partial(raise_in_client, protocol))
        transport = connected(loop, protocol, peer, address=dial.address, client_extra=tls_extra(dial))
        self.transports.add(transport)
        return transport, protocol

    def start_tls(self, transport: Any, protocol: ResponseHandler, dial: Dial) -> None:
        """What follows a proxy's tunnel."""
        transport.secured(tls_extra(dial))
        transport.set_protocol(protocol)
        transport.server.fail = partial(raise_in_client, protocol)

    def checks_fingerprint(self, url: URL) -> bool:
        """Never: there is no certificate whose digest could be compared."""
        return False

    def acquired(self, connected: Connected) -> None:
        """Tell the peer who asks next."""
        connected.transport.server.expect(
            self.finder_for(connected), self._client_of(connected), self._attempts, connected.logical_call
        )

    def finder_for(self, connected: Connected) -> Finder:
        """Who decides on a request."""
        return self.finder

    def _client_of(self, connected: Connected) -> Client:
        """What the call asked of the connection; one object for calls that ask the same."""
        request, last = connected.request, self._client
        if (
            last is None
            or last.timeout is not connected.timeout
            or last.ssl is not request.ssl
            or last.proxy is not request.proxy
            or last.server_hostname is not request.server_hostname
        ):
            last = Client(connected.timeout, request.ssl, request.proxy, request.server_hostname)
            self._client = last
        return last

    def hang_up(self) -> None:
        """End all connections, each on its own loop; those of a closed loop are gone."""
        for transport in list(self.transports):
            loop = transport.loop
            if not loop.is_closed():
                on_loop(loop, transport.abort)


class SessionDoor(MemoryDoor):
    """The door of one session: what it leads to ends with it."""

    finder: Router

    async def closed(self) -> None:
        """End the connections, and what still answers on them."""
        self.hang_up()
        await end_tasks(self.finder.tasks)


def mock_session(router: Router, **session_kwargs: Any) -> aiohttp.ClientSession:
    """A real `aiohttp.ClientSession` that `router` answers, in memory. Nothing is patched.

    `session_kwargs` are those of `ClientSession`; the settings of a `connector` among them hold. Closing the
    session ends what still answers it. As `ClientSession`, it has to be made on the loop that uses it.
    """
    door = SessionDoor(router)
    connector = session_kwargs.pop("connector", None)
    memory = MemoryTCPConnector(door) if connector is None else view_of(connector, door)
    return aiohttp.ClientSession(connector=memory, **session_kwargs)


def tls_extra(dial: Dial) -> dict[str, Any]:
    """What a transport tells of the TLS that is implied."""
    if dial.ssl is None:
        return {}
    tls = ImpliedTLS(dial.ssl, dial.server_hostname)
    return {
        "sslcontext": dial.ssl,
        "ssl_object": tls,
        "peercert": tls.getpeercert(),
        "cipher": tls.cipher(),
        "compression": None,
    }


def cancel_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, each on its own loop; those of a closed loop are gone."""
    for task in list(tasks):
        loop = task.get_loop()
        if not loop.is_closed():
            on_loop(loop, task.cancel)


async def end_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for those of the running loop."""
    loop = asyncio.get_running_loop()
    own = [task for task in tasks if task.get_loop() is loop and task is not asyncio.current_task()]
    cancel_tasks(tasks)
    await asyncio.gather(*own, return_exceptions=True)


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Call a function in the thread that runs `loop`: at once if that is this one, or if none does."""
    try:
        running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if loop.is_running() and loop is not running:
        loop.call_soon_threadsafe(function)
    else:
        function()
