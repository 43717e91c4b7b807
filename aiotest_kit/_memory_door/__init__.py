"""_memory_door: see its modules."""
