"""What a test leaves open, and who made it.

`creation_log` notes the line that makes each session, connector, response, task, connection and socket;
`check` compares what a loop has before a test and after it. Knows asyncio and aiohttp. Knows nothing of
pytest.
"""
