"""Questions about valuation and re-sampling, each one command with a page: `python -m bench.experiments NAME`."""
