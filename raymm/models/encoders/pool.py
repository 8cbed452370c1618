"""An encoder for sequences of feature vectors: mean and maximum over the tokens, then a perceptron."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.models.encoders.layers import EncoderSettings, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["MaskedPool"]


class MaskedPool(nn.Module):
    """`[b, tokens, size + 1]` to `[b, D]`; the last number of a token is 1, that of padding 0."""

    def __init__(self, size: int, settings: EncoderSettings, feature_size: int) -> None:
        super().__init__()
        hidden = 4 * settings.width
        self.token = nn.Sequential(nn.Linear(size, hidden), nn.ReLU())
        self.hidden = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.head = head(settings.dropout, hidden, feature_size)

    def forward(self, x: Float[Tensor, "b tokens size"]) -> Float[Tensor, "b D"]:
        """Encode a batch of sequences; padding changes nothing."""
        mask = x[..., -1:]
        tokens = self.token(x[..., :-1]) * mask  # at least 0, so that padding is never the maximum over a token
        mean = tokens.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        features: Tensor = self.head(self.hidden(torch.cat([mean, tokens.amax(dim=1)], dim=1)))
        return features


@register_encoder("pool", kinds=("embedding",), settings=EncoderSettings)
def build(spec: ModalitySpec, settings: EncoderSettings, feature_size: int) -> MaskedPool:
    """A pooling encoder with the size of the tokens."""
    return MaskedPool(spec.input_shape[-1] - 1, settings, feature_size)
