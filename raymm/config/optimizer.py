"""How the weights are updated: the optimizer, what differs by parameter, and the learning rate over time."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from raymm.config.base import Settings, Whole
from raymm.config.choice import NameOf
from raymm.config.registries import OPTIMIZERS

__all__ = ["GroupConfig", "OptimizerConfig"]


class GroupConfig(Settings):
    """What is different for the parameters whose names match a pattern."""

    pattern: str = Field(
        min_length=1, description="of names, as in a shell (*, ?, [ab]); the name of a module stands for all in it"
    )
    lr: float | None = Field(default=None, gt=0, description="in place of optimizer.lr")
    factor: float | None = Field(default=None, gt=0, description="or in parts of optimizer.lr")
    weight_decay: float | None = Field(default=None, ge=0, description="in place of optimizer.weight_decay")
    frozen_epochs: int | Literal["all"] = Field(
        default=0, description="first epochs in which these parameters are not trained, or all"
    )

    @field_validator("frozen_epochs", mode="before")
    @classmethod
    def _count_or_all(cls, value: Any) -> Any:
        if value != "all" and (type(value) is not int or value < 0):
            raise ValueError(f"must be a number of epochs, 0 or more, or 'all' (got {value!r})")
        return value

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if self.lr is not None and self.factor is not None:
            raise ValueError(f"'{self.pattern}' has lr={self.lr} and factor={self.factor}; give one of them")
        return self


class OptimizerConfig(Settings):
    """Optimizer and learning-rate schedule."""

    name: Annotated[str, NameOf(OPTIMIZERS)] = Field(default="adamw", description="the optimizer")
    lr: float = Field(default=1e-3, gt=0, description="learning rate, before the schedule changes it")
    weight_decay: float = Field(default=1e-4, ge=0, description="of the optimizer; see decay for what decays")
    decay: Literal["weights", "all"] = Field(
        default="weights",
        description="what decays: weights, not biases, not parameters of normalisation layers, not learned "
        "baselines; or all parameters",
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd only")
    nesterov: bool = Field(default=False, description="sgd only")
    implementation: Literal["auto", "loop", "foreach", "fused"] = Field(
        default="auto",
        description="torch's: one parameter after the other, many at once, or one kernel; auto: its choice",
    )
    args: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of an optimizer by package.module:NAME"
    )
    groups: Annotated[tuple[GroupConfig, ...], Whole()] = Field(
        default=(),
        description="parameters by pattern, with lr or factor, weight_decay and frozen_epochs; the first pattern "
        "that matches counts. A mapping of patterns, or a list with the pattern in each",
    )
    schedule: Literal["constant", "cosine", "step", "linear", "plateau", "wsd"] = Field(
        default="cosine",
        description="how the learning rate falls; wsd: warm-up, stable, decay; plateau: when validation stands still",
    )
    per: Literal["epoch", "step"] = Field(
        default="epoch", description="whether cosine, linear and wsd change the rate once an epoch or in every update"
    )
    warmup: float | str = Field(
        default=0.0,
        description="epochs (also parts of one), or updates as '500 steps', in which the rate rises to lr, in every "
        "update; the schedule begins after them",
    )
    min_lr: float = Field(default=0.0, ge=0, description="cosine, linear, wsd and plateau: where the rate ends")
    step_epochs: int = Field(default=30, ge=1, description="step: multiply by `step_factor` every so many epochs")
    step_factor: float = Field(default=0.1, gt=0, le=1, description="step: what the rate is then multiplied by")
    plateau_patience: int = Field(
        default=5, ge=0, description="plateau: epochs without a better training.selection that are let pass"
    )
    plateau_factor: float = Field(default=0.1, gt=0, lt=1, description="plateau: what the rate is then multiplied by")
    wsd_stable: float = Field(
        default=0.8, ge=0, lt=1, description="wsd: share of the time after the warm-up in which the rate is lr"
    )
    wsd_decay: Literal["linear", "cosine", "sqrt"] = Field(
        default="linear", description="wsd: how it falls then; sqrt: by 1 - sqrt(q)"
    )
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient")

    @field_validator("groups", mode="before")
    @classmethod
    def _of_a_mapping(cls, value: Any) -> Any:
        """`{pattern: {lr: ...}}` as a list, in the same order."""
        if not isinstance(value, Mapping):
            return value
        for pattern, group in value.items():
            if not isinstance(group, Mapping):
                raise ValueError(f"'{pattern}': write what is different, such as {{lr: 0.0001}} (got {group!r})")  # noqa: TRY004
        return [{"pattern": str(pattern), **group} for pattern, group in value.items()]

    @field_validator("warmup", mode="before")
    @classmethod
    def _with_a_unit(cls, value: Any) -> Any:
        """`'500'`, `500steps` and `500 steps` as `500 steps`; a number is one of epochs."""
        if isinstance(value, str) and (found := re.fullmatch(r"\s*([0-9]{1,9})\s*(steps)?\s*", value)):
            return f"{int(found[1])} steps"
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"must be epochs, such as 1.5, or updates, such as '500 steps' (got {value!r})")
        return float(value)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr={self.min_lr} is above lr={self.lr}; the rate falls from lr to min_lr")
        if self.name == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum; set momentum=0.9, or nesterov=false")
        if self.args and ":" not in self.name:
            raise ValueError(f"args are of an optimizer by package.module:NAME, not of name={self.name}")
        patterns = [group.pattern for group in self.groups]
        for pattern in patterns:
            if patterns.count(pattern) > 1:
                raise ValueError(f"groups: '{pattern}' stands twice; the first would always match")
        return self

    @property
    def warmup_steps(self) -> int | None:
        """Updates of the warm-up; None where it is given in epochs."""
        return int(self.warmup.split()[0]) if isinstance(self.warmup, str) else None
