"""Checks that masking by replay, or by a function, is a function of batch and mask alone."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from raymm.tasks.base import Task
from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.likeness import are_probabilities, close

__all__ = ["check_predict", "same_rows_when_all_is_masked", "say_if_not_logits"]

log = logging.getLogger(__name__)

ENOUGH = 8
"""Numbers of which none is negative or above 1 before they are taken for probabilities."""

Masked = Callable[[Mask], Float[Tensor, "B K"]]


def check_predict(predict: Masked, present: Mask, what: str) -> Float[Tensor, "B K"]:
    """Logits of all modalities, once those of a mask are the same after another, and samples do not mix.

    Parameters
    ----------
    what
        The name of `predict` in messages.

    Raises
    ------
    ModelError
        When they are not, or do.
    """
    whole = predict(present)
    nothing = predict(torch.zeros_like(present))
    if close(nothing, whole):
        log.warning(
            "%s gives the same logits with all modalities as with none: it does not read the mask, or no modality "
            "changes its answer",
            what,
        )
    if not close(predict(present), whole):
        raise ModelError(
            f"{what} gives other logits when it is called again with the same batch and mask: it changes the batch "
            "in place, or draws at random (a module that a function calls must be in evaluation mode: give it as the "
            "model beside predict=)"
        )
    if len(present) > 1:
        mask = present.clone()
        mask[0] = False
        others = predict(mask)[1:]
        changed = [row for row in range(len(others)) if not close(others[row], whole[row + 1])]
        if changed:
            raise ModelError(
                f"{what}: the logits of sample {changed[0] + 1} of the batch change when sample 0 is masked; samples "
                "of a batch must not mix (is an axis of a branch's output taken for the samples, or are the logits "
                "similarities between samples?)"
            )
    return whole


def say_if_not_logits(logits: Float[Tensor, "B K"], task: Task) -> bool:
    """Whether outputs look like probabilities, of which another softmax (sigmoid) is taken; says so in the log.

    >>> from raymm.tasks import get_task
    >>> say_if_not_logits(torch.tensor([[0.5, -0.5]]), get_task("classification"))
    False
    """
    if task.keeps_probabilities and _are_of_a_sigmoid(logits):
        log.warning(
            "the outputs look like probabilities of labels (all of them are from 0 to 1), and are read as logits, so "
            "that predictions, the loss and graded utilities are wrong: give outputs=lambda out: out.logit(), or "
            "leave the sigmoid out"
        )
        return True
    found = task.by_argmax and are_probabilities(logits)
    if found:
        log.warning(
            "the outputs look like probabilities (none is negative, and those of each sample add up to 1), and are "
            "read as logits, so that the loss and graded utilities are wrong: give outputs=lambda out: out.log(), or "
            "leave the softmax out"
        )
    return found


def _are_of_a_sigmoid(logits: Float[Tensor, "B K"]) -> bool:
    """Whether all of enough numbers are from 0 to 1, and some of them differ; logits would have either sign."""
    return (
        logits.numel() >= ENOUGH
        and bool(((logits >= 0) & (logits <= 1)).all())
        and not close(logits, logits.flatten()[0].expand_as(logits))
    )


def same_rows_when_all_is_masked(logits: Float[Tensor, "B K"]) -> bool:
    """Whether all samples have the same logits once every modality is masked; says so in the log if they have not."""
    same = all(close(row, logits[0]) for row in logits[1:])
    if not same:
        log.warning(
            "with every branch masked the logits still differ between samples: something else of their inputs "
            "reaches the model (a modality that modalities= does not name, lengths of padded inputs); it is there in "
            "every coalition"
        )
    return same
