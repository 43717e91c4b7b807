"""_loopback_door: see its modules."""
