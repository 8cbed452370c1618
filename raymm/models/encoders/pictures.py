"""How a network for pictures or clips becomes the encoder of a modality, whichever library it is of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError
from raymm.models.encoders.backbone import (
    Backbone,
    PictureSettings,
    Reads,
    clips,
    features_for,
    make_checkpointed,
    resized_shape,
)
from raymm.models.encoders.input_scale import InputScale
from raymm.models.encoders.surgery import drop_classifier, set_channels, use_group_norm
from raymm.models.encoders.weights import Fit, load_weights

__all__ = ["FRAME_KINDS", "PICTURE_KINDS", "Network", "picture_encoder"]

FRAME_KINDS = ("rgb", "flow", "rgb_pictures", "flow_pictures")
PICTURE_KINDS = ("audio", *FRAME_KINDS, "image")


@dataclass(frozen=True)
class Network:
    """A network of a library, as its library makes it.

    Attributes
    ----------
    what
        Its name, for messages: "torchvision's swin_t".
    make
        Makes it with random weights; nothing is read or downloaded.
    reads
        Frames, or clips.
    size, length
        Height and width, and frames of a clip, that it was trained at.
    mean, std
        Of the channels that its weights were trained at, from 0 to 1; empty where they are not known.
    left_out
        Prefixes of keys in files of weights that are no part of it, beside its classification layer.
    classifies
        Whether it comes with a classification layer, its last one.
    """

    what: str
    make: Callable[[], nn.Module]
    reads: Reads
    size: int
    length: int = 16
    mean: Sequence[float] = ()
    std: Sequence[float] = ()
    left_out: tuple[str, ...] = ()
    classifies: bool = True


def picture_encoder(spec: ModalitySpec, settings: PictureSettings, feature_size: int, network: Network) -> Backbone:
    """An encoder around a network for pictures or clips.

    Raises
    ------
    ConfigError
        When the network cannot read the size of the modality, or settings or weights do not fit.
    """
    where = f"model.encoders.{spec.name}"
    body = network.make()
    first = set_channels(body, spec.input_shape[-3])
    classifier = (f"{drop_classifier(body)}.",) if network.classifies else ()
    fit = Fit(where, network.what, left_out=(*classifier, *network.left_out), first=f"{first}.weight")
    if settings.norm == "group":
        use_group_norm(body, where)
    features = _features(spec, settings, network, body)
    scale = _scale(spec, settings, network)
    if settings.weights is not None:
        load_weights(body, Path(settings.weights), fit)
    make_checkpointed(body, settings, where, network.what)
    return Backbone(body, network.reads, features, feature_size, settings, scale)


def _features(spec: ModalitySpec, settings: PictureSettings, network: Network, body: nn.Module) -> int:
    shape = resized_shape(spec.input_shape, settings.resize)
    try:
        return features_for(body, network.reads, shape)
    except ValueError as cause:
        where, (height, width), side = f"model.encoders.{spec.name}", shape[-2:], network.size
        short = network.reads is clips and shape[0] < network.length
        sets = [f"--set {spec.name}.frames={network.length}"] if short else []
        sets += [f"--set {spec.name}.height={side} --set {spec.name}.width={side}"] if height != side else []
        raise ConfigError(
            f"{where}: {network.what} cannot read {_shape(shape)} ({cause}); it was made for {side} x {side}"
            + (f" and {network.length} frames" if network.reads is clips else "")
            + (f": prepare with {' '.join(sets)}" if sets and spec.kind != "audio" else "")
            + (f", or let frames be resized by {where}.resize={side}" if (height, width) != (side, side) else "")
        ) from cause


def _shape(shape: tuple[int, ...]) -> str:
    size = f"{shape[-2]} x {shape[-1]}"
    return f"clips of {shape[0]} frames of {size}" if len(shape) == 4 else f"inputs of {size}"


def _scale(spec: ModalitySpec, settings: PictureSettings, network: Network) -> InputScale | None:
    """From the mean and deviation of the data to those of the weights, where that is wanted."""
    pixels = spec.dtype == np.uint8 and spec.shape[-3] == 3
    if settings.normalise is None:
        wanted = settings.weights is not None and pixels and bool(network.mean)
    else:
        wanted = settings.normalise == "weights"
    if not wanted:
        return None
    where = f"model.encoders.{spec.name}.normalise=weights"
    if not pixels:
        raise ConfigError(f"{where}: it is for pictures of three colours; '{spec.name}' is {spec.kind}; use data")
    if not network.mean:
        raise ConfigError(f"{where}: mean and deviation of {network.what} are not known; use data")
    return InputScale(network.mean, network.std)
