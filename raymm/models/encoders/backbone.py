"""An encoder around a network of a library: rescale, resize, run it on frames or clips, average, and a linear head.

What a network is given is shaped by a `Reads`: each frame alone, or a clip as a whole. A network that cannot read the
size at hand is refused before anything is trained.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from raymm.config.base import Settings
from raymm.errors import ConfigError, in_one_line
from raymm.models.encoders.input_scale import InputScale
from raymm.models.encoders.layers import head
from raymm.models.encoders.surgery import checkpoint_stages, has_batch_norm

__all__ = [
    "Backbone",
    "BackboneSettings",
    "PictureSettings",
    "Reads",
    "WeightsSettings",
    "as_they_are",
    "clips",
    "each_frame",
    "features_for",
    "frames",
    "make_checkpointed",
    "mean_of_frames",
    "resized_shape",
]


class BackboneSettings(Settings):
    """Settings of encoders around networks of libraries."""

    dropout: float = Field(default=0.0, ge=0, lt=1, description="before the last linear layer")
    frozen: bool = Field(
        default=False, description="train the last linear layer only; the network stays as its weights are"
    )
    checkpoint_activations: bool = Field(
        default=False, description="compute stages again on the way back: less memory, a third more time"
    )


class WeightsSettings(BackboneSettings):
    """Settings of networks whose weights come from a file."""

    weights: str | None = Field(default=None, description="file with weights; nothing is ever downloaded")

    @model_validator(mode="after")
    def _frozen_weights_are_given(self) -> "WeightsSettings":
        if self.frozen and self.weights is None:
            raise ValueError("frozen=true keeps weights as they are, and none are given; name a file in `weights`")
        return self


class PictureSettings(WeightsSettings):
    """Settings of networks that read pictures or clips."""

    norm: Literal["group", "batch"] = Field(
        default="group",
        description="what batch normalisation of the network becomes; group: does not depend on the other rows; "
        "batch: what files of weights need",
    )
    normalise: Literal["data", "weights"] | None = Field(
        default=None,
        description="mean and deviation of the channels, of the data or those that the weights were trained at. "
        "Default: weights, where weights are given and pictures have three colours",
    )
    resize: int | None = Field(
        default=None, ge=8, description="height and width that frames are resized to before the network"
    )


@dataclass(frozen=True)
class Reads:
    """How a network is given a batch.

    Attributes
    ----------
    before
        From the batch of a modality to what the network reads; of several things, by name.
    after
        From what the network gives, and the batch, to features [b, F].
    """

    before: Callable[[Tensor], Tensor | dict[str, Tensor]]
    after: Callable[[Any, Tensor], Tensor]


def each_frame(x: Tensor) -> Tensor:
    """Frames `[b * T, C, H, W]` of clips, or pictures."""
    return x.flatten(0, 1) if x.ndim == 5 else x


def mean_of_frames(each: Tensor, x: Tensor) -> Tensor:
    """Features of frames as those of their rows."""
    return each.unflatten(0, x.shape[:2]).mean(dim=1) if x.ndim == 5 else each


def _clips(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def as_they_are(features: Tensor, x: Tensor) -> Tensor:
    """Features of rows."""
    del x
    return features


frames = Reads(each_frame, mean_of_frames)
"""`[b, C, H, W]` or `[b, T, C, H, W]`: frames are encoded alone, and their features averaged."""

clips = Reads(_clips, as_they_are)
"""`[b, T, C, H, W]` to `[b, C, T, H, W]`, which networks for video read."""


class Backbone(nn.Module):
    """A network of a library, and a head.

    Parameters
    ----------
    body
        The network, without its classification layer.
    reads
        How it is given a batch.
    features
        Numbers that it gives a row.
    scale
        From the data's mean and deviation to those of the weights; None leaves the input as it is.
    """

    def __init__(
        self,
        body: nn.Module,
        reads: Reads,
        features: int,
        feature_size: int,
        settings: BackboneSettings,
        scale: InputScale | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.head = head(settings.dropout, features, feature_size)
        self.scale = scale
        self.frozen = settings.frozen
        self.resize: int | None = getattr(settings, "resize", None)
        self._reads = reads
        if self.frozen:
            body.requires_grad_(requires_grad=False)

    def set_statistics(self, statistics: Mapping[str, Sequence[float]] | None) -> None:
        """Take the statistics by which the data are standardised."""
        if self.scale is not None:
            self.scale.set_statistics(statistics)

    def train(self, mode: bool = True) -> "Backbone":
        """As of any module; what is frozen stays in evaluation, so that its running statistics stay as they are."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def forward(self, x: Tensor) -> Float[Tensor, "b D"]:
        """Encode a batch."""
        with self._no_graph():
            made = self.prepared(x)
            features = self._reads.after(self.body(**made) if isinstance(made, dict) else self.body(made), x)
        return self.head(features)

    def prepared(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """What the network is given."""
        scaled = x if self.scale is None else self.scale(x)
        return self._reads.before(scaled if self.resize is None else resized(scaled, self.resize))

    def _no_graph(self) -> AbstractContextManager[Any]:
        return torch.no_grad() if self.frozen else nullcontext()


def resized(x: Tensor, size: int) -> Tensor:
    """Pictures or clips `[..., H, W]` at another height and width, with antialiasing."""
    flat = x.flatten(0, -4) if x.ndim > 4 else x
    made = functional.interpolate(flat, (size, size), mode="bilinear", antialias=True)
    return made.unflatten(0, x.shape[:-3]) if x.ndim > 4 else made


def resized_shape(shape: tuple[int, ...], size: int | None) -> tuple[int, ...]:
    """The shape of inputs once they are resized."""
    return shape if size is None else (*shape[:-2], size, size)


def make_checkpointed(body: nn.Module, settings: BackboneSettings, where: str, what: str) -> None:
    """Compute stages again on the way back, where the settings say so.

    Raises
    ------
    ConfigError
        When running statistics of batch normalisation would then be counted twice.
    """
    if not settings.checkpoint_activations or settings.frozen:
        return
    if has_batch_norm(body):
        raise ConfigError(
            f"{where}.checkpoint_activations: with batch normalisation each batch would count twice in its running "
            f"statistics; use {where}.norm=group, or {where}.frozen=true"
        )
    checkpoint_stages(body, where, what)


def features_for(body: nn.Module, reads: Reads, shape: tuple[int, ...]) -> int:
    """Numbers that a network gives a row of inputs `[*shape]`, found without computing any.

    Raises
    ------
    ValueError
        With the words of the network, when it cannot read that shape.
    """
    tensors = {name: tensor.to("meta") for name, tensor in chain(body.named_parameters(), body.named_buffers())}
    x = torch.empty(1, *shape, device="meta")
    training = body.training
    body.eval()
    try:
        with torch.no_grad():
            given = reads.before(x)
            made = functional_call(body, tensors, *(((), given) if isinstance(given, dict) else ((given,),)))
            size = reads.after(made, x).shape[-1]
    except Exception as cause:
        raise ValueError(in_one_line(cause)) from cause
    finally:
        body.train(training)
    return int(size)
