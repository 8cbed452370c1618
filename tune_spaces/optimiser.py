"""Learning rate, weight decay and schedule, so that a strategy is not judged by another one's learning rate."""

from typing import Any

from fs_only import fs_only
from ray import tune


def optimiser() -> dict[str, Any]:
    """Settings of the optimizer alone."""
    return {
        "optimizer.lr": tune.loguniform(1e-4, 1e-2),
        "optimizer.weight_decay": tune.loguniform(1e-6, 1e-2),
        "optimizer.schedule": tune.choice(["constant", "cosine"]),
    }


def optimiser_with_fs() -> dict[str, Any]:
    """The optimizer and fs together."""
    return {**optimiser(), **fs_only()}
