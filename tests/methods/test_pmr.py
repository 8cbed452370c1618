"""PMR: prototypes against class means, terms of the loss against distances and softmax in numpy."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.tasks import get_task
from tests.methods.updates import SIZE, assert_gradients, begin, fused, part_of, step_of, trainer_of


def epoch_of(trainer, parts, epoch=0):
    begin(trainer, epoch)
    losses = [trainer.method.loss(step_of(trainer, part)) for part in parts]
    trainer.method.after_steps(lambda values: values.clone())
    return losses


def class_means(trainer, parts, classes=3):
    """Mean feature by modality and class, NaN where no row has both."""
    features = np.concatenate([trainer.model.encode(part.batch).detach().numpy() for part in parts])
    masks = np.concatenate([part.batch.mask.numpy() for part in parts])
    labels = np.concatenate([part.batch.labels.numpy() for part in parts])
    n = masks.shape[1]
    found = np.full((n, classes, SIZE), np.nan)
    for i in range(n):
        for k in range(classes):
            rows = masks[:, i] & (labels == k)
            if rows.any():
                found[i, k] = features[rows, i].mean(axis=0)
    return found


def test_prototypes_are_class_means_and_their_moving_mean():
    trainer = trainer_of("pmr", 2, momentum=0.25)
    parts = [part_of(trainer, rows=7, seed=seed, lacking=[(0, 0), (3, 1)]) for seed in range(3)]
    for part in parts:
        part.batch.labels[part.batch.labels == 2] = 0
    epoch_of(trainer, parts)
    first = class_means(trainer, parts)
    assert trainer.method.known.tolist() == [[True, True, False]] * 2
    assert np.allclose(trainer.method.prototypes[:, :2], first[:, :2], atol=1e-5)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.add_(0.1)
    later = [part_of(trainer, rows=7, seed=seed + 9) for seed in range(3)]
    for part in later:
        part.batch.labels[part.batch.labels == 1] = 2
    epoch_of(trainer, later, epoch=1)
    second = class_means(trainer, later)
    found = trainer.method.prototypes.numpy()
    assert np.allclose(found[:, 0], 0.25 * first[:, 0] + 0.75 * second[:, 0], atol=1e-5)
    assert np.allclose(found[:, 1], first[:, 1], atol=1e-5)  # not seen again
    assert np.allclose(found[:, 2], second[:, 2], atol=1e-5)  # seen for the first time


def terms_by_hand(trainer, part, *, alpha, strength, entropy):
    """Sum over rows of the prototype terms, from distances, in numpy."""
    features = trainer.model.encode(part.batch).detach().numpy().astype(np.float64)
    prototypes, known = trainer.method.prototypes.numpy().astype(np.float64), trainer.method.known.numpy()
    labels, mask = part.batch.labels.numpy(), part.batch.mask.numpy()
    n = mask.shape[1]
    own, entropies, score = [{} for _ in range(n)], [{} for _ in range(n)], []
    for i in range(n):
        for row in np.flatnonzero(mask[:, i] & known[i, labels]):
            classes = np.flatnonzero(known[i])
            raw = np.exp(-np.linalg.norm(features[row, i] - prototypes[i, classes], axis=1))
            p = raw / raw.sum()
            own[i][row] = p[list(classes).index(labels[row])]
            entropies[i][row] = -(p * np.log(p)).sum()
        score.append(np.mean(list(own[i].values())))
    total, weights = 0.0, []
    for i in range(n):
        ratio = score[i] / np.mean([score[j] for j in range(n) if j != i])
        lag, lead = min(max(1 / ratio - 1, 0), 1), min(max(ratio - 1, 0), 1)
        lag = float(lag > 0) if strength == "full" else lag
        total += alpha * lag * -sum(np.log(list(own[i].values())))
        total -= entropy * lead * sum(entropies[i].values())
        weights.append((lag, lead))
    return total, weights


@pytest.mark.parametrize("strength", ["clip", "full"])
@pytest.mark.parametrize("n", [2, 3])
def test_terms_of_the_loss_are_those_by_hand(n, strength):
    trainer = trainer_of("pmr", n, alpha=0.7, strength=strength, entropy=0.3, entropy_epochs=2)
    parts = [part_of(trainer, rows=9, seed=seed) for seed in range(2)]
    epoch_of(trainer, parts)
    trainer.method.known[0, 1] = False  # a class without a prototype in modality 0
    begin(trainer, 1)
    part = part_of(trainer, rows=9, seed=5, epoch=1, lacking=[(0, 0), (2, 1)])
    found = trainer.method.loss(step_of(trainer, part))
    joint = functional.cross_entropy(fused(trainer, part, "all"), part.batch.labels, reduction="sum").detach()
    terms, weights = terms_by_hand(trainer, part, alpha=0.7, strength=strength, entropy=0.3)
    assert float(found.detach()) == pytest.approx(float(joint) + terms, rel=1e-5)
    assert terms != 0
    for i, (lag, lead) in enumerate(weights):
        assert trainer.method.figures()[f"lag_m{i}"] == pytest.approx(lag, rel=1e-4)
        assert trainer.method.figures()[f"lead_m{i}"] == pytest.approx(lead, rel=1e-4)
    found.backward()
    assert all(bool(p.grad.isfinite().all()) for p in trainer.model.parameters() if p.grad is not None)


def loss_by_hand(trainer, part, weights, *, alpha, entropy):
    """Joint loss and prototype terms, row by row, with the weights of modalities as constants and a graph."""
    features, labels, mask = trainer.model.encode(part.batch), part.batch.labels, part.batch.mask
    total = functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="sum")
    for i, (lag, lead) in enumerate(weights):
        classes = [k for k in range(3) if trainer.method.known[i, k]]
        for row in range(len(labels)):
            if not mask[row, i] or int(labels[row]) not in classes:
                continue
            raw = [(features[row, i] - trainer.method.prototypes[i, k]).square().sum().sqrt().neg() for k in classes]
            p = torch.stack(raw).softmax(dim=0)
            total = total - alpha * lag * p[classes.index(int(labels[row]))].log()
            total = total + entropy * lead * (p * p.log()).sum()
    return total


@pytest.mark.parametrize("strength", ["clip", "full"])
@pytest.mark.parametrize("n", [2, 3])
def test_the_gradients_are_those_of_all_terms_with_the_weights_as_constants(n, strength):
    own = {"alpha": 3.0, "entropy": 2.0}
    trainer = trainer_of("pmr", n, strength=strength, entropy_epochs=2, **own)
    epoch_of(trainer, [part_of(trainer, rows=9, seed=seed) for seed in range(2)])
    trainer.method.known[0, 1] = False  # a class without a prototype in modality 0
    begin(trainer, 1)
    part = part_of(trainer, rows=9, seed=5, epoch=1, lacking=[(0, 0), (2, 1)])
    _, weights = terms_by_hand(trainer, part, strength=strength, **own)
    assert max(lag for lag, _ in weights) > 0.1
    assert max(lead for _, lead in weights) > 0.1
    assert_gradients(trainer, part, loss_by_hand(trainer, part, weights, **own))


def test_the_gradient_draws_features_to_the_prototype_of_their_class():
    trainer = trainer_of("pmr", 2, strength="full")
    parts = [part_of(trainer, rows=12, seed=seed) for seed in range(2)]
    epoch_of(trainer, parts)
    begin(trainer, 1)
    step = step_of(trainer, part_of(trainer, rows=12, seed=1, epoch=1))
    step.features = step.features.detach().requires_grad_()
    joint = step.total(step.loss_of(step.logits))
    (with_terms,) = torch.autograd.grad(trainer.method.loss(step), step.features, retain_graph=True)
    (without,) = torch.autograd.grad(joint, step.features)
    lagging = [i for i in range(2) if trainer.method.figures()[f"lag_m{i}"] == 1]
    assert len(lagging) == 1
    prototypes = trainer.method.prototypes[lagging[0], step.labels]
    pull = (with_terms - without)[:, lagging[0]]
    towards = (step.features[:, lagging[0]] - prototypes).detach()
    assert ((pull * towards).sum(dim=1) > 0).float().mean() > 0.9
    assert torch.equal(with_terms[:, 1 - lagging[0]], without[:, 1 - lagging[0]])


@pytest.mark.parametrize(("epoch", "entropy"), [(1, True), (2, False), (3, None)])
def test_entropy_ends_before_the_prototype_losses_do(epoch, entropy):
    trainer = trainer_of("pmr", 2, entropy=0.5, entropy_epochs=2, last_epoch=2)
    epoch_of(trainer, [part_of(trainer)])
    begin(trainer, epoch)
    part = part_of(trainer, seed=3, epoch=epoch)
    found = float(trainer.method.loss(step_of(trainer, part)).detach())
    outputs = fused(trainer, part, "all").detach()
    joint = float(functional.cross_entropy(outputs, part.batch.labels, reduction="sum"))
    weight = 0.5 if entropy else 0.0
    terms, _ = terms_by_hand(trainer, part, alpha=1.0, strength="clip", entropy=weight)
    assert found == pytest.approx(joint if entropy is None else joint + terms, rel=1e-5)


def test_the_first_epoch_is_joint():
    trainer = trainer_of("pmr", 2)
    part = part_of(trainer)
    (loss,) = epoch_of(trainer, [part])
    joint = functional.cross_entropy(fused(trainer, part, "all"), part.batch.labels, reduction="sum")
    assert float(loss.detach()) == pytest.approx(float(joint), rel=1e-6)


def test_labels_without_one_class_are_refused():
    with pytest.raises(ConfigError, match="the task multilabel has no one class a sample whose prototype"):
        trainer_of("pmr", 2, task=get_task("multilabel"))
