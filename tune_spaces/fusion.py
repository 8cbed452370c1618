"""How the modalities meet, and what stands in for a masked one; compose it as `{**fusion(), **fs_only()}`."""

from typing import Any

from ray import tune


def fusion() -> dict[str, Any]:
    """Fusion and baseline."""
    return {
        "model.fusion": tune.choice(["concat", "sum", "mlp", "gated", "film", "attention"]),
        "model.baseline": tune.choice(["zeros", "mean", "learned"]),
    }


def fusion_grid() -> dict[str, Any]:
    """Every fusion once, at the default baseline."""
    return {"model.fusion": tune.grid_search(["concat", "sum", "mlp", "gated", "film", "attention"])}
