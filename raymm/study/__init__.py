"""Studies: arms compared over seeds and data sets, with paired statistics and a report."""
