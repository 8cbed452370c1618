"""The smallest search: two configurations, to see that a sweep works on a machine."""

from typing import Any

from ray import tune


def smoke() -> dict[str, Any]:
    """Two scales of fs, of the sample-level method."""
    return {"method.name": "sample", "method.settings.fs.scale": tune.grid_search([1.0, 2.0])}
