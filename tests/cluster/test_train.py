"""Parts of training on Ray that need no Ray: errors of ranks, and the order in which runs are trained."""

import json
from dataclasses import dataclass

import pytest

from raymm.cluster.train import _error_of_rank, _round_robin, _teller, train_on_rank
from raymm.errors import RaymmError, TrainingError
from raymm.storage.layout import epoch_folder
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open
from tests.games import StopError, settings, stop_after


@pytest.mark.parametrize(
    ("kind", "made"),
    [("TrainingError", TrainingError), ("ModelError", RaymmError), ("Problems", RaymmError), ("Path", RaymmError)],
)
def test_an_error_of_a_rank_keeps_its_words_wherever_it_is_declared(kind, made):
    error = _error_of_rank(kind, "epoch 0, step 1: the loss is nan")
    assert type(error) is made
    assert str(error) == "epoch 0, step 1: the loss is nan"


def test_a_part_that_only_the_driver_knows_is_explained(tmp_path):
    about = {"key": "0" * 32, "data": "d", "digest": "0" * 64, "config": {"model": {"fusion": "maxy"}}}
    (tmp_path / "run.json").write_text(json.dumps(about))
    found = train_on_rank({"runs": [str(tmp_path)]})
    assert found["error"] == "ConfigError"
    assert "a Ray worker refused settings that the driver accepted" in found["message"]
    assert "no fusion 'maxy'" in found["message"]
    assert "by --plugins" in found["message"]
    gone = train_on_rank({"runs": [str(tmp_path / "gone")]})
    assert "no run there" in gone["message"]
    assert "--plugins" not in gone["message"]


def test_a_damaged_epoch_is_told_as_the_loop_takes_it(tmp_path, dataset):
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 3, "keep": 9}), dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(2)))
    (epoch_folder(run.path, 2) / "state.json").write_text("{")
    told = []
    _round_robin(
        [iter_epochs(run, dataset, Backends())], None, _teller([run], lambda given: told.append(len(given[0])))
    )
    assert told == [1, 2, 3]


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
