"""Axis legend and the aliases that signatures use.

Shapes stand in jaxtyping annotations (checked while the tests run) or as suffixes of names:

    B  samples of a batch          n  modalities (players), in schema order
    S  coalitions, S = 2**n        K  classes
    D  features of one modality    T  time steps or frames
    F  mel bins                    H, W  height, width
    N  samples of a split          R  rows of a re-sampling plan

A coalition is a bit mask: bit i is modality i in schema order, so coalition 0 is empty and coalition
2**n - 1 is the grand coalition. Column c of an array "B 2**n" belongs to coalition c.
"""

from collections.abc import Callable, Mapping

from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Features", "Mask", "Metrics", "Predict"]

Features = Float[Tensor, "B n D"]
"""Encoder outputs, one row a sample; what stands at an absent modality is never read."""

Mask = Bool[Tensor, "B n"]
"""True where a modality takes part; a missing modality and a masked one look the same."""

Predict = Callable[[Float[Tensor, "B n D"], Bool[Tensor, "B n"]], Float[Tensor, "B K"]]
"""`predict(features, mask) -> logits`: all that the valuation knows of a model."""

Metrics = Mapping[str, float]
"""Names (`raymm.tracking.metrics`) to numbers, as `val/accuracy` to 0.9."""
