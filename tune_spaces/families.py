"""Grids over the families at their default parameters, to see whether a result is owed to one choice of function.

`joint` (no copies) and `random` (as many copies, anywhere) are the controls to compare with.
"""

from typing import Any

from ray import tune

FAMILIES = ("linear", "power", "tanh", "exponential", "logarithmic", "step")
CONTROLS = [{"name": "joint"}, {"name": "random"}]
BY_SAMPLE = [{"name": "sample", "settings": {"fs": {"family": family}}} for family in FAMILIES]
BY_MODALITY = [{"name": "modality", "settings": {"fm": {"family": family}}} for family in FAMILIES]


def families() -> dict[str, Any]:
    """Every family of fs, and the controls."""
    return {"method": tune.grid_search([*CONTROLS, *BY_SAMPLE])}


def fm_families() -> dict[str, Any]:
    """Every family of fm, and the controls."""
    return {"method": tune.grid_search([*CONTROLS, *BY_MODALITY])}


def all_families() -> dict[str, Any]:
    """Every family of fs and of fm, and the controls."""
    return {"method": tune.grid_search([*CONTROLS, *BY_SAMPLE, *BY_MODALITY])}
