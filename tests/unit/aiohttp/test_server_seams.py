"""What the kit relies on of aiohttp's server that is not documented: each seam, so that a move is noticed."""

import ast
import inspect

import aiohttp
import pytest
from aiohttp import web, web_urldispatcher
from aiohttp.test_utils import BaseTestServer

from aiotest_kit._aiohttp import app_state, server, test_utils
from tests.unit.aiohttp.test_client_seams import find, shape, stays

FUNCTIONS = {
    "aiohttp.http:StreamWriter.__init__": "self, protocol, loop, on_chunk_sent=, on_headers_sent=",
    "aiohttp.http:StreamWriter.write_headers": "self, status_line, headers",
    "aiohttp.http:StreamWriter.write": "self, chunk, *, drain=, LIMIT=",
    "aiohttp.http:StreamWriter.write_eof": "self, chunk=",
    # In C it does not say what it takes; this is what it stands for.
    "aiohttp.http_parser:RawRequestMessagePy.__new__": (
        "_cls, method, path, version, headers, raw_headers, should_close, compression, upgrade, chunked, url"
    ),
    "aiohttp.streams:StreamReader.__init__": "self, protocol, limit, *, timer=, loop=",
    "aiohttp.web:Server.__init__": (
        "self, handler, *, request_factory=, handler_cancellation=, loop=, **kwargs"
    ),
    "aiohttp:BaseConnector._create_connection": "self, req, traces, timeout",
    "aiohttp.web:Server.__call__": "self",
    "aiohttp.web:Server.connection_lost": "self, handler, exc=",
    "aiohttp.web:AppRunner._make_server": "self",
    "aiohttp.web:AppRunner._cleanup_server": "self",
    "aiohttp.web:AppRunner.shutdown": "self",
    "aiohttp.web:UrlDispatcher.resolve": "self, request",
    "aiohttp.test_utils:BaseTestServer._make_runner": "self, **kwargs",
}
LISTED = {
    "_frozen": web.Application,
    "_loop": web.Application,
    "_debug": web.Application,
    "_client_max_size": web.Application,
    "_state": web.Application,
    "_subapps": web.Application,
    "_make_handler": web.Application,
    "_exits": type(web.Application().cleanup_ctx),
    "_conns": aiohttp.BaseConnector,
    "_factory": aiohttp.BaseConnector,
    "_kwargs": web.Server,
    "_connections": web.Server,
    "_waiter": web.RequestHandler,
    "_match_info": web.Request,
    "_payload": web.BaseRequest,
    "_cache": web.BaseRequest,
    "_root": BaseTestServer,
    "_compression_force": web.StreamResponse,
    "_path": web.PlainResource,
    "_pattern": web.DynamicResource,
    "_formatter": web.DynamicResource,
    "_prefix": web_urldispatcher.PrefixResource,
    "_app": web_urldispatcher.PrefixedSubAppResource,
}


@pytest.mark.parametrize(("path", "parameters"), FUNCTIONS.items())
def test_functions(path: str, parameters: str) -> None:
    """Each function that is called or overridden is there, with the parameters that it had."""
    actual = shape(find(path))

    stays(parameters == actual, f"{path}: its parameters were ({parameters}), are ({actual})")


@pytest.mark.parametrize(("name", "owner"), LISTED.items())
def test_attributes(name: str, owner: type) -> None:
    """Each attribute that is read or set is one that the class itself uses."""
    source = inspect.getsource(owner)

    stays(name in source, f"{owner.__name__}.{name}")


def test_every_private_name_is_listed() -> None:
    """Whatever is touched by a private name has its seam above."""
    own = {
        "_app_server",
        "_doorway",
        "_elsewhere",
        "_is_app",
        "_logger",
        "_open_connection",
        "_run",
        "_unhandled",
    }
    names = set()
    for module in (app_state, server, test_utils):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.AsyncFunctionDef):
                names.add(node.name)
    private = {name for name in names if name.startswith("_") and not name.endswith("__")}
    listed = {path.rpartition(".")[2] for path in FUNCTIONS} | LISTED.keys()

    assert set() == private - own - listed
