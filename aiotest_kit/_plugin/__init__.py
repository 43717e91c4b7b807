"""_plugin: see its modules."""
