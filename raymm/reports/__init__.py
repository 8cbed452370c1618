"""Reports: statistics, plots, tables and pages of runs and valuations."""
