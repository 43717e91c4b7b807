"""The app door: aiohttp's `TestServer` and `TestClient`, with single routes of the app under test stubbed.

Read `server` and `client` first, the public classes. `connection` stands before the app's own protocol and
tells who answers a request; `stubs` is the table of what is stubbed, `exchange` plays a stub's answer, and
`request` is the request that it is given. `run`, `overrides` and `app_routes` change the app before its
start and put it back; `calls` is the log; `make_request` makes a request of an app without any connection.
"""
