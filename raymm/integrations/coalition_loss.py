"""The loss of coalitions of the modalities as a module, for a training loop of somebody's own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from raymm.errors import ConfigError, DataError, Problems
from raymm.integrations.fusions import as_fusion
from raymm.integrations.loss_step import LossStep, Numbers
from raymm.integrations.methods import config_of, method_of, names_of
from raymm.integrations.ranks import found_communicator, say_if_not_synchronised
from raymm.integrations.rows import epoch_and_row
from raymm.seeds import derive
from raymm.tasks.registry import as_task
from raymm.valuation.likeness import no_logits
from raymm.valuation.own.labels import read_labels

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.methods.base import Method
    from raymm.tasks.base import Task

__all__ = ["CoalitionLoss"]

log = logging.getLogger(__name__)

MOST_VALUED = 16
"""Modalities of which all coalitions are fused for phi."""

OF_EPOCHS = {"by": "sample", "smoothing": 0.0, "gate": False, "learnability": False, "folds": 0}
"""Settings of `valued` that look at more than the batch, as they must be here."""


class CoalitionLoss(nn.Module):
    """The loss of all modalities of each row, and those of its coalitions, from features that were encoded once.

    It is the method `coalition` of raymm's own loop, or `valued`, with the same numbers.

    Parameters
    ----------
    modalities
        Names of the n modalities, or n.
    method, settings
        `coalition` or `valued`, and its own settings, such as `{"amount": 0.5, "sizes": [1]}`.
    task, utility
        What labels are, and the utility of phi (default: the task's).
    seed
        Decides which coalitions are drawn, where not all are fused.
    reduction
        `mean` divides the sum of the rows' losses by their number; `sum` does not.

    Raises
    ------
    ConfigError
        With every setting that is wrong.

    Examples
    --------
    Three rows of two modalities with two features each; the second row lacks modality 1. The model adds features.

    >>> features = torch.tensor([[[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [9.0, 9.0]], [[0.0, 1.0], [2.0, 0.0]]])
    >>> mask = torch.tensor([[True, True], [True, False], [True, True]])
    >>> def fuse(features, mask):
    ...     return (features * mask[..., None]).sum(dim=1)
    >>> loss, phi = CoalitionLoss(("audio", "rgb"))(features, mask, torch.tensor([0, 1, 1]), fuse, return_phi=True)
    >>> round(float(loss), 4)
    0.5671
    >>> phi
    tensor([[ 1.0000,  1.0000],
            [ 1.0000,     nan],
            [ 0.5000, -0.5000]], dtype=torch.float64)
    """

    def __init__(
        self,
        modalities: Sequence[str] | int,
        *,
        method: Literal["coalition", "valued"] = "coalition",
        settings: Mapping[str, Any] | None = None,
        task: str | Task = "classification",
        utility: str | None = None,
        seed: int = 0,
        reduction: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__()
        self.modalities, self.reduction = names_of(modalities), reduction
        self.task = as_task(task)
        _check(method, reduction)
        self._config = config_of(
            method=method,
            settings=settings,
            utility=self.task.default_utility if utility is None else utility,
            where="CoalitionLoss",
            training={"seed": seed},
        )
        _check_within_batch(self._config)
        self._method = self._made()
        self._calls, self._said, self._looked = 0, False, False

    def forward(
        self,
        features: Tensor | Mapping[str, Tensor],
        mask: Tensor | None,
        labels: Tensor,
        fuse: Any,
        *,
        keys: Tensor | None = None,
        weight: Tensor | None = None,
        return_phi: bool = False,
    ) -> Any:
        """The loss of a batch, one number with its graph; with `return_phi` also the contributions of its rows.

        Parameters
        ----------
        features
            [B, n, D]; or by name of each modality [B, ...], of any widths, and then the fusion runs once a coalition.
        mask
            Modalities that each row keeps, bool [B, n]; None for all.
        labels
            [B] or [B, K]: whole numbers of classes; 0 or 1 of several labels; numbers of a regression.
        fuse
            `(features, mask) -> outputs [B, K]`, which reads nothing where the mask is False and does not mix rows;
            or a model that has it as `fuse`, whose `partials` are used where it has them; or that method of a model.
            Of a model or its method phi is computed in evaluation mode; of another function as it is.
        keys
            Numbers that tell all rows of the training apart, int64 [B]: those of a `Resampler` with the field `key`
            draw the coalitions of raymm's own loop. Default: counted, in `state_dict`.
        weight
            Weights of the rows' losses, [B].
        return_phi
            Whether to return `(loss, phi)`, phi float64 [B, n] by the weights of this forward pass; NaN for what a
            row lacks.

        Raises
        ------
        DataError, ModelError
            Naming what has another shape or type.
        """
        labels, mask = self._checked(features, mask, labels, weight)
        if return_phi and len(self.modalities) > MOST_VALUED:
            raise ConfigError(
                f"return_phi fuses all coalitions, of up to {MOST_VALUED} modalities; here are {len(self.modalities)}"
            )
        self._said = self._said or say_if_not_synchronised()
        fusion, module = as_fusion(fuse)
        seed, numbers = self._keys(keys, len(labels))
        task, utility = self.task, self._config.valuation.utility
        step = LossStep(fusion, module, features, mask, labels, weight, task, utility, seed, numbers)
        total = self._method.loss(step)  # type: ignore[arg-type]  # all of a step that these two methods read
        self._say_if_not_logits(step)
        loss = total / len(labels) if self.reduction == "mean" else total
        return (loss, step.phi()) if return_phi else loss

    def _say_if_not_logits(self, step: LossStep) -> None:
        """Look at the outputs of the first batch that has rows."""
        if self._looked or step.outputs is None or not len(step):
            return
        self._looked = True
        found = no_logits(step.outputs.detach().float(), self.task)
        if found is not None:
            log.warning(
                "CoalitionLoss: fuse returns what look like %s, and the loss takes logits; %s",
                found.what,
                found.remedy,
            )

    def __getstate__(self) -> dict[str, Any]:
        """All but the method, whose functions cannot be sent to another process; it is made there."""
        return {name: value for name, value in self.__dict__.items() if name != "_method"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._method = self._made()

    def get_extra_state(self) -> Tensor:
        """How many batches were counted, of which draws without keys are a function."""
        return torch.tensor(self._calls)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on counting."""
        self._calls = int(state)

    def extra_repr(self) -> str:
        """What it is."""
        return f"{', '.join(self.modalities)}; method={self._config.method.name}, reduction={self.reduction}"

    def _made(self) -> Method:
        return method_of(self._config, self.modalities, self.task, classes=0)

    def _keys(self, keys: Tensor | None, rows: int) -> tuple[int, Numbers]:
        """The seed of the draws, and what gives the epoch and the number of each row once something is drawn."""
        seed = self._config.training.seed
        if keys is not None:
            if keys.shape != (rows,) or keys.is_floating_point():
                raise DataError(f"keys are {keys.dtype} {list(keys.shape)}; expected whole numbers [{rows}]")
            return seed, lambda: epoch_and_row(keys.cpu().numpy().astype(np.int64))
        count, self._calls = self._calls, self._calls + 1
        if rank := found_communicator().rank:
            seed = derive(seed, "rank", rank)
        return seed, lambda: (np.full(rows, count), np.arange(rows))

    def _checked(
        self, features: Any, mask: Tensor | None, labels: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Labels of the task's type and the mask, once shapes and types fit together."""
        problems, n = Problems("CoalitionLoss"), len(self.modalities)
        rows = _rows_of(labels)
        if not rows:
            problems.add("the batch has no rows")
        else:
            try:
                labels = read_labels(labels, self.task)
                self.task.check_targets(labels)
            except (DataError, TypeError) as cause:
                problems.add(str(cause))
        problems.extend(_wrong_features(features, self.modalities, rows))
        if mask is None:
            mask = torch.ones(rows, n, dtype=torch.bool, device=getattr(labels, "device", None))
        if mask.dtype != torch.bool or mask.shape != (rows, n):
            problems.add(f"mask is {mask.dtype} {list(mask.shape)}; expected torch.bool {[rows, n]}")
        if weight is not None and weight.shape != (rows,):
            problems.add(f"weight is {list(weight.shape)}; expected {[rows]}")
        problems.raise_if_any(DataError)
        return labels, mask


def _rows_of(labels: Any) -> int:
    try:
        return len(labels)
    except TypeError as cause:
        raise DataError(f"CoalitionLoss: labels are a {type(labels).__name__}; give one for each row") from cause


def _wrong_features(features: Any, modalities: tuple[str, ...], rows: int) -> list[str]:
    if isinstance(features, Mapping):
        if set(features) != set(modalities):
            return [f"features are of {', '.join(map(str, features))}; expected {', '.join(modalities)}"]
        return [wrong for name, values in features.items() if (wrong := _wrong_feature(name, values, rows))]
    if not isinstance(features, Tensor):
        return [f"features are a {type(features).__name__}; give a tensor [B, n, D], or tensors by modality"]
    if features.ndim != 3 or features.shape[:2] != (rows, len(modalities)):
        return [f"features are {list(features.shape)}; expected {[rows, len(modalities)]} and a width"]
    return []


def _wrong_feature(name: str, values: object, rows: int) -> str | None:
    if not isinstance(values, Tensor):
        return (
            f"features of '{name}' are a {type(values).__name__}; give one tensor [{rows}, ...] (zeros where the "
            "mask is False)"
        )
    if values.ndim < 1 or len(values) != rows:
        return f"features of '{name}' are {list(values.shape)}; expected {rows} rows"
    return None


def _check(method: str, reduction: str) -> None:
    problems = Problems("CoalitionLoss")
    if method not in {"coalition", "valued"}:
        problems.add(f"method={method} is not one of its losses, which are coalition and valued")
    if reduction not in {"mean", "sum"}:
        problems.add(f"reduction={reduction} is neither mean nor sum")
    problems.raise_if_any(ConfigError)


def _check_within_batch(config: Config) -> None:
    """Refuse switches of `valued` that remember samples or read validation, which a loss of one batch cannot."""
    problems = Problems("CoalitionLoss: method=valued")
    for name, needed in OF_EPOCHS.items():
        given = getattr(config.method.settings, name, needed)
        if given != needed:
            problems.add(f"settings.{name}={given} looks at more than the batch; leave it at {needed}")
    problems.raise_if_any(ConfigError)
