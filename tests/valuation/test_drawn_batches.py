"""Drawn batches: types of features, forms of arguments, and what is refused with its place."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.config.registries import FUSIONS
from raymm.errors import ConfigError, DataError, TrainingError
from raymm.tasks import get_task
from raymm.valuation import get_utility, value_samples
from raymm.valuation.logit_sources import SumSource
from raymm.valuation.own.labels import read_labels
from raymm.valuation.sampling import Sampling, value_sampled
from tests.models.test_calibration import model_of
from tests.oracles import shapley_by_permutations
from tests.valuation.test_batch_checks import K, N, add, batch, in_parts

TYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64]
WAYS = [{"predict": add}, {"predict": None, "partials": in_parts}]


def in_parts_of_its_type(features):
    return features, torch.zeros(K, dtype=features.dtype)


def margins(features, present, label):
    """The utility `margin` of all coalitions of a sample, of its features in float64."""
    worths = []
    for code in range(2**N):
        kept = [i for i in range(N) if code >> i & 1 and present[i]]
        logits = features[kept].sum(axis=0)
        worths.append(logits[label] - max(np.delete(logits, label)))
    return worths


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**20),
    kind=st.sampled_from(TYPES),
    scale=st.sampled_from([1e-3, 1.0, 50.0]),
    way=st.sampled_from([{"predict": add}, {"predict": None, "partials": in_parts_of_its_type}]),
)
def test_features_of_every_type_are_valued_within_its_rounding(seed, kind, scale, way):
    features, labels, present = batch(3, seed)
    given_ones = torch.tensor(scale * features).to(kind)
    found = value_samples(features=given_ones, labels=labels, present=present, utility_name="margin", **way)
    exact = given_ones.double().numpy()
    wanted = [
        [float(phi) for phi in shapley_by_permutations(margins(exact[row], present[row], labels[row]))]
        for row in range(3)
    ]
    step = max(torch.finfo(kind).eps, torch.finfo(torch.float32).eps if kind != torch.float64 else 0.0)
    bound = 4 * N * step * np.abs(exact).sum(axis=1).max()
    assert np.abs(found.phi.numpy() - np.array(wanted))[present].max() <= bound
    assert np.array_equal(found.phi.isnan().numpy(), ~present)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**20),
    places=st.sets(
        st.tuples(st.integers(0, 5), st.integers(0, N - 1), st.integers(0, K - 1)), min_size=1, max_size=3
    ),
    strange=st.sampled_from([np.nan, np.inf, -np.inf]),
    way=st.sampled_from(WAYS),
    utility=st.sampled_from(["count", "probability", "margin"]),
)
def test_a_number_that_is_not_finite_is_refused_with_its_sample(seed, places, strange, way, utility):
    features, labels, _ = batch(6, seed)
    for place in places:
        features[place] = strange
    rows = sorted({row for row, _, _ in places})
    with pytest.raises(TrainingError) as caught:
        value_samples(features=features, labels=labels, utility_name=utility, **way)
    assert f"for {len(rows)} samples of a batch (first positions: {rows})" in str(caught.value)


@settings(max_examples=20)
@given(
    labels=st.lists(st.integers(0, K - 1) | st.integers(-3, K + 3) | st.just(-(2**62)), min_size=1, max_size=8),
    way=st.sampled_from(WAYS),
    kind=st.sampled_from([np.int64, list]),
)
def test_exactly_the_drawn_labels_that_are_outside_are_named(labels, way, kind):
    features = batch(len(labels))[0]
    given_ones = labels if kind is list else np.array(labels, kind)
    outside = {row: label for row, label in enumerate(labels) if label not in range(K)}
    if not outside:
        assert value_samples(features=features, labels=given_ones, **way).phi.shape == (len(labels), N)
        return
    with pytest.raises(DataError) as caught:
        value_samples(features=features, labels=given_ones, **way)
    named = re.findall(rf"sample (\d+) of the batch: label (-?\d+) is outside the {K} classes", str(caught.value))
    assert {int(row): int(label) for row, label in named} == outside


@settings(max_examples=20)
@given(
    n=st.integers(1, 6),
    classes=st.integers(1, 7),
    width=st.integers(1, 4),
    utility=st.sampled_from(["count", "correct", "probability", "log_probability", "logit"]),
    partly=st.booleans(),
)
def test_no_samples_of_any_size_have_no_values(n, classes, width, utility, partly):
    def parts(features):
        return features.sum(dim=2, keepdim=True).expand(-1, -1, classes), torch.zeros(classes)

    def whole(features, mask):
        return (parts(features)[0] * mask[..., None]).sum(dim=1)

    way = {"predict": None, "partials": parts} if partly else {"predict": whole}
    none = {"features": np.zeros((0, n, width), "f4"), "labels": np.zeros(0, np.int64)}
    found = value_samples(**none, present=np.zeros((0, n), bool), utility_name=utility, **way)
    assert found.phi.shape == found.stderr.shape == (0, n)
    assert found.probabilities.shape == (0, classes)
    assert found.correct.shape == (0, 2**n)


@settings(max_examples=30)
@given(
    utility=st.sampled_from(get_task().utilities),
    classes=st.integers(1, 4),
    n=st.integers(1, 4),
    rows=st.integers(1, 3),
    way=st.sampled_from(["whole", "parts", "sampled"]),
    seed=st.integers(0, 99),
)
def test_one_class_has_no_margin_and_every_other_utility(utility, classes, n, rows, way, seed):
    """Logits of each modality are its features; those of a coalition their sum."""
    features = torch.randn(rows, n, classes, generator=torch.Generator().manual_seed(seed))
    labels, present = torch.arange(rows) % classes, torch.ones(rows, n, dtype=torch.bool)

    def value():
        if way == "whole":
            return value_samples(lambda f, mask: (f * mask[..., None]).sum(1), features, labels, utility_name=utility)
        if way == "parts":
            parts = {"partials": lambda f: (f, torch.zeros(classes))}
            return value_samples(None, features, labels, utility_name=utility, **parts)
        source_of = lambda some: SumSource(features[some], torch.zeros(classes), present[some])  # noqa: E731
        return value_sampled(source_of, labels, present, get_utility(utility), Sampling(2 * n + 2, 0))

    if (utility, classes) == ("margin", 1):
        with pytest.raises(ConfigError, match=r"'margin' .* the model has 1 output: one class has no margin; give"):
            value()
        return
    sums = value().phi.sum(dim=1)
    total, none = (
        get_utility(utility).fn(logits[:, None], labels, torch.full((rows, 1), size))[:, 0].double()
        for logits, size in ((features.sum(dim=1), n), (torch.zeros(rows, classes), 0))
    )
    assert sums.numpy() == pytest.approx((total - none).numpy(), abs=1e-5)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_no_samples_have_no_values_under_any_fusion(fusion):
    model = model_of(fusion, "none")
    with torch.no_grad():
        found = value_samples(model, torch.zeros(0, 3, 6), torch.zeros(0, dtype=torch.int64))
    assert (found.phi.shape, found.probabilities.shape) == ((0, 3), (0, 3))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def spread(array):
    """Every second entry of a longer array."""
    longer = np.repeat(array, 2, axis=-1)
    return longer[..., ::2]


FORMS = {
    "array": lambda array: array,
    "list": np.ndarray.tolist,
    "tuple": lambda array: tuple(map(tuple, array.tolist())) if array.ndim > 1 else tuple(array.tolist()),
    "list of arrays": list,
    "list of tensors": lambda array: list(torch.tensor(array)),
    "tensor": torch.tensor,
    "spread": spread,
    "reversed": lambda array: array[::-1].copy()[::-1],
    "fortran": np.asfortranarray,
    "byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "read-only": read_only,
}
COLUMN = {"pandas": lambda array: pd.Series(array, index=range(len(array), 0, -1))}
NUMBERS = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])


@pytest.mark.filterwarnings("error")
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**20),
    forms=st.tuples(
        st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(FORMS | COLUMN)), st.sampled_from(sorted(FORMS))
    ),
    numbers=st.tuples(NUMBERS, NUMBERS | st.sampled_from(["?", "f2", "f4", "f8"])),
)
def test_one_batch_has_one_value_in_every_form_of_its_arguments(seed, forms, numbers):
    features, labels, present = batch(5, seed)
    wanted = value_samples(add, torch.tensor(features), torch.tensor(labels), present=torch.tensor(present))
    arrays = features, labels.astype(numbers[0]), present.astype(numbers[1])
    found = [{**FORMS, **COLUMN}[form](array) for form, array in zip(forms, arrays, strict=True)]
    values = value_samples(add, found[0], found[1], present=found[2])
    assert torch.equal(values.phi.nan_to_num(9.0), wanted.phi.nan_to_num(9.0))
    assert torch.equal(values.correct, wanted.correct)
    assert read_labels(found[1], get_task()).tolist() == labels.tolist()
