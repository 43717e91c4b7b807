"""_asyncio: see its modules."""
