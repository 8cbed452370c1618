"""Valuing samples from their features: blocks, batches, missing modalities, utilities, partial logits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymm.errors import ConfigError, TrainingError
from raymm.valuation import shapley_values, value_samples
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.enumeration import combine, evaluate_coalitions, grand_prediction, value_source
from raymm.valuation.logit_sources import FusionSource
from raymm.valuation.utilities import get_utility

N, D, K = 3, 4, 5


@pytest.fixture
def model():
    torch.manual_seed(0)
    hidden, out = torch.randn(N * D, 16), torch.randn(16, K)

    def predict(features, mask):
        return torch.tanh((features * mask[..., None]).flatten(1) @ hidden) @ out

    return predict


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(37, N, D, generator=generator), torch.randint(K, (37,), generator=generator)


def never(features, mask):
    pytest.fail("the model was run although its partial logits are known")


def by_hand(predict, features, labels, present):
    """One coalition of one sample at a time."""
    rows = []
    for row in range(len(features)):
        values = []
        for mask in coalition_masks(N):
            kept = mask & present[row]
            guess = predict(features[row : row + 1], kept[None]).argmax()
            values.append(int(guess == labels[row] and kept.any()) * int(kept.sum()))
        rows.append(values)
    return shapley_values(torch.tensor(rows))


def test_equals_one_coalition_at_a_time(model, samples):
    features, labels = samples
    present = torch.ones(len(labels), N, dtype=torch.bool)
    assert torch.equal(value_samples(model, features, labels).phi, by_hand(model, features, labels, present))


def test_a_missing_modality_is_no_player(model, samples):
    features, labels = samples
    present = torch.rand(len(labels), N, generator=torch.Generator().manual_seed(2)) < 0.6
    present[:, 0] = True
    values = value_samples(model, features, labels, present=present)
    expected = by_hand(model, features, labels, present)
    assert torch.equal(values.phi.isnan(), ~present)
    assert torch.equal(values.phi[present], expected[present])
    total = torch.where(values.prediction == labels, present.sum(dim=1), 0)
    assert torch.allclose(values.phi.nansum(dim=1), total.double())


def test_what_stands_at_a_missing_modality_is_never_read(model, samples):
    features, labels = samples
    present = torch.ones(len(labels), N, dtype=torch.bool)
    present[:, 1] = False
    spoilt = features.clone()
    spoilt[:, 1] = 1e6
    clean = value_samples(model, features, labels, present=present)
    assert torch.equal(value_samples(model, spoilt, labels, present=present).correct, clean.correct)
    assert not torch.equal(value_samples(model, spoilt, labels).correct, clean.correct)


@given(batch=st.integers(1, 40), block=st.sampled_from([1, 500, 5_000, 2**26]))
def test_batch_and_block_size_do_not_matter(batch, block):
    torch.manual_seed(0)
    hidden, out = torch.randn(N * D, 16), torch.randn(16, K)
    features, labels = torch.randn(37, N, D), torch.randint(K, (37,))

    def predict(z, mask):
        return torch.tanh((z * mask[..., None]).flatten(1) @ hidden) @ out

    whole = value_samples(predict, features, labels)
    parts = [
        value_samples(predict, z, y, block_bytes=block)
        for z, y in zip(features.split(batch), labels.split(batch), strict=True)
    ]
    assert torch.equal(torch.cat([part.phi for part in parts]), whole.phi)
    assert torch.equal(torch.cat([part.correct for part in parts]), whole.correct)


@pytest.mark.parametrize("name", ["count", "probability"])
def test_coalitions_evaluated_in_parts_combine_to_the_same_bits(name):
    torch.manual_seed(0)
    features, labels, weight = torch.randn(9, 6, D), torch.randint(K, (9,)), torch.randn(6 * D, K)
    present = torch.rand(9, 6) < 0.8

    def predict(z, mask):
        return torch.tanh((z * mask[..., None]).flatten(1)) @ weight

    source = FusionSource(predict, features, present)
    assert source.chunk == 8
    parts = [
        evaluate_coalitions(source, labels, codes, get_utility(name))
        for codes in (range(8), range(8, 40), range(40, 64))
    ]
    whole = value_source(source, labels, get_utility(name))
    combined = combine(parts, present, grand_prediction(source, labels))
    assert torch.equal(combined.phi.nan_to_num(9.0), whole.phi.nan_to_num(9.0))
    assert torch.equal(combined.outcomes, whole.outcomes)
    assert not torch.equal(combine(parts[::-1], present, grand_prediction(source, labels)).outcomes, whole.outcomes)


def test_partial_logits_take_the_place_of_the_model(samples):
    features, labels = samples
    weight, bias = torch.randn(N, D, K), torch.randn(K)

    def predict(z, mask):
        return torch.einsum("bnd,ndk->bk", z * mask[..., None], weight) + bias

    def partials(z):
        return torch.einsum("bnd,ndk->bnk", z, weight), bias

    whole = value_samples(predict, features, labels)
    quick = value_samples(never, features, labels, partials=partials)
    assert torch.equal(quick.phi, whole.phi)


@pytest.mark.parametrize("name", ["correct", "probability", "log_probability", "margin"])
def test_every_utility_is_efficient(model, samples, name):
    features, labels = samples
    values = value_samples(model, features, labels, utility_name=name)
    full = model(features, torch.ones(len(labels), N, dtype=torch.bool)).double()
    empty = model(features, torch.zeros(len(labels), N, dtype=torch.bool)).double()
    rows = torch.arange(len(labels))
    value_of = {
        "correct": lambda z: (z.argmax(1) == labels).double() * (z is full),
        "probability": lambda z: z.softmax(1)[rows, labels],
        "log_probability": lambda z: z.log_softmax(1)[rows, labels],
        "margin": lambda z: z[rows, labels] - z.scatter(1, labels[:, None], -torch.inf).amax(1),
    }[name]
    assert torch.allclose(values.phi.sum(dim=1), value_of(full) - value_of(empty), atol=1e-6)


def test_an_unknown_utility_names_the_nearest(model, samples):
    with pytest.raises(ConfigError, match="no utility 'probabilty'; did you mean 'probability'"):
        value_samples(model, *samples, utility_name="probabilty")


def test_logits_that_are_not_finite_are_refused_with_their_positions(samples):
    features, labels = samples
    features[3, 0, 0] = torch.nan

    def predict(z, mask):
        return z.flatten(1)[:, :K]

    with pytest.raises(TrainingError, match=r"1 samples of a batch \(first positions: \[3\]\)"):
        value_samples(predict, features, labels)
