"""How many copies a low contribution gets (fs), at sample level.

Every family has all parameters drawn; those that a family does not read are left out of the trial.
"""

from typing import Any

from ray import tune


def fs_only() -> dict[str, Any]:
    """fs of the sample-level strategy."""
    return {"method.name": "sample", **fs_parameters()}


def fs_parameters() -> dict[str, Any]:
    """Family and parameters of fs; scale 2 of the linear family is the paper's."""
    return {
        "method.settings.fs.family": tune.choice(["linear", "power", "tanh", "exponential", "logarithmic", "step"]),
        "method.settings.fs.scale": tune.loguniform(0.5, 4.0),
        "method.settings.fs.exponent": tune.uniform(0.5, 3.0),
        "method.settings.fs.rate": tune.loguniform(0.3, 3.0),
        "method.settings.fs.steps": tune.randint(1, 5),
    }
