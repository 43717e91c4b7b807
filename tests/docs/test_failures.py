"""The page on failures says what the running aiohttp raises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.failures import FAULTS, raised_by
from tests.support.aiohttps import HAS_C_PARSER

PAGE = (Path(__file__).parents[2] / "docs" / "failures.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not HAS_C_PARSER, reason="the page was made with aiohttp's parser in C")
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_class_on_the_page(fault: object) -> None:
    """Each fault has its section, which names the class of its exception."""
    section = PAGE.partition(f"## `{fault!r}`\n\n")[2]
    found = re.match(r"`(?:\w+)\.(\w+)`", section)
    assert found
    assert found[1] == type(await raised_by(fault)).__name__
