"""Copies of runs and sweeps on another file system, so that a fresh machine goes on with them."""
