"""CML: losses and confidences of nested coalitions, computed row by row."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.data import Schema, VectorSpec
from raymm.errors import ConfigError
from raymm.methods import build_method
from raymm.seeds import derive
from raymm.tasks import get_task
from tests.games import settings
from tests.methods.updates import encoder_grads, part_of, step_of, trainer_of


def by_hand(trainer, step, amount):
    n = step.mask.shape[1]
    order = np.random.default_rng(derive(trainer.method.context.seed, "cml", step.epoch, step.number)).permutation(n)
    total = 0.0
    for row in range(len(step)):
        members = [i for i in range(n) if step.mask[row, i]]
        chain = [list(members)]
        for gone in order[: n - 1]:
            if gone in members and len(members) > 1:
                members = [i for i in members if i != gone]
                chain.append(list(members))
        losses, confidences = [], []
        for coalition in chain:
            kept = torch.zeros(1, n, dtype=torch.bool)
            kept[0, coalition] = True
            outputs = trainer.model.fuse(step.features[row : row + 1], kept)
            losses.append(functional.cross_entropy(outputs, step.labels[row : row + 1]))
            confidences.append(outputs.softmax(dim=1).max())
        rises = sum(max(after - before, 0 * after) for before, after in itertools.pairwise(confidences))
        total = total + sum(losses) / len(losses) + amount * rises
    return total


@pytest.mark.parametrize("fusion", ["concat", "attention"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_losses_and_rises_of_confidence_are_those_of_nested_coalitions(n, fusion):
    trainer = trainer_of("cml", n, fusion, amount=3.0)
    step = step_of(trainer, part_of(trainer, 12, lacking=((1, 0), (4, 1)), epoch=1, number=2))
    found, expected = trainer.method.loss(step), by_hand(trainer, step, 3.0)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    assert float(by_hand(trainer, step, 0.0)) < float(expected)
    for mine, other in zip(encoder_grads(trainer, found), encoder_grads(trainer, expected), strict=True):
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(mine, other, strict=True))


def test_every_modality_goes_first_in_some_batch():
    trainer = trainer_of("cml", 3)
    steps = [step_of(trainer, part_of(trainer, 2, number=number)) for number in range(40)]
    second = {tuple(trainer.method._nested(step)[1].tolist()) for step in steps}
    assert second == {(False, True, True), (True, False, True), (True, True, False)}


def test_what_has_no_confidence_is_refused():
    schema = Schema(
        modalities=tuple(VectorSpec(name=f"m{i}", size=4) for i in range(2)),
        classes=("a", "b"),
        task=get_task("multilabel"),
    )
    with pytest.raises(ConfigError, match=r"multilabel has no one class a sample, .* confidence .* method=multitask"):
        build_method(settings(method={"name": "cml"}), schema)
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("cml", 1)
