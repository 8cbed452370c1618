"""Copies of runs and sweeps on another file system, from which another machine can resume them."""
