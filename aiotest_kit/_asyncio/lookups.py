"""Keeping code in one context from looking up names by the event loop. Knows asyncio only."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .patching import replace_own

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

__all__ = ["without_lookups"]

ANY_NAME = "192.31.196.1"
ANY_NAME_IPV6 = "2620:4f:8000::1"
"""The addresses of all names. No service has them (AS112; RFC 7534 and 7535), but code that refuses private
addresses takes them for public ones."""


class Silenced:
    """A loop whose `getaddrinfo` is replaced as long as somebody uses that."""

    def __init__(self) -> None:
        self.users = 0
        self.undo = ExitStack()


silenced: WeakKeyDictionary[asyncio.AbstractEventLoop, Silenced] = WeakKeyDictionary()
is_silenced: ContextVar[bool] = ContextVar("aiotest_kit_is_silenced", default=False)


@contextmanager
def without_lookups(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """For the length of the block, `loop.getaddrinfo` asks nobody when it is called in this context."""
    state = silenced.setdefault(loop, Silenced())
    if not state.users:
        replace_own(loop, {"getaddrinfo": partial(getaddrinfo, loop.getaddrinfo)}, state.undo)
    state.users += 1
    token = is_silenced.set(True)
    try:
        yield
    finally:
        is_silenced.reset(token)
        state.users -= 1
        if not state.users:
            state.undo.close()


async def getaddrinfo(look_up: Callable[..., Any], host: Any, port: Any, **options: Any) -> Any:
    """`loop.getaddrinfo` while a loop is silenced; `look_up` is what it was before."""
    if not is_silenced.get():
        return await look_up(host, port, **options)
    address = address_for(host, options.get("family", 0))
    family, rest = (socket.AF_INET6, (0, 0)) if ":" in address else (socket.AF_INET, ())
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, *rest))]


def address_for(host: str | bytes, family: int) -> str:
    """The address of a host, which may be one already."""
    text = host.decode() if isinstance(host, bytes) else host
    try:
        return str(ip_address(text))
    except ValueError:
        return ANY_NAME_IPV6 if family == socket.AF_INET6 else ANY_NAME
