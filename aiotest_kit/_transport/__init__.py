"""Connections: in memory, and the plumbing of those over sockets.

`memory` is a pair of transports that hand bytes to each other as TCP would; `socket_info` is what they tell
of their sockets and of TLS. `listener` opens addresses, `acceptor` accepts connections on them,
`certificates` makes those of TLS. `flow_control` waits for a client that is slow. Knows nothing of HTTP.
"""
