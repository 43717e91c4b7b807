"""HTTP/1.1 messages and their bytes. No sockets, no event loop, no routes.

`request` and `reply` are the two values that everything else speaks of, `call` is one of each with what is
recorded beside them. `readers` turns bytes into requests and replies (RFC 9112), `writers` turns them into
bytes. `body` is one that is on its way; `multipart`, `content_coding` and `json_text` are what bodies may
be.
"""
