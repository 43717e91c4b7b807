"""JSON that somebody else wrote, parsed: what is no JSON is a `ValueError`, whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["load_json"]


def load_json(data: str | bytes) -> Any:
    """The value that JSON stands for.

    Raises:
        ValueError: it is no JSON, or nested deeper than Python can parse; a `json.JSONDecodeError` where it
            is text.
    """
    try:
        return json.loads(data)
    except RecursionError:
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    raise json.JSONDecodeError("nested too deep", text, 0)
