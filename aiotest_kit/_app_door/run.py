"""One run of an app, from its startup to its cleanup, and the keys that are overridden meanwhile.

An app may be served by several servers at once: the first starts it, the last cleans up, and then the app is
as it was before, ready for another run on another loop. Knows apps. Knows nothing of servers or of stubs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._aiohttp.app_state import apps_of, installed_resolve, leave_as_before, replace_resolve
from .._messages.exceptions import LoopMismatchError
from .connection import cycle_of
from .overrides import Overrides

if TYPE_CHECKING:
    from aiohttp import web


__all__ = ["AppRun", "run_of"]


class AppRun:
    """An app while at least one server serves it; itself what resolves the app's requests meanwhile."""

    def __init__(self, app: web.Application) -> None:
        self.app = app
        self.loop = asyncio.get_running_loop()
        self.overrides = Overrides()
        self.is_started = False
        """Whether the app was started."""
        self.is_over = False
        """Whether no server needs the app any more."""
        self._servers = 0
        self._put_back = leave_as_before(apps_of(app))
        self._resolve = replace_resolve(app, self)

    async def __call__(self, request: web.Request) -> web.UrlMappingMatchInfo:
        """What the app's router says of a request, and what its cycle makes of that."""
        match_info = await self._resolve(request)
        cycle = cycle_of(request)
        return match_info if cycle is None else cycle.resolved(match_info)

    def join(self) -> None:
        """One more server needs the app."""
        self._servers += 1

    def leave(self) -> None:
        """One server needs the app no more."""
        self._servers -= 1
        self.is_over = not self._servers

    def started(self) -> None:
        """The app is up."""
        self.is_started = True
        self.overrides.prevail()

    def end(self) -> None:
        """Leave the app as it was."""
        replace_resolve(self.app, None)
        self._put_back()


def run_of(app: web.Application) -> AppRun:
    """The run that an app has now, a new one if it has none.

    Raises:
        LoopMismatchError: the app runs on another loop.
    """
    run = installed_resolve(app)
    if isinstance(run, AppRun):
        if run.loop is asyncio.get_running_loop():
            return run
        if not run.loop.is_closed():
            raise LoopMismatchError(
                f"{app!r} is served on another event loop already; close that client first, "
                "or make an app for each"
            )
        # Its loop was closed under it.
        run.end()
    return AppRun(app)
