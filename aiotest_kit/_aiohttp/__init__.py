"""_aiohttp: see its modules."""
