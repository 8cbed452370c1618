"""How the weights are updated."""

from typing import Literal

from pydantic import Field

from raymm.config.base import Settings

__all__ = ["OptimizerConfig"]


class OptimizerConfig(Settings):
    """Optimizer and learning-rate schedule."""

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd only")
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    step_epochs: int = Field(default=30, ge=1, description="step: multiply by `step_factor` every so many epochs")
    step_factor: float = Field(default=0.1, gt=0, le=1)
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient")
