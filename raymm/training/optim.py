"""Optimizers by name: torch's SGD, Adam and AdamW, and those of other packages, as "package.module:NAME"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from raymm.config.registries import OPTIMIZERS
from raymm.errors import ConfigError, in_one_line

if TYPE_CHECKING:
    from raymm.config.optimizer import OptimizerConfig

__all__ = ["BuildOptimizer", "build_optimizer", "check_optimizer", "try_updates"]

Parameters = Iterable[nn.Parameter] | list[dict[str, Any]]

BuildOptimizer = Callable[[Parameters, "OptimizerConfig"], Optimizer]
"""`(parameters or groups of them, settings) -> optimizer`."""

IMPLEMENTATIONS: dict[str, dict[str, bool]] = {
    "auto": {},
    "loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def build_optimizer(parameters: Parameters, config: OptimizerConfig) -> Optimizer:
    """The configured optimizer over parameters, or over groups of them (`raymm.training.parameter_groups`).

    Raises
    ------
    ConfigError
        When an optimizer of another package cannot be made with these settings.
    """
    return OPTIMIZERS.get(config.name, "optimizer.name").build(parameters, config)


def check_optimizer(config: OptimizerConfig) -> None:
    """Refuse an optimizer of another package that a run could not go on with, after two updates of four numbers.

    Of torch's three all settings that can be read are known to work. They are not tried: to make an optimizer loads
    torch's compiler, which takes more than a second of a driver that trains nothing itself.

    Raises
    ------
    ConfigError
        When it cannot be made, does not update by gradients alone, or remembers anything but tensors by parameter, of
        which a commit would lack.
    """
    if not OPTIMIZERS.get(config.name, "optimizer.name").of_torch:
        try_updates(config)


def try_updates(config: OptimizerConfig) -> None:
    """Make an optimizer and let it update; raises as `check_optimizer` says."""
    weights = nn.Parameter(torch.ones(2, 2))
    optimizer = build_optimizer([weights], config)
    before = [_plain(group) for group in optimizer.param_groups]
    where = f"optimizer.name={config.name}"
    try:
        for _ in range(2):
            weights.grad = torch.ones_like(weights)
            optimizer.step()
    except Exception as cause:
        raise ConfigError(f"{where}: an update raises {in_one_line(cause)}") from cause
    strange = [name for name, value in optimizer.state.get(weights, {}).items() if not isinstance(value, Tensor)]
    strange += [
        name for group, was in zip(optimizer.param_groups, before, strict=True) for name in _changed(group, was)
    ]
    if strange:
        raise ConfigError(
            f"{where}: keeps '{strange[0]}' outside of tensors by parameter, which a commit would lack: a resumed "
            "run would go on with other numbers"
        )


@dataclass(frozen=True)
class _Entry:
    build: BuildOptimizer
    of_torch: bool = False


def _sgd(parameters: Parameters, config: OptimizerConfig) -> Optimizer:
    more: dict[str, Any] = {"momentum": config.momentum, "nesterov": config.nesterov}
    return SGD(parameters, lr=config.lr, weight_decay=config.weight_decay, **more, **_implementation(config))


def _adam(parameters: Parameters, config: OptimizerConfig) -> Optimizer:
    return Adam(parameters, lr=config.lr, weight_decay=config.weight_decay, **_implementation(config))


def _adamw(parameters: Parameters, config: OptimizerConfig) -> Optimizer:
    return AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, **_implementation(config))


def _implementation(config: OptimizerConfig) -> dict[str, Any]:
    return dict(IMPLEMENTATIONS[config.implementation])


def _of_another_package(make: Callable[..., Any], where: str) -> _Entry:
    def build(parameters: Parameters, config: OptimizerConfig) -> Optimizer:
        try:
            made = make(parameters, lr=config.lr, weight_decay=config.weight_decay, **config.args)
        except Exception as cause:
            said = "with lr, weight_decay and optimizer.args it raises"
            raise ConfigError(f"optimizer.name={where}: {said} {in_one_line(cause)}") from cause
        if not isinstance(made, Optimizer):
            raise ConfigError(
                f"optimizer.name={where}: returns a {type(made).__name__}; expected a torch.optim.Optimizer"
            )
        return made

    return _Entry(build)


def _adapt(found: Any, where: str) -> _Entry:
    if isinstance(found, _Entry):
        return found
    if not callable(found):
        raise ConfigError(
            f"{where} is no optimizer; name a subclass of torch.optim.Optimizer, or a function that makes one"
        )
    return _of_another_package(found, where.rpartition(": ")[2])


def _plain(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def _changed(group: dict[str, Any], was: dict[str, Any]) -> list[str]:
    now = _plain(group)
    return [name for name in {**was, **now} if name not in was or name not in now or now[name] is not was[name]]


OPTIMIZERS.adapt = _adapt
for _name, _build in (("sgd", _sgd), ("adam", _adam), ("adamw", _adamw)):
    OPTIMIZERS.register(_name, _Entry(_build, of_torch=True))
