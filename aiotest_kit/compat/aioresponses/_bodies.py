"""What is sent of a body that aioresponses would not read.

A body that is in memory is sent, so that it is in the log. Others are not: to read a file, a pipe or a
generator takes time and cannot be undone.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["announces_more", "copied", "sendable"]

PLAIN = (bytes, str, bytearray, memoryview, int, float)


def copied(value: Any) -> Any:
    """A deep copy, which later changes do not reach; of what cannot be copied, itself."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    try:
        return deepcopy(value)
    except Exception:  # whatever the value's own way of copying raises
        return value


def sendable(data: Any) -> Any:
    """What to send for `data`: itself, a copy if sending would use it up, or None if it is not in memory."""
    if data is None or isinstance(data, PLAIN) or is_plain_form(data):
        return data
    try:
        # What is outside of memory, such as a file, cannot be copied.
        return deepcopy(data)
    except Exception:  # whatever its own way of copying raises
        return None


def is_plain_form(data: Any) -> bool:
    """Whether `data` is a dict of which no value is used up by being sent."""
    return type(data) is dict and all(isinstance(value, PLAIN) for value in data.values())


def announces_more(headers: Mapping[str, str], data: Any, json: Any) -> bool:
    """Whether headers that the caller wrote announce a body that is not, or may not be, the one given."""
    if hdrs.TRANSFER_ENCODING in headers:
        return True
    length = headers.get(hdrs.CONTENT_LENGTH)
    if length is None:
        return False
    body = data.encode() if isinstance(data, str) else data or b""
    return json is not None or not isinstance(body, (bytes, bytearray)) or length != str(len(body))
