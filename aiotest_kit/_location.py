"""Where in the user's code something was made, for reports. Knows nothing else of the package."""

from __future__ import annotations

import inspect
import os
from functools import lru_cache

__all__ = ["caller_location"]

PACKAGE = os.path.dirname(__file__) + os.sep


def caller_location() -> str:
    """`file:line` of the code outside this package that is being run, relative to the working directory."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{shown_path(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "?"


@lru_cache(maxsize=256)
def shown_path(path: str) -> str:
    """A path relative to the working directory if it is below it."""
    working = os.getcwd() + os.sep
    return path[len(working) :] if path.startswith(working) else path
