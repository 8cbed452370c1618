"""Optimizers by name, and the learning rate as a function of the epoch (so that it needs no state)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

if TYPE_CHECKING:
    from raymm.config.optimizer import OptimizerConfig

__all__ = ["build_optimizer", "learning_rate", "set_learning_rate"]


def build_optimizer(parameters: Iterable[nn.Parameter], config: OptimizerConfig) -> Optimizer:
    """The configured optimizer over `parameters`."""
    if config.name == "sgd":
        return SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    kind = Adam if config.name == "adam" else AdamW
    return kind(parameters, lr=config.lr, weight_decay=config.weight_decay)


def learning_rate(config: OptimizerConfig, epoch: int, epochs: int) -> float:
    """Learning rate of an epoch (0-based); cosine falls from `lr` towards 0 over all epochs."""
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    if config.schedule == "step":
        return config.lr * config.step_factor ** (epoch // config.step_epochs)
    return config.lr


def set_learning_rate(optimizer: Optimizer, value: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value
