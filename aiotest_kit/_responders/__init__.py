"""What a route may answer with, beside a plain reply. Each acts on an exchange and on nothing else.

`exchange` is the interface: what an answer may do about one request. `responder` has exceptions, handlers
and raw scripts, `stream` streams and server-sent events, `faults` and `connect_faults` what may go wrong.
`mount` chooses what stands for a whole service: `aiohttp_app`, `asgi_app`, or `forward` to a real one.
`web_response` reads responses of aiohttp.
"""
