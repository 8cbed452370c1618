"""How probable a copy is at a gap between modalities (fm), at modality and class level."""

from typing import Any

from ray import tune


def fm_only() -> dict[str, Any]:
    """fm of the strategies that read it."""
    return {"method.name": tune.choice(["modality", "class"]), **fm_parameters()}


def fm_parameters() -> dict[str, Any]:
    """Family and parameters of fm (a probability above 1 is 1), and the part of the samples that is valued."""
    return {
        "method.settings.fm.family": tune.choice(["linear", "power", "tanh", "exponential", "logarithmic", "step"]),
        "method.settings.fm.scale": tune.loguniform(0.5, 4.0),
        "method.settings.fm.exponent": tune.uniform(0.5, 3.0),
        "method.settings.fm.rate": tune.loguniform(0.3, 3.0),
        "method.settings.fm.steps": tune.randint(1, 5),
        "method.settings.subset": tune.choice([0.1, 0.2, 0.5]),
    }
