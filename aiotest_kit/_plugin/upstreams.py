"""Upstreams that outlive a test: what `fixtures.upstream_fixture` makes. Knows pytest and pytest-asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .._asyncio.loop_thread import LoopThread
from .._loopback_door.upstream import Upstream
from .._messages.exceptions import UsageError
from .._messages.wording import join_names
from .pytest_asyncio import loop_user
from .settings import log_bounds
from .state import has_traceback
from .wide_routers import WideRouter, told_to_tests, wide_routers_of
from .with_hooks import scope_with_hooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .._routing.router import Router
    from .with_hooks import Scope

__all__ = ["check_scope", "in_loop", "in_thread", "loop_scope_for"]

NARROW_TO_WIDE = ("function", "class", "module", "package", "session")


def loop_scope_for(scope: Scope, loop_scope: Scope | None, thread: bool | None) -> Scope | None:
    """The scope of the loop that serves; None for a thread.

    Raises:
        UsageError: the settings do not go together.
    """
    check_scope("scope", scope)
    if loop_scope is not None:
        check_scope("loop_scope", loop_scope)
    if thread and loop_scope is not None:
        raise UsageError(f"a thread has a loop of its own: thread=True or loop_scope={loop_scope!r}")
    if loop_scope is None:
        return scope if thread is False else None
    if NARROW_TO_WIDE.index(loop_scope) < NARROW_TO_WIDE.index(scope):
        raise UsageError(
            f"the loop of loop_scope={loop_scope!r} ends before an upstream of scope={scope!r} does;"
            f" give it loop_scope={scope!r}, or thread=True"
        )
    return loop_scope


def check_scope(name: str, value: str) -> None:
    """Refuse what is no scope.

    Raises:
        UsageError: it is none.
    """
    if value not in NARROW_TO_WIDE:
        raise UsageError(f"{name}={value!r}: scopes are {join_names(NARROW_TO_WIDE)}")


def wide_upstream(request: pytest.FixtureRequest, upstream: Upstream) -> WideRouter:
    """A started upstream, of which tests are to be told."""
    upstream.bound_log(*log_bounds(request.config))
    whose = f"the fixture {request.fixturename!r}"
    return WideRouter(whose, upstream, upstream, {"unused": "allow"}, is_per_test=True)


def in_thread(scope: Scope, name: str | None) -> Any:
    """The fixture of an upstream that a thread serves."""

    @pytest.fixture(scope=scope_with_hooks(scope), name=name)
    def upstream(request: pytest.FixtureRequest) -> Iterator[Router]:
        __tracebackhide__ = has_traceback
        upstream = Upstream(thread=True)
        upstream.start_thread(LoopThread())
        yield from told_to_tests(request.config, wide_upstream(request, upstream), upstream.stop_thread)

    return upstream


def in_loop(scope: Scope, loop_scope: Scope, name: str | None) -> Any:
    """The fixture of an upstream on the loop of a scope."""
    import pytest_asyncio

    @pytest_asyncio.fixture(scope=scope_with_hooks(scope), loop_scope=loop_scope, name=name)
    async def upstream(request: pytest.FixtureRequest) -> AsyncIterator[Upstream]:
        __tracebackhide__ = has_traceback
        upstream = UpstreamInLoop(request, loop_scope)
        async with upstream.started():
            wide = wide_upstream(request, upstream)
            wide_routers_of(request.config).add(wide)
            yield upstream
        untold = wide_routers_of(request.config).close(wide)
        if untold is not None:
            raise untold

    return upstream


class UpstreamInLoop(Upstream):
    """An upstream that knows its fixture and the scope of its loop, to name both where another uses it."""

    def __init__(
        self,
        request: pytest.FixtureRequest,
        loop_scope: str,
        remedy: str = "upstream_fixture(thread=True)",
    ) -> None:
        super().__init__()
        self._remedy = remedy
        self._fixture = request.fixturename
        self._loop_scope = loop_scope
        self._session = request.session

    def other_loop(self) -> str:
        """That the upstream was used where its loop does not run."""
        user = loop_user(self._session) or "code that runs on another loop, or on none"
        return (
            f"the fixture {self._fixture!r} serves on the loop of loop_scope={self._loop_scope!r}, and was "
            f"used from {user}; give both the same loop_scope, or let a thread serve every loop: "
            f"{self._remedy}"
        )
