"""Which requests may go out to the network while a mock is open. Decides without acting."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .._aiohttp.connectors import has_own_resolver, path_of_socket
from .._transport.listener import served_paths
from .door import head_of
from .open_mocks import mocks_here

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.client_reqrep import ClientRequest

__all__ = ["goes_out"]


def goes_out(connector: aiohttp.BaseConnector, req: ClientRequest) -> bool:
    """Whether a request is let out to the network."""
    local = is_local(connector, req)
    mocks = mocks_here()
    if not local:
        for mock in mocks:
            if mock.lets_some_out:
                break
        else:
            return not mocks
    request = head_of(req)
    for mock in mocks:
        if mock.router.names(request) if local and mock.loopback else mock.router.claims(request):
            return False
        if mock.router.lets_out(request):
            return True
    return not mocks or mocks[0].lets_out(request, local)


def is_local(connector: aiohttp.BaseConnector, req: ClientRequest) -> bool:
    """Whether a request, and the proxy that it goes through, stay on this machine."""
    path = path_of_socket(connector)
    if path is not None:
        # Others may lead out of the test, whatever host the URL has.
        return path in served_paths
    # A proxy elsewhere would be asked for a local address, too.
    for hop in (req.url, req.proxy):
        if hop is not None:
            host = (hop.raw_host or "").rstrip(".")
            # A resolver of one's own may say anything of a name.
            if not is_loopback(host) or (host == "localhost" and has_own_resolver(connector)):
                return False
    return True


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether a host is `localhost` or an address of this machine (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).

    The unspecified addresses are counted too: connecting to one reaches this machine. Names below `localhost`
    are not, although RFC 6761 (6.3) has them stay here: many systems ask a name server for them.
    """
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
