"""Checks that masking by replay, or by a function, is a function of batch and mask alone."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.tasks.base import Task
from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.likeness import changed_rows, close, no_logits
from raymm.valuation.structure import name_of

__all__ = ["check_apart", "check_predict", "same_rows_when_all_is_masked", "say_if_not_logits", "say_if_training"]

log = logging.getLogger(__name__)

Masked = Callable[[Mask], Float[Tensor, "B K"]]


def check_predict(predict: Masked, present: Mask, what: str) -> Float[Tensor, "B K"]:
    """Logits of all modalities, once those of a mask are the same after another.

    Parameters
    ----------
    what
        The name of `predict` in messages.

    Raises
    ------
    ModelError
        When they are not.
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
    return whole


def check_apart(predict: Masked, whole: Float[Tensor, "B K"], present: Mask, what: str) -> None:
    """Raise `ModelError` where masking one sample, which has some modality, changes the logits of others."""
    masked, mask = int(present.any(dim=1).nonzero()[0, 0]), present.clone()
    mask[masked] = False
    changed = [row for row in changed_rows(predict(mask), whole) if row != masked]
    if changed:
        raise ModelError(
            f"{what}: the logits of sample {changed[0]} of the batch change when sample {masked} is masked; samples "
            "of a batch must not mix (is an axis of a branch's output taken for the samples, or are the logits "
            "similarities between samples?)"
        )


def say_if_not_logits(logits: Float[Tensor, "B K"], task: Task) -> bool:
    """Whether outputs look like probabilities, of which another softmax (sigmoid) is taken; says so in the log.

    >>> from raymm.tasks import get_task
    >>> say_if_not_logits(torch.tensor([[0.5, -0.5]]), get_task("classification"))
    False
    """
    found = no_logits(logits, task)
    if found is not None:
        log.warning(
            "the outputs look like %s, and are read as logits, so that the loss and graded utilities (of labels: "
            "predictions, too) are wrong: give outputs=lambda out: out.%s(), or leave the %s out",
            found.what,
            found.inverse,
            found.made_by,
        )
    return found is not None


def say_if_training(function: Callable[..., Any]) -> bool:
    """Whether a function reads modules in training mode by a global name, which stay in it; says so in the log."""
    code = inspect.unwrap(getattr(function, "__func__", function))
    if not inspect.isfunction(code):
        return False
    named = {name: code.__globals__.get(name) for name in code.__code__.co_names}
    training = [name for name, value in named.items() if isinstance(value, nn.Module) and value.training]
    if training:
        log.warning(
            "%s reads %s by a global name, which is in training mode and stays in it: values are wrong where layers "
            "of it act otherwise (dropout, batch normalisation); call %s.eval(), or give it as the model beside "
            "predict=",
            name_of(function),
            ", ".join(training),
            training[0],
        )
    return bool(training)


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
