"""What the training loss adds to that of the task."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from raymm.config.base import Settings, Whole

__all__ = ["ClassWeights", "LossConfig"]

ClassWeights = Annotated[Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None, Whole()]
"""By name; classes that are not named have the weight 1."""


class LossConfig(Settings):
    """The loss of a training row; metrics, valuation and calibration keep the loss of the task."""

    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="part of a label that is spread evenly over all classes (states)"
    )
    class_weights: ClassWeights = Field(
        default=None, description="of the losses of each class, by name; or balanced: inverse to its training samples"
    )
    pos_weight: ClassWeights = Field(
        default=None,
        description="of several labels a sample: weight of the samples that have a label, by name; or balanced: "
        "training samples without it, divided by those with it",
    )
    focal: float = Field(default=0.0, ge=0, description="gamma of the focal loss: (1 - p)^gamma times the loss")
    error: Literal["mse", "mae", "huber"] = Field(
        default="mse", description="of a regression: squared error, absolute error, or squared up to huber_delta"
    )
    huber_delta: float = Field(default=1.0, gt=0, description="in standard deviations of the training labels")

    @model_validator(mode="after")
    def _delta_is_of_huber(self) -> "LossConfig":
        if self.huber_delta != 1.0 and self.error != "huber":
            raise ValueError(f"huber_delta is read with error=huber, not with error={self.error}")
        return self
