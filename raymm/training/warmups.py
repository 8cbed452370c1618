"""Warm-ups: the joint epochs before the first plan, which runs that differ in re-sampling alone have in common."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.config.method import MethodConfig
from raymm.methods.registry import get_method
from raymm.storage.layout import committed_epochs
from raymm.training.run import BranchPoint

if TYPE_CHECKING:
    from raymm.config.sections import Config

__all__ = ["begins_jointly", "shared_warmups", "warm_start", "warmup_epochs", "warmup_of", "with_seed"]


def shared_warmups(configs: Iterable[Config]) -> list[tuple[Config, int]]:
    """Warm-ups that at least two of the configurations share, with the number of epochs that they need."""
    groups: dict[str, list[Config]] = {}
    for config in filter(begins_jointly, configs):
        groups.setdefault(warmup_of(config).fingerprint(), []).append(config)
    shared = []
    for group in groups.values():
        until = max((warmup_epochs(config) for config in group), default=0)
        if len(group) > 1 and until > 0:
            shared.append((group[0], until))
    return shared


def begins_jointly(config: Config) -> bool:
    """Whether a run is joint training until its first plan, so not where its method has a loss of its own."""
    return get_method(config.method.name).acts_by_plan_only()


def warmup_of(config: Config) -> Config:
    """The joint training whose first epochs are the warm-up of `config`: nothing of re-sampling is read in them."""
    return config.model_copy(update={"method": MethodConfig(name="joint")})


def warmup_epochs(config: Config) -> int:
    """Epochs after which a run and its joint training part; 0 where no epoch is shared."""
    if get_method(config.method.name).needs == "nothing" or not begins_jointly(config):
        return 0
    return min(max(1, config.method.warmup), config.training.epochs - 1)


def warm_start(folder: Path, config: Config) -> BranchPoint | None:
    """Where a run starts, of a shared warm-up whose run lies in `folder`.

    None when that epoch has not been trained so far, and for a run that does not begin with joint training. A joint
    run takes all epochs that are there.
    """
    if not begins_jointly(config):
        return None
    epochs = committed_epochs(folder)
    wanted = warmup_epochs(config) or max(epochs, default=0)
    return BranchPoint(folder, wanted) if wanted in epochs else None


def with_seed(config: Config, seed: int) -> Config:
    """The same settings with another seed."""
    return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
