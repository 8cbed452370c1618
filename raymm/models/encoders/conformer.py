"""A Conformer (Gulati et al., Interspeech 2020; torchaudio's) over log-mel spectrograms, averaged over time.

Two strided convolutions over time come first, so that a layer sees a quarter of the frames.
"""

from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.models.encoders.backbone import Backbone, Reads, WeightsSettings, as_they_are, make_checkpointed
from raymm.models.encoders.registry import register_encoder
from raymm.models.encoders.weights import Fit, load_weights

__all__ = ["ConformerBody", "ConformerSettings"]


class ConformerSettings(WeightsSettings):
    """Settings of `conformer`; the defaults are the small one of the paper with a quarter of its layers."""

    width: int = Field(default=144, ge=4, description="features of a frame")
    layers: int = Field(default=4, ge=1, description="layers")
    heads: int = Field(default=4, ge=1, description="heads of the attention, a divisor of the width")
    kernel: int = Field(default=31, ge=3, description="frames of the depthwise convolution, an odd number")
    norm: Literal["group", "batch"] = Field(
        default="group", description="in the convolution; group: does not depend on the other rows of a batch"
    )

    @model_validator(mode="after")
    def _numbers_fit(self) -> "ConformerSettings":
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} is no divisor of width={self.width}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel={self.kernel} is even; give an odd number of frames")
        return self


class ConformerBody(nn.Module):
    """Log-mels `[b, mels, frames]` to `[b, width]`."""

    def __init__(self, mels: int, settings: ConformerSettings) -> None:
        from torchaudio.models import Conformer  # noqa: PLC0415  (slow to import)

        super().__init__()
        width = settings.width
        self.subsample = nn.Sequential(
            nn.Conv1d(mels, width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.GELU(),
        )
        self.conformer = Conformer(
            width,
            settings.heads,
            4 * width,
            settings.layers,
            settings.kernel,
            settings.dropout,
            use_group_norm=settings.norm == "group",
        )

    def forward(self, x: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b width"]:
        """Encode log-mels, all of one length."""
        frames = self.subsample(x).transpose(1, 2)
        none_padded = torch.zeros(frames.shape[:2], dtype=torch.bool, device=frames.device)
        made = frames.transpose(0, 1)
        for layer in self.conformer.conformer_layers:  # its `forward` asks the device for the longest row
            made = layer(made, none_padded)
        return made.mean(dim=0)


def _log_mels(x: Float[Tensor, "b 1 mels frames"]) -> Float[Tensor, "b mels frames"]:
    return x[:, 0]


READS = Reads(_log_mels, as_they_are)


@register_encoder("conformer", kinds=("audio",), settings=ConformerSettings)
def build(spec: ModalitySpec, settings: ConformerSettings, feature_size: int) -> Backbone:
    """A Conformer over the mel bands of the modality."""
    where = f"model.encoders.{spec.name}"
    body = ConformerBody(spec.input_shape[-2], settings)
    if settings.weights is not None:
        load_weights(body, Path(settings.weights), Fit(where, "a Conformer of this size"))
    make_checkpointed(body, settings, where, "a Conformer")
    return Backbone(body, READS, settings.width, feature_size, settings)
