"""Patterns of text: literal, or a regex that is searched for."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["ANY", "text_matches"]

ANY: re.Pattern[str] = re.compile(".*")


def text_matches(pattern: Any, text: str) -> bool:
    """Whether text is the pattern, or a regex is found in it."""
    if isinstance(pattern, re.Pattern):
        return pattern.search(text) is not None
    return isinstance(pattern, str) and pattern == text
