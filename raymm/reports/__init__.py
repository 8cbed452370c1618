"""What people look at: plots, tables and pages of runs, valuations and their comparisons."""
