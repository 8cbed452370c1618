"""Boosting over modalities: whose turn it is, the loss of a turn, and what is left as it is."""

import pytest
import torch

from raymm.errors import ConfigError
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, trainer_of


def by_hand(trainer, batch, i, own, rest, agreement):
    """The loss of a turn, row by row, from the weights of the head."""
    features, fusion = trainer.model.encode(batch), trainer.model.fusion
    n, total = features.shape[1], 0.0
    blocks = fusion.weight if fusion.weight.ndim == 3 else fusion.weight.T.expand(n, -1, -1)
    for row in range(len(batch)):
        has, y = batch.mask[row], batch.labels[row]
        if not has[i]:
            continue
        term = [features[row, j] @ blocks[j] * has[j] for j in range(n)]
        mine = (fusion.bias + term[i]).log_softmax(dim=0)
        others = (fusion.bias + sum(term[:i] + term[i + 1 :])).softmax(dim=0).detach()
        before = (fusion.bias + term[i - 1]).softmax(dim=0).detach()
        total = total - (own - rest * others[y]) * mine[y]
        if has[i - 1]:
            total = total + agreement * (mine.exp() - before).square().sum()
    return total / len(batch)


@pytest.mark.parametrize("fusion", ["concat", "sum"])
@pytest.mark.parametrize(("n", "i"), [(2, 0), (2, 1), (3, 0), (3, 2)])
def test_a_turn_trains_one_modality_on_what_the_others_miss(n, i, fusion):
    trainer = trainer_of("reconboost", n, fusion=fusion, epochs=9, own=4.0, rest=2.0, agreement=0.7)
    batch = rows_of(trainer)
    expected = gradients(trainer, by_hand(trainer, batch, i, 4.0, 2.0, 0.7))
    found = changes(trainer, part_of(batch, epoch=2 * i))
    assert_equal(found, expected)
    still = [name for name in found if name.startswith("encoders.") and f".m{i}." not in name]
    assert all((found[name] == 0).all() for name in still)
    assert len(still) > 2 * (n - 1)


def test_between_turns_all_learn_together():
    trainer = trainer_of("reconboost", 2)
    batch = rows_of(trainer)
    expected = gradients(trainer, torch.nn.functional.cross_entropy(trainer.model(batch), batch.labels))
    assert_equal(changes(trainer, part_of(batch, epoch=1)), expected)


@pytest.mark.parametrize(
    ("n", "stage", "together", "expected"),
    [
        (2, 1, 1, [0, None, 1, None, 0, None, 1]),
        (3, 2, 0, [0, 0, 1, 1, 2, 2, 0]),
        (2, 1, 2, [0, None, None, 1, None, None, 0]),
        (1, 1, 1, [0, None, 0, None, 0, None, 0]),
    ],
)
def test_the_turns_go_round(n, stage, together, expected):
    method = trainer_of("reconboost", n, epochs=9, stage=stage, rectification=together).method
    assert [method._learner(epoch) for epoch in range(7)] == expected


def test_encoders_whose_turn_it_is_not_are_not_moved_by_momentum_or_decay():
    trainer = trainer_of("reconboost", 2, rectification=0)
    for group in trainer.optimizer.param_groups:
        group["momentum"], group["weight_decay"] = 0.9, 0.1
    batch = rows_of(trainer)
    for epoch in range(4):
        found = changes(trainer, part_of(batch, epoch=epoch))
        moved = {name[9:11] for name in found if name.startswith("encoders.") and found[name].any()}
        assert moved == {f"m{epoch % 2}"}


def test_what_it_is_not_defined_for_is_refused():
    with pytest.raises(
        ConfigError, match=r"model.fusion=gated is no sum of one output a modality; use .*concat, or sum"
    ):
        trainer_of("reconboost", model={"fusion": {"name": "gated", "size": 4}})
    with pytest.raises(ConfigError, match="the task multilabel has no one class a sample"):
        trainer_of("reconboost", task="multilabel")
    with pytest.raises(ConfigError, match=r"training.epochs=5 ends before each modality had its turn; use 6 or more"):
        trainer_of("reconboost", 3, epochs=5)
    assert trainer_of("reconboost", 3, epochs=6).method._learner(4) == 2  # as many as are needed
