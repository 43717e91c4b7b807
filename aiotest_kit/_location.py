"""Where the user's code made something, or went wrong, for reports. Knows nothing else of the package."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["PACKAGE", "Place", "caller_place", "end_at_caller"]

PACKAGE = os.path.dirname(__file__) + os.sep
"""So begin the paths of the files of this package."""


class Place(NamedTuple):
    """A line of a file. As text `file:line`, relative to the working directory; `?` if it is not known."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{shown_path(self.path)}:{self.line}" if self.path else "?"


NOWHERE = Place("", 0)


def caller_place(skipped: int = 0) -> Place:
    """The place in the code outside this package that is being run.

    `skipped` is a number of callers that are known to be of this package.
    """
    # Python makes the object of a frame when it is asked for: those that need not be looked at are not.
    frame: FrameType | None = sys._getframe(1 + skipped)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return NOWHERE if frame is None else Place(frame.f_code.co_filename, frame.f_lineno)


@lru_cache(maxsize=256)
def shown_path(path: str) -> str:
    """A path relative to the working directory if it is below it."""
    working = os.getcwd() + os.sep
    return path[len(working) :] if path.startswith(working) else path


def end_at_caller(error: BaseException) -> None:
    """Have the traceback of misuse, or of a failed assertion, end at the line that called this package.

    What misuse was raised from is in its text, and its traceback is this package's alone.
    """
    if not isinstance(error, AssertionError):
        if type(error).__module__ != __package__:
            return
        cause = error.__cause__
        if cause is not None and is_misuse(error):
            error.__cause__ = None
            error.__context__ = cause.__context__
            error.__suppress_context__ = False
    caller = trace = error.__traceback__
    while trace is not None:
        if not is_of_package(trace.tb_frame):
            caller = trace
        trace = trace.tb_next
    if caller is not None:
        caller.tb_next = None


def is_of_package(frame: FrameType) -> bool:
    """Whether a frame is of this package: of its files, or made by `dataclasses` for one of them."""
    module = str(frame.f_globals.get("__name__", ""))
    return frame.f_code.co_filename.startswith(PACKAGE) or module.partition(".")[0] == __package__


def is_misuse(error: BaseException) -> bool:
    """Whether an error of this package is a `UsageError`."""
    # By its name: to import it would take aiohttp along, which this module does without.
    return any(kind.__name__ == "UsageError" for kind in type(error).__mro__)
