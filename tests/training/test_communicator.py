"""What ranks add up: gradients, and a loss that is kept for an epoch."""

import torch
from torch import nn

from raymm.training.communicator import sum_gradients
from tests.ranks import on_ranks, ranks

SHAPES = {"a": (3, 4), "b": (5,), "half": (2, 2), "only_on_one": (7,)}


def parameters_of(rank):
    """Parameters with gradients of a rank; the last has one on rank 0 alone."""
    generator = torch.Generator().manual_seed(rank)
    made = {name: nn.Parameter(torch.zeros(shape)) for name, shape in SHAPES.items()}
    made["half"] = nn.Parameter(torch.zeros(2, 2, dtype=torch.bfloat16))
    for name, parameter in made.items():
        if name != "only_on_one" or rank == 0:
            parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    return made


def summed(communicator):
    own = parameters_of(communicator.rank)
    frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
    loss = sum_gradients([*own.values(), frozen], communicator, torch.tensor(1.5 + communicator.rank))
    return own, frozen, loss


def on_both_ranks():
    communicators = ranks(2)
    return on_ranks(communicators, communicators, summed)


def test_gradients_and_losses_are_those_of_all_ranks():
    found = on_both_ranks()
    first, second = parameters_of(0), parameters_of(1)
    for own, frozen, loss in found:
        assert float(loss) == 4.0
        assert frozen.grad is None
        for name, parameter in own.items():
            other = second[name].grad
            wanted = first[name].grad.float() + (0.0 if other is None else other.float())
            assert parameter.grad.dtype == parameter.dtype
            assert parameter.grad.shape == parameter.shape
            assert torch.equal(parameter.grad, wanted.to(parameter.dtype))
    assert not torch.equal(first["a"].grad, found[0][0]["a"].grad)


def test_a_loss_does_not_keep_the_gradients_that_it_came_with():
    for _, _, loss in on_both_ranks():
        assert loss.untyped_storage().nbytes() == loss.element_size()
