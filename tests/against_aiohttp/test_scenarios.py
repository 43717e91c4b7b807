"""Each scenario of the table, over real sockets and in memory: all that the client sees is the same."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Router, mock_session, virtual_time
from aiotest_kit._transport.memory import MemoryTransport
from tests.against_aiohttp.conftest import Network
from tests.against_aiohttp.ends import Client
from tests.against_aiohttp.scenarios import SCENARIOS, TABLES, Scenario
from tests.against_aiohttp.test_traces import recorded

Observed = dict[str, object]


async def observed(session: aiohttp.ClientSession, scenario: Scenario, received: list[bytes]) -> Observed:
    """All that can be told of a scenario's end: the call, the peer's side, and the trace events."""
    seen = await observed_by(scenario.client, session)
    events: Any = seen["events"]
    if scenario.is_up_to_kernel:
        events = [event for event in events if event[0] != "on_request_chunk_sent"]
    many = len(received) > 5
    # With many calls at once their order is the kernel's.
    asked = sorted(received) if many else list(received)
    return {**seen, "received": asked, "events": sorted(map(repr, events)) if many else events}


async def observed_by(client: Client, session: aiohttp.ClientSession) -> Observed:
    """What a client saw by the end, and the trace events of its session."""
    events, config = recorded()
    session.trace_configs.append(config)
    config.freeze()
    async with session:
        return {"outcome": await client(session), "events": events}


async def over_sockets(scenario: Scenario, network: Network) -> Observed:
    received: list[bytes] = []
    await network.serve(scenario.server(received))
    session = network.open_session(scenario.connector, **scenario.options)
    return await observed(session, scenario, received)


async def in_memory(scenario: Scenario) -> Observed:
    received: list[bytes] = []
    router = Router()
    script = scenario.server(received)
    router.any(re.compile(".*")).raw(script)
    router.route("CONNECT", re.compile(".*")).raw(script)
    connector = aiohttp.TCPConnector(**scenario.connector)
    session = mock_session(router, connector=connector, **scenario.options)
    async with virtual_time():
        seen = await observed(session, scenario, received)
    assert not router.handler_errors
    return seen


def test_table_is_large() -> None:
    """What the table promises: so many scenarios, each under a name of its own."""
    assert len(SCENARIOS) == sum(map(len, TABLES)) >= 150


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
async def test_same(scenario: Scenario, network: Network) -> None:
    """Outcome, exception with its causes and attributes, bytes at the peer and trace events are the same."""
    expected = await over_sockets(scenario, network)
    assert expected == await in_memory(scenario)


def no_half_close(transport: Any) -> None:
    """A bug: to end writing ends everything."""
    transport.close()


def clean_reset(transport: Any) -> None:
    """A bug: a reset is a close in order."""
    if not transport._fin:
        transport._fin = True
        transport._schedule()


BUGS = {
    "no-half-close": ("write_eof", no_half_close, "half-close"),
    "reset-is-clean": ("_be_reset", clean_reset, "stop-nothing-rst-POST"),
}


@pytest.mark.parametrize(("method", "bug", "name"), BUGS.values(), ids=BUGS)
async def test_bug_is_noticed(
    method: str, bug: Any, name: str, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in the memory transport makes a scenario differ."""
    scenario = SCENARIOS[name]
    expected = await over_sockets(scenario, network)
    monkeypatch.setattr(MemoryTransport, method, bug)
    assert expected != await in_memory(scenario)
