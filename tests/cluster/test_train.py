"""Parts of training on Ray that need no Ray: errors of ranks, and the order in which runs are trained."""

from dataclasses import dataclass

import pytest

from raymm.cluster.train import _error_of_rank, _explain, _round_robin
from raymm.errors import RaymmError, TrainingError


@pytest.mark.parametrize(
    ("kind", "made"),
    [("TrainingError", TrainingError), ("ModelError", RaymmError), ("Problems", RaymmError), ("Path", RaymmError)],
)
def test_an_error_of_a_rank_keeps_its_words_wherever_it_is_declared(kind, made):
    error = _error_of_rank(kind, "epoch 0, step 1: the loss is nan")
    assert type(error) is made
    assert str(error) == "epoch 0, step 1: the loss is nan"


def test_a_part_that_only_the_driver_knows_is_explained():
    said = _explain("raymm.errors.ConfigError: run.json: model.fusion: no fusion 'maxy'; known: concat")
    assert "a worker refused settings that are known here (run.json: model.fusion: no fusion 'maxy'" in said
    assert "by --plugins" in said
    assert _explain("ValueError: else: 1") == "ValueError: else: 1; --debug shows the whole trace"


@dataclass
class Reached:
    epoch: int


@pytest.mark.parametrize(("until", "order"), [(None, "ababb"), (2, "abab"), (1, "ab")])
def test_runs_are_trained_an_epoch_each_in_turn(until, order):
    trained = []

    def run(name, epochs):
        for epoch in range(1, epochs + 1):
            trained.append(name)
            yield Reached(epoch)

    _round_robin([run("a", 2), run("b", 3)], until)
    assert "".join(trained) == order
