"""What the stand-ins ask about the other mocks that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import Mock

if TYPE_CHECKING:
    from .. import Request, Router

__all__ = ["is_one_of_several", "others_claim"]


def is_one_of_several() -> bool:
    """Whether more than one mock is open, so that a request without an answer may be another one's."""
    return len(Mock.open_here()) > 1


def others_claim(router: Router, request: Request) -> bool:
    """Whether another open mock than that of `router` has a route for the head of a request."""
    return any(mock.router.claims(request) for mock in Mock.open_here() if mock.router is not router)
