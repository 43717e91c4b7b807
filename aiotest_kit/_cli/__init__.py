"""_cli: see its modules."""
