"""What is changed about a network of a library before it is an encoder: its first layer, its last one, its norms."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from raymm.errors import ConfigError
from raymm.models.encoders.layers import groups_of

__all__ = ["checkpoint_stages", "drop_classifier", "has_batch_norm", "set_channels", "use_group_norm"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAST = (nn.Linear, *CONVOLUTIONS)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

SWITCHES: dict[str, dict[str, Any]] = {
    "set_grad_checkpointing": {},
    "activation_checkpointing_enable": {"activation_checkpointing_kwargs": {"use_reentrant": False}},
    "gradient_checkpointing_enable": {"gradient_checkpointing_kwargs": {"use_reentrant": False}},
}
"""How libraries call it: timm, Transformers, and older Transformers."""

STAGES = (
    *("layer1", "layer2", "layer3", "layer4"),
    *("features", "blocks", "stages", "encoder.layers"),
    *("encoder.transformer.layers", "conformer.conformer_layers"),
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


def use_group_norm(body: nn.Module, where: str) -> None:
    """Replace batch normalisation by group normalisation, which does not depend on the other rows of a batch.

    Raises
    ------
    ConfigError
        When a layer does more than that, so that nothing is known that could replace it.
    """
    for name, module in list(body.named_modules()):
        if not isinstance(module, _BatchNorm):
            continue
        group: nn.Module = nn.GroupNorm(groups_of(module.num_features), module.num_features, eps=module.eps)
        own: Any = module
        if isinstance(getattr(own, "act", None), nn.Module):  # timm's, with its activation
            group = nn.Sequential(group, own.drop, own.act)
        elif type(module) not in NORMS:
            raise ConfigError(f"{where}.norm=group: nothing is known to replace {type(module).__name__}; use batch")
        _replace(body, name, group)


def has_batch_norm(body: nn.Module) -> bool:
    """Whether a row of a training batch depends on the others."""
    return any(isinstance(module, _BatchNorm) for module in body.modules())


def checkpoint_stages(body: nn.Module, where: str, what: str) -> None:
    """Compute the stages of `body` again on the way back, instead of keeping what they computed on the way forth.

    Raises
    ------
    ConfigError
        When no stages are known of it.
    """
    if _by_its_library(body):
        return
    found = [stage for name in STAGES if (stage := _at(body, name)) is not None]
    parts = [part for stage in found for part in (stage.children() if _is_row(stage) else [stage])]
    stages = [part for part in parts if next(part.parameters(), None) is not None]  # not what works in place alone
    if not stages:
        raise ConfigError(f"{where}.checkpoint_activations: no stages of {what} are known; leave it out")
    for stage in stages:
        stage.forward = partial(_checkpointed, stage, stage.forward)


def _by_its_library(body: nn.Module) -> bool:
    """Turn the network's own switch for this, as those of timm and Transformers have; whether it has one."""
    for name, named in SWITCHES.items():
        if callable(turn_on := getattr(body, name, None)):
            try:
                turn_on(**named)
            except (AssertionError, ValueError, NotImplementedError):  # of a network that has none
                return False
            return True
    return False


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
