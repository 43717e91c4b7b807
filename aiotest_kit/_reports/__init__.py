"""_reports: see its modules."""
