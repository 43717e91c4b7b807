"""The memory door: the code's own `aiohttp.ClientSession`, answered in memory.

`mock` is the public function, `session` is `mock_session`. `interception` replaces one method of aiohttp's
connectors while a mock is open, `open_mocks` says which of several mocks is asked first, and
`network_policy` what may reach the network. `door` connects a call to the server's end of a connection in
memory. `in_flight` sees to calls that are being made as a mock closes; `session_calls` wraps calls for
`around_requests`.
"""
