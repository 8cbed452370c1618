"""Training losses against torch's and torchvision's own functions, and which of them reach which method."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from raymm.config import parse
from raymm.config.loss import LossConfig
from raymm.config.registries import METHODS
from raymm.errors import ConfigError
from raymm.methods.plan import base_plan
from raymm.tasks import Classification, Task, get_task
from raymm.tasks.training_loss import balanced_class_weights, balanced_pos_weights
from raymm.training.context import RunContext
from raymm.training.epoch import train_epoch
from raymm.training.loop import Backends, train
from raymm.training.method_hooks import epoch_start
from raymm.training.result import read_result
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset
from tests.limits import within_limits

CLASSES = ("a", "b", "c")
LABELS = np.array([0] * 10 + [1] * 5 + [2] * 25)
WEIGHTS = {"a": 3.0, "c": 0.5}


def outputs(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype) * 2


def trained(task, labels, classes=CLASSES, **loss):
    return get_task(task).training(LossConfig(**loss), labels, classes)


def test_the_default_is_the_loss_of_the_task_itself():
    for task, labels in (("classification", LABELS), ("multilabel", LABELS[:, None] == range(3))):
        own = get_task(task)
        assert own.training(LossConfig(), labels, CLASSES) is own
    own = get_task("regression", {"mean": [1.0], "sd": [2.0]})
    assert own.training(LossConfig(), np.ones((3, 1)), ("target",)) is own


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("given", [None, WEIGHTS, "balanced"])
def test_weights_and_smoothing_are_those_of_torch(dtype, smoothing, given):
    if given is None and not smoothing:
        return
    task = trained("classification", LABELS, label_smoothing=smoothing, class_weights=given)
    logits, labels = outputs(20, 3, dtype=dtype), torch.arange(20) % 3
    weight = {"balanced": 40 / (3 * np.array([10.0, 5.0, 25.0]))}.get(str(given), [3.0, 1.0, 0.5] if given else None)
    weight = None if weight is None else torch.tensor(weight, dtype=dtype)
    expected = functional.cross_entropy(logits, labels, weight=weight, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(task.losses(logits, labels), expected)
    assert not torch.allclose(get_task().losses(logits, labels).to(dtype), expected)


def test_balanced_weights_make_every_class_count_alike():
    task = trained("classification", LABELS, class_weights="balanced")
    losses = task.losses(torch.zeros(40, 3), torch.from_numpy(LABELS))
    sums = [losses[torch.from_numpy(k == LABELS)].sum().item() for k in range(3)]
    assert sums == pytest.approx([40 / 3 * math.log(3)] * 3)
    assert balanced_class_weights(np.array([0, 4, 4])).tolist() == [1.0, 1.0, 1.0]
    sets = LABELS[:, None] == np.arange(3)
    found = trained("multilabel", sets, pos_weight="balanced").losses(torch.zeros(40, 3), torch.from_numpy(sets))
    assert balanced_pos_weights(sets).tolist() == [3.0, 7.0, 0.6]
    on, off = sets * np.array([3.0, 7.0, 0.6]), ~sets
    np.testing.assert_allclose(on.sum(axis=0), off.sum(axis=0))
    np.testing.assert_allclose(found.numpy(), (on + off).mean(axis=1) * math.log(2), rtol=1e-6)
    assert balanced_pos_weights(np.array([[True, False], [True, False]])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_losses(gamma):
    logits, labels = outputs(20, 3), torch.arange(20) % 3
    found = trained("classification", LABELS, focal=gamma).losses(logits, labels)
    hand = [
        -((1 - p[own]) ** gamma) * math.log(p[own])
        for p, own in zip(logits.double().softmax(dim=1).tolist(), labels.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), hand, rtol=1e-4)
    sets = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)) < 0.4
    found = trained("multilabel", sets.numpy(), focal=gamma).losses(logits, sets)
    expected = sigmoid_focal_loss(logits, sets.float(), alpha=-1, gamma=gamma).mean(dim=1)
    torch.testing.assert_close(found, expected)


GAPS = (-30, -5, 0, 2, 5, 10, 13, 15, 17, 20, 25)


def slopes(task, gap, dtype, **loss):
    """The loss of a row whose right answer leads by a gap, and its gradient by the outputs."""
    logits = torch.tensor([[gap, 0.0, -1.0]], dtype=dtype, requires_grad=True)
    right = torch.tensor([0]) if task == "classification" else torch.tensor([[True, False, False]])
    given = LABELS if task == "classification" else np.array([[True, False, False], [False, True, True]])
    value = trained(task, given, **loss).losses(logits, right).sum()
    value.backward()
    return value.item(), logits.grad[0].tolist()


@pytest.mark.parametrize("more", [{}, {"class_weights": WEIGHTS}], ids=["plain", "weights"])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_focal_losses_and_slopes_of_well_fitted_rows_are_those_of_float64(task, gamma, more):
    if task == "multilabel" and more:
        more = {**more, "pos_weight": {"a": 4.0}}
    for gap in GAPS:
        found, wide = (slopes(task, gap, dtype, focal=gamma, **more) for dtype in (torch.float32, torch.float64))
        assert found[0] == pytest.approx(wide[0], rel=1e-4, abs=1e-30)
        assert found[1] == pytest.approx(wide[1], rel=1e-4, abs=1e-30)
    hand = (1 - 1 / (1 + math.exp(-15))) ** gamma * math.log1p(math.exp(-15))
    if task == "classification" and not more:
        logits = torch.tensor([[15.0, 0.0, -1e4]])
        value = trained(task, LABELS, focal=gamma).losses(logits, torch.tensor([0])).item()
        assert value == pytest.approx(hand, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.01, 0.5, 2.0])
@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_focal_slopes_are_finite_however_well_a_row_is_fitted(task, gamma, smoothing):
    for gap in (-1e4, -200.0, 30.0, 80.0, 100.0, 200.0, 1e4):
        value, slope = slopes(task, gap, torch.float32, focal=gamma, label_smoothing=smoothing)
        assert math.isfinite(value)
        assert all(map(math.isfinite, slope))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_of_label_sets_are_those_of_torch(smoothing):
    sets = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)) < 0.4
    more = {"label_smoothing": smoothing, "class_weights": WEIGHTS, "pos_weight": {"b": 4.0}}
    found = trained("multilabel", sets.numpy(), **more).losses(outputs(20, 3), sets)
    expected = functional.binary_cross_entropy_with_logits(
        outputs(20, 3),
        torch.where(sets, 1 - smoothing / 2, smoothing / 2),
        weight=torch.tensor([3.0, 1.0, 0.5]),
        pos_weight=torch.tensor([1.0, 4.0, 1.0]),
        reduction="none",
    ).mean(dim=1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"error": "mae"}, lambda a, b: functional.l1_loss(a, b, reduction="none")),
        ({"error": "huber"}, lambda a, b: functional.huber_loss(a, b, reduction="none")),
        (
            {"error": "huber", "huber_delta": 0.3},
            lambda a, b: functional.huber_loss(a, b, reduction="none", delta=0.3),
        ),
    ],
)
def test_losses_of_numbers_are_those_of_torch(loss, expected):
    own = get_task("regression", {"mean": [1.0, -2.0], "sd": [2.0, 0.5]})
    task = own.training(LossConfig(**loss), np.zeros((2, 2)), ("x", "y"))
    labels = outputs(20, 2, dtype=torch.float64) + 1
    standard = ((labels - torch.tensor([1.0, -2.0])) / torch.tensor([2.0, 0.5])).float()
    found = task.losses(outputs(20, 2), labels)
    torch.testing.assert_close(found, expected(outputs(20, 2), standard).mean(dim=1))
    assert not torch.allclose(found, own.losses(outputs(20, 2), labels))
    torch.testing.assert_close(task.predict(outputs(20, 2)), own.predict(outputs(20, 2)))


@pytest.mark.parametrize(
    ("task", "loss", "words"),
    [
        ("classification", {"pos_weight": "balanced"}, "pos_weight is not read by the task classification, which"),
        ("regression", {"label_smoothing": 0.1}, "label_smoothing is not read by the task regression, which reads"),
        ("multilabel", {"error": "mae"}, "error is not read by the task multilabel"),
        ("classification", {"class_weights": {"A": 2.0}}, "class_weights: no class 'A'; did you mean 'a'?"),
        ("classification", {"class_weights": {"z": 2.0}}, "class_weights: no class 'z'; known: a, b, c"),
    ],
)
def test_what_a_task_does_not_read_is_refused(task, loss, words):
    with pytest.raises(ConfigError) as caught:
        get_task(task).check_loss(LossConfig(**loss), CLASSES)
    assert words in str(caught.value)


def test_of_many_unknown_classes_the_first_ones_are_explained():
    loss, classes = LossConfig(class_weights={f"cat {number}": 1.0 for number in range(20_000)}), range(400)
    with pytest.raises(ConfigError) as caught, within_limits():
        get_task("classification").check_loss(loss, [f"class {number}" for number in classes])
    lines = str(caught.value).splitlines()
    assert lines[0] == "training.loss: 20000 problems"
    assert "did you mean 'class " in lines[50]
    assert lines[51:] == ["  ... and 19950 more"]


class Near(Classification):
    """A neighbour of the label is right, and each class away costs 1 more."""

    name = "near"
    by_argmax = False

    def losses(self, outputs, labels):
        return super().losses(outputs, labels) + (outputs.argmax(dim=-1) - labels).abs()

    def correct(self, outputs, labels):
        return (outputs.argmax(dim=-1) - labels[:, None]).abs() <= 1


def test_a_task_of_ones_own_stays_what_it_is_in_training():
    task = Near().training(LossConfig(label_smoothing=0.3), LABELS, CLASSES)
    logits, labels = outputs(20, 3), torch.arange(20) % 3
    away = (logits.argmax(dim=1) - labels).abs()
    expected = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.3) + away
    torch.testing.assert_close(task.losses(logits, labels), expected)
    assert task.correct(logits[:, None], labels)[:, 0].tolist() == (away <= 1).tolist()
    assert isinstance(task, Near)
    assert task != Near()


class Unsaid(Near):
    """Reads a setting of the loss, and does not say how."""

    name, _losses_by = "unsaid", Task._losses_by


def test_settings_without_losses_by_them_are_refused():
    with pytest.raises(ConfigError, match=r"training\.loss: the task unsaid has loss_settings, and no _losses_by"):
        Unsaid().training(LossConfig(focal=1.0), LABELS, CLASSES)


@pytest.mark.parametrize(
    "loss",
    [
        {"class_weights": {"a": 0.0}},
        {"class_weights": "equal"},
        {"label_smoothing": 1.0},
        {"focal": -1},
        {"huber_delta": 2.0},
    ],
)
def test_values_out_of_range_are_refused(loss):
    with pytest.raises(
        ConfigError, match=r"training\.loss\.(class_weights|label_smoothing|focal)|huber_delta is read with"
    ):
        parse({"training": {"loss": loss}})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("loss") / "data", 90)


def test_a_run_is_refused_before_it_is_made(tmp_path, dataset):
    with pytest.raises(ConfigError, match="pos_weight is not read by the task classification"):
        create_or_open(tmp_path / "r", settings(training={"loss": {"pos_weight": "balanced"}}), dataset)
    assert not (tmp_path / "r").exists()


FUSIONS = {"ensemble": "ensemble", "mmcosine": "cosine", "mla": "entropy"}
CHOSEN = {"alone": {"modality": "m0"}, "relearning": {"every": 1}}


def first_loss(path, dataset, name, loss):
    """The loss of the first epoch of a run, which is one batch."""
    config = settings(
        method={"name": name, "settings": CHOSEN.get(name, {})},
        training={"loss": loss, "batch_size": 512},
        optimizer={"schedule": "constant"},
        model={"fusion": FUSIONS.get(name, "concat")},
    )
    run = create_or_open(path, config, dataset)
    with RunContext.build(run, dataset, Backends()) as context:
        context.trainer.method.before_epoch(epoch_start(context, 0))
        plan = base_plan(dataset.rows("train"), len(dataset.schema.names))
        return train_epoch(context.trainer, context.loader, plan, 0).loss


@pytest.mark.parametrize("name", list(METHODS))
def test_the_loss_of_every_method_goes_through_the_training_loss(tmp_path, dataset, name):
    plain = first_loss(tmp_path / "plain", dataset, name, {})
    weights = dict.fromkeys(dataset.schema.classes, 2.0)
    assert first_loss(tmp_path / "twice", dataset, name, {"class_weights": weights}) > 1.2 * plain


def test_metrics_stay_those_of_the_task(tmp_path, dataset):
    weights = dict.fromkeys(dataset.schema.classes, 7.0)
    found = {}
    for name, loss in (("plain", {}), ("weighted", {"class_weights": weights})):
        config = settings(
            training={"epochs": 2, "loss": loss}, method={"name": "joint"}, optimizer={"name": "sgd", "lr": 1e-9}
        )
        train(create_or_open(tmp_path / name, config, dataset), dataset, Backends())
        found[name] = read_result(tmp_path / name).history[0]["metrics"]
    assert found["weighted"]["train/loss"] == pytest.approx(7 * found["plain"]["train/loss"], rel=1e-5)
    assert found["weighted"]["val/loss"] == pytest.approx(found["plain"]["val/loss"], rel=1e-5)
