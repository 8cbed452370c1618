"""A text encoder over hashed tokens: embeddings, their mean and maximum, one hidden layer.

A bag of words and letter trigrams (Joulin et al., EACL 2017) needs no vocabulary and no download, and is a
strong baseline for short texts such as titles and tags.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.data.kinds.text import TextSpec
from raymm.errors import ConfigError
from raymm.models.encoders.layers import EncoderSettings, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["TextEncoder"]


class TextEncoder(nn.Module):
    """Token ids `[b, L]` (0 pads) to `[b, D]`."""

    def __init__(self, buckets: int, settings: EncoderSettings, feature_size: int) -> None:
        super().__init__()
        width = 4 * settings.width
        self.embedding = nn.Embedding(buckets, width, padding_idx=0)
        self.hidden = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())
        self.head = head(settings.dropout, width, feature_size)

    def forward(self, tokens: Int64[Tensor, "b L"]) -> Float[Tensor, "b D"]:
        """Encode a batch of token ids; a text without tokens becomes a constant."""
        real = (tokens != 0)[..., None]
        vectors = self.embedding(tokens)
        mean = (vectors * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
        largest = vectors.masked_fill(~real, -torch.inf).amax(dim=1)
        largest = torch.where(real.any(dim=1), largest, torch.zeros_like(largest))
        features: Tensor = self.head(self.hidden(torch.cat([mean, largest], dim=1)))
        return features


@register_encoder("text", kinds=("text",), settings=EncoderSettings)
def build(spec: ModalitySpec, settings: EncoderSettings, feature_size: int) -> TextEncoder:
    """A text encoder with the buckets of the modality's tokenizer."""
    if not isinstance(spec, TextSpec):
        raise ConfigError(f"'{spec.name}' is {spec.kind}, not text")
    return TextEncoder(spec.buckets, settings, feature_size)
