"""`ResponsesMockServer`: routes by host, path, method and body, tried in order and used up."""

from ._routes import RawResponse, Route, RoutingLog

__all__ = ["RawResponse", "Route", "RoutingLog"]
