"""What methods share that compare the class probabilities of modalities."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext

__all__ = ["divergence_from_uniform", "jensen_shannon", "no_classes", "no_probability", "pairs"]


def no_classes(context: MethodContext, what: str) -> list[str]:
    """What is wrong with a task whose outputs are no probabilities of one class each, in words."""
    if context.task == "classification":
        return []
    return [
        f"the task {context.task} has no one class a sample, so there is no softmax for {what}; use method=multitask"
    ]


def no_probability(context: MethodContext) -> list[str]:
    """What is wrong with a task whose labels have no probability, such as regression, in words."""
    if "probability" in context.utility.task.soft:
        return []
    problem = (
        f"labels of the task {context.task} have no probability, which says how well a modality does; use "
        "method=multitask or method=coalition"
    )
    return [problem]


def pairs(n: int) -> list[tuple[int, int]]:
    """All pairs of n modalities.

    >>> pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(n), 2))


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence of the softmax of outputs [..., K], in nats: 0 where equal, log 2 at most.

    >>> jensen_shannon(torch.tensor([50.0, 0.0]), torch.tensor([0.0, 50.0]))
    tensor(0.6931)
    """
    p, q = one.float().log_softmax(dim=-1), other.float().log_softmax(dim=-1)
    middle = torch.logaddexp(p, q) - torch.log(torch.tensor(2.0))
    return 0.5 * (p.exp() * (p - middle) + q.exp() * (q - middle)).sum(dim=-1)


def divergence_from_uniform(outputs: Tensor) -> Tensor:
    """KL divergence of the softmax of outputs [..., K] from uniform probabilities, in nats: log K less the entropy.

    >>> divergence_from_uniform(torch.tensor([[3.0, 3.0], [50.0, 0.0]]))
    tensor([0.0000, 0.6931])
    """
    p = outputs.float().log_softmax(dim=-1)
    return (p.exp() * p).sum(dim=-1) + torch.log(torch.tensor(float(outputs.shape[-1])))
