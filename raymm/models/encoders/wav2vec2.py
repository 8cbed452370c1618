"""Networks of torchaudio that read the waveform of speech: wav2vec 2.0 (Baevski et al., NeurIPS 2020) and its kin.

They read the kind `waveform`. Their features are averaged over time. Weights come from a file: the state dict of a
bundle of `torchaudio.pipelines`, whose letters (`aux`) are left out.
"""

from functools import partial
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError
from raymm.models.encoders.backbone import Backbone, Reads, WeightsSettings, features_for, make_checkpointed
from raymm.models.encoders.registry import register_encoder
from raymm.models.encoders.weights import Fit, load_weights

__all__ = ["WaveformNetworkSettings"]

RATE = 16_000
"""Samples a second of the speech that their weights were trained on."""

SCALED = ("wav2vec2_large_lv60k", "hubert_large", "wavlm_large")
"""Networks that were trained on clips at mean 0 and deviation 1."""

LAYERS = "encoder.transformer.layers"


class WaveformNetworkSettings(WeightsSettings):
    """Settings of `wav2vec2`."""

    architecture: Literal[
        "wav2vec2_base",
        "wav2vec2_large",
        "wav2vec2_large_lv60k",
        "hubert_base",
        "hubert_large",
        "wavlm_base",
        "wavlm_large",
    ] = Field(default="wav2vec2_base", description="builder of torchaudio.models")
    layers: int | None = Field(
        default=None, ge=1, description="layers of the transformer that are kept, from the first on. Default: all"
    )


@register_encoder("wav2vec2", kinds=("waveform",), settings=WaveformNetworkSettings)
def build(spec: ModalitySpec, settings: WaveformNetworkSettings, feature_size: int) -> Backbone:
    """A network for waveforms, which must last long enough for one frame of it."""
    where, what = f"model.encoders.{spec.name}", f"torchaudio's {settings.architecture}"
    rate = getattr(spec, "rate", RATE)
    if settings.weights is not None and rate != RATE:
        raise ConfigError(
            f"{where}.weights: {what} was trained on {RATE} samples a second, and '{spec.name}' has {rate}; prepare "
            f"with --set {spec.name}.rate={RATE}"
        )
    body = _network(settings)
    dropped = _keep_layers(body, settings.layers)
    reads = Reads(partial(_waveforms, scaled=settings.architecture in SCALED), _mean_over_time)
    try:
        features = features_for(body, reads, spec.input_shape)
    except ValueError as cause:
        samples = spec.input_shape[-1]
        raise ConfigError(
            f"{where}: {what} cannot read {samples} samples ({cause}); prepare with more --set {spec.name}.seconds"
        ) from cause
    if settings.weights is not None:
        load_weights(body, Path(settings.weights), Fit(where, what, left_out=("aux.", *dropped)))
    make_checkpointed(body, settings, where, what)
    return Backbone(body, reads, features, feature_size, settings)


def _network(settings: WaveformNetworkSettings) -> nn.Module:
    from torchaudio import models  # noqa: PLC0415  (slow to import)

    made: nn.Module = getattr(models, settings.architecture)(encoder_layer_drop=0.0)
    return made


def _keep_layers(body: nn.Module, count: int | None) -> tuple[str, ...]:
    """Keep the first layers of the transformer; prefixes of the weights of the others."""
    layers: Any = body.get_submodule(LAYERS)
    kept = len(layers) if count is None else count
    dropped = tuple(f"{LAYERS}.{number}." for number in range(kept, len(layers)))
    del layers[kept:]
    return dropped


def _waveforms(x: Float[Tensor, "b 1 samples"], scaled: bool) -> Float[Tensor, "b samples"]:
    waveforms = x[:, 0]
    return functional.layer_norm(waveforms, waveforms.shape[-1:]) if scaled else waveforms


def _mean_over_time(made: Any, x: Tensor) -> Tensor:
    del x
    features: Tensor = made[0]
    return features.mean(dim=1)
