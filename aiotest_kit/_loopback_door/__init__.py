"""The loopback door: a real server on this machine, which clients of any language can call.

`upstream` is the public class, and where the server may run: on the test's loop, or in a thread of its own.
`server` is what listens and serves.
"""
