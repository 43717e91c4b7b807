"""One websocket: its connection, and what is said on it.

`connection` records the messages of both ways and is driven by a test; `script` is a list of steps;
`conversation` is the answer of a route that accepts a websocket and speaks it. Knows nothing of routes.
"""
