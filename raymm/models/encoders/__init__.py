"""Encoders: one file a kind, chosen by name, each `[b, ...] -> [b, D]` and independent of the other rows."""

from raymm.models.encoders import (
    cnn,
    cnn1d,
    conformer,
    hugging_face,
    mlp,
    pool,
    resnet,
    text,
    timm_models,
    torchvision_models,
    wav2vec2,
)
from raymm.models.encoders.registry import ENCODERS, build_encoder, register_encoder, share_settings

__all__ = [
    "ENCODERS",
    "build_encoder",
    "cnn",
    "cnn1d",
    "conformer",
    "hugging_face",
    "mlp",
    "pool",
    "register_encoder",
    "resnet",
    "share_settings",
    "text",
    "timm_models",
    "torchvision_models",
    "wav2vec2",
]
