"""_virtual_time: see its modules."""
