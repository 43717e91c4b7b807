"""The exceptions of the assertions.

AssertionError
└── AresponsesAssertionError
    ├── NoRouteFoundError           a request that no route matched
    ├── UnusedRouteError            a route that is not used up
    └── UnorderedRouteCallError     a route that was used before an older one
"""

__all__ = ["AresponsesAssertionError", "NoRouteFoundError", "UnorderedRouteCallError", "UnusedRouteError"]


class AresponsesAssertionError(AssertionError):
    """What all of them are."""


class NoRouteFoundError(AresponsesAssertionError):
    """A request that no route matched."""


class UnusedRouteError(AresponsesAssertionError):
    """A route that is not used up."""


class UnorderedRouteCallError(AresponsesAssertionError):
    """A route that was used before an older one."""
