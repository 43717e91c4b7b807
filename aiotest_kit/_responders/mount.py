"""What `mount` puts behind an origin: an aiohttp app or an ASGI app, and its life."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .._asyncio.lifespan import Lifespan
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .aiohttp_app import WebApp, served
from .asgi_app import AsgiApp, asgi_life

if TYPE_CHECKING:
    from .exchange import Answer

__all__ = ["mounted"]


def mounted(target: object, depth: int) -> tuple[Answer, Lifespan[Any]]:
    """The answer that a whole app is, and its life.

    Raises:
        UsageError: it is no app.
    """
    if isinstance(target, web.Application):
        app = target
        life = Lifespan(lambda: served(app))
        return WebApp(life, depth), life
    if is_asgi(target):
        asgi: Any = target
        asgi_lifespan = Lifespan(lambda: asgi_life(asgi))
        return AsgiApp(asgi, asgi_lifespan, depth), asgi_lifespan
    raise UsageError(
        "mount() puts a Router, an aiohttp web.Application or an ASGI app behind an origin; "
        f"got {one_line(target)}" + (HANDLER if callable(target) else "")
    )


HANDLER = " (one handler goes to a route: router.get(url).serve(handler))"


def is_asgi(target: object) -> bool:
    """Whether something can be called with scope, receive and send (ASGI 3)."""
    if not callable(target) or isinstance(target, type):
        return False
    try:
        inspect.signature(target).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True
