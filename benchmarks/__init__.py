"""What stubbing costs: the kit, its floor and other tools, as ratios. Run with ``python -m benchmarks``."""
