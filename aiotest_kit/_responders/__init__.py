"""_responders: see its modules."""
