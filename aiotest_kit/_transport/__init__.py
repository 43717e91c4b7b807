"""_transport: see its modules."""
