"""Writes docs/failures.md: what aiohttp raises for each fault, found by running them.

python scripts/failures.py            # on the aiohttp that is installed
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from aiotest_kit import (
    BadChunk,
    BadHeader,
    ConnectTimeout,
    Disconnect,
    DNSFailure,
    Drip,
    Garbage,
    ProxyError,
    Refuse,
    Reset,
    Router,
    Stall,
    TLSFailure,
    Truncate,
    WrongEncoding,
    mock_session,
    virtual_time,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).resolve().parent.parent / "docs" / "failures.md"
URL = "https://api.test/"
PROXY = "http://proxy.test:3128"
FAULTS = (
    Refuse(),
    DNSFailure(),
    DNSFailure("temporary"),
    DNSFailure("no-errno"),
    DNSFailure("timeout"),
    ConnectTimeout(),
    TLSFailure("untrusted"),
    TLSFailure("wrong-host"),
    TLSFailure("expired"),
    TLSFailure("protocol"),
    TLSFailure("fingerprint"),
    TLSFailure("closed"),
    TLSFailure("reset"),
    TLSFailure("alert"),
    TLSFailure("version"),
    TLSFailure("client-certificate"),
    ProxyError(407),
    Disconnect(),
    Reset(),
    Reset(after=100),
    Truncate(after=100),
    Stall(),
    Stall(after=100),
    Drip(100),
    Garbage(),
    BadChunk(),
    BadHeader(),
    WrongEncoding("gzip"),
)
BEFORE_CONNECTION = (Refuse, DNSFailure, ConnectTimeout, TLSFailure)
ATTRIBUTES = ("os_error", "errno", "strerror", "host", "port", "status", "message")
INTRODUCTION = """\
# Failures

A fault is what a route answers with when something is to go wrong: `route.reply(Reset(after=100))`,
`route.replies(503, Disconnect(), 200)`, `route.stream([b"a", Reset()])`. aiohttp makes its exception itself,
as over a network. An idempotent call that is cut off is sent once more by aiohttp; both attempts meet the
fault, and are one call. `attempts=1` makes it a one-shot.

```python
from aiotest_kit import Reset, Router, mock_session

router = Router()
route = router.get("http://api.test/").reply(Reset(), attempts=1).reply(200, text="ok")
async with mock_session(router) as session, session.get("http://api.test/") as response:
    assert await response.text() == "ok"
assert route.calls.one().attempts == 2
```

{table}
What happens before a connection (`Refuse`, `DNSFailure`, `ConnectTimeout`, `TLSFailure`) is the memory
door's; all else works behind a socket too. `delay=` goes with these faults as well, and counts for the
client's `connect` and `sock_connect` timeouts: what takes longer than they allow is a timeout.

`DNSFailure` is a look-up that fails: the name is `"not-found"` (the default), the name server fails for now
(`"temporary"`, EAI_AGAIN), the resolver gives no errno (`"no-errno"`, as aiohttp's `AsyncResolver` with
aiodns), or it gives up (`"timeout"`). `DNSFailure("temporary", delay=5)` is a look-up that takes 5 seconds.

`TLSFailure` is a handshake that fails. A client that does not verify (`ssl=False`) does not notice the first
three, `"untrusted"`, `"wrong-host"` and `"expired"`, nor `"fingerprint"` if it pins none. Every client
notices a server that does not speak TLS (`"protocol"`), closes the connection (`"closed"`), resets it
(`"reset"`), refuses the handshake (`"alert"`) or the versions of TLS that the client speaks (`"version"`), or
wants a `"client-certificate"`. With TLS 1.3 a client learns the last one only when it reads the reply, so the
request fails, and an idempotent one is sent once more; with TLS 1.2 it is as `"alert"`.

`Flaky(fault, rate, seed, reply=...)` is a fault in some calls, the same
ones for a seed, and `reply` in the others.

No fault hangs a suite. Whom a `Stall`, a `ConnectTimeout` or a `Drip` still keeps waiting when a test ends is
let go at once, before a fixture's teardown can wait for it; a `RuntimeWarning` in pytest's summary, "a call
still waited when its test was over", names the route. In memory the client's error does too.

`Reset(after=n)` lets those n bytes arrive first: on Linux a client over a socket can read all of them, and
then is reset, however large n is and however late it reads; other systems may drop some. A reader such as
aiohttp's raises as soon as it knows, and what was not read by then is lost. A unix socket knows no reset: the
client sees a `Truncate`.

A bad chunk, trailer or garbage behind the first bytes of a body is not noticed by aiohttp's parser: the
reader waits for the timeout `total`.

"""


async def raised_by(fault: object) -> BaseException:
    """What a client sees of a fault, with timeouts of 50 ms, in virtual time."""
    router = Router()
    router.get(URL).reply(fault)
    timeout = aiohttp.ClientTimeout(total=0.3, sock_connect=0.05, sock_read=0.05)
    ssl: aiohttp.Fingerprint | bool = True
    if fault == TLSFailure("fingerprint"):
        ssl = aiohttp.Fingerprint(bytes(32))
    if isinstance(fault, Drip):
        timeout = aiohttp.ClientTimeout(total=0.3)
    proxy = PROXY if isinstance(fault, ProxyError) else None
    async with virtual_time(), mock_session(router, timeout=timeout) as session:
        try:
            async with session.get(URL, ssl=ssl, proxy=proxy) as response:
                await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError) as exc:
            return exc
    raise AssertionError(f"{fault!r} went well")


def described(fault: object, exc: BaseException) -> str:
    """The section on a fault."""
    bases = [base.__name__ for base in type(exc).__mro__[1:] if base not in (BaseException, object)]
    lines = [f"## `{fault!r}`", "", f"`{type(exc).__module__.partition('.')[0]}.{type(exc).__name__}`", ""]
    lines += [f"- is a {', '.join(f'`{base}`' for base in bases)}"]
    text = " ".join(str(exc).split())
    lines += [f"- text: `{text}`" if text and len(text) < 300 else "- text: empty or long"]
    shown = [(name, getattr(exc, name)) for name in ATTRIBUTES if hasattr(exc, name)]
    lines += [
        f"- `{name}`: `{' '.join(repr(value).split())}`" for name, value in shown if len(repr(value)) < 300
    ]
    return "\n".join([*lines, ""])


def table(raised: Iterable[tuple[object, BaseException]]) -> str:
    """What aiohttp raises for each fault, and through which doors, a line each."""
    lines = ["| fault | aiohttp raises | doors |", "|---|---|---|"]
    for fault, exc in raised:
        # One that is in a module of its own is at the top level of aiohttp, too.
        kind = f"{type(exc).__module__.partition('.')[0]}.{type(exc).__name__}".removeprefix("builtins.")
        doors = "memory" if isinstance(fault, BEFORE_CONNECTION) else "memory, loopback, app"
        lines.append(f"| [`{fault!r}`](#{anchor(fault)}) | `{kind}` | {doors} |")
    return "\n".join([*lines, ""])


def anchor(fault: object) -> str:
    """The anchor of the section on a fault, as GitHub makes it of the title."""
    return re.sub(r"[^\w-]", "", repr(fault).lower().replace(" ", "-"))


async def page() -> str:
    """The whole page."""
    raised = [(fault, await raised_by(fault)) for fault in FAULTS]
    sections = [described(fault, exc) for fault, exc in raised]
    version = f"What follows was found with aiohttp {aiohttp.__version__}.\n\n"
    return INTRODUCTION.replace("{table}", table(raised)) + version + "\n".join(sections)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")
