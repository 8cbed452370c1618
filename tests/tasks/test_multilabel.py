"""Several labels a sample: formulas by hand, metrics by scikit-learn."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, jaccard_score, log_loss

from raymm.errors import DataError
from raymm.tasks import get_task
from raymm.training.training_step import sum_rows

TASK = get_task("multilabel")
NAMES = ("calm", "happy", "loud", "sad")
WIDTHS = (1, 2, 6)


def _batch(classes, samples=41, coalitions=8, dtype=torch.float32):
    generator = torch.Generator().manual_seed(classes)
    outputs = (3 * torch.randn(samples, coalitions, classes, generator=generator)).to(dtype)
    return outputs, torch.rand(samples, classes, generator=generator) < 0.4


def _each(outputs, labels, value):
    """`value(outputs [K], label [K])` of plain Python numbers, for each sample and coalition."""
    return torch.tensor(
        [[value(row, own) for row in rows] for rows, own in zip(outputs.tolist(), labels.tolist(), strict=True)]
    )


def _sets(row, own, threshold):
    predicted = {k for k, z in enumerate(row) if 1 / (1 + math.exp(-z)) > threshold}
    return predicted, {k for k, on in enumerate(own) if on}


def _jaccard(row, own, threshold=0.5):
    predicted, true = _sets(row, own, threshold)
    return len(predicted & true) / len(predicted | true) if predicted | true else 1.0


@pytest.mark.parametrize("classes", WIDTHS)
@pytest.mark.parametrize(("threshold", "match"), [(0.5, 1.0), (0.3, 1.0), (0.5, 0.5), (0.8, 1 / 3)])
def test_right_is_a_jaccard_similarity_of_at_least_match(classes, threshold, match):
    task = get_task("multilabel", {"threshold": threshold, "match": match})
    outputs, labels = _batch(classes)
    expected = _each(outputs, labels, lambda row, own: _jaccard(row, own, threshold) >= match)
    found = task.correct(outputs, labels)
    assert torch.equal(found, expected)
    assert 0 < found.float().mean() < 1
    score = task.score(outputs, labels)
    torch.testing.assert_close(
        score, _each(outputs, labels, lambda row, own: _jaccard(row, own, threshold)).double(), rtol=0, atol=1e-7
    )
    prediction = task.predict(outputs[:, 0])
    assert task.is_right(prediction.numpy(), labels.numpy()).tolist() == found[:, 0].tolist()


def test_match_is_reached_where_the_fraction_is_the_number_written():
    for shared in range(1, 101):
        outputs = torch.cat([torch.ones(shared), -torch.ones(100 - shared)])[None, None]
        labels = torch.ones(1, 100, dtype=torch.bool)
        assert get_task("multilabel", {"match": shared / 100}).correct(outputs, labels).item()
        above = math.nextafter(shared / 100, 2)
        if above <= 1:
            assert not get_task("multilabel", {"match": above}).correct(outputs, labels).item()


def test_a_sample_without_labels_is_right_where_none_is_predicted():
    outputs = torch.tensor([[[-1.0, -2.0], [-1.0, 2.0], [0.0, 0.0]]])
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    for match in (1.0, 0.25):
        assert get_task("multilabel", {"match": match}).correct(outputs, nothing).tolist() == [[True, False, True]]
    assert TASK.score(outputs, nothing).tolist() == [[1.0, 0.0, 1.0]]


def _state_probability(z, on):
    return 1 / (1 + math.exp(-z if on else z))


@pytest.mark.parametrize("classes", WIDTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_values_by_hand(classes, dtype):
    outputs, labels = _batch(classes, dtype=dtype)
    wide = outputs.double()

    def product(row, own):
        return math.prod(_state_probability(z, on) for z, on in zip(row, own, strict=True))

    def signed(row, own):
        return [z if on else -z for z, on in zip(row, own, strict=True)]

    with_hand = {
        "probability": lambda row, own: product(row, own) ** (1 / classes),
        "log_probability": lambda row, own: math.log(product(row, own)) / classes,
        "logit": lambda row, own: sum(signed(row, own)) / classes,
        "margin": lambda row, own: min(signed(row, own)),
    }
    for name, value in with_hand.items():
        expected = torch.tensor(_each(wide, labels, value).tolist(), dtype=torch.float64)
        found = getattr(TASK, name)(outputs, labels)
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, msg=name)
        assert not torch.allclose(getattr(TASK, name)(outputs, ~labels), expected), name
    probability = TASK.probability(outputs, labels)
    assert ((probability > 0) & (probability < 1)).all()


def test_chance_is_one_half_for_any_number_of_labels():
    for classes in (1, 3, 500):
        labels = torch.rand(4, classes) < 0.5
        assert TASK.probability(torch.zeros(4, 1, classes), labels).flatten().tolist() == pytest.approx([0.5] * 4)


@pytest.mark.parametrize("threshold", [0.5, 0.2, 0.7])
def test_the_margin_is_positive_where_the_sets_are_equal(threshold):
    task = get_task("multilabel", {"threshold": threshold})
    outputs, labels = _batch(3)
    assert torch.equal(task.margin(outputs, labels) > 0, task.correct(outputs, labels))


def test_the_logit_adds_over_modalities():
    outputs, labels = _batch(6, coalitions=3)
    together = TASK.logit(outputs.double().sum(dim=1, keepdim=True), labels)[:, 0]
    torch.testing.assert_close(TASK.logit(outputs, labels).sum(dim=1), together)
    assert (TASK.logit(torch.zeros(41, 2, 6), labels) == 0).all()


@pytest.mark.parametrize("classes", WIDTHS)
def test_the_loss_is_the_mean_binary_cross_entropy_of_the_labels(classes):
    outputs, labels = _batch(classes)
    logits = outputs[:, 0]
    by_label = [log_loss(labels[:, k], logits[:, k].double().sigmoid(), labels=[False, True]) for k in range(classes)]
    losses = TASK.losses(logits.double(), labels)
    assert losses.mean().item() == pytest.approx(np.mean(by_label))
    torch.testing.assert_close(losses, -TASK.log_probability(logits[:, None], labels)[:, 0])
    total = sum_rows(TASK.losses(logits, labels))
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(losses.sum().item(), rel=1e-5)
    torch.testing.assert_close(
        total, len(logits) * torch.nn.BCEWithLogitsLoss()(logits, labels.float()), rtol=1e-5, atol=1e-5
    )
    assert TASK.losses(logits.bfloat16(), labels).dtype == torch.float32


@pytest.mark.parametrize("classes", WIDTHS)
def test_metrics_are_those_of_scikit_learn(classes):
    outputs, labels = _batch(classes, samples=300)
    logits, label = outputs[:, 0], labels.numpy()
    prediction, probabilities = TASK.predict(logits).numpy(), TASK.probabilities(logits).numpy()
    losses = TASK.losses(logits.double(), labels).numpy()
    found = TASK.metrics(prediction, label, losses, classes, probabilities)
    average = "binary" if classes == 1 else None
    expected = {
        "accuracy": accuracy_score(label, prediction),
        "micro_f1": f1_score(label, prediction, average=average or "micro", zero_division=0),
        "macro_f1": f1_score(label, prediction, average=average or "macro", zero_division=0),
        "mAP": average_precision_score(label, probabilities, average="macro"),
        "loss": losses.mean(),
    }
    assert found == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}
    assert list(TASK.selection) == list(found)


def test_labels_that_never_occur():
    generator = np.random.default_rng(1)
    label = generator.random((50, 4)) < 0.5
    label[:, 2] = False
    probabilities = generator.random((50, 4))
    prediction = probabilities > 0.5
    prediction[:, 2] = False
    found = TASK.metrics(prediction, label, np.zeros(50), 4, probabilities)
    assert found["macro_f1"] == pytest.approx(f1_score(label, prediction, average="macro", zero_division=0))
    there = [0, 1, 3]
    assert found["mAP"] == pytest.approx(average_precision_score(label[:, there], probabilities[:, there]))
    assert "mAP" not in TASK.metrics(prediction, label, np.zeros(50), 4)


def test_accuracy_goes_by_match():
    outputs, labels = _batch(6, samples=200)
    task = get_task("multilabel", {"match": 0.5})
    prediction, label = task.predict(outputs[:, 0]).numpy(), labels.numpy()
    similar = [
        jaccard_score(true, said, zero_division=1) >= 0.5 for true, said in zip(label, prediction, strict=True)
    ]
    assert task.metrics(prediction, label, np.zeros(200), 6)["accuracy"] == pytest.approx(np.mean(similar))
    assert np.mean(similar) > accuracy_score(label, prediction)


def test_serving_gives_the_predicted_set_and_its_probability():
    outputs, _ = _batch(4)
    logits = outputs[:, 0]
    answer = TASK.predict(logits)
    assert torch.equal(answer, logits.double().sigmoid() > 0.5)
    torch.testing.assert_close(TASK.confidence(logits), TASK.probability(logits[:, None], answer)[:, 0])
    assert (TASK.confidence(logits) >= 0.5).all()
    torch.testing.assert_close(TASK.probabilities(logits), torch.special.expit(logits.double()))


def test_cells_are_read():
    assert TASK.classes_of(["loud|happy", "", "happy", ["calm", "sad"], None, np.array(["loud"])]) == NAMES
    readings = {
        "loud|happy": (False, True, True, False),
        " loud | happy |": (False, True, True, False),
        "sad": (False, False, False, True),
        "": (False,) * 4,
    }
    for cell, label in readings.items():
        assert tuple(TASK.parse(cell, NAMES)) == label
    assert (TASK.parse(["happy", "loud"], NAMES) == TASK.parse(np.array(["loud", "happy"]), NAMES)).all()
    assert TASK.parse([], NAMES).tolist() == [False] * 4
    assert TASK.parse([1, 2.0], ("1", "2", "3")).tolist() == [True, True, False]
    comma = get_task("multilabel", {"separator": ","})
    assert tuple(comma.parse("loud,happy", NAMES)) == readings["loud|happy"]
    assert comma.text((True, False, False, True), NAMES) == "calm,sad"


def test_of_a_set_of_many_labels_a_page_shows_the_first():
    names = [f"l{at}" for at in range(30)]
    for count, more in ((0, ""), (12, ""), (13, " ... 1 more"), (29, " ... 17 more")):
        label = np.arange(30) > 29 - count
        shown = "|".join(name for name, on in zip(names, label, strict=True) if on)
        assert TASK.brief(label, names) == "|".join(shown.split("|")[:12]) + more


@given(st.lists(st.booleans(), min_size=4, max_size=4))
def test_the_text_of_a_label_is_read_as_the_same_label(label):
    assert TASK.parse(TASK.text(label, NAMES), NAMES).tolist() == list(label)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "the label is missing; a sample without labels has an empty list or text"),
        (float("nan"), "the label is missing; a sample without labels has an empty list or text"),
        ("happy|luod", "label 'luod' is outside the classes; did you mean 'loud'?"),
        (
            ["zzz", "sadd"],
            (
                "label 'sadd' is outside the classes; did you mean 'sad'?, label 'zzz' is outside the classes; "
                "known: calm, happy, loud, sad"
            ),
        ),
    ],
)
def test_cells_that_are_no_labels(cell, words):
    with pytest.raises(DataError) as caught:
        TASK.parse(cell, NAMES)
    assert str(caught.value) == words


@pytest.mark.parametrize("classes", WIDTHS)
@pytest.mark.parametrize("samples", [0, 1, 9, 64])
def test_columns_go_through_parquet(tmp_path, classes, samples):
    label = np.random.default_rng(classes).random((samples, classes)) < 0.5
    column = TASK.to_arrow(label)
    assert column.type == TASK.arrow_type(classes)
    pq.write_table(pa.table({"label": column}), tmp_path / "labels.parquet", row_group_size=5)
    stored = pq.read_table(tmp_path / "labels.parquet").column("label")
    for back in (column, stored, pa.chunked_array([column[:3], column[3:]])):
        found = TASK.from_arrow(back)
        assert found.dtype == np.bool_
        assert found.shape == (samples, classes)
        assert (found == label).all()
    assert (TASK.from_arrow(column[2:5]) == label[2:5]).all()
    assert TASK.array([tuple(row) for row in label.tolist()], classes).tolist() == label.tolist()


def test_labels_of_another_width_are_named():
    assert TASK.check((True, False), 2) is None
    assert TASK.check((True, False), 3) == "the label has 2 entries for 3 classes"


@given(st.integers(1, 30), st.integers(1, 8), st.floats(0, 1), st.integers(0, 99))
def test_strata_of_any_labels_are_those_of_a_loop(samples, classes, share, seed):
    labels = np.random.default_rng(seed).random((samples, classes)) < share
    counts = labels.sum(axis=0).tolist()
    assert TASK.class_counts(labels, classes).tolist() == counts
    rarest = [min(np.flatnonzero(row), key=lambda one: (counts[one], one), default=classes) for row in labels]
    assert TASK.strata(labels, classes).tolist() == rarest


def test_strata_are_the_rarest_labels():
    label = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]], bool)  # 3, 2 and 1 samples
    assert TASK.strata(label, 3).tolist() == [1, 0, 2, 3, 1]
    assert TASK.class_membership(label, 3).tolist() == label.tolist()
