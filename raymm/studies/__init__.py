"""Runs and comparisons of runs, as people read them: records, plots and reports."""
