"""What the kit takes from asyncio beyond its documentation; a change shows here, by name."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
import types
from asyncio import base_events, constants, selector_events, sslproto, streams, transports
from collections.abc import Iterator
from functools import cache

import pytest

from scripts.structure import MODULES, package_of, tree_of
from tests.support.loops import asyncio_only
from tests.support.source import names_defined_in

OF_LOOPS = ("_clock_resolution", "_selector", "_ssock", "_transports")
"""Attributes of a selector loop."""

PLACES = {
    "_asyncio": "one function for each name",
    "_transport.memory": "a transport has the mixin of asyncio's own, which `loop.sendfile` asks for",
    "_server.delegation": "and so has one that stands for another",
    "_virtual_time.clock": "the clock is a loop's",
    "_virtual_time.external_waits": "and so is what it waits for",
}
"""The packages and modules that may touch private names of asyncio, and why."""


def stays(condition: object, what: str) -> None:
    """Fail, naming what is not as it was."""
    assert condition, f"asyncio moved {what}"


@asyncio_only
@pytest.mark.parametrize("name", OF_LOOPS)
async def test_attributes_of_a_loop(name: str) -> None:
    """A selector loop has what is read of it."""
    stays(hasattr(asyncio.get_running_loop(), name), f"{name} of a selector loop")


def test_the_running_loop() -> None:
    """The loop that runs is told without an error where there is none."""
    stays(hasattr(asyncio, "_get_running_loop"), "_get_running_loop()")
    assert asyncio._get_running_loop() is None


def test_flow_control_of_transports() -> None:
    """The mixin has the methods that are called or overridden."""
    mixin = getattr(transports, "_FlowControlMixin", None)
    for name in ("_maybe_pause_protocol", "_maybe_resume_protocol", "_set_write_buffer_limits"):
        stays(hasattr(mixin, name), f"_FlowControlMixin.{name}")
    stays(hasattr(getattr(constants, "_SendfileMode", None), "FALLBACK"), "constants._SendfileMode.FALLBACK")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asks all_tasks() itself")
async def test_the_set_of_all_tasks() -> None:
    """A task is in the set, or in one of the two, from its beginning to its end."""
    names = ("_scheduled_tasks", "_eager_tasks") if sys.version_info >= (3, 12) else ("_all_tasks",)
    for name in names:
        stays(hasattr(asyncio.tasks, name), f"asyncio.tasks.{name}")
    current = asyncio.current_task()
    stays(any(current in getattr(asyncio.tasks, name) for name in names), f"the set of all tasks, {names}")


async def test_a_task_that_is_abandoned() -> None:
    """Its complaint of being destroyed can be turned off."""
    task = asyncio.current_task()
    stays(hasattr(task, "_log_destroy_pending"), "_log_destroy_pending of a task")


@cache
def private_names_of_asyncio() -> frozenset[str]:
    """Every underscore name in the modules of asyncio that the kit has to do with."""
    modules: tuple[types.ModuleType, ...] = (
        *(base_events, selector_events, sslproto, streams, transports, constants),
        *(asyncio.tasks, asyncio.events, asyncio.futures),
    )
    return frozenset(
        name for module in modules for name in re.findall(r"\b_[a-z]\w*", inspect.getsource(module))
    )


@cache
def names_of_the_kit() -> frozenset[str]:
    """The underscore names that the kit defines itself."""
    of_sys = "_getframe"
    return frozenset({of_sys, *(name for module in MODULES for name in names_defined_in(module))})


def touched(module: str) -> Iterator[str]:
    """The private names of asyncio that a module reads or sets."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute) and node.attr in private_names_of_asyncio() - names_of_the_kit():
            yield f"line {node.lineno}: {node.attr}"


@pytest.mark.parametrize(
    "module",
    [
        name
        for name in MODULES
        if not PLACES.keys() & {name, package_of(name)} and package_of(name) != "_aiohttp"
    ],
)
def test_private_asyncio_stays_in_its_place(module: str) -> None:
    """What asyncio does not document is touched in few places and nowhere else."""
    assert [] == list(touched(module))
