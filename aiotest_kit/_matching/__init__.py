"""_matching: see its modules."""
