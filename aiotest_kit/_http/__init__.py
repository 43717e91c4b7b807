"""_http: see its modules."""
