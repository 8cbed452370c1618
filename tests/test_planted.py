"""Planted games: the truth that they claim is the truth."""

import numpy as np
import pytest
import torch

from raymm.data import open_dataset
from raymm.errors import ConfigError
from raymm.valuation import shapley_values
from raymm.valuation.coalitions import coalition_sizes
from tests.planted import planted_game


def true_phi(game):
    n = game.right.shape[1].bit_length() - 1
    return shapley_values(torch.from_numpy(game.right) * coalition_sizes(n))


def test_redundancy_has_its_closed_form():
    phi = true_phi(planted_game(np.ones((5, 3), bool)))
    assert torch.equal(phi, torch.ones_like(phi))


def test_a_dictator_and_its_dummies_have_their_closed_form():
    carriers = np.zeros((5, 3), bool)
    carriers[:, 1] = True
    assert true_phi(planted_game(carriers))[0].tolist() == [0.5, 2.0, 0.5]


def test_synergy_has_its_closed_form():
    carriers = np.zeros((5, 4), bool)
    carriers[:, :2] = True
    phi = true_phi(planted_game(carriers, "all"))[0]
    assert phi.tolist() == pytest.approx([5 / 3, 5 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("rule", ["any", "all"])
def test_a_nearest_prototype_reads_what_the_carriers_show(rule):
    generator = np.random.default_rng(0)
    carriers = generator.random((400, 3)) < 0.6
    carriers[~carriers.any(axis=1), 0] = True
    game = planted_game(carriers, rule, noise=0.01, seed=3)
    prototypes = {}
    for modality in range(3):
        shown = game.features[carriers[:, modality], modality]
        unique = np.unique(np.round(shown / np.linalg.norm(shown, axis=1, keepdims=True), 0), axis=0)
        prototypes[modality] = len(unique)
    assert all(count >= 2 for count in prototypes.values())
    silent = game.features[~carriers]
    assert np.linalg.norm(silent, axis=1).max() < 0.1
    assert np.linalg.norm(game.features[carriers], axis=1).min() > 0.9


def test_games_are_a_function_of_the_seed_and_can_be_stored(tmp_path):
    carriers = np.ones((50, 2), bool)
    game = planted_game(carriers, seed=5)
    game.write(tmp_path / "d")
    dataset = open_dataset(tmp_path / "d")
    assert np.array_equal(dataset.shards.read("m1", np.arange(50)), game.features[:, 1])
    assert np.array_equal(game.features, planted_game(carriers, seed=5).features)
    assert not np.array_equal(game.features, planted_game(carriers, seed=6).features)
    for split in ("train", "val", "test"):
        assert set(dataset.label[dataset.rows(split)]) == {0, 1, 2, 3}


def test_a_sample_without_a_carrier_is_refused():
    with pytest.raises(ConfigError, match="every sample needs one modality that carries evidence"):
        planted_game(np.zeros((3, 2), bool))
