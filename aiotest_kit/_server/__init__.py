"""_server: see its modules."""
