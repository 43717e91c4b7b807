"""_app_door: see its modules."""
