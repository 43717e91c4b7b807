"""One `web.Application` of all that. Owns the `ClientSession`, for as long as the app runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from yarl import URL

from parcels.api import DESK, routes
from parcels.carriers import Carrier, Postbox, SwiftShip
from parcels.desk import Desk
from parcels.line import ApiKey, Line
from parcels.problems import problems
from parcels.settings import Settings
from parcels.tokens import Tokens
from parcels.webhooks import Webhooks

SETTINGS = web.AppKey("SETTINGS", Settings)

#: a booking is a few hundred bytes
LARGEST_BODY = 16 * 1024


def make_app(settings: Settings) -> web.Application:
    """The service, ready for `web.run_app` or a test server; apps made so share nothing."""
    app = web.Application(middlewares=[problems], client_max_size=LARGEST_BODY)
    app[SETTINGS] = settings
    app.add_routes(routes)
    app.cleanup_ctx.append(desk)
    return app


async def desk(app: web.Application) -> AsyncIterator[None]:
    """Opens the desk with its session, and closes both: webhooks under way first, then connections."""
    settings = app[SETTINGS]
    async with aiohttp.ClientSession(headers={"User-Agent": "parcels/1.0"}) as session:
        webhooks = Webhooks(
            session, secret=settings.webhook_secret, backoff=settings.backoff, timeout=_timeout(settings)
        )
        carriers: list[Carrier] = [swiftship(settings, session), postbox(settings, session)]
        app[DESK] = Desk(carriers, webhooks)
        yield
        await webhooks.close(settings.webhook_grace)


def swiftship(settings: Settings, session: aiohttp.ClientSession) -> SwiftShip:
    """SwiftShip, opened by client credentials."""
    tokens = Tokens(
        session,
        URL(settings.swiftship_token_url),
        client_id=settings.swiftship_client_id,
        client_secret=settings.swiftship_client_secret,
        backoff=settings.backoff,
        timeout=_timeout(settings),
    )
    line = Line(
        carrier="swiftship",
        session=session,
        base=URL(settings.swiftship_url),
        credentials=tokens,
        backoff=settings.backoff,
        timeout=_timeout(settings),
    )
    return SwiftShip(line, _label_timeout(settings))


def postbox(settings: Settings, session: aiohttp.ClientSession) -> Postbox:
    """Postbox, opened by an API key."""
    line = Line(
        carrier="postbox",
        session=session,
        base=URL(settings.postbox_url),
        credentials=ApiKey(settings.postbox_api_key),
        backoff=settings.backoff,
        timeout=_timeout(settings),
    )
    return Postbox(line, _label_timeout(settings))


def _timeout(settings: Settings) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=settings.timeout, connect=settings.connect_timeout)


def _label_timeout(settings: Settings) -> aiohttp.ClientTimeout:
    # no limit on the whole: the customer may read slowly, and the carrier's bytes then wait for them
    return aiohttp.ClientTimeout(
        total=None, connect=settings.connect_timeout, sock_read=settings.label_silence
    )
