"""The whole of re-sampling: strategy, fs, fm, and what they may cost."""

from typing import Any

from fm_only import fm_parameters
from fs_only import fs_parameters
from ray import tune


def fs_fm() -> dict[str, Any]:
    """Strategy, both functions, the row budget, the valuation interval and the warm-up."""
    return {
        "method.name": tune.choice(["sample", "modality", "class"]),
        **fs_parameters(),
        **fm_parameters(),
        "method.row_budget": tune.choice([0.5, 1.0, 2.0, None]),
        "method.every": tune.choice([1, 2, 4]),
        "method.warmup": tune.choice([1, 3, 5]),
    }
