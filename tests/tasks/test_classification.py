"""Classification says what training, valuation and evaluation computed before there were tasks, bit for bit."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from raymm.errors import DataError
from raymm.tasks import get_task
from raymm.training.training_step import sum_rows

TASK = get_task()
CLASSES = ("cat", "dog", "emu")


def _batch(samples=37, coalitions=8, classes=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    outputs = (4 * torch.randn(samples, coalitions, classes, generator=generator)).to(dtype)
    return outputs, torch.randint(classes, (samples,), generator=generator)


def _gather(values, labels):
    return values.gather(-1, labels[:, None, None].expand(-1, values.shape[1], 1))[..., 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_soft_values_have_the_bits_of_their_formulas(dtype):
    outputs, labels = _batch(dtype=dtype)
    wide = outputs.double()
    rivals = wide.scatter(-1, labels[:, None, None].expand(-1, wide.shape[1], 1), -torch.inf).amax(dim=-1)
    expected = {
        "probability": _gather(wide.softmax(dim=-1), labels),
        "log_probability": _gather(wide.log_softmax(dim=-1), labels),
        "logit": _gather(wide, labels),
        "margin": _gather(wide, labels) - rivals,
    }
    for name, values in expected.items():
        assert torch.equal(getattr(TASK, name)(outputs, labels), values), name
    assert not torch.equal(TASK.probability(outputs, (labels + 1) % 5), expected["probability"])


def test_soft_values_by_numpy():
    outputs, labels = _batch()
    logits, own = outputs.double().numpy(), labels.numpy()
    softmax = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    picked = np.array([softmax[b, :, own[b]] for b in range(len(own))])
    np.testing.assert_allclose(TASK.probability(outputs, labels), picked, rtol=1e-12)
    np.testing.assert_allclose(TASK.log_probability(outputs, labels), np.log(picked), rtol=1e-9)
    for b, label in enumerate(own):
        others = np.delete(logits[b], label, axis=-1).max(axis=-1)
        np.testing.assert_array_equal(TASK.margin(outputs, labels)[b], logits[b, :, label] - others)


def test_the_first_of_equal_outputs_is_the_answer():
    outputs = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 2.0, 2.0]]])
    assert TASK.correct(outputs, torch.tensor([0])).tolist() == [[True, False]]
    assert TASK.correct(outputs, torch.tensor([1])).tolist() == [[False, True]]
    assert TASK.predict(outputs[0]).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_summed_loss_is_cross_entropy_bit_for_bit_with_its_gradient(dtype):
    outputs, labels = _batch(dtype=dtype)
    ours, theirs = (outputs[:, 0].clone().requires_grad_() for _ in range(2))
    total = sum_rows(TASK.losses(ours, labels))
    expected = torch.nn.functional.cross_entropy(theirs.float(), labels, reduction="sum")
    assert torch.equal(total, expected)
    total.backward()
    expected.backward()
    assert torch.equal(ours.grad, theirs.grad)
    assert total.dtype == torch.float32
    torch.testing.assert_close(TASK.losses(ours, labels).sum(), total)


def test_losses_in_double_are_those_of_the_valuation():
    outputs, labels = _batch()
    logits = outputs[:, 0]
    expected = -logits.T.contiguous().double().log_softmax(dim=0).gather(0, labels[None])[0]
    assert torch.equal(TASK.losses(logits.double(), labels), expected)
    probability = TASK.probability(logits[:, None], labels)[:, 0]
    torch.testing.assert_close(expected, -probability.log())


def test_metrics_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    label, prediction = generator.integers(4, size=200), generator.integers(5, size=200)
    losses = generator.random(200)
    found = TASK.metrics(prediction, label, losses, 6)
    assert found == {
        "accuracy": pytest.approx(accuracy_score(label, prediction)),
        "macro_f1": pytest.approx(f1_score(label, prediction, average="macro")),  # of classes that occur
        "loss": pytest.approx(losses.mean()),
    }
    assert list(TASK.selection) == list(found)
    assert TASK.is_right(prediction, label).mean() == found["accuracy"]


def test_serving_gives_the_largest_softmax():
    outputs, _ = _batch()
    best = outputs[:, 0].double().softmax(dim=-1).max(dim=-1)
    assert torch.equal(TASK.confidence(outputs[:, 0]), best.values)
    assert torch.equal(TASK.predict(outputs[:, 0]), best.indices)
    assert torch.equal(TASK.probabilities(outputs[:, 0]), outputs[:, 0].double().softmax(dim=-1))


def test_labels_are_read_and_written_back():
    assert TASK.classes_of(["dog", " cat", "dog", "", None, 2.0, float("nan"), ["a", "b"]]) == ("2", "cat", "dog")
    assert [TASK.parse(cell, CLASSES) for cell in ("cat", " emu ")] == [0, 2]
    assert TASK.parse(3, ("3", "4")) == TASK.parse(3.0, ("3", "4")) == 0
    assert [TASK.text(label, CLASSES) for label in (0, np.int64(2))] == ["cat", "emu"]
    assert TASK.array([2, 0], 3).dtype == np.int64
    assert len(TASK.array([], 3)) == 0


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "the label is empty"),
        (None, "the label is empty"),
        (float("nan"), "the label is empty"),
        ("dgo", "label 'dgo' is outside the classes; did you mean 'dog'?"),
        (["cat", "dog"], "the label is a list, ['cat', 'dog']; use the task multilabel for several labels a sample"),
    ],
)
def test_cells_that_are_no_label(cell, words):
    with pytest.raises(DataError) as caught:
        TASK.parse(cell, CLASSES)
    assert str(caught.value) == words


def test_columns_are_int32_as_before():
    label = np.array([2, 0, 1], np.int64)
    column = TASK.to_arrow(label)
    assert column.equals(pa.array(label, pa.int32()))
    assert column.type == TASK.arrow_type(3)
    for stored in (column, pa.chunked_array([column[:1], column[1:]])):
        back = TASK.from_arrow(stored)
        assert back.dtype == np.int64
        assert back.tolist() == label.tolist()
    assert TASK.check(2, 3) is None
    assert TASK.check(3, 3) == "label 3 is outside the 3 classes"
    assert TASK.check(-1, 3) == "label -1 is outside the 3 classes"


def test_each_sample_belongs_to_one_class():
    label = np.array([2, 0, 1, 2])
    assert TASK.class_membership(label, 4).tolist() == (np.eye(4)[label] == 1).tolist()
    assert TASK.strata(label, 4).tolist() == label.tolist()


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(7, 9))
def test_classes_are_counted_as_by_their_members(labels, classes):
    label = np.array(labels, np.int64)
    assert TASK.class_counts(label, classes).tolist() == [labels.count(number) for number in range(classes)]
    assert TASK.class_counts(label, classes).tolist() == TASK.class_membership(label, classes).sum(axis=0).tolist()
