"""G-Blend: the blended loss, the held-out rows and the weights of a window, against the same by hand."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.methods.g_blend import blend
from raymm.models.model import build_model
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.average import WeightAverage
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open, open_run
from tests.games import settings
from tests.methods.test_every_method import small_data
from tests.methods.updates import backward, begin, encoder_grads, fused, part_of, step_of, trainer_of


def losses_by_hand(trainer, part, heads):
    """Loss of each row by each modality alone and by all, [B, n + 1]; NaN for what a row lacks."""
    mask, labels = part.batch.mask, part.batch.labels
    features, columns = trainer.model.encode(part.batch), []
    for i in range(mask.shape[1]):
        outputs = trainer.method.module[i](features[:, i]) if heads == "own" else fused(trainer, part, i)
        losses = functional.cross_entropy(outputs, labels, reduction="none")
        columns.append(torch.where(mask[:, i], losses, torch.nan))
    columns.append(functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="none"))
    return torch.stack(columns, dim=1)


def held_out(trainer, part):
    return trainer.method._held_out(step_of(trainer, part)).numpy()


def test_held_out_samples_are_a_fixed_part_of_the_training_split():
    trainer = trainer_of("g_blend", 2, holdout=0.2)
    rows = held_out(trainer, part_of(trainer, rows=2000))
    assert 0.15 < rows.mean() < 0.25
    assert rows[700:710].tolist() == held_out(trainer, part_of(trainer, rows=10, start=700, epoch=3)).tolist()
    other = trainer_of("g_blend", 2, holdout=0.2, training={"seed": 1})
    assert rows.tolist() != held_out(other, part_of(other, rows=2000)).tolist()


@pytest.mark.parametrize("heads", ["own", "shared"])
@pytest.mark.parametrize("n", [2, 3])
def test_the_loss_is_the_weighted_sum_over_rows_that_are_not_held_out(n, heads):
    trainer = trainer_of("g_blend", n, holdout=0.3, heads=heads)
    weights = torch.arange(1, n + 2).double() / sum(range(1, n + 2))
    trainer.method.weights = weights
    part = part_of(trainer, rows=20, lacking=[(1, 0), (6, 1)])
    held = held_out(trainer, part)
    assert 0 < held.sum() < 20
    losses = losses_by_hand(trainer, part, heads)
    expected = (losses.nan_to_num() @ weights.float())[torch.from_numpy(~held)].sum() / 0.7
    plain = encoder_grads(trainer, expected / 20)
    begin(trainer)
    step = backward(trainer, part)
    assert float(step.loss) == pytest.approx(float(expected.detach()), rel=1e-5)
    for i in range(n):
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
            assert torch.allclose(parameter.grad, gradient, atol=1e-6)
    trainer.method.after_steps(lambda values: values)
    found = trainer.method.state_dict()["losses"][0].numpy()
    rows = losses.detach().numpy()
    assert np.allclose(found, [np.nanmean(rows[~held], axis=0), np.nanmean(rows[held], axis=0)], atol=1e-5)


def weights_by_hand(losses, first, last, least=0.01):
    """Losses [epochs, 2, P]; generalisation over squared overfitting, for each path apart."""
    raw = []
    for path in range(losses.shape[2]):
        trained, held = losses[:, 0, path], losses[:, 1, path]
        gain = max(held[first] - held[last], 0.0)
        growth = (held[last] - trained[last]) - (held[first] - trained[first])
        raw.append(gain / max(growth**2, least**2))
    return np.array(raw) / sum(raw)


@pytest.mark.parametrize("least", [0.01, 0.3])
def test_online_weights_are_estimated_at_the_end_of_each_window(least):
    trainer = trainer_of("g_blend", 2, every=2, holdout=0.3, least_overfitting=least)
    method = trainer.method
    expected = np.full(3, 1 / 3)
    generator = np.random.default_rng(1)
    for epoch in range(6):
        begin(trainer, epoch)
        # losses that fall, the held-out ones less: as sums and counts, where the epoch leaves them
        fallen = np.exp(-0.2 * epoch * (1 + generator.random((2, 3)) * [[2.0], [1.0]]))
        method._sums = torch.from_numpy(np.stack([fallen * 10, np.full((2, 3), 10.0)]))
        method.after_steps(lambda values: values)
        losses = method.losses.numpy()
        assert np.allclose(losses[epoch], fallen)
        if epoch % 2:
            expected = weights_by_hand(losses, epoch - 1, epoch, least)
        assert np.allclose(method.weights.numpy(), expected)
        figures = {f"weight_{name}": expected[i] for i, name in enumerate(("m0", "m1", "joint"))}
        figures |= {f"trained_{name}": fallen[0, i] for i, name in enumerate(("m0", "m1", "joint"))}
        figures |= {f"held_out_{name}": fallen[1, i] for i, name in enumerate(("m0", "m1", "joint"))}
        assert method.figures() == pytest.approx(figures)
    assert np.ptp(expected) > 0.01


def test_offline_trials_train_each_path_alone_from_the_initial_weights():
    trainer = trainer_of(
        "g_blend", 2, estimate="offline", every=2, holdout=0.3, training={"epochs": 6}, schedule="constant"
    )
    initial = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    heads = {name: value.clone() for name, value in trainer.method.module.state_dict().items()}
    clone = deepcopy(trainer.model)
    for epoch in range(5):
        begin(trainer, epoch, clone)
        fresh = all(torch.equal(value, initial[name]) for name, value in trainer.model.state_dict().items())
        assert fresh == (epoch in (0, 2, 4))
        same = all(torch.equal(value, heads[name]) for name, value in trainer.method.module.state_dict().items())
        assert same == (epoch != 1)  # the second trial does not train them
        for number in range(3):
            part = part_of(trainer, rows=12, seed=number, epoch=epoch)
            losses = losses_by_hand(trainer, part, "own").detach()[torch.from_numpy(~held_out(trainer, part))]
            step = trainer.step(part)
            expected = losses.sum(dim=0) / 0.7
            if epoch < 2:
                assert float(step.loss) == pytest.approx(float(expected[:2].sum()), rel=1e-5)
            elif epoch < 4:
                assert float(step.loss) == pytest.approx(float(expected[2]), rel=1e-5)
            else:
                assert float(step.loss) == pytest.approx(float(expected.double() @ trainer.method.weights), rel=1e-5)
        trainer.method.after_steps(lambda values: values)
    losses = trainer.method.losses.numpy()
    alone, joint = losses[[0, 1]], losses[[2, 3]]
    apart = np.concatenate([alone[:, :, :2], joint[:, :, 2:]], axis=2)
    assert np.allclose(trainer.method.weights, weights_by_hand(apart, 0, 1))
    assert not np.allclose(trainer.method.weights, 1 / 3)


def test_weights_stay_where_nothing_generalises_or_nothing_is_held_out():
    worse = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([[0.5, 0.5], [1.2, 1.1]])
    assert bool(blend(*worse).isnan().all())
    missing = torch.tensor([[1.0, 1.0], [torch.nan, 1.0]]), torch.tensor([[0.5, 0.5], [torch.nan, 0.9]])
    assert bool(blend(*missing).isnan().any())
    trainer = trainer_of("g_blend", 2, every=2)
    before = trainer.method.weights.clone()
    trainer.method._estimate(*missing)
    trainer.method._estimate(*worse)
    assert torch.equal(trainer.method.weights, before)


def test_trials_that_leave_no_epoch_are_refused():
    with pytest.raises(ConfigError) as refused:
        trainer_of("g_blend", 2, estimate="offline")
    assert "trials take 2 * every = 20 epochs, and training.epochs=4 leaves none" in str(refused.value)
    assert "with optimizer.schedule=cosine training would begin after the trials" in str(refused.value)
    trials = {"estimate": "offline", "every": 2, "schedule": "constant"}
    fits = trainer_of("g_blend", 2, training={"epochs": 5}, **trials).method
    assert fits.stage_epochs(fits.settings, 5) == 4
    with pytest.raises(ConfigError, match=r"trials take 2 \* every = 4 epochs, and training.epochs=4 leaves none"):
        trainer_of("g_blend", 2, training={"epochs": 4}, **trials)
    online = trainer_of("g_blend", 2, every=2).method
    assert online.stage_epochs(online.settings, 4) == 0
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("g_blend", 1)


def test_the_average_of_weights_begins_anew_with_them_and_the_optimizer_goes_on(tmp_path):
    """Against an average that is computed here from the weights after each update since the last trial."""
    dataset = small_data(tmp_path / "data", 2)
    config = settings(
        training={"epochs": 6, "batch_size": 7, "keep": 9, "ema": 0.9},
        method={"name": "g_blend", "settings": {"estimate": "offline", "every": 2}, "warmup": 1},
        model={"feature_size": 6, "encoder": {"width": 4}},
        optimizer={"schedule": "constant", "name": "adam"},
    )
    weights, update = [], WeightAverage.update

    def noted(average):
        update(average)
        weights.append([one.detach().clone() for one in average._model.parameters()])

    run = create_or_open(tmp_path / "r", config, dataset)
    initial = [one.detach().clone() for one in build_model(dataset.schema, config.model, 0).parameters()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WeightAverage, "update", noted)
        train(run, dataset, Backends())
    per_epoch = len(weights) // 6
    for epoch in range(6):
        expected = initial
        since = weights[epoch // 2 * 2 * per_epoch : (epoch + 1) * per_epoch]
        for number, values in enumerate(since, 1):
            keep = min(0.9, (1 + number) / (10 + number))
            expected = [keep * one + (1 - keep) * other for one, other in zip(expected, values, strict=True)]
        folder = epoch_folder(run.path, epoch + 1)
        found = load_file(folder / layout.WEIGHTS)
        named = dict(build_model(dataset.schema, config.model, 0).named_parameters())
        for name, value in zip(named, expected, strict=True):
            assert torch.allclose(found[name], value, atol=1e-6)
        steps = [value for name, value in load_file(folder / layout.OPTIMIZER).items() if name.endswith("step")]
        assert max(int(step) for step in steps) == (epoch + 1) * per_epoch


@pytest.mark.parametrize("ema", [None, 0.9])
def test_trials_resume_at_every_epoch(tmp_path, ema):
    dataset = small_data(tmp_path / "data", 2)
    config = settings(
        training={"epochs": 6, "batch_size": 7, "keep": 9, "ema": ema},
        method={"name": "g_blend", "settings": {"estimate": "offline", "every": 2}, "warmup": 1},
        model={"feature_size": 6, "encoder": {"width": 4}},
        optimizer={"schedule": "constant"},
    )
    runs = [create_or_open(tmp_path / name, config, dataset) for name in ("whole", "again")]
    train(runs[0], dataset, Backends())
    for epoch in range(1, 6):
        for state in iter_epochs(open_run(runs[1].path), dataset, Backends()):
            if state.epoch == epoch:
                break
    train(open_run(runs[1].path), dataset, Backends())
    for epoch in range(1, 7):
        for file in (layout.WEIGHTS, layout.OPTIMIZER, layout.METHOD, *([layout.TRAINED] if ema else [])):
            one, other = (epoch_folder(run.path, epoch) / file for run in runs)
            assert one.read_bytes() == other.read_bytes()
