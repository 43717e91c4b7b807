"""The server's end of one connection, the same in memory and over sockets.

`protocol` is the `asyncio.Protocol`: it reads requests, asks the router and writes replies. `pipelining` has
the requests that wait, with their bytes. `exchange` is one request and its reply, which an answer is played
on; `delegation` lends the connection to another server, such as aiohttp's own. `retries` knows aiohttp's
silent second attempt; `discarding` reads what a client still sends behind the last reply.
"""
