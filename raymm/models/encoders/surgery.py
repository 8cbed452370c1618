"""What is changed about a network of a library before it is an encoder: its first layer, its last one, its norms."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from raymm.errors import ConfigError
from raymm.models.encoders.layers import groups_of

__all__ = ["checkpoint_stages", "drop_classifier", "has_batch_norm", "set_channels", "use_group_norm"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAST = (nn.Linear, *CONVOLUTIONS)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

STAGES = (
    "layer1",
    "layer2",
    "layer3",
    "layer4",
    "features",
    "blocks",
    "encoder.layers",
    "stages",
    "conformer_layers",
)
"""Where networks of libraries keep what runs one after the other."""


def drop_classifier(body: nn.Module) -> str:
    """Replace the last layer by the identity, as it gives classes of other data; returns its name."""
    name = [name for name, module in body.named_modules() if isinstance(module, LAST)][-1]
    _replace(body, name, nn.Identity())
    return name


def set_channels(body: nn.Module, channels: int) -> str:
    """Let the first convolution read `channels` channels; one for another number is drawn anew. Returns its name."""
    name, first = next((name, module) for name, module in body.named_modules() if isinstance(module, CONVOLUTIONS))
    if first.in_channels != channels:
        kind: Any = type(first)
        shape = (first.kernel_size, first.stride, first.padding, first.dilation)
        _replace(body, name, kind(channels, first.out_channels, *shape, bias=first.bias is not None))
    return name


def use_group_norm(body: nn.Module) -> None:
    """Replace batch normalisation by group normalisation, which does not depend on the other rows of a batch."""
    for name, module in list(body.named_modules()):
        if isinstance(module, NORMS):
            _replace(body, name, nn.GroupNorm(groups_of(module.num_features), module.num_features, eps=module.eps))


def has_batch_norm(body: nn.Module) -> bool:
    """Whether a row of a training batch depends on the others."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in body.modules())  # noqa: SLF001


def checkpoint_stages(body: nn.Module, where: str, what: str) -> None:
    """Compute the stages of `body` again on the way back, instead of keeping what they computed on the way forth.

    Raises
    ------
    ConfigError
        When no stages are known of it.
    """
    found = [stage for name in STAGES if (stage := _at(body, name)) is not None]
    parts = [part for stage in found for part in (stage.children() if _is_row(stage) else [stage])]
    stages = [part for part in parts if next(part.parameters(), None) is not None]  # not what works in place alone
    if not stages:
        raise ConfigError(f"{where}.checkpoint_activations: no stages of {what} are known; leave it out")
    for stage in stages:
        stage.forward = partial(_checkpointed, stage, stage.forward)


def _checkpointed(stage: nn.Module, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    if not (stage.training and torch.is_grad_enabled()):
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, **named)


def _is_row(stage: nn.Module) -> bool:
    return isinstance(stage, nn.Sequential | nn.ModuleList)


def _at(body: nn.Module, name: str) -> nn.Module | None:
    found: Any = body
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, nn.Module) else None


def _replace(body: nn.Module, name: str, by: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(body.get_submodule(parent), last, by)
