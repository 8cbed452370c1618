"""Every registered method learns from both modalities in a run of some epochs, and nothing from shuffled labels.

A method that is registered is tried here without another line.
"""

from dataclasses import replace

import numpy as np
import pytest

from raymm.data import open_dataset
from raymm.methods import METHODS
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import create_or_open
from tests.games import settings
from tests.methods import test_every_method as every
from tests.planted import planted_game

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

CLASSES = 8
"""With many, a model of shuffled labels has few right by luck: it says the same to all samples of a kind."""

NEEDS = {**every.NEEDS, "umt": {"method": {"settings": {"stage": 1}}}}
"""Settings, by section, of methods that cannot do without; umt begins anew after its stage, which is half of all."""

EPOCHS = 4
SHOWN = np.array([[True, False], [False, True], [True, True]])
"""Which modalities show the label: in a third of the samples m0 alone, in a third m1 alone."""

ONE = (2 + 1 / CLASSES) / 3
"""What a model of one modality can reach, which has to guess where the other one alone shows the label: 0.71."""


def planted(path, *, shuffled):
    """240 samples for training, whose labels may be shuffled, and 240 for validation, whose labels never are."""
    game = planted_game(np.tile(SHOWN, (164, 1)), noise=0.1, classes=CLASSES, parts=(0.49, 0.49))
    rows, label = np.flatnonzero(game.split == 0), game.label.copy()
    label[rows] = np.random.default_rng(0).permutation(label[rows]) if shuffled else label[rows]
    return open_dataset(replace(game, label=label).write(path))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return {shuffled: planted(folder / str(shuffled), shuffled=shuffled) for shuffled in (False, True)}


def accuracy_of(path, name, dataset):
    """Validation accuracy at the end of training; the best epoch of shuffled labels would be the luckiest one."""
    sections = {"training": {"epochs": EPOCHS, "batch_size": 20}, "method": {"name": name}, "optimizer": {"lr": 0.03}}
    for section, values in NEEDS.get(name, {}).items():
        sections[section] = {**sections.get(section, {}), **values}
    for state in iter_epochs(create_or_open(path, settings(**sections), dataset), dataset, Backends()):
        if state.epoch == EPOCHS:
            return state.history[-1]["metrics"]["val/accuracy"]
    raise AssertionError("the training ended before its last epoch")


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_learns_from_both_modalities_and_nothing_from_shuffled_labels(name, tmp_path, data):
    found, control = (accuracy_of(tmp_path / str(shuffled), name, data[shuffled]) for shuffled in (False, True))
    assert found > ONE - 0.2
    assert (found > ONE + 0.1) == (name != "alone")
    assert control < 0.35
