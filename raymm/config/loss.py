"""What the training loss adds to that of the task."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from raymm.config.base import Settings, Whole

__all__ = ["ClassWeights", "LossConfig"]


def _in_own_words(given: Any) -> Any:
    """Refuse what are no weights, in words of one sentence, and not once for each form that they may have."""
    if given is None or given == "balanced":
        return given
    if not isinstance(given, Mapping):
        near = "; did you mean 'balanced'?" if isinstance(given, str) else ""
        raise ValueError(  # noqa: TRY004  (of which pydantic makes a mistake of this setting)
            f"{given!r} is neither 'balanced' nor weights by class, such as {{cat: 2.0, dog: 1.0}}{near}"
        )
    wrong = [f"{name}={weight!r}" for name, weight in given.items() if not _is_weight(weight)]
    if wrong:
        raise ValueError(f"a weight is a number above 0, not {', '.join(wrong)}")
    return {str(name): float(weight) for name, weight in given.items()}


def _is_weight(given: Any) -> bool:
    try:
        return not isinstance(given, bool) and 0 < float(given) < inf
    except (TypeError, ValueError):
        return False


ClassWeights = Annotated[
    Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None, Whole(), BeforeValidator(_in_own_words)
]
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
