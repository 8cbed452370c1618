"""Late calibration: a few numbers, fitted on validation once training has ended, that correct a model's outputs.

`temperature` divides outputs by one number (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017), so it
changes probabilities and no answer. `modality_weights` also adds the outputs of each modality alone:

    l'(C) = a_0 l(C) + sum of a_i l({i}) over i in C

with a_0 = 1 and a_i = 0 before they are fitted. The sum is over the modalities of the coalition, so a coalition of
the calibrated model is what it was: the model with the other modalities masked. Where logits are sums of partial
logits, those of the calibrated model are as well, and cost nothing more.

`modality_temperatures` is for an ensemble (`model.fusion=ensemble`), whose answer is the mean of its members':

    l'(C) = mean of l({i}) / T_i over i in C

Each T_i is fitted for its modality by itself, as the temperature of a model that has no other.

Outputs far from 1 in size are divided by it before numbers are fitted to them, so that a fit ends where it should and
bounds hold in units of the outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from raymm.tasks.base import Task

__all__ = ["Calibrated", "Calibration", "fit_calibration"]

Calibrated = Literal["none", "temperature", "modality_weights", "modality_temperatures"]

PENALTY = 0.01
"""Of the squares of a_1 to a_n, beside the mean loss: where validation cannot tell, nothing is changed."""

LEAST = 1e-3
"""Smallest factor of outputs whose size is about 1 (1 / T, at T = 1000), where the best would be 0 or below."""

ORDINARY = 10
"""Powers of two by which the size of outputs may differ from 1 before they are divided by it."""

Logits = Callable[[Tensor, Tensor], Tensor]
"""`(features, mask) -> logits` of the model as it was trained."""


class Calibration(nn.Module):
    """The numbers a_0 to a_n of a model of n modalities.

    Attributes
    ----------
    scales
        a_0, a_1, ..., a_n, [n + 1]; of `modality_temperatures` 0, 1 / T_1, ..., 1 / T_n.
    kind
        "temperature", "modality_weights" or "modality_temperatures".
    """

    scales: Tensor

    def __init__(self, modalities: int, kind: Calibrated) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("scales", torch.eye(1, modalities + 1)[0])
        self._looked_at, self._fitted = -1, False

    @property
    def fitted(self) -> bool:
        """Whether the numbers change anything."""
        # a GPU is asked once, not at every call
        version = -1 if self.scales.is_inference() else self.scales._version  # noqa: SLF001
        if version < 0 or version != self._looked_at:
            identity = torch.eye(1, len(self.scales), device=self.scales.device)[0]
            self._fitted, self._looked_at = bool((self.scales != identity).any()), version
        return self._fitted

    @property
    def weighs_modalities(self) -> bool:
        """Whether outputs of modalities alone are added."""
        return self.fitted and self.kind != "temperature"

    def correct(
        self, logits: Float[Tensor, "B K"], of: Logits, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]
    ) -> Float[Tensor, "B K"]:
        """The outputs of rows from those of the model as it was trained, once the numbers are fitted."""
        corrected = self.scales[0] * logits
        if self.kind != "temperature":
            members = mask.sum(dim=1, keepdim=True).clamp(min=1) if self.kind == "modality_temperatures" else 1
            for modality in range(mask.shape[1]):
                alone = torch.zeros_like(mask)
                alone[:, modality] = True
                weight = self.scales[1 + modality] * mask[:, modality, None] / members
                corrected = corrected + weight * of(features, alone & mask)
        return corrected

    def correct_partials(
        self, partials: Float[Tensor, "B n K"], bias: Float[Tensor, " K"]
    ) -> tuple[Float[Tensor, "B n K"], Float[Tensor, " K"]]:
        """The terms of a sum of partial logits, where these are the logits.

        l(C) = b + sum of d_i, so l'(C) = a_0 b + sum over C of ((a_0 + a_i) d_i + a_i b).
        """
        own = self.scales[1:, None]
        return (self.scales[0] + own) * partials + own * bias, self.scales[0] * bias


def fit_calibration(
    calibration: Calibration,
    together: Float[Tensor, "N K"],
    alone: Float[Tensor, "N n K"],
    labels: Tensor,
    task: Task,
) -> None:
    """Set the numbers to those with the least loss on validation.

    Parameters
    ----------
    together, alone
        Outputs of all modalities that a sample has, and of each by itself; zeros where a sample lacks it.
    labels
        Labels [N].
    task
        Whose loss is minimised; for softmax and logistic losses the problem is convex.
    """
    outputs = torch.cat([together[:, None], alone], dim=1).double()
    if calibration.kind == "modality_weights":
        found = _best_scales(outputs, labels, task)
    elif calibration.kind == "temperature":
        found = _inverse_temperature(outputs[:, :1], labels, task)
    else:
        each = [_inverse_temperature(one, labels, task) for one in outputs[:, 1:].split(1, dim=1)]
        found = torch.cat([torch.zeros_like(each[0]), *each])
    numbers = found.to(calibration.scales.dtype)
    if numbers.isfinite().all():
        calibration.scales[: len(numbers)] = numbers


def _best_scales(outputs: Float[Tensor, "N s K"], labels: Tensor, task: Task) -> Float[Tensor, " s"]:
    """Factors of outputs whose sum has the least loss, from (1, 0, ..., 0) of outputs of ordinary size."""
    size = _size(outputs, task)
    size[1:].clamp_(min=1)  # the penalty alone bounds the factors of small outputs
    divided = outputs / size[:, None]
    scales = torch.eye(1, outputs.shape[1], dtype=torch.float64, device=outputs.device)[0].requires_grad_()
    optimizer = torch.optim.LBFGS([scales], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = task.losses(torch.einsum("s,nsk->nk", scales, divided), labels).mean()
        value = value + PENALTY * (scales / size)[1:].square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return scales.detach() / size


def _inverse_temperature(outputs: Float[Tensor, "N 1 K"], labels: Tensor, task: Task) -> Float[Tensor, " 1"]:
    """The best factor of outputs. A temperature is positive: it may change no answer."""
    return torch.maximum(_best_scales(outputs, labels, task), LEAST / _size(outputs, task))


def _size(outputs: Float[Tensor, "N s K"], task: Task) -> Float[Tensor, " s"]:
    """The power of two near the largest of each kind of outputs; 1 where it is an ordinary one, or all are 0.

    What all classes have in common changes no probability, and is no part of the size.
    """
    apart = outputs - outputs.mean(dim=-1, keepdim=True) if task.by_argmax else outputs
    largest = apart.abs().amax(dim=(0, 2))
    power = torch.where(largest > 0, largest.log2().round(), 0.0)
    return torch.where(power.abs() > ORDINARY, power, 0.0).exp2()
