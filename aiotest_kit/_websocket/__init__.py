"""_websocket: see its modules."""
