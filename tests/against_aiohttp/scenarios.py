"""All scenarios, by name; `test_scenarios.py` runs each over real sockets and again in memory."""

from __future__ import annotations

from tests.against_aiohttp import connections, hops, replies
from tests.against_aiohttp.ends import Scenario

__all__ = ["SCENARIOS", "Scenario"]

TABLES = (replies.SCENARIOS, connections.SCENARIOS, hops.SCENARIOS)
SCENARIOS: dict[str, Scenario] = {name: scenario for table in TABLES for name, scenario in table.items()}
