"""Utilities: what a coalition is worth, given the logits it leads to.

`count` is the paper's: the size of the coalition when it predicts the label, else 0 (Wei et al., CVPR 2024).
Hard utilities (`count`, `correct`) are integers, and the empty coalition is worth 0. Soft ones read the
logits of the empty coalition too, which come from the baseline alone.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64, Num
from torch import Tensor

from raymm.errors import ConfigError, did_you_mean

__all__ = ["UTILITIES", "Utility", "is_right", "utility"]

Utility = Callable[[Float[Tensor, "B S K"], Int64[Tensor, "B"], Int64[Tensor, "B S"]], Num[Tensor, "B S"]]
"""`(logits, labels, sizes) -> values`; `sizes` counts the present members of each coalition."""


def is_right(
    logits: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"], sizes: Int64[Tensor, "B S"]
) -> Bool[Tensor, "B S"]:
    """Whether each coalition predicts the label; an empty one predicts nothing."""
    return (logits.argmax(dim=-1) == labels[:, None]) & (sizes > 0)


def count(
    logits: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"], sizes: Int64[Tensor, "B S"]
) -> Int64[Tensor, "B S"]:
    """|C| when right, else 0."""
    return is_right(logits, labels, sizes) * sizes


def correct(
    logits: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"], sizes: Int64[Tensor, "B S"]
) -> Int64[Tensor, "B S"]:
    """1 when right, else 0."""
    return is_right(logits, labels, sizes).long()


def probability(
    logits: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"], sizes: Int64[Tensor, "B S"]
) -> Float[Tensor, "B S"]:
    """Softmax probability of the label."""
    del sizes
    return _of_label(logits.double().softmax(dim=-1), labels)


def log_probability(
    logits: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"], sizes: Int64[Tensor, "B S"]
) -> Float[Tensor, "B S"]:
    """Logarithm of the probability of the label, in nats."""
    del sizes
    return _of_label(logits.double().log_softmax(dim=-1), labels)


def margin(
    logits: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"], sizes: Int64[Tensor, "B S"]
) -> Float[Tensor, "B S"]:
    """Logit of the label minus the largest other logit."""
    del sizes
    wide = logits.double()
    own = _of_label(wide, labels)
    others = wide.scatter(-1, labels[:, None, None].expand(-1, logits.shape[1], 1), -torch.inf)
    return own - others.amax(dim=-1)


UTILITIES: dict[str, Utility] = {
    "count": count,
    "correct": correct,
    "probability": probability,
    "log_probability": log_probability,
    "margin": margin,
}


def utility(name: str) -> Utility:
    """The utility of a name; raises `ConfigError` with the nearest match."""
    if name not in UTILITIES:
        raise ConfigError(f"valuation.utility: no utility '{name}'; {did_you_mean(name, UTILITIES)}")
    return UTILITIES[name]


def _of_label(values: Float[Tensor, "B S K"], labels: Int64[Tensor, "B"]) -> Float[Tensor, "B S"]:
    return values.gather(-1, labels[:, None, None].expand(-1, values.shape[1], 1))[..., 0]
