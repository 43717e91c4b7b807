"""_routing: see its modules."""
