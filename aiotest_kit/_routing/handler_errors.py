"""Errors that escaped from the user's code while a request was answered. A value, and how it is raised."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._messages.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._http.request import Request
    from .route import Route

__all__ = ["HandlerError", "raise_handler_error"]


@dataclass(frozen=True)
class HandlerError:
    """An error that escaped from the user's code, and the request that was being answered.

    `route` is None where it came from a predicate, before a route was found.
    """

    exception: BaseException
    request: Request
    route: Route | None


def raise_handler_error(errors: Sequence[HandlerError], exc: BaseException | None) -> None:
    """Let the first error of a handler fail a block, with its own traceback.

    A block that fails already, with `exc`, stays what it is, and is told of it.
    """
    if not errors or errors[0].exception is exc:
        return
    kept = errors[0]
    if exc is None:
        raise kept.exception
    if sys.version_info >= (3, 11):  # pragma: no branch - Python 3.10 has no notes
        exc.add_note(f"a handler failed before: {one_line(kept.exception)} while answering {kept.request!r}")
