"""Routes, and which of them answers a request.

Read `router`, the public class, then `route`. A router keeps its routes in a `table`, which finds the one
that answers by an `index`; `sequence` is what a route answers, one reply after the other. `calls` is the
log and `assertions` what a test asks of it. `websocket_route` is the route of a websocket; `arguments`
checks what is given to a verb; `handler_errors` keeps what a user's handler raised.
"""
