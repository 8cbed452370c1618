"""What `value_samples` is given: taken where it can be, else refused in words; missing features are never read."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.errors import DataError
from raymm.tasks.registry import get_task
from raymm.valuation import value_samples

N, K = 3, 3


def batch(samples=12, seed=0):
    generator = np.random.default_rng(seed)
    present = generator.random((samples, N)) < 0.6
    present[:, 0] = True
    return generator.normal(size=(samples, N, K)).astype("f4"), generator.integers(0, K, samples), present


def add(features, mask):
    return (features * mask[..., None]).sum(dim=1)


def in_parts(features):
    return features, torch.zeros(K)


def by_hand(features, labels, present):
    """Shapley values of `count` over the subsets of what is there, in plain Python."""
    phi = np.full(present.shape, np.nan)
    for row, label in enumerate(labels):
        players = [i for i in range(N) if present[row, i]]

        def worth(members, row=row, label=label):
            logits = [sum(float(features[row, i, k]) for i in members) for k in range(K)]
            return len(members) * (bool(members) and int(np.argmax(logits)) == label)

        for i in players:
            others = [j for j in players if j != i]
            phi[row, i] = sum(
                math.factorial(size)
                * math.factorial(len(others) - size)
                / math.factorial(len(players))
                * (worth((*subset, i)) - worth(subset))
                for size in range(len(others) + 1)
                for subset in itertools.combinations(others, size)
            )
    return phi


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "way", [{"predict": add}, {"predict": None, "partials": in_parts}], ids=["fusion", "partials"]
)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), samples=st.integers(1, 6))
def test_what_stands_at_a_missing_modality_is_never_read(strange, way, seed, samples):
    features, labels, present = batch(samples, seed)
    want = by_hand(features, labels, present)
    features[~present] = strange
    predict, more = way["predict"], {name: one for name, one in way.items() if name != "predict"}
    values = value_samples(
        predict, torch.tensor(features), torch.tensor(labels), present=torch.tensor(present), **more
    )
    np.testing.assert_allclose(values.phi.numpy(), want, atol=1e-6)


def test_partials_that_are_nan_of_a_missing_modality_alone_are_never_read():
    features, labels, present = batch()
    want = by_hand(features, labels, present)
    features[~present] = 0

    def partials(features):
        return torch.where((features == 0).all(2, keepdim=True), torch.nan, features), torch.zeros(K)

    values = value_samples(None, torch.tensor(features), torch.tensor(labels), present=present, partials=partials)
    np.testing.assert_allclose(values.phi.numpy(), want, atol=1e-6)


@pytest.mark.parametrize("present_as", [bool, np.int64, np.uint8, np.float32, list])
@pytest.mark.parametrize("labels_as", [np.int32, np.uint8, np.int64, list])
@pytest.mark.parametrize("features_as", [np.float32, np.float64, list])
def test_arrays_and_lists_are_taken(present_as, labels_as, features_as):
    features, labels, present = batch()

    def given_as(array, kind):
        return array.tolist() if kind is list else array.astype(kind)

    values = value_samples(
        add, given_as(features, features_as), given_as(labels, labels_as), present=given_as(present, present_as)
    )
    np.testing.assert_allclose(values.phi.numpy(), by_hand(features, labels, present), atol=1e-6)


@pytest.mark.parametrize("way", [(add, {}), (None, {"partials": in_parts})], ids=["fusion", "partials"])
@pytest.mark.parametrize("utility", ["count", "probability", "margin"])
def test_no_samples_have_no_values(way, utility):
    predict, more = way
    none = torch.zeros(0, dtype=torch.int64)
    values = value_samples(predict, torch.zeros(0, N, K), none, utility_name=utility, **more)
    assert values.phi.shape == (0, N)
    assert values.probabilities.shape == (0, K)


def refusal(*arguments, **more):
    with pytest.raises(DataError) as caught:
        value_samples(*arguments, **more)
    return str(caught.value)


@pytest.mark.parametrize("way", [(add, {}), (None, {"partials": in_parts})], ids=["fusion", "partials"])
@pytest.mark.parametrize("utility", ["count", "probability"])
@pytest.mark.parametrize(("row", "label"), [(5, 7), (0, -1), (11, 3), (3, 2**40)])
def test_a_label_outside_the_classes_is_named_with_its_sample(way, utility, row, label):
    features, labels, _ = batch()
    labels[row] = label
    said = refusal(way[0], features, labels, utility_name=utility, **way[1])
    assert (
        said == f"labels: sample {row} of the batch: label {label} is outside the 3 classes; the model has 3 outputs"
    )


def test_all_such_labels_are_said_and_many_are_counted():
    features, labels, _ = batch(30)
    said = refusal(add, features, labels * 0 + 9)
    assert "sample 0 of the batch" in said
    assert "sample 19 of the batch" in said
    assert "... and 10 more samples" in said
    assert "sample 20" not in said


def test_labels_of_several_classes_must_be_as_many_as_the_outputs():
    features, _, _ = batch()
    said = refusal(add, features, np.ones((12, 2), bool), task=get_task("multilabel"))
    assert "sample 0 of the batch: the label has 2 entries for 3 classes; the model has 3 outputs" in said


FEATURES, LABELS, PRESENT = batch()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"features": FEATURES[:, 0, 0]}, "features are [12] of torch.float32; give real numbers [samples, modalit"),
        ({"features": FEATURES[:, 0]}, "features are [12, 3] of torch.float32; give real numbers"),
        ({"features": FEATURES[:, :0]}, "features are [12, 0, 3]"),
        ({"features": FEATURES * 1j}, "features are [12, 3, 3] of torch.complex64; give real numbers"),
        ({"features": [["a"]]}, "features: a list that is no array of numbers ("),
        ({"features": None}, "features: a NoneType that is no array of numbers ("),
        ({"labels": LABELS[:5]}, "labels are [5] and features of 12 samples; give one label a sample"),
        ({"labels": 1}, "labels are [] and features of 12 samples; give one label a sample"),
        ({"labels": np.array(["a"] * 12)}, "labels: a ndarray that is no array of numbers ("),
        ({"present": PRESENT[:, :2]}, "present is [12, 2]; give [samples, modalities] = [12, 3]"),
        ({"present": PRESENT[0]}, "present is [3]; give [samples, modalities] = [12, 3]"),
        ({"present": PRESENT * 2}, "present has other numbers than 0 and 1; give whether each sample has each modal"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(changed, words):
    arguments = {"features": FEATURES, "labels": LABELS, "present": PRESENT, **changed}
    said = refusal(add, arguments["features"], arguments["labels"], present=arguments["present"])
    assert said.startswith(f"value_samples: {words}")


def test_all_mistakes_are_said_at_once():
    said = refusal(add, FEATURES, LABELS[:5], present=PRESENT[:, :2] * 3)
    assert "present has other numbers" in said
    assert "labels are [5]" in said
    assert "present is [12, 2]" in said


@pytest.mark.parametrize("labels", [LABELS.astype("f4"), LABELS > 0, LABELS[:, None]], ids=["floats", "bools", "2d"])
def test_labels_of_another_task_are_not_taken(labels):
    with pytest.raises(TypeError, match=r"labels of the task classification are torch\.int64 with 1 axes, not"):
        value_samples(add, FEATURES, labels)
