"""`python -m aiotest_kit serve`: an upstream by itself, with the routes of a file and a line per exchange.

Knows upstreams and route files. What it prints is for people to read, and to look for the URL in.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .._loopback_door.server import SocketProtocol
from .._loopback_door.upstream import Upstream
from .._messages.exceptions import UsageError
from .._messages.masking import without_secrets
from .._messages.wording import counted
from .route_file import routes_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._http.call import Call
    from .._routing.route import Route
    from .._routing.sequence import Step
    from .._routing.table import Miss
    from .._server.protocol import ServerProtocol

__all__ = ["main", "serve"]


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C or SIGTERM; 2 if that cannot work."""
    options = parser().parse_args(arguments)
    try:
        asyncio.run(serve(options))
    except (UsageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # pragma: no cover  # where a loop cannot handle signals (Windows)
        print("stopped")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m aiotest_kit serve",
        description="Answer real requests with the routes of a file: a .py with a Router, or a .json.",
    )
    parser.add_argument("file", type=Path, help="routes.py or routes.json")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="by default one that is free, which is printed")
    parser.add_argument("--unix", metavar="PATH", help="a unix socket instead")
    parser.add_argument("--tls", action="store_true", help="with a certificate made for it (extra: tls)")
    parser.add_argument("--expose", action="store_true", help="let --host be reached from other machines")
    return parser


async def serve(options: argparse.Namespace) -> None:
    """Serve until a signal says otherwise."""
    upstream = LoggedUpstream(
        options.host,
        options.port,
        tls=options.tls,
        unix=options.unix,
        router=routes_in(options.file),
        expose=options.expose,
    )
    with TemporaryDirectory(prefix="aiotest_kit-") as folder:
        async with upstream.started():
            announce(upstream, options.file, Path(folder))
            await told_to_stop()
    say(f"stopped after {counted(upstream.call_count, 'call')}")


async def told_to_stop() -> None:
    """Return when Ctrl-C is pressed, or the process is asked to end."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where a loop cannot handle signals (Windows), Ctrl-C is a KeyboardInterrupt.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.remove_signal_handler(number)


def announce(upstream: Upstream, file: Path, folder: Path) -> None:
    """Say where the upstream is, and whom its clients have to trust."""
    where = f"{upstream.url.origin()} on {upstream.unix}" if upstream.unix else str(upstream.url.origin())
    say(f"serving {counted(len(upstream.routes), 'route')} of {file} at {where} (Ctrl-C stops)")
    if upstream.url.scheme == "https":
        certificate = folder / "ca.pem"
        certificate.write_bytes(upstream.ca_pem)
        say(f"clients have to trust {certificate}")


class LoggedProtocol(SocketProtocol):
    """A connection of which each exchange is logged, as soon as it is over."""

    def _answer(self, call: Call[Route], route: Route, step: Step) -> None:
        super()._answer(call, route, step)
        if self._task is None:
            log_exchange(call)
        else:
            self._task.add_done_callback(lambda _: log_exchange(call))

    def _refuse(self, miss: Miss) -> None:
        super()._refuse(miss)
        say(f"{clock()} {miss.request.method} {miss.request.url} -> 501")
        say("  " + miss.explain().replace("\n", "\n  "))


class LoggedUpstream(Upstream):
    """An upstream that logs what it answers."""

    make_peer: type[ServerProtocol] = LoggedProtocol


def log_exchange(call: Call[Route]) -> None:
    """A line on what was asked, what came of it, how long that took, and by which route."""
    request, route = call.request, call.route
    outcome = "no reply" if call.reply is None else str(call.reply.status)
    by = "" if route is None else f"  {route.name or route.pattern.describe()}"
    say(f"{clock()} {request.method} {request.url} -> {outcome} in {call.elapsed or 0:.3f} s{by}")


def clock() -> str:
    """The time of day."""
    return time.strftime("%H:%M:%S")


def say(text: str) -> None:
    """Print a text without secrets at once, also into a pipe; what is no text is shown escaped."""
    text = without_secrets(text)
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
