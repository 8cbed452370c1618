"""Measured claims, as ratios of two things timed side by side in one run: `python -m bench [--data GRID]`."""
