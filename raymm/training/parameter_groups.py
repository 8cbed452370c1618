"""Which parameters have a learning rate, a weight decay or frozen epochs of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.methods.registry import build_method
from raymm.models.model import build_model
from raymm.models.traits import traits_of
from raymm.training.optim import build_optimizer

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from raymm.config.optimizer import OptimizerConfig
    from raymm.config.sections import Config
    from raymm.data.schema import Schema

__all__ = ["check_groups", "freeze", "named_parameters", "parameter_groups", "set_learning_rate"]

OF_THE_METHOD = "method."
"""What names of the parameters of a method's own module begin with."""

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)

BASELINE = "baseline"
"""The model's stand-in for masked features, a parameter where it is learned."""


def named_parameters(model: nn.Module, own: nn.Module | None) -> dict[str, nn.Parameter]:
    """All parameters by name: those of the model, then `method.NAME` of the method's own module."""
    named = dict(model.named_parameters())
    if own is not None:
        named |= {f"{OF_THE_METHOD}{name}": parameter for name, parameter in own.named_parameters()}
    return named


def parameter_groups(model: nn.Module, own: nn.Module | None, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Groups for an optimizer: parameters that share a pattern of `optimizer.groups`, and whether they decay.

    Parameters
    ----------
    model, own
        What is trained: the model, and the method's own module where it has one.

    Returns
    -------
    As torch takes them, with `params`, `weight_decay`, `lr_scale` (the group's rate in parts of `optimizer.lr`) and
    `frozen_epochs`; one group where all parameters are alike.
    """
    decaying = None if config.decay == "all" else _decaying(model, own)
    groups: dict[tuple[int | None, bool], dict[str, Any]] = {}
    for name, parameter in named_parameters(model, own).items():
        if not parameter.requires_grad:  # an encoder has frozen it, which no group takes back
            continue
        number = _first_match(name, config)
        decays = decaying is None or name in decaying
        groups.setdefault((number, decays), _group(config, number, decays))["params"].append(parameter)
    if not groups:
        raise ConfigError(
            "all parameters of the model are frozen (requires_grad is False), so that there is nothing to train; "
            "free some, such as those of its head"
        )
    return list(groups.values())


def set_learning_rate(optimizer: Optimizer, value: float) -> None:
    """Give every group this learning rate, times what is its own."""
    for group in optimizer.param_groups:
        group["lr"] = value * group.get("lr_scale", 1.0)


def freeze(model: nn.Module, optimizer: Optimizer, epoch: int) -> None:
    """Train the parameters of an epoch and no others; normalisation with frozen parameters keeps its statistics.

    Parameters that no group freezes stay as they are.
    """
    for group in optimizer.param_groups:
        if first := group.get("frozen_epochs", 0):
            for parameter in group["params"]:
                parameter.requires_grad_(first != "all" and epoch >= first)
                if not parameter.requires_grad:
                    parameter.grad = None
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, _NormBase) and own and not any(one.requires_grad for one in own):
            module.eval()


def check_groups(config: Config, schema: Schema) -> None:
    """Refuse patterns that match no parameter of the model that a run would train, and a model whose all are frozen.

    Raises
    ------
    ConfigError
        With each such pattern, and the names that are near; or when an optimizer of another package refuses these
        parameters.
    """
    if not config.optimizer.groups and ":" not in config.optimizer.name and config.model.build is None:
        return
    model = build_model(schema, config.model, config.training.seed)
    method = build_method(config, schema, traits_of(model))
    named = named_parameters(model, method.module)
    problems = Problems("optimizer.groups", [*_unmatched(list(named), config.optimizer)])
    trained = {name: one for name, one in named.items() if one.requires_grad}
    if trained and all(_is_frozen(name, config.optimizer) for name in trained):
        problems.add("all parameters are frozen in the first epoch, so that there is nothing to train; free some")
    problems.raise_if_any(ConfigError)
    build_optimizer(parameter_groups(model, method.module, config.optimizer), config.optimizer)


def _unmatched(names: Sequence[str], config: OptimizerConfig) -> Iterator[str]:
    first = {name: _first_match(name, config) for name in names}
    for number, group in enumerate(config.groups):
        if number in first.values():
            continue
        taken = [name for name in names if _matches(name, group.pattern)]
        if taken:
            before = config.groups[first[taken[0]] or 0].pattern
            yield f"'{group.pattern}': all that it matches is matched by '{before}' before it; put it first"
        else:
            yield f"'{group.pattern}' matches no parameter; {did_you_mean(group.pattern, _patterns(names))}"


def _patterns(names: Sequence[str]) -> list[str]:
    """What one may have meant: names of parameters and of the modules that hold them."""
    modules = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    return [*sorted(modules, key=lambda name: (name.count("."), name)), *names]


def _is_frozen(name: str, config: OptimizerConfig) -> bool:
    number = _first_match(name, config)
    return number is not None and config.groups[number].frozen_epochs != 0


def _first_match(name: str, config: OptimizerConfig) -> int | None:
    return next((number for number, one in enumerate(config.groups) if _matches(name, one.pattern)), None)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _group(config: OptimizerConfig, number: int | None, decays: bool) -> dict[str, Any]:
    own = None if number is None else config.groups[number]
    decay = config.weight_decay if own is None or own.weight_decay is None else own.weight_decay
    scale = 1.0
    if own is not None and own.lr is not None:
        scale = own.lr / config.lr
    elif own is not None and own.factor is not None:
        scale = own.factor
    return {
        "params": [],
        "lr": config.lr * scale,
        "lr_scale": scale,
        "weight_decay": decay if decays else 0.0,
        "frozen_epochs": 0 if own is None else own.frozen_epochs,
    }


def _decaying(model: nn.Module, own: nn.Module | None) -> set[str]:
    """Names of the parameters that are weights: of two or more dimensions, outside of normalisation layers."""
    parts: Mapping[str, nn.Module | None] = {"": model, OF_THE_METHOD: own}
    return {
        f"{prefix}{path}{'.' if path else ''}{name}"
        for prefix, part in parts.items()
        if part is not None
        for path, module in part.named_modules()
        if not isinstance(module, NORMS)
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim > 1 and (prefix, path, name) != ("", "", BASELINE)
    }
