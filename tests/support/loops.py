"""The loop that all tests run on, where the environment names another than asyncio's own.

    AIOTEST_KIT_LOOP=uvloop pytest
    AIOTEST_KIT_LOOP=eager pytest

A plugin, so that the suites which tests write and run have it too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from typing import Any

import pytest

LOOP = os.environ.get("AIOTEST_KIT_LOOP", "")
NO_VIRTUAL_TIME = "virtual time needs a selector loop of asyncio, and this is uvloop.Loop"

asyncio_only = pytest.mark.skipif(LOOP == "uvloop", reason="looks into asyncio's own loops")


class EagerPolicy(asyncio.DefaultEventLoopPolicy):
    """asyncio's own loops, on which a task begins to run where it is made."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        factory: Any = vars(asyncio)["eager_task_factory"]  # from Python 3.12 on
        loop.set_task_factory(factory)
        return loop


def pytest_configure() -> None:
    """Set the policy of the process."""
    if LOOP == "uvloop":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    elif LOOP == "eager":
        asyncio.set_event_loop_policy(EagerPolicy())
    elif LOOP:
        raise pytest.UsageError(f"AIOTEST_KIT_LOOP={LOOP!r}: it is uvloop or eager")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip what needs virtual time, which other loops than asyncio's do not have."""
    report = yield
    if LOOP == "uvloop" and call.excinfo is not None and NO_VIRTUAL_TIME in str(call.excinfo.value):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, "needs virtual time")
    return report
