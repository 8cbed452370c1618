"""Cosines of gradients, however short the gradients of well-fitted rows are, and the rows that they are of."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from raymm.methods.gradients import cosines
from raymm.training.conflict import conflict_sums
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.training.step import Trainer
from tests.games import settings

SAMPLES = 120


@pytest.mark.parametrize("length", [1.0, 1e-6, 1e-12, 1e-30])
def test_cosines_do_not_depend_on_the_lengths(length):
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 20, 5))
    expected = [a @ b / np.sqrt(a @ a) / np.sqrt(b @ b) for a, b in zip(first, second, strict=True)]
    found = cosines(torch.from_numpy(length * first), torch.from_numpy(second * length))
    assert found.numpy() == pytest.approx(expected)


def test_a_gradient_of_zero_has_no_cosine():
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    assert cosines(rows, torch.ones(2, 2, dtype=torch.float64)).isnan().tolist() == [True, False]
    assert cosines(torch.zeros(0), torch.zeros(0)).isnan()


def first_masks(monkeypatch):
    """The masks of the first batch of every epoch that is trained from here on."""
    masks, plain = [], Trainer.step

    def step(trainer, part):
        taken = plain(trainer, part)
        if not part.number:
            masks.append(taken.mask.tolist())
        return taken

    monkeypatch.setattr(Trainer, "step", step)
    return masks


@pytest.mark.parametrize("method", ["joint", "sample", "dropout"])
def test_rows_count_that_keep_a_modality_and_another(tmp_path, dataset, monkeypatch, method):
    masks = first_masks(monkeypatch)
    run = create_or_open(tmp_path / "run", settings(method={"name": method}, training={"epochs": 3}), dataset)
    history = train(run, dataset, Backends()).history
    several = [sum(first and second for first, second in rows) for rows in masks]  # of two modalities: both
    for name in ("m0", "m1"):
        assert [entry["metrics"][f"conflict/rows_{name}"] for entry in history] == several
    assert (several[-1] < len(masks[-1])) == (method != "joint")


def test_rows_count_by_what_they_keep_and_whether_both_gradients_are_there():
    """Outputs are a sum of features, losses a multiple of it: each cosine is 1, and 0 times has no gradient."""
    model = nn.Identity()
    model.reads = torch.ones(3, dtype=torch.bool)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]], dtype=torch.bool)
    times = torch.tensor([1.0, 2.0, 1.0, 3.0, 0.0])
    step = SimpleNamespace(
        mask=mask,
        model=model,
        features=torch.ones(5, 3, 2),
        fuse=lambda features, kept: (features * (kept & mask)[..., None]).sum(dim=1),
        loss_of=lambda logits: times * logits.sum(dim=1),
    )
    sums = conflict_sums(step)
    assert sums[1].tolist() == [2, 3, 2]  # not the row that keeps one modality, nor the one without a gradient
    assert sums[0].tolist() == pytest.approx([2, 3, 2])
    model.reads = torch.tensor([True, False, True])  # what is not read is no company
    assert conflict_sums(step)[1, [0, 2]].tolist() == [1, 1]
