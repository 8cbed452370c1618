"""The amount that validation chooses: its slope against plain gradients, and planted data where it rises or falls."""

import numpy as np
import pytest
import torch

from raymm.data import Schema, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.errors import ConfigError
from raymm.methods.epochs import EpochEnd
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import settings
from tests.methods.steps import (
    batch_of,
    grid_of_masks,
    loss_of_coalition,
    members_of,
    schema_of,
    step_of,
    trainer_of,
)
from tests.methods.test_coalition import published


def end_of(trainer, n, epoch=0, epochs=9, second="val"):
    """The end of an epoch whose splits are two different batches; `second="train"` gives the same one twice."""
    batches = {"train": batch_of(schema_of(n), grid_of_masks(n), seed=1), "val": None}
    batches["val"] = batch_of(schema_of(n), grid_of_masks(n, 8), seed=2) if second == "val" else batches["train"]
    return EpochEnd(epoch, epochs, None, trainer.model.eval(), lambda split, count: batches[split], None)


def flat_gradient(trainer, batch, losses_of_rows):
    """Gradient of a mean loss by backward passes of a step over the batch."""
    step, _ = step_of("joint", batch.mask.shape[1], mask=batch.mask)
    step.model, step.features, step._labels = trainer.model, trainer.model.encode(batch), batch.labels
    trainer.model.zero_grad(set_to_none=False)
    torch.stack([losses_of_rows(step, row) for row in range(len(batch))]).mean().backward()
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in trainer.model.parameters()]
    return torch.cat([gradient.flatten().double() for gradient in gradients])


def full(step, row):
    return loss_of_coalition(step, row, members_of(step.mask[row]))


def coalitions_less_full(step, row):
    """The coalitions' part of the formula less that of all modalities; nothing where a row has no coalition."""
    p = int(step.mask[row].sum())
    if p == 1:
        return full(step, row) * 0
    coalitions = (published(step, row) * (1 + p) - 2 * full(step, row)) / (p - 1)
    return coalitions - full(step, row)


@pytest.mark.parametrize("fusion", ["concat", "gated"])
@pytest.mark.parametrize("n", [2, 3])
def test_the_slope_is_the_cosine_of_plain_gradients(n, fusion):
    trainer = trainer_of("auto", n, fusion=fusion)
    end = end_of(trainer, n)
    of_validation = flat_gradient(trainer, end.batch("val", 1), full)
    towards = flat_gradient(trainer, end.batch("train", 1), coalitions_less_full)
    expected = float(of_validation @ towards / of_validation.norm() / towards.norm())
    trainer.method.after_evaluation(end)
    assert trainer.method.figures()["validation_cosine"] == pytest.approx(expected, abs=1e-4)
    assert abs(expected) > 0.01


def test_a_step_towards_the_coalitions_changes_the_validation_loss_as_the_sign_says():
    trainer = trainer_of("auto", 3)
    end = end_of(trainer, 3)
    towards = flat_gradient(trainer, end.batch("train", 1), coalitions_less_full)

    def validation_loss():
        batch = end.batch("val", 1)
        logits = trainer.model.fuse(trainer.model.encode(batch), batch.mask)
        return trainer.task.losses(logits, batch.labels).mean().item()

    before, at = validation_loss(), 0
    for parameter in trainer.model.parameters():
        part = towards[at : at + parameter.numel()].view_as(parameter)
        at += parameter.numel()
        parameter.data -= 1e-3 * part.float() / towards.norm().float()
    change = validation_loss() - before
    trainer = trainer_of("auto", 3)
    trainer.method.after_evaluation(end_of(trainer, 3))
    assert np.sign(trainer.method.figures()["validation_cosine"]) == -np.sign(change) != 0


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_move_is_a_normalised_mean_of_cosines_within_bounds(monkeypatch, memory):
    method = trainer_of("auto", 2, start=0.5, rate=0.2, memory=memory).method
    cosines, amount, seen = iter([0.01, 0.03, -0.02, 0.5, 0.5, 0.5, 0.5]), 0.5, []
    monkeypatch.setattr(method, "_cosine", lambda end: torch.tensor(next(cosines), dtype=torch.float64))
    for epoch, cosine in enumerate([0.01, 0.03, -0.02, 0.5, 0.5, 0.5, 0.5]):
        seen.insert(0, cosine)
        weight = memory ** np.arange(len(seen))
        mean, square = np.average(seen, weights=weight), np.average(np.square(seen), weights=weight)
        amount = np.clip(amount + 0.2 * mean / np.sqrt(square), 0, 1)
        method.after_evaluation(EpochEnd(epoch, 99, None, None, None, None))
        assert method.figures()["amount"] == pytest.approx(amount)
    assert amount == 1.0


def test_no_slope_leaves_the_amount_and_the_last_epoch_has_none(monkeypatch):
    method = trainer_of("auto", 2, start=0.5).method
    monkeypatch.setattr(method, "_cosine", lambda end: torch.zeros((), dtype=torch.float64))
    method.after_evaluation(EpochEnd(0, 9, None, None, None, None))
    assert method.figures() == {"amount": 0.5, "validation_cosine": 0.0}
    monkeypatch.setattr(method, "_cosine", lambda end: pytest.fail("there is no next epoch"))
    method.after_evaluation(EpochEnd(8, 9, None, None, None, None))


def test_the_loss_is_that_of_coalition_with_this_amount():
    step, trainer = step_of("auto", 3, start=0.7)
    other, coalition = step_of("coalition", 3, amount=0.7)
    assert torch.equal(trainer.method.loss(step), coalition.method.loss(other))
    default = trainer_of("auto", 3).method
    assert default.figures()["amount"] == pytest.approx(0.5)
    trainer.method.amount = torch.tensor(0.1, dtype=torch.float64)
    assert not torch.equal(trainer.method.loss(step), coalition.method.loss(other))


def test_the_slope_of_drawn_coalitions_is_a_function_of_seed_and_epoch():
    found = []
    for epoch in (0, 0, 1):
        trainer = trainer_of("auto", 3, draw=1)
        trainer.method.after_evaluation(end_of(trainer, 3, epoch))
        found.append(trainer.method.figures()["validation_cosine"])
    assert found[0] == found[1] != found[2]


def test_its_state_is_taken_over():
    one, other = (trainer_of("auto", 3).method for _ in range(2))
    one.after_evaluation(end_of(trainer_of("auto", 3), 3))
    assert one.figures() != other.figures()
    other.load_state_dict({name: tensor.clone() for name, tensor in one.state_dict().items()})
    assert one.figures() == other.figures()
    for method in (one, other):
        method.after_evaluation(end_of(trainer_of("auto", 3), 3, epoch=1))
    assert one.figures() == other.figures()


def test_a_single_modality_is_refused():
    with pytest.raises(ConfigError, match="there are no coalitions to weigh; use method=joint"):
        trainer_of("auto", 1)


# planted problems


def shortcut(generator, label, split):
    """m0 shows the class in training and is blank elsewhere; m1 shows it everywhere, in noise."""
    shown = 2 * np.eye(3)[label] if split == "train" else np.full(3, 2 / 3)
    one = shown + 0.05 * generator.normal(size=3)
    return one, np.eye(3)[label] + 0.4 * generator.normal(size=3)


def cancelling(generator, label, split):
    """A large nuisance that only both modalities together are free of; alone they say next to nothing."""
    del split
    nuisance = 6 * generator.normal(size=3)
    return np.eye(3)[label] + nuisance, np.eye(3)[label] - nuisance


def metrics_of(tmp_path, draw, **more):
    """Metrics of each epoch of a short run on planted data: 120 samples for training, 60 for validation."""
    generator = np.random.default_rng(0)
    schema = Schema(modalities=tuple(VectorSpec(name=f"m{i}", size=3) for i in range(2)), classes=("a", "b", "c"))

    def samples():
        for row in range(240):
            split = ("train", "train", "val", "test")[row % 4]
            values = draw(generator, row // 4 % 3, split)
            named = {f"m{i}": value.astype(np.float32) for i, value in enumerate(values)}
            yield Sample(f"s{row:03d}", split, row // 4 % 3, named)

    dataset = open_dataset(write_dataset(tmp_path / "data", samples(), schema))
    config = settings(
        training={"epochs": 7, "batch_size": 20},
        method={"name": "auto", "settings": {"start": 0.4, **more}},
        model={"feature_size": 8, "encoder": {"width": 16}},
        optimizer={"lr": 0.005},
    )
    run = create_or_open(tmp_path / "run", config, dataset)
    train(run, dataset, Backends())
    return [entry["metrics"] for entry in read_checkpoint(run.path, 7).history]


@pytest.mark.parametrize(("draw", "up"), [(shortcut, True), (cancelling, False)])
def test_the_amount_rises_where_a_shortcut_hides_a_modality_and_falls_where_only_both_show(tmp_path, draw, up):
    amounts = [metrics["method/amount"] for metrics in metrics_of(tmp_path, draw)]
    assert amounts[-1] > 0.6 if up else amounts[-1] < 0.2
    assert amounts[-1] == amounts[-2]  # after the last epoch there is none to choose for


def test_what_is_computed_after_an_epoch_is_counted_with_its_training(tmp_path):
    *slopes, last = metrics_of(tmp_path, shortcut, samples=80)
    encodings, fusions, backwards = 2 * 120, 3 * 120, 120
    assert (last["cost/encodings"], last["cost/fusions"], last["cost/backwards"]) == (encodings, fusions, backwards)
    for metrics in slopes:
        assert metrics["cost/encodings"] == encodings + 2 * (80 + 60)
        assert metrics["cost/fusions"] == fusions + 3 * 80 + 60
        assert metrics["cost/backwards"] == backwards + 80 + 60
