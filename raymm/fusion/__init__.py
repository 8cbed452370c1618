"""Fusions: features and a mask in, logits out; one file each, chosen by name."""

from raymm.fusion import attention, concat, film, gated, mlp, sum  # noqa: A004
from raymm.fusion.base import AdditiveFusion, Fusion
from raymm.fusion.registry import FUSIONS, build_fusion, register_fusion

__all__ = [
    "FUSIONS",
    "AdditiveFusion",
    "Fusion",
    "attention",
    "build_fusion",
    "concat",
    "film",
    "gated",
    "mlp",
    "register_fusion",
    "sum",
]
