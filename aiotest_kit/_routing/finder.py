"""`Finder`: what a door asks who answers a request. Knows what can be found. Knows nothing of how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .._http.request import Request
    from .route import HandlerError, Hit
    from .table import Miss

__all__ = ["Finder"]


class Finder(Protocol):
    """What looks a request up: a router, or several in turn."""

    def find(self, request: Request) -> Hit | Miss:
        """The route that answers `request`, or what is nearest."""
        ...

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The route that answers a request of which only the head has come; None if the body is needed."""
        ...

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """The route that may have to answer where the client connects, by the head of its request."""
        ...

    @property
    def fails_connections(self) -> bool:
        """Whether `find_at_connect` may find something."""
        ...

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test."""
        ...
