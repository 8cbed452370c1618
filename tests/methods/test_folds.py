"""phi out of fold: models that never see a fold, its contributions by hand, and the weights that follow from them."""

import copy
from math import factorial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.errors import ConfigError
from raymm.methods.epochs import EpochEnd, EpochStart
from raymm.methods.folds import Folds
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.average import WeightAverage
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import create_or_open
from raymm.training.training_step import RankBatch, TrainingStep
from tests.games import gappy_dataset, settings
from tests.methods.steps import ROWS, batch_of, grid_of_masks, members_of, schema_of, step_of, trainer_of
from tests.methods.test_valued import assert_same, expected_rows, lack_of

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

FOLDS = {"folds": 2, "fold_epochs": 1}
"""Epoch 0 trains without fold 0, epoch 1 without fold 1, the others train the model."""


def folds_of(rows, count=2):
    return Folds(count, 1, 0).of_samples(torch.arange(rows))


def step_at(trainer, epoch, batch):
    return TrainingStep(trainer, RankBatch(batch, None, len(batch), epoch, 0))


def shapley(worth, n):
    """The definition: the mean of what a modality adds to those before it, over all orders."""
    phi = np.zeros(n)
    for i in range(n):
        for code in range(2**n):
            if not code >> i & 1:
                size = code.bit_count()
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                phi[i] += weight * (worth(code | 1 << i) - worth(code))
    return phi


def contributions_by_hand(model, features, mask, labels):
    """phi of the utility `count` of every row, by running the fusion on each coalition alone."""
    phi = np.full(mask.shape, np.nan)
    for row, own in enumerate(mask):
        members = members_of(own)

        def worth(code, row=row, members=members):
            chosen = [player for place, player in enumerate(members) if code >> place & 1]
            kept = torch.zeros(1, mask.shape[1], dtype=torch.bool)
            kept[0, chosen] = True
            with torch.no_grad():
                right = model.fuse(features[row : row + 1], kept).argmax() == labels[row]
            return len(chosen) * int(right)

        phi[row, list(members)] = shapley(worth, len(members))
    return phi


def test_every_sample_is_in_one_fold_whatever_it_comes_with():
    found = folds_of(3_000, 3)
    assert [round(float((found == fold).float().mean()), 1) for fold in range(3)] == [0.3, 0.3, 0.3]
    some = torch.tensor([2_999, 5, 700])
    assert torch.equal(Folds(3, 3, 0).of_samples(some), found[some])
    assert not torch.equal(Folds(3, 3, 1).of_samples(torch.arange(3_000)), found)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_fold_that_is_left_out_has_no_loss_and_the_others_have_that_of_coalition(epoch):
    trainer = trainer_of("valued", 3, **FOLDS)
    step = step_at(trainer, epoch, batch_of(schema_of(3), grid_of_masks(3)))
    inside = (folds_of(ROWS) != epoch).tolist()
    assert 0 < sum(inside) < ROWS
    even = expected_rows(step, np.ones((ROWS, 3)))
    assert_same(step, trainer, [ROWS / sum(inside) * row * kept for row, kept in zip(even, inside, strict=True)])


@pytest.mark.parametrize("fold", [0, 1])
def test_no_weight_of_a_model_follows_from_the_fold_that_it_is_trained_without(fold):
    """Other labels in the fold that is left out change no bit; the same in the other fold do."""
    found = {}
    for changed in (None, fold, 1 - fold):
        trainer = trainer_of("valued", 3, **FOLDS)
        for number in range(3):
            batch = batch_of(schema_of(3), grid_of_masks(3), seed=number)
            if changed is not None:
                of_fold = folds_of(ROWS) == changed
                batch.labels[of_fold] = (batch.labels[of_fold] + 1) % 3
            trainer.step(RankBatch(batch, None, ROWS, fold, number))
        found[changed] = copy.deepcopy(trainer.model.state_dict())
    assert all(torch.equal(found[None][name], found[fold][name]) for name in found[None])
    assert not all(torch.equal(found[None][name], found[1 - fold][name]) for name in found[None])


def test_weights_come_from_the_phi_of_the_fold_and_not_from_that_of_the_row(monkeypatch):
    trainer = trainer_of("valued", 3, **FOLDS)
    table = torch.full((ROWS, 3), torch.nan)
    table[:, 0], table[:, 1] = torch.arange(ROWS) / ROWS, -0.5
    trainer.method.out_of_fold.table = table
    step = step_at(trainer, 2, batch_of(schema_of(3), grid_of_masks(3)))
    monkeypatch.setattr(step, "phi", lambda: pytest.fail("phi of the row was computed"))
    assert_same(step, trainer, expected_rows(step, 0.5 + 2 * lack_of(table.numpy())))


def test_the_model_begins_anew_for_each_fold_and_after_the_last():
    trainer = trainer_of("joint", 2)
    initial, begun = copy.deepcopy(trainer.model), []
    for epoch in range(9):
        with torch.no_grad():
            for weights in trainer.model.parameters():
                weights.add_(1.0)
        before = copy.deepcopy(trainer.model.state_dict())
        forgotten = []
        start = EpochStart(epoch, 9, ROWS, trainer.model, lambda: copy.deepcopy(initial), forgotten.append)
        Folds(2, 3, 0).begin(start)
        expected = initial.state_dict() if forgotten else before
        assert all(torch.equal(one, expected[name]) for name, one in trainer.model.state_dict().items())
        begun += [epoch] * len(forgotten)
    assert begun == [3, 6]


def test_a_run_values_each_fold_by_the_committed_model_that_was_trained_without_it(tmp_path):
    dataset = gappy_dataset(
        tmp_path / "d", 3, ("train",) * 22 + ("val",) * 9 + ("test",) * 6, (0.3, 0.4), "classification"
    )
    config = settings(
        training={"epochs": 3, "batch_size": 7, "keep": 9},
        method={"name": "valued", "settings": {"folds": 2, "fold_epochs": 1}},
        model={"feature_size": 6, "encoder": {"width": 4}},
    )
    run, rows = create_or_open(tmp_path / "r", config, dataset), dataset.rows("train")
    expected = np.full((len(dataset), 3), np.nan)
    for state, context in _epochs(run, dataset):
        if state.epoch < 3:
            fold = Folds(2, 1, config.training.seed).of_samples(torch.from_numpy(rows)).numpy()
            batch = context.loader.reader.batch(rows[fold == state.epoch - 1])
            with torch.no_grad():
                features = context.trainer.model.eval().encode(batch)
            by_hand = contributions_by_hand(context.trainer.model, features, batch.mask, batch.labels)
            expected[rows[fold == state.epoch - 1]] = by_hand
        kept = load_file(epoch_folder(run.path, state.epoch) / layout.METHOD)
        found = next(value for name, value in kept.items() if name.endswith("out_of_fold"))
        assert np.allclose(found.numpy(), expected, atol=1e-6, equal_nan=True)
    assert np.isfinite(expected[rows][dataset.present[rows]]).all()


def _epochs(run, dataset):
    """States of a run and its context, epoch by epoch."""
    from raymm.training import loop

    seen, build = [], loop.RunContext.build
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.RunContext, "build", lambda *given, **more: seen.append(build(*given, **more)) or seen[-1])
        for state in iter_epochs(run, dataset, Backends()):
            if state.epoch:
                yield state, seen[-1]
            if state.epoch == 3:
                return


def test_only_rows_of_the_fold_are_asked_for_and_fusions_are_counted():
    trainer, asked, folds = trainer_of("joint", 3), [], Folds(2, 3, 0)
    table = torch.full((ROWS, 3), torch.nan)

    def batches(split, wanted):
        batch = batch_of(schema_of(3), grid_of_masks(3))
        asked.append((split, wanted(batch.index)))
        return iter([batch])

    for epoch in range(8):
        end = EpochEnd(epoch, 9, None, trainer.model.eval(), None, batches)
        folds.value(end, trainer.method.context.utility, table)
        assert end.cost.fusions == (8 * ROWS if epoch in {2, 5} else 0)
    assert [split for split, _ in asked] == ["train", "train"]
    assert torch.equal(asked[0][1], folds_of(ROWS) == 0)
    assert torch.equal(asked[1][1], folds_of(ROWS) == 1)


def test_an_average_of_weights_begins_anew_where_the_weights_do():
    """Else the average of one fold's model would hold what another learned of that very fold."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(1.0)
    before = [one.clone() for one in average._average]
    average.begin_anew(model[0])
    assert torch.equal(average._average[0], model[0].weight)
    assert torch.equal(average._average[1], model[0].bias)
    assert torch.equal(average._average[2], before[2])
    assert not torch.equal(average._average[2], model[1].weight)


def test_an_average_that_begins_anew_is_that_of_a_new_one():
    """Its first weights, which are drawn, count little in it after a few updates."""
    model = torch.nn.Linear(2, 2)
    first, old = copy.deepcopy(model.state_dict()), WeightAverage(model, 0.999)

    def trained(average):
        drawn = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for _ in range(20):
                model.weight.copy_(torch.randn(2, 2, generator=drawn))
                average.update()
        with average.in_place():
            return model.weight.clone(), int(average.trained_tensors()["updates"])

    trained(old)
    model.load_state_dict(first)
    old.begin_anew(model)
    found, updates = trained(old)
    model.load_state_dict(first)
    assert torch.equal(found, trained(WeightAverage(model, 0.999))[0])
    assert updates == 20


def test_without_an_amount_no_epoch_is_spent_on_folds():
    step, trainer = step_of("valued", 3, amount=0.0, **FOLDS)
    assert trainer.method.folds.stage == 0
    assert_same(step, trainer, expected_rows(step, np.ones((ROWS, 3)), amount=0.0))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"folds": 1}, "folds=1 would train on no sample; use 2 or more, or 0 for phi of the row itself"),
        ({"folds": 2, "fold_epochs": 2}, r"folds=2 of 2 epochs each leave no epoch after them \(training.epochs=4\)"),
        ({"folds": 2, "by": "class"}, "folds is for by=sample; by=class reads means over validation"),
        ({"folds": 2, "smoothing": 0.5}, "folds gives phi once, which has nothing to smooth"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(own, words):
    with pytest.raises(ConfigError, match=words):
        trainer_of("valued", 3, **own)
