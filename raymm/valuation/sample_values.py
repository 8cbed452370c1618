"""What a valuation finds in a batch of samples, and the parts that it is combined from."""

from dataclasses import dataclass

from jaxtyping import Bool, Float64, Shaped, UInt8
from torch import Tensor

from raymm.valuation.bits import unpack_bits

__all__ = ["CoalitionSums", "GrandPrediction", "Labels", "SampleValues"]

Labels = Shaped[Tensor, "B ..."]
"""Labels of a batch, of the task's type."""


@dataclass(frozen=True)
class SampleValues:
    """The valuation of a batch of samples.

    Attributes
    ----------
    phi
        Contributions, float64 [B, n]; NaN for a missing modality.
    stderr
        Standard errors of phi, float64 [B, n]; 0 where phi is exact, NaN for a missing modality.
    outcomes
        uint8 [B, ceil(2**n / 8)]: bit c of the little-endian bytes is 1 when coalition c predicts the label (the
        empty one never does); no columns when not all coalitions were evaluated.
    unimodal_correct
        bool [B, n]: whether each modality predicts the label by itself.
    prediction
        Predicted by the grand coalition, all present modalities together; of the type of labels: int64 [B], or bool
        [B, K] for several labels a sample.
    loss
        float64 [B]: the task's loss of that prediction; of a classifier cross-entropy in nats.
    probabilities
        float64 [B, K]: probability of each class by the grand coalition; no columns where the task keeps none.
    """

    phi: Float64[Tensor, "B n"]
    stderr: Float64[Tensor, "B n"]
    outcomes: UInt8[Tensor, "B bytes"]
    unimodal_correct: Bool[Tensor, "B n"]
    prediction: Shaped[Tensor, "B ..."]
    loss: Float64[Tensor, " B"]
    probabilities: Float64[Tensor, "B k"]

    @property
    def correct(self) -> Bool[Tensor, "B S"]:
        """bool [B, 2**n]: whether each coalition predicts the label."""
        return unpack_bits(self.outcomes, 2 ** self.phi.shape[1])


@dataclass(frozen=True)
class CoalitionSums:
    """Results of some consecutive coalitions of a batch.

    Attributes
    ----------
    sums
        Sums over the coalitions of a chunk of utility times Shapley weight, float64 [chunks, B, n].
    outcomes
        Whether each coalition predicts the label, packed, uint8 [B, bytes].
    reach
        By how much rounding may move contributions that are made of these sums, float64 [B, 1]; 0 of exact ones.
    """

    sums: Float64[Tensor, "c B n"]
    outcomes: UInt8[Tensor, "B bytes"]
    reach: Float64[Tensor, "B 1"]


@dataclass(frozen=True)
class GrandPrediction:
    """Prediction of the grand coalition [B, ...], its loss [B], probabilities [B, K] where the task keeps them."""

    prediction: Shaped[Tensor, "B ..."]
    loss: Float64[Tensor, " B"]
    probabilities: Float64[Tensor, "B k"]
